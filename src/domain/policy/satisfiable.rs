//! Finding policies that can never permit anything, before they are saved.

use super::Policy;
use super::pattern::{DnsPattern, Pattern};
use super::rules::Patterns;
use super::spec::CaRule;
use crate::x509::{ExtendedKeyUsage, KeyAlgorithm, KeyUsage, KeyUsages, San, SanKind};

/// Why a policy can never permit anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fields}: the policy can never permit anything: {reason}")]
pub struct Contradiction {
    /// The fields that contradict each other.
    pub fields: String,
    /// Why no certificate can satisfy them.
    pub reason: String,
}

fn contradiction(fields: impl Into<String>, reason: impl Into<String>) -> Contradiction {
    Contradiction { fields: fields.into(), reason: reason.into() }
}

/// Every contradiction found. Sound, not complete: what is reported is one; patterns whose intersection would take a
/// search are left to the first request.
pub(super) fn contradictions(policy: &Policy) -> Vec<Contradiction> {
    let mut found = Vec::new();
    names_nobody(policy, &mut found);
    required_but_denied_names(policy, &mut found);
    usages(policy, &mut found);
    algorithms(policy, &mut found);
    validity(policy, &mut found);
    authorities(policy, &mut found);
    found
}

fn names_nobody(policy: &Policy, found: &mut Vec<Contradiction>) {
    let permits_none = |patterns: &Patterns| patterns.allowed.is_empty() && patterns.required.is_empty();
    let no_subject = policy.subject.as_ref().is_some_and(|section| section.values().all(permits_none));
    let no_san = policy.sans.as_ref().is_some_and(|section| section.values().all(permits_none));
    if no_subject && no_san {
        found.push(contradiction("subject, sans", "neither may hold anything, and a certificate must name somebody"));
    }
}

fn required_but_denied_names(policy: &Policy, found: &mut Vec<Contradiction>) {
    for (attribute, patterns) in policy.subject.iter().flatten() {
        let texts = policy.spec().subject.as_ref().and_then(|section| section.get(attribute));
        let required = texts.map(|rules| rules.required.as_slice()).unwrap_or_default();
        let all_denied = !required.is_empty()
            && required.iter().all(|text| patterns.denied.iter().any(|denied| denies_text(denied, text)));
        if all_denied {
            let field = format!("subject.{attribute}");
            found.push(contradiction(field, format!("every required value is denied: {}", required.join(", "))));
        }
    }
    for (kind, patterns) in policy.sans.iter().flatten() {
        let texts = policy.spec().sans.as_ref().and_then(|section| section.get(kind));
        for text in texts.iter().flat_map(|rules| &rules.required) {
            if patterns.denied.iter().any(|denied| denies_san(denied, *kind, text)) {
                found.push(contradiction(format!("sans.{kind}"), format!("`{text}` is required and denied")));
            }
        }
    }
}

/// Whether `denied` refuses everything that the required pattern `text` stands for.
fn denies_text(denied: &Pattern, text: &str) -> bool {
    matches!(denied, Pattern::Any) || !text.contains('*') && denied.overlaps_text(text)
}

fn denies_san(denied: &Pattern, kind: SanKind, text: &str) -> bool {
    let exact = || !text.contains('*') && San::parse(kind, text).is_ok_and(|san| denied.overlaps_san(&san));
    let same_pattern = || match (denied, Pattern::for_san(kind, text)) {
        (Pattern::Dns(denied), Ok(Pattern::Dns(required))) => takes_in(denied, &required),
        (Pattern::Ip(denied), Ok(Pattern::Ip(required))) => denied.contains(&required),
        _ => false,
    };
    matches!(denied, Pattern::Any) || exact() || same_pattern()
}

fn takes_in(denied: &DnsPattern, required: &DnsPattern) -> bool {
    let below = |name: &str, base: &str| name == base || name.ends_with(&format!(".{base}"));
    match (denied, required) {
        (DnsPattern::OneLabelBelow(outer), DnsPattern::OneLabelBelow(inner)) => outer == inner,
        (DnsPattern::Below(outer), DnsPattern::OneLabelBelow(inner) | DnsPattern::Below(inner)) => below(inner, outer),
        _ => false,
    }
}

fn usages(policy: &Policy, found: &mut Vec<Contradiction>) {
    if let Some(rules) = policy.key_usages {
        for usage in rules.required.intersection(rules.denied).iter() {
            found.push(contradiction("key_usages", format!("{usage} is required and denied")));
        }
        let lonely = rules.required.intersection(KeyUsages::from([KeyUsage::EncipherOnly, KeyUsage::DecipherOnly]));
        let agreement = rules.allowed.union(rules.required).difference(rules.denied);
        if !lonely.is_empty() && !agreement.contains(KeyUsage::KeyAgreement) {
            found.push(contradiction("key_usages", "encipher_only and decipher_only need key_agreement"));
        }
    }
    if let Some(rules) = &policy.spec().extended_key_usages {
        for usage in rules.required.iter().filter(|usage| rules.denied.contains(usage)) {
            found.push(contradiction("extended_key_usages", format!("{usage} is required and denied")));
        }
        if rules.required.len() > 1 && rules.required.contains(&ExtendedKeyUsage::TimeStamping) {
            found.push(contradiction("extended_key_usages", "time_stamping must stand alone, and more is required"));
        }
    }
}

fn algorithms(policy: &Policy, found: &mut Vec<Contradiction>) {
    let rules = &policy.spec().algorithms;
    if rules.key.as_ref().is_some_and(Vec::is_empty) {
        found.push(contradiction("algorithms.key", "no key algorithm is allowed"));
    }
    if rules.signature.as_ref().is_some_and(Vec::is_empty) {
        found.push(contradiction("algorithms.signature", "no signature algorithm is allowed"));
    }
    let (Some(keys), Some(usages)) = (rules.key.as_deref(), policy.key_usages) else { return };
    if !keys.is_empty() && keys.iter().all(|key| unfit(*key, usages.required)) {
        let names = keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let reason = format!("a required key usage makes no sense for any allowed key algorithm ({names})");
        found.push(contradiction("algorithms.key, key_usages", reason));
    }
}

fn unfit(algorithm: KeyAlgorithm, required: KeyUsages) -> bool {
    !required.intersection(algorithm.unfit_usages()).is_empty()
}

fn validity(policy: &Policy, found: &mut Vec<Contradiction>) {
    let rules = &policy.spec().validity;
    if let Some((min, max)) = rules.min.zip(rules.max).filter(|(min, max)| min > max) {
        found.push(contradiction("validity", format!("min {min} is longer than max {max}")));
    }
    if rules.max.is_some_and(|max| max.as_seconds() == 0) {
        found.push(contradiction("validity", "max 0s leaves no time"));
    }
}

fn authorities(policy: &Policy, found: &mut Vec<Contradiction>) {
    let ca = policy.spec().basic_constraints.ca;
    let Some(usages) = policy.key_usages else { return };
    let permitted = usages.allowed.union(usages.required).difference(usages.denied);
    if ca == CaRule::Required && !permitted.contains(KeyUsage::KeyCertSign) {
        let reason = "a CA is required, and key_cert_sign, which a CA must have, is not permitted";
        found.push(contradiction("basic_constraints.ca, key_usages", reason));
    }
    if ca == CaRule::Denied && usages.required.contains(KeyUsage::KeyCertSign) {
        let reason = "key_cert_sign is required, and CAs, which alone may have it, are denied";
        found.push(contradiction("basic_constraints.ca, key_usages", reason));
    }
}
