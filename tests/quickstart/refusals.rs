//! Requests that the quickstart refuses: every reason is printed, nothing is stored or written, others are served.

use std::collections::BTreeSet;
use std::fs;

use crate::desk::Desk;
use crate::support::run;

type Texts<'a> = &'a [&'a str];

const NEW_KEY: [&str; 2] = ["-newkey", "rsa:2048"];

/// Has OpenSSL write `given.csr` with this subject, these extensions and these further options.
fn request(desk: &Desk, subject: &str, extensions: &[&str], options: &[&str]) -> bool {
    let mut arguments =
        vec!["req", "-new", "-utf8", "-nodes", "-keyout", "given.key", "-subj", subject, "-out", "given.csr"];
    arguments.extend(extensions.iter().flat_map(|extension| ["-addext", *extension]));
    arguments.extend(if options.contains(&"-newkey") { &[] } else { &NEW_KEY[..] });
    arguments.extend(options);
    run(&desk.at(), "openssl", &arguments)
}

/// The DER of `given.csr`, to be damaged.
fn der(desk: &Desk) -> Option<Vec<u8>> {
    let made = request(desk, "/CN=a.example.com", &["subjectAltName=DNS:a.example.com"], &[])
        && run(&desk.at(), "openssl", &["req", "-in", "given.csr", "-outform", "DER", "-out", "given.der"]);
    made.then(|| fs::read(desk.at().join("given.der")).unwrap())
}

/// The file is refused for all of `reasons`; inventory and files are as before.
fn refused(desk: &Desk, file: &str, reasons: &[&str]) {
    let before = desk.inventory();
    let written = desk.written();
    let said = desk.run(&["--csr", file]);
    assert_eq!(said.code, 1, "{}", said.text);
    assert!(said.text.contains(&format!("{file} refused")), "{}", said.text);
    let lines: Vec<&str> = said.text.lines().filter(|line| line.starts_with("  - ")).collect();
    assert_eq!(lines.len(), reasons.len(), "{reasons:?}: {}", said.text);
    for reason in reasons {
        assert!(lines.iter().any(|line| line.contains(reason)), "{reason}: {}", said.text);
    }
    assert_eq!(said.inventory(), before);
    assert_eq!(desk.inventory(), before, "on reopening");
    assert_eq!(desk.written(), written);
}

#[test]
fn requests_outside_the_policy() {
    let desk = Desk::new();
    let dns = "subjectAltName=DNS:a.example.com";
    // The subject, extensions and further options of a request, and what is said against it.
    let table: [(&str, Texts, Texts, Texts); 13] = [
        ("/CN=a.example.com/O=Example GmbH", &[dns], &[], &["subject.organization"]),
        ("/CN=a.example.com", &["subjectAltName=DNS:a.example.com,email:jane@example.com"], &[], &["jane@example.com"]),
        ("/CN=a.example.com", &["subjectAltName=URI:spiffe://example.org/a"], &[], &["spiffe://example.org/a"]),
        ("/CN=a.example.com", &[dns, "extendedKeyUsage=serverAuth,codeSigning"], &[], &["code_signing"]),
        ("/CN=a.example.com", &[dns, "extendedKeyUsage=clientAuth"], &[], &["client_auth", "server_auth"]),
        ("/CN=a.example.com", &[dns, "keyUsage=digitalSignature,dataEncipherment"], &[], &["data_encipherment"]),
        (
            "/CN=a.example.com",
            &[dns, "keyUsage=digitalSignature,keyCertSign"],
            &[],
            &["issuer.path_length: 0", "key_cert_sign", "policy.basic_constraints.ca"],
        ),
        ("/CN=a.example.com", &[dns, "1.2.3.4=critical,DER:0500"], &[], &["1.2.3.4"]),
        ("/", &[], &[], &["names nobody"]),
        ("/CN=a.example.com", &[dns], &["-newkey", "rsa:1024"], &["1024 bits"]),
        ("/CN=a.example.com", &[dns], &["-newkey", "rsa:2048", "-sha1"], &["1.2.840.113549.1.1.5"]),
        ("/CN=a.example.com", &[dns], &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"], &["1.3.132.0.10"]),
        (
            "/CN=a.example.com/O=Example/L=Jena",
            &["subjectAltName=email:jane@example.com", "extendedKeyUsage=serverAuth,codeSigning"],
            &[],
            &["subject.organization", "subject.locality", "jane@example.com", "code_signing"],
        ),
    ];
    for (subject, extensions, options, reasons) in table {
        if !request(&desk, subject, extensions, options) {
            return;
        }
        refused(&desk, "given.csr", reasons);
    }
    assert!(desk.written().is_empty(), "{:?}", desk.written());
    assert_eq!(desk.inventory().len(), 2, "root and intermediate");
}

/// An ask to be a CA is an ask for key_cert_sign as well, whether it says so or not.
#[test]
fn requests_to_be_a_ca() {
    let desk = Desk::new();
    let extensions = ["subjectAltName=DNS:a.example.com", "basicConstraints=critical,CA:TRUE"];
    if request(&desk, "/CN=a.example.com", &extensions, &[]) {
        let said = desk.run(&["--csr", "given.csr"]);
        assert!(said.code == 1 && said.text.contains("basic_constraints"), "{}", said.text);
        assert!(desk.written().is_empty() && desk.inventory().len() == 2);
    }
}

#[test]
fn files_that_hold_no_sound_request() {
    let desk = Desk::new();
    let Some(sound) = der(&desk) else { return };
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = sound.clone();
        change(&mut bytes);
        bytes
    };
    let name = sound.windows(13).position(|part| part == b"a.example.com").unwrap();
    let table: [(&str, Vec<u8>, &str); 8] = [
        ("given.cut", with(&|bytes| bytes.truncate(bytes.len() / 2)), "can not be read"),
        ("given.tail", with(&|bytes| bytes.push(0)), "can not be read"),
        ("given.text", b"-----BEGIN CERTIFICATE REQUEST-----\nnonsense".to_vec(), "can not be read"),
        ("given.empty", Vec::new(), "can not be read"),
        ("given.signature", with(&|bytes| *bytes.last_mut().unwrap() ^= 1), "signature"),
        ("given.name", with(&|bytes| bytes[name] ^= 3), "signature"),
        ("given.large", vec![0x30; 64 * 1024 + 1], "65536"),
        ("given.huge", vec![0x30; 8 << 20], "65536"),
    ];
    for (file, bytes, reason) in table {
        fs::write(desk.at().join(file), bytes).unwrap();
        refused(&desk, file, &[reason]);
    }
    refused(&desk, "given.missing", &["No such file"]);
    refused(&desk, "..", &["directory"]);
    assert!(desk.written().is_empty(), "{:?}", desk.written());
}

#[test]
fn one_refusal_does_not_stop_the_others() {
    let desk = Desk::new();
    if !request(&desk, "/CN=c.example.com", &["subjectAltName=DNS:c.example.com"], &[]) {
        return;
    }
    let names = ["--name", "a.example.com", "--name", "not a name", "--name", "b.example.com"];
    let requests = ["--csr", "given.missing", "--csr", "given.csr"];
    let said = desk.run(&[&names[..], &requests].concat());
    assert_eq!(said.code, 1, "{}", said.text);
    assert!(said.text.contains("2 refused"), "{}", said.text);
    let folders: BTreeSet<String> =
        desk.written().iter().filter_map(|path| Some(path.split_once('/')?.0.to_owned())).collect();
    assert_eq!(folders.into_iter().collect::<Vec<_>>(), ["a.example.com", "b.example.com", "c.example.com"]);
    assert_eq!(said.inventory().len(), 5, "{}", said.text);
}

/// Whatever a common name says, files appear below `out`, in a folder of their own.
#[test]
fn names_that_look_like_paths() {
    let desk = Desk::new();
    for name in ["../x", "..", "/absolute", "a/../../x", "", "."] {
        let said = desk.run(&["--name", name]);
        assert_eq!(said.code, 1, "{name:?}: {}", said.text);
        assert!(desk.written().is_empty(), "{name:?}: {:?}", desk.written());
    }
    let absolute = desk.at().join("stray").to_str().unwrap().to_owned();
    assert!(absolute.len() <= 64, "a common name holds it");
    let long = "𝔞".repeat(64);
    for name in
        ["../stray", "..", ".", "a/../../stray", "..\\stray", "C:stray", "root.pem", "ROOT.PEM", &absolute, &long]
    {
        let subject = format!("/CN={}", name.replace('\\', "\\\\").replace('/', "\\/"));
        if !request(&desk, &subject, &["subjectAltName=DNS:a.example.com"], &[]) {
            return;
        }
        let before = desk.written();
        desk.succeed(&["--csr", "given.csr"]);
        let new: Vec<String> =
            desk.written().difference(&before).filter(|path| path.ends_with("cert.pem")).cloned().collect();
        let [certificate] = &new[..] else { panic!("{name}: {new:?}") };
        let folder = certificate.strip_suffix("/cert.pem").unwrap();
        assert!(folder.len() == 40 && folder.bytes().all(|octet| octet.is_ascii_hexdigit()), "{name}: {folder}");
        assert!(desk.read(certificate).starts_with("-----BEGIN CERTIFICATE"));
        assert!(desk.read("root.pem").starts_with("-----BEGIN CERTIFICATE"));
    }
}
