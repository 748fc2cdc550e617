//! The conformance kit of the signer port: one named check a clause.

use super::{SignError, Signer};
use crate::crypto;
use crate::x509::SignatureAlgorithm;

/// One check and what it found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The clause of the contract.
    pub clause: &'static str,
    /// What was seen instead, if the clause does not hold.
    pub failure: Option<String>,
}

/// Runs every check on a signer.
pub async fn run(signer: &dyn Signer) -> Vec<Finding> {
    vec![
        Finding { clause: "at least one algorithm is listed", failure: lists_one(signer) },
        Finding { clause: "signatures verify under the public key", failure: verifies(signer).await },
        Finding { clause: "signing may be repeated", failure: repeats(signer).await },
        Finding { clause: "an algorithm that is not listed is refused", failure: refuses_unlisted(signer).await },
    ]
}

/// Panics with every clause that does not hold.
///
/// # Panics
/// If a finding is a failure.
pub fn assert_passed(findings: &[Finding]) {
    let failures: Vec<String> = findings
        .iter()
        .filter_map(|finding| finding.failure.as_ref().map(|seen| format!("{}: {seen}", finding.clause)))
        .collect();
    assert!(failures.is_empty(), "the signer breaks its contract:\n{}", failures.join("\n"));
}

fn lists_one(signer: &dyn Signer) -> Option<String> {
    signer.algorithms().is_empty().then(|| "none is listed".to_owned())
}

async fn verifies(signer: &dyn Signer) -> Option<String> {
    for algorithm in signer.algorithms() {
        for message in [&b""[..], b"message", &[0x5a; 65_536]] {
            match signer.sign(*algorithm, message).await {
                Ok(signature) if crypto::verify(signer.public_key(), *algorithm, message, &signature).is_ok() => {}
                Ok(_) => return Some(format!("{algorithm}: {} octets signed do not verify", message.len())),
                Err(error) => return Some(format!("{algorithm}: {error}")),
            }
        }
    }
    None
}

async fn repeats(signer: &dyn Signer) -> Option<String> {
    let algorithm = *signer.algorithms().first()?;
    for round in 1..=3 {
        if let Err(error) = signer.sign(algorithm, b"the same").await {
            return Some(format!("round {round}: {error}"));
        }
    }
    None
}

async fn refuses_unlisted(signer: &dyn Signer) -> Option<String> {
    for algorithm in SignatureAlgorithm::ALL.iter().filter(|each| !signer.algorithms().contains(each)) {
        match signer.sign(*algorithm, b"message").await {
            Err(SignError::Refused { .. }) => {}
            other => return Some(format!("{algorithm}: {other:?}")),
        }
    }
    None
}
