//! Finding policies that can never permit anything, before they are saved.

use super::Policy;
use super::pattern::{Pattern, Seen};
use super::rules::{Rule, Rules};
use super::spec::{CaRule, PolicyFault, SetRules};
use crate::x509::{ExtendedKeyUsage, KeyAlgorithm, KeyUsage, KeyUsages, San};

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

/// Sections that only deny: a rule that could be mistaken for "anything but".
pub(super) fn idle(policy: &Policy) -> Vec<PolicyFault> {
    let subject = policy.subject.iter().flatten().map(|(attribute, rules)| (format!("subject.{attribute}"), rules));
    let sans = policy.sans.iter().flatten().map(|(kind, rules)| (format!("sans.{kind}"), rules));
    let only_denies = |rules: &Rules| !rules.denied.is_empty() && rules.allowed.is_empty() && rules.required.is_empty();
    let names = subject.chain(sans).filter(|(_, rules)| only_denies(rules));
    let names = names.map(|(field, _)| idle_fault(&field, "write allowed = [\"*\"] to permit all others"));
    let spec = policy.spec();
    let sets = [
        ("key_usages", spec.key_usages.as_ref().is_some_and(only_denies_usages)),
        ("extended_key_usages", spec.extended_key_usages.as_ref().is_some_and(only_denies_usages)),
    ];
    let sets = sets.into_iter().filter(|(_, idle)| *idle);
    names.chain(sets.map(|(field, _)| idle_fault(field, "list what is allowed"))).collect()
}

fn only_denies_usages<T>(rules: &SetRules<T>) -> bool {
    !rules.denied.is_empty() && rules.allowed.is_empty() && rules.required.is_empty()
}

fn idle_fault(field: &str, hint: &'static str) -> PolicyFault {
    PolicyFault::Idle { field: format!("{field}.denied"), hint }
}

fn names_nobody(policy: &Policy, found: &mut Vec<Contradiction>) {
    let no_subject = policy.subject.as_ref().is_some_and(|section| section.values().all(Rules::permits_none));
    let no_san = policy.sans.as_ref().is_some_and(|section| section.values().all(Rules::permits_none));
    if no_subject && no_san {
        found.push(contradiction("subject, sans", "neither may hold anything, and a certificate must name somebody"));
    }
}

fn required_but_denied_names(policy: &Policy, found: &mut Vec<Contradiction>) {
    for (attribute, rules) in policy.subject.iter().flatten() {
        let is_denied = |required: &Rule| denies(rules, required, || Some(Seen::text(&required.text)));
        if !rules.required.is_empty() && rules.required.iter().all(is_denied) {
            let texts = rules.required.iter().map(|rule| rule.text.as_str()).collect::<Vec<_>>().join(", ");
            found.push(contradiction(
                format!("subject.{attribute}"),
                format!("every required value is denied: {texts}"),
            ));
        }
    }
    for (kind, rules) in policy.sans.iter().flatten() {
        for required in &rules.required {
            let san = San::parse(*kind, &required.text).ok();
            if denies(rules, required, || san.as_ref().map(Seen::san)) {
                let reason = format!("`{}` is required and denied", required.text);
                found.push(contradiction(format!("sans.{kind}"), reason));
            }
        }
    }
}

/// Whether the denials refuse everything that the required pattern stands for; `exact` is the one name that a pattern
/// without `*` stands for.
fn denies<'a>(rules: &Rules, required: &'a Rule, exact: impl Fn() -> Option<Seen<'a>>) -> bool {
    let is_exact = !required.text.contains('*');
    let hits = |denied: &Pattern| is_exact && exact().is_some_and(|name| denied.overlaps(&name));
    rules.denied.iter().any(|denied| denied.pattern.takes_in(&required.pattern) || hits(&denied.pattern))
}

fn usages(policy: &Policy, found: &mut Vec<Contradiction>) {
    if let Some(rules) = policy.key_usages {
        for usage in rules.required.intersection(rules.denied).iter() {
            found.push(contradiction("key_usages", format!("{usage} is required and denied")));
        }
        let lonely = rules.required.intersection(KeyUsages::from([KeyUsage::EncipherOnly, KeyUsage::DecipherOnly]));
        let agreement = rules.permitted();
        if !lonely.is_empty() && !agreement.contains(KeyUsage::KeyAgreement) {
            found.push(contradiction("key_usages", "encipher_only and decipher_only need key_agreement"));
        }
    }
    if let Some(rules) = &policy.spec().extended_key_usages {
        for usage in rules.required.iter().filter(|usage| rules.denied.contains(usage)) {
            found.push(contradiction("extended_key_usages", format!("{usage} is required and denied")));
        }
        if rules.required.contains(&ExtendedKeyUsage::Any) && !rules.denied.is_empty() {
            found
                .push(contradiction("extended_key_usages", "`any` is required, and it stands for what is denied, too"));
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
    let permitted = usages.permitted();
    if ca == CaRule::Required && !permitted.contains(KeyUsage::KeyCertSign) {
        let reason = "a CA is required, and key_cert_sign, which a CA must have, is not permitted";
        found.push(contradiction("basic_constraints.ca, key_usages", reason));
    }
    if ca == CaRule::Denied && usages.required.contains(KeyUsage::KeyCertSign) {
        let reason = "key_cert_sign is required, and CAs, which alone may have it, are denied";
        found.push(contradiction("basic_constraints.ca, key_usages", reason));
    }
}
