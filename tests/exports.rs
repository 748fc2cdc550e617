//! Exports of an issued certificate are read by OpenSSL and GnuTLS with chain and key as they are.
#![cfg(all(feature = "pkcs7", feature = "pkcs12"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod support;

use std::fs;
use std::path::Path;

use chancery::domain::Preset;
use chancery::engine::{Issued, Root};
use chancery::x509::pem::decode_all;
use chancery::x509::{Certificate, KeyAlgorithm};
use support::office::Office;
use support::{attempt, output, text};
use tempfile::TempDir;

const PASSWORD: &str = "correct horse é";

async fn issued(key: KeyAlgorithm) -> Box<Issued> {
    let office = Office::open().await;
    office.issuer("exports", KeyAlgorithm::P384, KeyAlgorithm::P256).await;
    let profile = office.preset(Preset::TlsServer, "exports").await;
    office.issue(&office.ask(&profile).common_name("a.example.com").dns("a.example.com").key_algorithm(key)).await
}

fn ders(issued: &Issued, root: Root) -> Vec<Vec<u8>> {
    issued.chain.certificates(root).map(|certificate| certificate.der().to_vec()).collect()
}

fn certificates(text: &str) -> Vec<Vec<u8>> {
    decode_all(text, "CERTIFICATE", 1 << 20).unwrap()
}

fn sorted(mut list: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    list.sort();
    list
}

#[tokio::test]
async fn pem_and_der() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    let issued = issued(KeyAlgorithm::P256).await;
    let [with, without] = [Root::Include, Root::Exclude].map(|root| issued.chain.pem(root));
    assert_eq!((certificates(&with).len(), certificates(&without).len()), (3, 2));
    assert_eq!(
        (certificates(&with), certificates(&without)),
        (ders(&issued, Root::Include), ders(&issued, Root::Exclude))
    );
    assert_eq!(with, format!("{without}{}", issued.chain.root().unwrap().pem()));
    assert_eq!(issued.chain_pem(), without);
    assert!(without.starts_with(&issued.certificate().pem()));
    assert_eq!(
        Certificate::from_pem_chain(&with).unwrap(),
        issued.chain.certificates(Root::Include).cloned().collect::<Vec<_>>()
    );
    fs::write(at.join("with.pem"), &with).unwrap();
    fs::write(at.join("leaf.pem"), issued.certificate().pem()).unwrap();
    fs::write(at.join("leaf.der"), issued.certificate().der()).unwrap();
    // OpenSSL and GnuTLS write PEM exactly as the crate does.
    for input in [["-inform", "DER", "-in", "leaf.der"], ["-inform", "PEM", "-in", "leaf.pem"]] {
        if let Some(pem) = text(at, "openssl", &[&["x509"], &input[..]].concat()) {
            assert_eq!(pem, issued.certificate().pem());
        }
    }
    if let Some(pem) = text(at, "certtool", &["-i", "--no-text", "--inder", "--infile=leaf.der"]) {
        assert_eq!(pem, issued.certificate().pem());
    }
    if let Some(said) = text(at, "certtool", &["--verify-chain", "--infile=with.pem"]) {
        assert!(said.contains("Chain verification output: Verified."), "{said}");
    }
}

#[tokio::test]
async fn pkcs7() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    let issued = issued(KeyAlgorithm::P256).await;
    for (root, count) in [(Root::Include, 3), (Root::Exclude, 2)] {
        fs::write(at.join("chain.p7b"), issued.chain.pkcs7(root).unwrap()).unwrap();
        let ask = ["pkcs7", "-inform", "DER", "-in", "chain.p7b", "-print_certs"];
        if let Some(said) = text(at, "openssl", &ask) {
            assert_eq!(sorted(certificates(&said)), sorted(ders(&issued, root)));
        }
        if let Some(again) = output(at, "openssl", &["pkcs7", "-inform", "DER", "-in", "chain.p7b", "-outform", "DER"])
        {
            assert_eq!(again, issued.chain.pkcs7(root).unwrap());
        }
        if let Some(said) = text(at, "certtool", &["--p7-info", "--inder", "--infile=chain.p7b"]) {
            assert!(said.contains(&format!("Number of certificates: {count}")), "{said}");
            assert!(said.contains("Signers:\nNumber"), "nobody signs: {said}");
        }
    }
}

#[tokio::test]
async fn pkcs12() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    for algorithm in [KeyAlgorithm::Rsa2048, KeyAlgorithm::P256, KeyAlgorithm::P521, KeyAlgorithm::Ed25519] {
        let issued = issued(algorithm).await;
        let key = issued.private_key.as_ref().unwrap();
        let p12 = issued.chain.pkcs12(key, PASSWORD, "web é").unwrap();
        fs::write(at.join("leaf.p12"), p12.expose()).unwrap();
        openssl_reads(at, &issued, algorithm);
        certtool_reads(at, &issued, algorithm);
    }
}

fn openssl_reads(at: &Path, issued: &Issued, algorithm: KeyAlgorithm) {
    let key = issued.private_key.as_ref().unwrap();
    let read = |password: &str, more: &[&str]| {
        let password = format!("pass:{password}");
        attempt(at, "openssl", &[&["pkcs12", "-in", "leaf.p12", "-nodes", "-passin", &password], more].concat())
    };
    let Some(whole) = read(PASSWORD, &["-info"]) else { return };
    let said = String::from_utf8_lossy(&whole.stdout);
    assert!(whole.status.success(), "{algorithm}");
    assert_eq!(sorted(certificates(&said)), sorted(ders(issued, Root::Include)), "{algorithm}");
    assert_eq!(decode_all(&said, "PRIVATE KEY", 1 << 20).unwrap(), [key.pkcs8_der().expose()], "{algorithm}");
    assert!(said.contains("friendlyName: web "), "{said}");
    // The leaf is the certificate that the key belongs to.
    let leaf = read(PASSWORD, &["-clcerts", "-nokeys"]).unwrap();
    assert_eq!(certificates(&String::from_utf8_lossy(&leaf.stdout)), [issued.certificate().der()], "{algorithm}");
    for wrong in ["", "Correct horse é", "correct horse"] {
        let refused = read(wrong, &[]).unwrap();
        assert!(!refused.status.success(), "{algorithm}: {wrong:?} opens it");
        assert!(refused.stdout.is_empty(), "{algorithm}");
    }
}

fn certtool_reads(at: &Path, issued: &Issued, algorithm: KeyAlgorithm) {
    let read = |password: &str| {
        let password = format!("--password={password}");
        attempt(at, "certtool", &["--p12-info", "--inder", "--infile=leaf.p12", &password])
    };
    let Some(whole) = read(PASSWORD) else { return };
    let said = String::from_utf8_lossy(&whole.stdout);
    assert!(whole.status.success(), "{algorithm}: {}", String::from_utf8_lossy(&whole.stderr));
    assert_eq!(sorted(certificates(&said)), sorted(ders(issued, Root::Include)), "{algorithm}");
    let refused = read("wrong").unwrap();
    let said = String::from_utf8_lossy(&refused.stdout);
    assert!(!refused.status.success() || !said.contains("BEGIN "), "{algorithm}: a wrong password opens it");
    // GnuTLS writes the key encrypted; what it decrypts is the certificate's.
    fs::write(at.join("key.pem"), issued.private_key.as_ref().unwrap().pem().expose()).unwrap();
    let password = format!("--password={PASSWORD}");
    let ask = ["--p12-info", "--inder", "--infile=leaf.p12", &password, "--outfile=info.txt"];
    output(at, "certtool", &ask);
    let info = fs::read_to_string(at.join("info.txt")).unwrap();
    let block =
        info.split("-----BEGIN ENCRYPTED PRIVATE KEY-----").nth(1).map(|rest| rest.split("-----END").next().unwrap());
    let Some(block) = block else { panic!("{algorithm}: no key in {info}") };
    let pem = format!("-----BEGIN ENCRYPTED PRIVATE KEY-----{block}-----END ENCRYPTED PRIVATE KEY-----\n");
    fs::write(at.join("encrypted.pem"), pem).unwrap();
    let ask = ["--pubkey-info", "--load-privkey=encrypted.pem", &password, "--outder"];
    assert_eq!(output(at, "certtool", &ask).unwrap(), issued.certificate().public_key().spki_der(), "{algorithm}");
}
