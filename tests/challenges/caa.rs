//! CAA records in a tree of names.

use chancery::challenge::{CaaCheck, ChallengeFailure, ChallengeVerifier};
use chancery::domain::acme::{ChallengeKind, ValidationFault};

use crate::names::Names;
use crate::verifier;

const ACCOUNT: &str = "https://ca.example.org/acme/account/1";

fn check(name: &str) -> CaaCheck {
    let (issuers, method) = (vec!["ca.example.org".to_owned()], ChallengeKind::Http01);
    CaaCheck { name: name.parse().unwrap(), issuers, method, account_url: Some(ACCOUNT.to_owned()) }
}

#[tokio::test]
async fn the_closest_records_count() {
    let Some(names) = Names::start() else { return };
    names.caa("example.com", &[("issue", "other.example.org")]);
    names.caa("ours.example.com", &[("issue", "ca.example.org; validationmethods=http-01")]);
    names.caa("wild.example.com", &[("issue", "ca.example.org"), ("issuewild", ";")]);
    names.caa("mine.example.com", &[("issue", &format!("ca.example.org; accounturi={ACCOUNT}"))]);
    names.caa("theirs.example.com", &[("issue", &format!("ca.example.org; accounturi={ACCOUNT}2"))]);
    let verifier = verifier(&names);
    for (name, may) in [
        ("free.example.net", true),
        ("www.example.com", false),
        ("ours.example.com", true),
        ("a.b.ours.example.com", true),
        ("*.ours.example.com", true),
        ("wild.example.com", true),
        ("*.wild.example.com", false),
        ("mine.example.com", true),
        ("theirs.example.com", false),
    ] {
        match verifier.check_caa(&check(name)).await {
            Ok(()) => assert!(may, "{name}"),
            Err(ChallengeFailure::Failed(error)) => {
                assert_eq!((may, error.fault), (false, ValidationFault::Caa), "{name}: {error}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn records_that_can_not_be_read_forbid() {
    let Some(names) = Names::start() else { return };
    names.fails("broken.example.com");
    let answer = verifier(&names).check_caa(&check("www.broken.example.com")).await;
    let is_caa = matches!(&answer, Err(ChallengeFailure::Failed(error)) if error.fault == ValidationFault::Caa);
    assert!(is_caa, "{answer:?}");
}
