//! dns-01: records, aliases, and a resolver that is down.

use chancery::challenge::{ChallengeFailure, ChallengeVerifier, NetworkSettings, NetworkVerifier};
use chancery::domain::acme::{ChallengeKind, ValidationFault};

use crate::names::{Names, free_port};
use crate::{challenge, dns, fault, settings, verifier};

fn digest() -> String {
    use base64::Engine as _;
    let challenge = challenge(ChallengeKind::Dns01, dns("example.com"));
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(challenge.digest())
}

#[tokio::test]
async fn any_of_several_records_will_do() {
    let Some(names) = Names::start() else { return };
    let verifier = verifier(&names);
    let www = challenge(ChallengeKind::Dns01, dns("www.example.com"));
    assert_eq!(fault(&verifier, &www).await, ValidationFault::Dns);
    names.text("_acme-challenge.www.example.com", "something else");
    assert_eq!(fault(&verifier, &www).await, ValidationFault::IncorrectResponse);
    names.text("_acme-challenge.www.example.com", &digest());
    verifier.verify(&www).await.unwrap();
    names.clear_text("_acme-challenge.www.example.com");
    assert_eq!(fault(&verifier, &www).await, ValidationFault::Dns, "nothing is cached");
}

#[tokio::test]
async fn a_wildcard_is_proved_below_its_base() {
    let Some(names) = Names::start() else { return };
    names.text("_acme-challenge.example.com", &digest());
    verifier(&names).verify(&challenge(ChallengeKind::Dns01, dns("*.example.com"))).await.unwrap();
}

#[tokio::test]
async fn aliases_are_followed() {
    let Some(names) = Names::start() else { return };
    names.alias("_acme-challenge.www.example.com", "www.validation.example.net");
    names.text("www.validation.example.net", &digest());
    verifier(&names).verify(&challenge(ChallengeKind::Dns01, dns("www.example.com"))).await.unwrap();
}

#[tokio::test]
async fn whose_fault_it_is() {
    let Some(names) = Names::start() else { return };
    names.fails("_acme-challenge.broken.example.com");
    let broken = challenge(ChallengeKind::Dns01, dns("broken.example.com"));
    assert_eq!(fault(&verifier(&names), &broken).await, ValidationFault::Dns);

    let nobody = std::net::SocketAddr::from(([127, 0, 0, 1], free_port()));
    let down = NetworkVerifier::new(NetworkSettings { resolvers: vec![nobody], ..settings(&names) }).unwrap();
    let answer = down.verify(&challenge(ChallengeKind::Dns01, dns("www.example.com"))).await;
    assert!(matches!(answer, Err(ChallengeFailure::Unavailable { .. })), "{answer:?}");
}
