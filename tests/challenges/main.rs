//! The network verifier against servers of other people's, and against servers that do what they should not.
#![allow(clippy::unwrap_used, reason = "tests fail on it")]

#[path = "../support/names.rs"]
mod names;
#[path = "../support/mod.rs"]
mod support;

mod caa;
mod dns;
mod http;
mod tls;

use std::time::Duration;

use chancery::challenge::{Challenge, ChallengeFailure, ChallengeVerifier, NetworkSettings, NetworkVerifier, Networks};
use chancery::domain::acme::{ChallengeKind, Identifier, ValidationFault};
use names::Names;

const TOKEN: &str = "DGyRejmCefe7v4NfDGDKfA";
const KEY_AUTHORIZATION: &str = "DGyRejmCefe7v4NfDGDKfA.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI";

fn settings(names: &Names) -> NetworkSettings {
    NetworkSettings {
        resolvers: vec![names.resolver],
        http_port: names.http_port,
        tls_port: names.tls_port,
        timeout: Duration::from_secs(5),
        ..NetworkSettings::default()
    }
}

fn verifier(names: &Names) -> NetworkVerifier {
    NetworkVerifier::new(settings(names)).unwrap()
}

fn challenge(kind: ChallengeKind, identifier: Identifier) -> Challenge {
    Challenge {
        kind,
        identifier,
        token: TOKEN.to_owned(),
        key_authorization: KEY_AUTHORIZATION.to_owned(),
        networks: Networks::AlsoPrivate,
    }
}

fn dns(name: &str) -> Identifier {
    Identifier::dns(name).unwrap()
}

/// The fault that a look ends with.
async fn fault(verifier: &NetworkVerifier, challenge: &Challenge) -> ValidationFault {
    match verifier.verify(challenge).await {
        Err(ChallengeFailure::Failed(error)) => error.fault,
        other => panic!("{challenge:?}: {other:?}"),
    }
}
