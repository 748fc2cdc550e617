//! The quickstart example as a process: what it issues, what it refuses, what it writes and where.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod desk;
mod refusals;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::fs;

use chancery::x509::{Certificate, KeyAlgorithm};
use desk::Desk;
use support::{output, run};

fn set(paths: &[&str]) -> BTreeSet<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

/// The folder's certificate, which OpenSSL verifies for `host` up to the root; `chain.pem` is leaf and intermediate.
fn verified(desk: &Desk, folder: &str, host: &str) -> Certificate {
    let chain = Certificate::from_pem_chain(&desk.read(&format!("{folder}/chain.pem"))).unwrap();
    let root = Certificate::from_pem_chain(&desk.read("root.pem")).unwrap();
    let ([leaf, above], [root]) = (&chain[..], &root[..]) else { panic!("{} and {}", chain.len(), root.len()) };
    leaf.verify_issued_by(above).unwrap();
    above.verify_issued_by(root).unwrap();
    assert_eq!(desk.read(&format!("{folder}/cert.pem")), leaf.pem());
    let is_judged = !leaf.public_key().algorithm().as_str().starts_with("ML-DSA");
    if is_judged {
        let files =
            ["-CAfile", "root.pem", "-untrusted", &format!("{folder}/chain.pem"), &format!("{folder}/cert.pem")];
        let strict = ["verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", host];
        run(&desk.out(""), "openssl", &[&strict[..], &files].concat());
    } else {
        eprintln!("EXCLUDED: openssl 3.0 does not judge ML-DSA keys");
    }
    leaf.clone()
}

/// `key.pem` can be read by its owner only, and is the key of the certificate beside it.
fn key_fits(desk: &Desk, folder: &str, certificate: &Certificate) {
    let path = format!("{folder}/key.pem");
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(desk.out(&path)).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600, "{path}");
    }
    let key = chancery::signer::SoftwareSigner::from_pkcs8_pem(&desk.read(&path)).unwrap();
    assert_eq!(chancery::signer::Signer::public_key(&key), certificate.public_key(), "{path}");
    if !certificate.public_key().algorithm().as_str().starts_with("ML-DSA") {
        let ask = ["pkey", "-in", &path, "-pubout", "-outform", "DER"];
        if let Some(public) = output(&desk.out(""), "openssl", &ask) {
            assert_eq!(public, certificate.public_key().spki_der(), "{path}");
        }
    }
}

#[test]
fn a_second_run_goes_on_where_the_first_ended() {
    let desk = Desk::new();
    let said = desk.succeed(&["--name", "a.example.com"]);
    assert!(said.text.contains("created data.db"), "{}", said.text);
    let first = ["root.pem", "a.example.com/cert.pem", "a.example.com/chain.pem", "a.example.com/key.pem"];
    assert_eq!(desk.written(), set(&first));
    let (root, before) = (desk.read("root.pem"), said.inventory());
    assert_eq!(before.len(), 3, "root, intermediate and leaf: {}", said.text);
    let certificate = verified(&desk, "a.example.com", "a.example.com");
    key_fits(&desk, "a.example.com", &certificate);
    assert!(before[&certificate.serial().to_string()].contains("CN=a.example.com"));

    let said = desk.succeed(&["--name", "b.example.com"]);
    assert!(said.text.contains("reopened data.db"), "{}", said.text);
    let second = ["b.example.com/cert.pem", "b.example.com/chain.pem", "b.example.com/key.pem"];
    assert_eq!(desk.written(), set(&[&first[..], &second].concat()));
    assert_eq!(desk.read("root.pem"), root, "the same CA");
    let certificate = verified(&desk, "b.example.com", "b.example.com");
    let mut expected: BTreeSet<String> = before.into_keys().collect();
    expected.insert(certificate.serial().to_string());
    assert_eq!(said.inventory().into_keys().collect::<BTreeSet<_>>(), expected);
}

#[test]
fn without_a_data_file_nothing_stays() {
    let desk = Desk::new();
    let said = desk.bare(&["--name", "a.example.com", "--out", "out"]);
    assert_eq!(said.code, 0, "{}", said.text);
    assert_eq!(desk.files().len(), 4, "{:?}", desk.files());
    verified(&desk, "a.example.com", "a.example.com");
}

#[test]
fn managed_keys_of_every_algorithm() {
    let desk = Desk::new();
    for algorithm in KeyAlgorithm::ALL {
        let host = format!("{}.example.com", algorithm.as_str().to_lowercase().replace('_', "-"));
        desk.succeed(&["--key-algorithm", algorithm.as_str(), "--name", &host]);
        let certificate = verified(&desk, &host, &host);
        assert_eq!(certificate.public_key().algorithm(), algorithm);
        key_fits(&desk, &host, &certificate);
    }
}

#[test]
fn requests_of_openssl_and_certtool() {
    let desk = Desk::new();
    let at = desk.at();
    let keys: [(&str, &[&str], &str); 3] = [
        ("rsa.example.com", &["rsa:2048"], "--key-type=rsa --bits=2048"),
        ("ec.example.com", &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"], "--key-type=ecdsa --curve=secp384r1"),
        ("ed.example.com", &["ed25519"], "--key-type=ed25519"),
    ];
    for (host, openssl, certtool) in keys {
        let (subject, name) = (format!("/CN={host}"), format!("subjectAltName=DNS:{host}"));
        let ask = ["-nodes", "-keyout", "given.key", "-subj", &subject, "-addext", &name, "-out", "given.csr"];
        let made = run(&at, "openssl", &[&["req", "-new", "-newkey"], openssl, &ask].concat())
            && run(&at, "openssl", &["req", "-in", "given.csr", "-outform", "DER", "-out", "given.der"]);
        for file in ["given.csr", "given.der"].into_iter().filter(|_| made) {
            answers(&desk, file, host);
        }
        let key: Vec<&str> = certtool.split(' ').collect();
        fs::write(at.join("given.template"), format!("cn = \"{host}\"\ndns_name = \"{host}\"\nsigning_key\n")).unwrap();
        let ask =
            ["--generate-request", "--load-privkey=given.key", "--template=given.template", "--outfile=given.csr"];
        let made = run(&at, "certtool", &[&["--generate-privkey", "--outfile=given.key"], &key[..]].concat())
            && run(&at, "certtool", &ask);
        if made {
            answers(&desk, "given.csr", host);
        }
    }
}

/// The request's own key is certified, and no key is written.
fn answers(desk: &Desk, file: &str, host: &str) {
    desk.succeed(&["--csr", file]);
    let folder: BTreeSet<String> = desk.written().into_iter().filter(|path| path.starts_with(host)).collect();
    assert_eq!(folder, set(&[&format!("{host}/cert.pem"), &format!("{host}/chain.pem")]));
    let certificate = verified(desk, host, host);
    let public = output(&desk.at(), "openssl", &["pkey", "-in", "given.key", "-pubout", "-outform", "DER"]);
    assert!(public.is_none_or(|public| public == certificate.public_key().spki_der()), "{file} of {host}");
}

/// A folder holds one certificate's files: never a key beside a certificate of another key.
#[test]
fn a_name_that_comes_again_takes_the_folder() {
    let desk = Desk::new();
    desk.succeed(&["--name", "a.example.com"]);
    let first = verified(&desk, "a.example.com", "a.example.com");
    desk.succeed(&["--name", "a.example.com"]);
    let second = verified(&desk, "a.example.com", "a.example.com");
    assert_ne!(first.serial(), second.serial());
    key_fits(&desk, "a.example.com", &second);
    let ask = ["-nodes", "-keyout", "given.key", "-subj", "/CN=a.example.com", "-out", "given.csr"];
    let names = ["-addext", "subjectAltName=DNS:a.example.com"];
    if run(&desk.at(), "openssl", &[&["req", "-new", "-newkey", "rsa:2048"], &ask[..], &names].concat()) {
        answers(&desk, "given.csr", "a.example.com");
        assert_eq!(desk.inventory().len(), 5);
    }
}

/// Names for which there is no folder of that name get one called after the serial.
#[test]
fn wildcards_and_long_names() {
    let desk = Desk::new();
    let long = format!("{}.{}.example.com", "a".repeat(63), "b".repeat(63));
    for (name, host, subject) in [("*.example.com", "b.example.com", "CN=*.example.com"), (&long, &long, "")] {
        let before = desk.written();
        let said = desk.succeed(&["--name", name]);
        let new: Vec<String> =
            desk.written().difference(&before).filter(|path| path.ends_with("key.pem")).cloned().collect();
        let [key] = &new[..] else { panic!("{new:?}") };
        let folder = key.strip_suffix("/key.pem").unwrap();
        let certificate = verified(&desk, folder, host);
        assert_eq!(
            (folder, certificate.content().subject.to_string().as_str()),
            (&*certificate.serial().to_string(), subject)
        );
        assert!(said.text.contains(folder), "{}", said.text);
    }
}

#[test]
fn arguments_that_make_no_sense() {
    let desk = Desk::new();
    let table: [(&[&str], &str); 7] = [
        (&["--out", "out", "--bogus", "x"], "unknown argument --bogus"),
        (&["--out", "out", "--help"], "unknown argument --help"),
        (&["--out", "out", "a.example.com"], "unknown argument a.example.com"),
        (&["--name", "a.example.com"], "--out is needed"),
        (&[], "--out is needed"),
        (&["--out", "out", "--name"], "--name needs a value"),
        (&["--out", "out", "--key-algorithm", "RSA_1024", "--name", "a.example.com"], "`RSA_1024`"),
    ];
    for (arguments, reason) in table {
        let said = desk.bare(arguments);
        assert_eq!(said.code, 2, "{arguments:?}");
        assert!(said.text.contains(reason) && said.text.contains("usage: quickstart --out DIR"), "{}", said.text);
        assert!(desk.files().is_empty(), "{:?}", desk.files());
    }
}
