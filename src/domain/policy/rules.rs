//! A policy whose patterns are parsed and whose rules can be met.

use std::collections::BTreeMap;

use super::pattern::Pattern;
use super::satisfiable::contradictions;
use super::spec::{PolicyError, PolicyFault, PolicySpec, SetRules, ValueRules};
use crate::x509::{Attribute, InvalidValue, KeyUsage, KeyUsages, SanKind};

/// An issuance policy that was checked: every pattern reads, and something can satisfy it.
#[derive(Clone, Debug)]
pub struct Policy {
    spec: PolicySpec,
    pub(super) subject: Option<BTreeMap<Attribute, Patterns>>,
    pub(super) sans: Option<BTreeMap<SanKind, Patterns>>,
    pub(super) key_usages: Option<UsageSets>,
}

/// Parsed patterns, in the order of the specification.
#[derive(Clone, Debug, Default)]
pub(super) struct Patterns {
    pub(super) allowed: Vec<Pattern>,
    pub(super) required: Vec<Pattern>,
    pub(super) denied: Vec<Pattern>,
}

/// Key usage rules as bit sets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UsageSets {
    pub(super) allowed: KeyUsages,
    pub(super) required: KeyUsages,
    pub(super) denied: KeyUsages,
}

impl Policy {
    /// The policy as data.
    pub fn spec(&self) -> &PolicySpec {
        &self.spec
    }
}

impl TryFrom<PolicySpec> for Policy {
    type Error = PolicyError;

    /// Checks a policy.
    ///
    /// # Errors
    /// Every pattern that does not read, and every reason why the policy could never permit anything.
    fn try_from(spec: PolicySpec) -> Result<Self, PolicyError> {
        let mut faults = Vec::new();
        if spec.description.chars().count() > 1000 {
            let error = InvalidValue::new("description", &spec.description, "at most 1000 characters");
            faults.push(PolicyFault::Value { field: "description".into(), error });
        }
        let subject = spec.subject.as_ref().map(|section| {
            let parse = |(attribute, rules): (&Attribute, &ValueRules)| {
                let field = format!("subject.{attribute}");
                (*attribute, patterns(rules, &field, &mut faults, |text| Pattern::for_attribute(*attribute, text)))
            };
            section.iter().map(parse).collect()
        });
        let sans = spec.sans.as_ref().map(|section| {
            let parse = |(kind, rules): (&SanKind, &ValueRules)| {
                let field = format!("sans.{kind}");
                (*kind, patterns(rules, &field, &mut faults, |text| Pattern::for_san(*kind, text)))
            };
            section.iter().map(parse).collect()
        });
        let key_usages = spec.key_usages.as_ref().map(usage_sets);
        let policy = Self { subject, sans, key_usages, spec };
        faults.extend(contradictions(&policy).into_iter().map(PolicyFault::from));
        if faults.is_empty() { Ok(policy) } else { Err(PolicyError { faults }) }
    }
}

fn usage_sets(rules: &SetRules<KeyUsage>) -> UsageSets {
    let set = |list: &[KeyUsage]| list.iter().copied().collect();
    UsageSets { allowed: set(&rules.allowed), required: set(&rules.required), denied: set(&rules.denied) }
}

fn patterns(
    rules: &ValueRules,
    field: &str,
    faults: &mut Vec<PolicyFault>,
    parse: impl Fn(&str) -> Result<Pattern, InvalidValue>,
) -> Patterns {
    let mut list = |name: &str, texts: &[String]| -> Vec<Pattern> {
        let mut parsed = Vec::with_capacity(texts.len());
        for (at, text) in texts.iter().enumerate() {
            let field = format!("{field}.{name}[{at}]");
            if texts[..at].contains(text) {
                let error = InvalidValue::new("pattern", text, "each pattern once in a list");
                faults.push(PolicyFault::Value { field, error });
                continue;
            }
            match parse(text) {
                Ok(pattern) => parsed.push(pattern),
                Err(error) => faults.push(PolicyFault::Value { field, error }),
            }
        }
        parsed
    };
    Patterns {
        allowed: list("allowed", &rules.allowed),
        required: list("required", &rules.required),
        denied: list("denied", &rules.denied),
    }
}
