//! Managed private keys fit their certificates, and every signature algorithm of an issuer verifies.

use chancery::domain::Preset;
use chancery::x509::{KeyAlgorithm, SignatureAlgorithm};
use tempfile::TempDir;
use webpki::KeyUsage;

use crate::judges::{certtool, openssl, shape, webpki};
use crate::support::office::{Office, write};
use crate::support::{output, text};

#[tokio::test]
async fn managed_keys_are_the_certificates_keys() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    let office = Office::open().await;
    office.issuer("keys", KeyAlgorithm::P256, KeyAlgorithm::P256).await;
    let profile = office.preset(Preset::TlsServer, "keys").await;
    for algorithm in KeyAlgorithm::ALL.into_iter().filter(|algorithm| !super::post_quantum::is_post_quantum(*algorithm))
    {
        let issued = office.issue(&office.ask(&profile).dns("a.example.com").key_algorithm(algorithm)).await;
        write(at, &issued);
        let spki = issued.certificate().public_key().spki_der();
        if let Some(public) = output(at, "openssl", &["pkey", "-in", "key.pem", "-pubout", "-outform", "DER"]) {
            assert_eq!(public, spki, "{algorithm}");
        }
        output(at, "openssl", &["pkey", "-in", "key.pem", "-check", "-noout"]);
        let ask = ["--pubkey-info", "--load-privkey=key.pem", "--outder"];
        if let Some(public) = output(at, "certtool", &ask) {
            assert_eq!(public, spki, "{algorithm}");
        }
        assert_ne!(openssl(at, "sslserver"), Some(false), "{algorithm}");
    }
}

#[tokio::test]
async fn every_signature_algorithm_of_an_issuer_verifies() {
    const ISSUERS: [(KeyAlgorithm, &[(SignatureAlgorithm, &str)]); 6] = [
        (
            KeyAlgorithm::Rsa2048,
            &[
                (SignatureAlgorithm::RsaSha256, "sha256WithRSAEncryption"),
                (SignatureAlgorithm::RsaSha384, "sha384WithRSAEncryption"),
                (SignatureAlgorithm::RsaSha512, "sha512WithRSAEncryption"),
            ],
        ),
        (KeyAlgorithm::Rsa3072, &[(SignatureAlgorithm::RsaSha256, "sha256WithRSAEncryption")]),
        (KeyAlgorithm::P256, &[(SignatureAlgorithm::EcdsaSha256, "ecdsa-with-SHA256")]),
        (KeyAlgorithm::P384, &[(SignatureAlgorithm::EcdsaSha384, "ecdsa-with-SHA384")]),
        (
            KeyAlgorithm::P521,
            &[
                (SignatureAlgorithm::EcdsaSha512, "ecdsa-with-SHA512"),
                (SignatureAlgorithm::EcdsaSha384, "ecdsa-with-SHA384"),
                (SignatureAlgorithm::EcdsaSha256, "ecdsa-with-SHA256"),
            ],
        ),
        (KeyAlgorithm::Ed25519, &[(SignatureAlgorithm::Ed25519, "ED25519")]),
    ];
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    let office = Office::open().await;
    for (row, (key, signatures)) in ISSUERS.into_iter().enumerate() {
        let issuer = format!("signer-{row}");
        office.issuer(&issuer, key, key).await;
        let profile = office.preset(Preset::TlsServer, &issuer).await;
        for (signature, name) in signatures {
            let mut ask = office.ask(&profile).dns("a.example.com");
            ask.terms.signature_algorithm = Some(*signature);
            let issued = office.issue(&ask).await;
            write(at, &issued);
            let Some(words) = shape(at, &issued) else { return };
            assert_eq!(words.matches(&format!("Signature Algorithm: {name}\n")).count(), 2, "{key}: {words}");
            assert_eq!(openssl(at, "sslserver"), Some(true), "{key}: {name}");
            assert_ne!(certtool(at, None, Some("a.example.com")), Some(false), "{key}: {name}");
            webpki(&issued, KeyUsage::server_auth(), Some("a.example.com")).unwrap();
        }
        // What the issuers above are signed with is what is usual for their keys.
        let above = issued_root_words(at);
        assert!(above.is_none_or(|words| words.contains(signatures[0].1)), "{key}");
    }
}

fn issued_root_words(at: &std::path::Path) -> Option<String> {
    text(at, "openssl", &["x509", "-in", "root.pem", "-noout", "-text"])
}
