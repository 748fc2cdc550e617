//! Requests and certificates that OpenSSL and GnuTLS make are read with the values that went in; damaged ones are not.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod support;

use std::fs;
use std::path::Path;

use chancery::x509::{
    BasicConstraints, Certificate, CertificateError, Csr, CsrError, CsrRefusal, KeyAlgorithm, KeyRefusal, KeyUsage,
    KeyUsages, MAX_CSR_BYTES, SignatureAlgorithm,
};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use support::run;
use tempfile::TempDir;

const OPENSSL_KEYS: [(KeyAlgorithm, &[&str]); 7] = [
    (KeyAlgorithm::Rsa2048, &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    (KeyAlgorithm::Rsa3072, &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"]),
    (KeyAlgorithm::Rsa4096, &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"]),
    (KeyAlgorithm::P256, &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    (KeyAlgorithm::P384, &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
    (KeyAlgorithm::P521, &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"]),
    (KeyAlgorithm::Ed25519, &["-algorithm", "ED25519"]),
];

const CERTTOOL_KEYS: [(KeyAlgorithm, &[&str]); 7] = [
    (KeyAlgorithm::Rsa2048, &["--key-type=rsa", "--bits=2048"]),
    (KeyAlgorithm::Rsa3072, &["--key-type=rsa", "--bits=3072"]),
    (KeyAlgorithm::Rsa4096, &["--key-type=rsa", "--bits=4096"]),
    (KeyAlgorithm::P256, &["--key-type=ecdsa", "--curve=secp256r1"]),
    (KeyAlgorithm::P384, &["--key-type=ecdsa", "--curve=secp384r1"]),
    (KeyAlgorithm::P521, &["--key-type=ecdsa", "--curve=secp521r1"]),
    (KeyAlgorithm::Ed25519, &["--key-type=ed25519"]),
];

const OPENSSL_CONFIG: &str = "
[req]
prompt = no
string_mask = utf8only
distinguished_name = dn
req_extensions = full
attributes = attributes
[dn]
C = DE
O = Example GmbH
CN = a.example.com
[attributes]
challengePassword = secret12
[full]
subjectAltName = @names
keyUsage = critical, digitalSignature, keyCertSign
extendedKeyUsage = serverAuth, clientAuth, 1.3.6.1.4.1.311.20.2.2
basicConstraints = critical, CA:TRUE, pathlen:1
1.2.3.4 = ASN1:UTF8String:hello
1.2.3.5 = critical, DER:05:00
[names]
DNS.1 = a.example.com
DNS.2 = *.Example.org
IP.1 = 192.0.2.1
IP.2 = 2001:db8::1
email.1 = jane@example.com
URI.1 = spiffe://example.org/ns/a
otherName.1 = 1.3.6.1.4.1.311.20.2.3;UTF8:jane@corp.example
";

const CERTTOOL_TEMPLATE: &str = r#"
country = DE
organization = "Example GmbH"
cn = "a.example.com"
challenge_password = secret12
dns_name = "a.example.com"
dns_name = "*.example.org"
ip_address = "192.0.2.1"
ip_address = "2001:db8::1"
email = "jane@example.com"
uri = "spiffe://example.org/ns/a"
other_name_utf8 = "1.3.6.1.4.1.311.20.2.3 jane@corp.example"
ca
path_len = 1
signing_key
cert_signing_key
tls_www_server
tls_www_client
key_purpose_oid = 1.3.6.1.4.1.311.20.2.2
add_extension = "1.2.3.4 0500"
add_critical_extension = "1.2.3.5 0500"
serial = 4711
expiration_days = 30
"#;

const NAMES: [&str; 7] = [
    "dns_name:*.example.org",
    "dns_name:a.example.com",
    "email:jane@example.com",
    "ip_address:192.0.2.1",
    "ip_address:2001:db8::1",
    "upn:jane@corp.example",
    "uri:spiffe://example.org/ns/a",
];

const ECDSA_WITH_SHA384: [u8; 12] = [0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];

#[test]
fn requests_of_openssl() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    fs::write(at.join("req.cnf"), OPENSSL_CONFIG).unwrap();
    for (algorithm, options) in OPENSSL_KEYS {
        let made = run(at, "openssl", &[&["genpkey", "-out", "key.pem"], options].concat())
            && run(at, "openssl", &["req", "-new", "-key", "key.pem", "-config", "req.cnf", "-out", "req.pem"])
            && run(at, "openssl", &["req", "-in", "req.pem", "-outform", "DER", "-out", "req.der"])
            && run(at, "openssl", &["req", "-in", "req.pem", "-text", "-out", "text.pem"]);
        if !made {
            return;
        }
        says_what_went_in(&all_forms(at), algorithm);
    }
}

#[test]
fn requests_of_certtool() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    fs::write(at.join("template"), CERTTOOL_TEMPLATE).unwrap();
    let request = ["--generate-request", "--load-privkey=key.pem", "--template=template"];
    for (algorithm, options) in CERTTOOL_KEYS {
        let made = run(at, "certtool", &[&["--generate-privkey", "--outfile=key.pem"], options].concat())
            && run(at, "certtool", &[&request[..], &["--outfile=text.pem"]].concat())
            && run(at, "certtool", &[&request[..], &["--outfile=req.pem", "--no-text"]].concat())
            && run(at, "certtool", &[&request[..], &["--outfile=req.der", "--outder", "--no-text"]].concat());
        if !made {
            return;
        }
        says_what_went_in(&all_forms(at), algorithm);
    }
}

fn all_forms(at: &Path) -> Vec<Csr> {
    let read = |name| Csr::parse(&fs::read(at.join(name)).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"));
    ["req.pem", "req.der", "text.pem"].map(read).into()
}

fn says_what_went_in(forms: &[Csr], algorithm: KeyAlgorithm) {
    for csr in forms {
        let asked = csr.extensions();
        let mut names: Vec<String> = asked.sans.iter().map(ToString::to_string).collect();
        names.sort();
        assert_eq!(csr.public_key().algorithm(), algorithm);
        assert_eq!(parts(&csr.subject().to_string()), ["C=DE", "CN=a.example.com", "O=Example GmbH"]);
        assert_eq!(names, NAMES);
        assert_eq!(asked.key_usages, KeyUsages::from([KeyUsage::DigitalSignature, KeyUsage::KeyCertSign]));
        let mut purposes: Vec<String> = asked.extended_key_usages.iter().map(ToString::to_string).collect();
        purposes.sort();
        assert_eq!(purposes, ["1.3.6.1.4.1.311.20.2.2", "client_auth", "server_auth"]);
        assert_eq!(asked.basic_constraints, Some(BasicConstraints::Ca { path_length: Some(1) }));
        let unknown: Vec<_> = asked.unknown.iter().map(|each| (each.oid.as_str(), each.critical)).collect();
        assert_eq!(unknown, [("1.2.3.4", false), ("1.2.3.5", true)]);
    }
}

/// The parts of a name in the order of the alphabet: GnuTLS has an order of its own.
fn parts(name: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = name.split(", ").collect();
    parts.sort_unstable();
    parts
}

#[test]
fn a_request_may_say_nothing_but_its_key() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    fs::write(at.join("bare.cnf"), "[req]\ndistinguished_name = dn\n[dn]\n").unwrap();
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem"];
    let rest = ["-config", "bare.cnf", "-subj", "/", "-out", "req.pem"];
    if run(at, "openssl", &[&["req", "-new"], &key[..], &rest[..]].concat()) {
        let csr = Csr::parse(&fs::read(at.join("req.pem")).unwrap()).unwrap();
        assert!(csr.subject().is_empty());
        assert_eq!(*csr.extensions(), Default::default());
    }
}

#[test]
fn weak_requests_of_openssl_are_refused() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    fs::write(at.join("req.cnf"), OPENSSL_CONFIG).unwrap();
    let refusal = |bits: &str, digest: &str| {
        let key = ["req", "-new", "-newkey", bits, "-nodes", "-keyout", "key.pem"];
        let rest = ["-config", "req.cnf", digest, "-out", "req.pem"];
        run(at, "openssl", &[&key[..], &rest[..]].concat()).then(|| refused(&fs::read(at.join("req.pem")).unwrap()))
    };
    if let Some(reason) = refusal("rsa:2048", "-sha1") {
        assert_eq!(reason, CsrRefusal::SignatureAlgorithm { oid: "1.2.840.113549.1.1.5".into() });
    }
    if let Some(reason) = refusal("rsa:1024", "-sha256") {
        assert_eq!(reason, CsrRefusal::Key(KeyRefusal::RsaModulusSize { bits: 1024 }));
    }
}

#[test]
fn damaged_requests_are_refused() {
    let der = request("a.example.com");
    for at in 0..der.len() {
        for mask in [0x01, 0x20, 0x80, 0xff] {
            let mut damaged = der.clone();
            damaged[at] ^= mask;
            assert!(!refusals(&damaged).is_empty(), "octet {at} ^ {mask:#x}");
        }
        assert!(matches!(refused(&der[..at]), CsrRefusal::Malformed { .. }), "cut after {at} octets");
    }
    assert!(matches!(refused(&[&der[..], b"\0"].concat()), CsrRefusal::Malformed { .. }));
}

#[test]
fn a_signature_of_another_request_proves_nothing() {
    let (one, other) = (request("a.example.com"), request("b.example.com"));
    let ([body, algorithm, _], [_, _, signature]) = (fields(&one), fields(&other));
    assert_eq!(refused(&sequence(&[body, algorithm, signature].concat())), CsrRefusal::ProofOfPossession);
    let [_, _, own] = fields(&one);
    assert_eq!(refused(&sequence(&[body, &ECDSA_WITH_SHA384, own].concat())), CsrRefusal::ProofOfPossession);
}

#[test]
fn lengths_in_other_than_their_shortest_form_are_refused() {
    let der = request("a.example.com");
    let [body, algorithm, signature] = fields(&der);
    let content = &der[der.len() - body.len() - algorithm.len() - signature.len()..];
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let long = [&[0x30, 0x83, 0x00], &length[..], content].concat();
    let indefinite = [&[0x30, 0x80], content, &[0, 0]].concat();
    let longer_algorithm = [&[0x30, 0x81, algorithm[1]], &algorithm[2..]].concat();
    let inner = sequence(&[body, &longer_algorithm, signature].concat());
    for ber in [long, indefinite, inner] {
        assert!(matches!(refused(&ber), CsrRefusal::Malformed { .. }), "{ber:02x?}");
    }
}

#[test]
fn one_request_of_bounded_size_is_read() {
    let huge = vec![0x30; MAX_CSR_BYTES + 1];
    assert_eq!(refused(&huge), CsrRefusal::TooLarge { bytes: MAX_CSR_BYTES + 1 });
    let pem = pem_of(&request("a.example.com"));
    let old_label = pem.replace("BEGIN CERT", "BEGIN NEW CERT").replace("END CERT", "END NEW CERT");
    for text in [&pem, &old_label] {
        assert!(Csr::parse(text.as_bytes()).is_ok());
        assert!(Csr::parse(format!("Subject: x\r\n\r\n{}trailer", text.replace('\n', "\r\n")).as_bytes()).is_ok());
    }
    for text in [format!("{pem}{pem}"), format!("{pem}{old_label}"), format!("{old_label}{pem}"), "none".into()] {
        assert!(matches!(refused(text.as_bytes()), CsrRefusal::Malformed { .. }), "{text}");
    }
}

#[test]
fn certificates_of_openssl() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    fs::write(at.join("req.cnf"), OPENSSL_CONFIG).unwrap();
    let root = ["req", "-x509", "-config", "req.cnf", "-extensions", "full", "-days", "30", "-set_serial", "0x1267"];
    let leaf = ["x509", "-req", "-in", "leaf.csr", "-CA", "root.pem", "-CAkey", "key.pem", "-days", "3"];
    for (algorithm, options) in OPENSSL_KEYS {
        let made = run(at, "openssl", &[&["genpkey", "-out", "key.pem"], options].concat())
            && run(at, "openssl", &[&root[..], &["-key", "key.pem", "-out", "root.pem"]].concat())
            && run(at, "openssl", &["req", "-new", "-key", "key.pem", "-config", "req.cnf", "-out", "leaf.csr"])
            && run(at, "openssl", &[&leaf[..], &["-CAcreateserial", "-out", "leaf.pem"]].concat());
        if !made {
            return;
        }
        let chain =
            fs::read_to_string(at.join("leaf.pem")).unwrap() + &fs::read_to_string(at.join("root.pem")).unwrap();
        let chain = Certificate::from_pem_chain(&chain).unwrap();
        let [leaf, root] = &chain[..] else { panic!("{} certificates", chain.len()) };
        is_the_root(root, algorithm, &NAMES);
        leaf.verify_issued_by(root).unwrap();
        assert_eq!(leaf.content().basic_constraints, BasicConstraints::EndEntity);
    }
}

#[test]
fn certificates_of_certtool() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    fs::write(at.join("template"), CERTTOOL_TEMPLATE).unwrap();
    let root = ["--generate-self-signed", "--load-privkey=key.pem", "--template=template", "--outfile=root.pem"];
    for (algorithm, options) in CERTTOOL_KEYS {
        let made = run(at, "certtool", &[&["--generate-privkey", "--outfile=key.pem"], options].concat())
            && run(at, "certtool", &root);
        if !made {
            return;
        }
        let chain = Certificate::from_pem_chain(&fs::read_to_string(at.join("root.pem")).unwrap()).unwrap();
        // GnuTLS copies a template's `email` into requests, not into the certificates of CAs.
        let names: Vec<&str> = NAMES.into_iter().filter(|name| !name.starts_with("email:")).collect();
        is_the_root(&chain[0], algorithm, &names);
    }
}

#[test]
fn a_certificate_names_its_signature_algorithm_twice_alike() {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let der = CertificateParams::new(["a.example.com".to_owned()]).unwrap().self_signed(&key).unwrap().der().to_vec();
    let [body, algorithm, signature] = fields(&der);
    assert_eq!(sequence(&[body, algorithm, signature].concat()), der);
    assert!(Certificate::from_der(&der).is_ok());
    let other = sequence(&[body, &ECDSA_WITH_SHA384, signature].concat());
    assert!(matches!(Certificate::from_der(&other), Err(CertificateError::Malformed { .. })));
}

fn is_the_root(root: &Certificate, algorithm: KeyAlgorithm, expected: &[&str]) {
    let content = root.content();
    let mut names: Vec<String> = content.sans.iter().map(ToString::to_string).collect();
    names.sort();
    assert_eq!(content.key_algorithm, algorithm);
    assert_eq!(names, expected);
    assert!(algorithm != KeyAlgorithm::Ed25519 || content.signature_algorithm == SignatureAlgorithm::Ed25519);
    assert_eq!(content.basic_constraints, BasicConstraints::Ca { path_length: Some(1) });
    assert_eq!(root.serial().to_string(), "1267");
    assert_eq!(content.validity.span().whole_days(), 30);
    assert_eq!(root.unknown_extensions().len(), 2);
    assert!(root.is_self_issued());
    root.verify_issued_by(root).unwrap();
    assert_eq!(Certificate::from_der(root.der()).unwrap(), *root);
    assert_eq!(Certificate::from_pem_chain(&root.pem()).unwrap(), std::slice::from_ref(root));
}

fn request(name: &str) -> Vec<u8> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let parameters = CertificateParams::new([name.to_owned()]).unwrap();
    parameters.serialize_request(&key).unwrap().der().to_vec()
}

fn pem_of(der: &[u8]) -> String {
    chancery::x509::pem::encode(chancery::x509::pem::Label::CertificateRequest, der)
}

fn refusals(bytes: &[u8]) -> Vec<CsrRefusal> {
    Csr::parse(bytes).map_or_else(|CsrError { reasons }| reasons, |_| Vec::new())
}

/// The only reason.
fn refused(bytes: &[u8]) -> CsrRefusal {
    let mut reasons = refusals(bytes);
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    reasons.remove(0)
}

/// Body, algorithm and signature of a signed structure.
fn fields(der: &[u8]) -> [&[u8]; 3] {
    let (_, content) = split(der);
    let (body, rest) = whole(content);
    let (algorithm, signature) = whole(rest);
    [body, algorithm, signature]
}

fn whole(der: &[u8]) -> (&[u8], &[u8]) {
    let (header, content) = split(der);
    der.split_at(header + content.len())
}

/// The length of the header, and the content, of the first element.
fn split(der: &[u8]) -> (usize, &[u8]) {
    let (header, length) = match der[1] {
        short @ 0..=0x7f => (2, usize::from(short)),
        0x81 => (3, usize::from(der[2])),
        _ => (4, usize::from(u16::from_be_bytes([der[2], der[3]]))),
    };
    (header, &der[header..header + length])
}

fn sequence(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let header = if length < 256 {
        vec![0x30, 0x81, length.to_le_bytes()[0]]
    } else {
        [&[0x30, 0x82], &length.to_be_bytes()[..]].concat()
    };
    [header, content.to_vec()].concat()
}
