//! ML-DSA certificates: no stranger at hand reads their keys, so the crate's own parser and verifier judge.

use chancery::domain::Preset;
use chancery::engine::Root;
use chancery::signer::{Signer, SoftwareSigner};
use chancery::x509::{Certificate, CertificateError, KeyAlgorithm};
use tempfile::TempDir;

use crate::judges::openssl;
use crate::support::office::{Office, write};
use crate::support::{attempt, text};

/// Who can not judge, and why. None of them is asked whether it accepts; a test below shows when that changes.
const EXCLUDED: [(&str, &str); 3] = [
    ("openssl", "OpenSSL has ML-DSA since 3.5; Debian 12 has 3.0"),
    ("certtool", "GnuTLS has ML-DSA since 3.8.9, if built with it; Debian 12 has 3.7"),
    ("webpki", "rustls-webpki 0.103 has ML-DSA behind an unstable feature only"),
];

/// Algorithms with their object identifiers (RFC 9881 section 2).
const ML_DSA: [(KeyAlgorithm, &str); 3] = [
    (KeyAlgorithm::MlDsa44, "2.16.840.1.101.3.4.3.17"),
    (KeyAlgorithm::MlDsa65, "2.16.840.1.101.3.4.3.18"),
    (KeyAlgorithm::MlDsa87, "2.16.840.1.101.3.4.3.19"),
];

pub(crate) fn is_post_quantum(algorithm: KeyAlgorithm) -> bool {
    ML_DSA.iter().any(|(known, _)| *known == algorithm)
}

#[tokio::test]
async fn ml_dsa_chains_verify_here() {
    for (stranger, reason) in EXCLUDED {
        eprintln!("EXCLUDED: {stranger} does not judge ML-DSA: {reason}");
    }
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    let office = Office::open().await;
    for (row, (issuer_key, oid)) in ML_DSA.into_iter().enumerate() {
        let issuer = format!("pq-{row}");
        office.issuer(&issuer, ML_DSA[(row + 1) % 3].0, issuer_key).await;
        let profile = office.preset(Preset::TlsServer, &issuer).await;
        for subject_key in [ML_DSA[row].0, KeyAlgorithm::P256] {
            let ask = office.ask(&profile).dns("a.example.com").key_algorithm(subject_key);
            let issued = office.issue(&ask).await;
            write(at, &issued);
            let chain: Vec<&Certificate> = issued.chain.certificates(Root::Include).collect();
            assert_eq!(chain.len(), 3);
            let [leaf, above, root] = [0, 1, 2].map(|at| Certificate::from_der(chain[at].der()).unwrap());
            assert_eq!((&leaf, leaf.public_key().algorithm()), (chain[0], subject_key));
            leaf.verify_issued_by(&above).unwrap();
            above.verify_issued_by(&root).unwrap();
            root.verify_issued_by(&root).unwrap();
            let mut damaged = leaf.der().to_vec();
            *damaged.last_mut().unwrap() ^= 1;
            let refusal = Certificate::from_der(&damaged).unwrap().verify_issued_by(&above);
            assert!(matches!(refusal, Err(CertificateError::Signature { .. })), "{refusal:?}");
            let key = issued.private_key.as_ref().unwrap().pem();
            let key = SoftwareSigner::from_pkcs8_pem(key.expose_text()).unwrap();
            assert_eq!(key.public_key(), leaf.public_key());
            // The frame at least is plain DER to OpenSSL.
            if let Some(words) = text(at, "openssl", &["asn1parse", "-inform", "DER", "-in", "leaf.der"]) {
                assert!(words.contains(oid), "{words}");
            }
        }
    }
}

/// Who is excluded for want of the algorithm is asked again as soon as there is a version that has it.
#[tokio::test]
async fn openssl_without_ml_dsa_says_no() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    let knows = attempt(at, "openssl", &["genpkey", "-algorithm", "ML-DSA-65", "-out", "probe.pem"]);
    let office = Office::open().await;
    office.issuer("pq", KeyAlgorithm::MlDsa65, KeyAlgorithm::MlDsa65).await;
    let profile = office.preset(Preset::TlsServer, "pq").await;
    write(at, &*office.issue(&office.ask(&profile).dns("a.example.com")).await);
    let accepts = openssl(at, "sslserver");
    assert_eq!(accepts, knows.map(|output| output.status.success()));
}
