//! Runs the signer port's conformance kit on software signers of every algorithm, and on liars that it must find out.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use async_trait::async_trait;
use chancery::signer::conformance::{assert_passed, run};
use chancery::signer::{Locality, SignError, Signer, SoftwareSigner};
use chancery::x509::{KeyAlgorithm, PublicKey, SignatureAlgorithm};

#[tokio::test]
async fn software_signers_conform() {
    for algorithm in KeyAlgorithm::ALL {
        // Without optimisation the pure-Rust backend takes minutes for large RSA keys.
        let is_slow = matches!(algorithm, KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096);
        if cfg!(not(feature = "aws-lc-rs")) && is_slow {
            eprintln!("SKIPPED: {algorithm} without AWS-LC");
            continue;
        }
        let signer = SoftwareSigner::generate(algorithm).unwrap();
        let findings = run(&signer).await;
        assert_eq!(findings.len(), 4);
        assert_passed(&findings);
        let again = SoftwareSigner::from_pkcs8_der(signer.to_pkcs8_der().unwrap().expose()).unwrap();
        assert_eq!(again.public_key(), signer.public_key());
        assert_passed(&run(&again).await);
    }
}

/// How a signer lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    OtherKey,
    OtherMessage,
    OnlyTheFirstTime,
    ListsNone,
    SignsUnlisted,
    CallsUnlistedUnavailable,
}

#[derive(Debug)]
struct Liar {
    lie: Lie,
    shown: SoftwareSigner,
    used: SoftwareSigner,
    signed: std::sync::Mutex<Vec<Vec<u8>>>,
}

#[async_trait]
impl Signer for Liar {
    fn public_key(&self) -> &PublicKey {
        self.shown.public_key()
    }

    fn algorithms(&self) -> &[SignatureAlgorithm] {
        if self.lie == Lie::ListsNone { &[] } else { self.shown.algorithms() }
    }

    fn locality(&self) -> Locality {
        Locality::Remote
    }

    async fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let is_listed = self.algorithms().contains(&algorithm);
        let is_first = {
            let mut signed = self.signed.lock().unwrap();
            let is_first = !signed.iter().any(|before| before == message);
            signed.push(message.to_vec());
            is_first
        };
        match self.lie {
            Lie::SignsUnlisted if !is_listed => Ok(vec![0; 64]),
            Lie::CallsUnlistedUnavailable if !is_listed => Err(SignError::Unavailable { reason: "busy".into() }),
            _ if !is_listed => Err(SignError::Refused { reason: "not listed".into() }),
            Lie::OnlyTheFirstTime if !is_first => Err(SignError::Refused { reason: "signed before".into() }),
            Lie::OtherMessage => self.shown.sign(algorithm, &[message, b"!"].concat()).await,
            Lie::OtherKey => self.used.sign(algorithm, message).await,
            _ => self.shown.sign(algorithm, message).await,
        }
    }
}

#[tokio::test]
async fn liars_are_found_out() {
    const VERIFIES: &str = "signatures verify under the public key";
    const REFUSES: &str = "an algorithm that is not listed is refused";
    let table = [
        (Lie::OtherKey, VERIFIES),
        (Lie::OtherMessage, VERIFIES),
        (Lie::OnlyTheFirstTime, "signing may be repeated"),
        (Lie::ListsNone, "at least one algorithm is listed"),
        (Lie::SignsUnlisted, REFUSES),
        (Lie::CallsUnlistedUnavailable, REFUSES),
    ];
    for (lie, clause) in table {
        let signer = || SoftwareSigner::generate(KeyAlgorithm::Ed25519).unwrap();
        let liar = Liar { lie, shown: signer(), used: signer(), signed: std::sync::Mutex::default() };
        let findings = run(&liar).await;
        let broken: Vec<&str> =
            findings.iter().filter(|finding| finding.failure.is_some()).map(|finding| finding.clause).collect();
        assert_eq!(broken, [clause], "{lie:?}");
        let report = std::panic::catch_unwind(|| assert_passed(&findings)).unwrap_err();
        let report = report.downcast_ref::<String>().unwrap();
        assert!(report.contains(clause), "{lie:?}: {report}");
    }
}
