//! Arbitrary text as every kind of name, number and span: the canonical form of what is accepted is a fixed point, and
//! patterns made of it allow and deny it.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use chancery::domain::policy::{PolicySpec, ValueRules};
use chancery::domain::{CertificateId, Policy, Slug, Span};
use chancery::x509::{Attribute, Content, ExtendedKeyUsage, KeyAlgorithm, San, SanKind, Serial, Subject};
use libfuzzer_sys::fuzz_target;
use time::macros::datetime;

fuzz_target!(|text: &str| {
    fixed_point::<Serial>(text);
    fixed_point::<Span>(text);
    fixed_point::<Slug>(text);
    fixed_point::<CertificateId>(text);
    fixed_point::<ExtendedKeyUsage>(text);
    fixed_point::<KeyAlgorithm>(text);
    for kind in SanKind::ALL {
        san(kind, text);
    }
    for attribute in Attribute::ALL {
        subject(attribute, text);
    }
});

fn fixed_point<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string().parse::<T>().expect("canonical"), value);
    }
}

fn san(kind: SanKind, text: &str) {
    let pattern = spec(|spec, rules| spec.sans = Some([(kind, rules)].into()), text);
    let Ok(san) = San::parse(kind, text) else { return };
    assert_eq!(San::parse(kind, &san.value()).as_ref(), Ok(&san));
    let content = Content { sans: vec![san.clone()], ..content() };
    if let Some(policy) = pattern {
        let _ = policy.judge(&content, NOW);
    }
    let exact = spec(|spec, rules| spec.sans = Some([(kind, rules)].into()), &san.value());
    // A name may also read as a pattern that is wider, never as one that misses it.
    if let Some(exact) = exact {
        let fields = exact.judge(&content, NOW);
        assert!(fields.permits(), "{san}: {fields:?}");
    }
}

fn subject(attribute: Attribute, text: &str) {
    let Ok(subject) = Subject::from_parts([(attribute, text)]) else { return };
    let policy = spec(|spec, rules| spec.subject = Some([(attribute, rules)].into()), text);
    let content = Content { subject, ..content() };
    if let Some(policy) = policy {
        let _ = policy.judge(&content, NOW);
    }
}

const NOW: time::OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

fn spec(put: impl Fn(&mut PolicySpec, ValueRules), pattern: &str) -> Option<Policy> {
    let mut spec = PolicySpec::new("fuzz".parse().expect("a name"));
    put(&mut spec, ValueRules::allow([pattern]));
    Policy::try_from(spec).ok()
}

fn content() -> Content {
    serde_json::from_str(include_str!("content.json")).expect("a content")
}
