//! Arbitrary text as a policy, profile or Application, in JSON and TOML: no panic, what is accepted survives a round
//! trip, and an accepted policy judges.
#![no_main]

use std::fmt::Debug;
use std::sync::LazyLock;

use chancery::domain::policy::{Policy, PolicySpec};
use chancery::domain::{ApplicationSpec, ProfileSpec};
use chancery::x509::Content;
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use time::macros::datetime;

static CONTENT: LazyLock<Content> =
    LazyLock::new(|| serde_json::from_str(include_str!("content.json")).expect("a content"));

fuzz_target!(|text: &str| {
    if let Some(spec) = read::<PolicySpec>(text) {
        judge(spec, text);
    }
    if let Some(spec) = read::<ApplicationSpec>(text) {
        let _ = spec.faults();
    }
    read::<ProfileSpec>(text);
});

fn read<T: DeserializeOwned + Serialize + PartialEq + Debug>(text: &str) -> Option<T> {
    let spec: T = serde_json::from_str(text).ok().or_else(|| toml::from_str(text).ok())?;
    let written = serde_json::to_string(&spec).expect("a specification is serializable");
    assert_eq!(serde_json::from_str::<T>(&written).expect("what is written reads"), spec);
    Some(spec)
}

fn judge(spec: PolicySpec, text: &str) {
    let now = datetime!(2026-01-02 03:04:05 UTC);
    match Policy::try_from(spec) {
        Ok(policy) => {
            let verdict = policy.judge(&CONTENT, now);
            assert_eq!(verdict, policy.judge(&CONTENT, now), "the same judgement twice");
            if let Some(profile) = read::<ProfileSpec>(text) {
                let _ = profile.check(&policy, now);
            }
        }
        Err(error) => assert!(!error.faults.is_empty() && !error.to_string().is_empty()),
    }
}
