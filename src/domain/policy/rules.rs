//! A policy whose patterns are parsed and whose rules can be met.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use super::pattern::{Pattern, Seen};
use super::satisfiable::{contradictions, idle};
use super::spec::{PolicyError, PolicyFault, PolicySpec, SetRules, ValueRules};
use crate::x509::{Attribute, InvalidValue, KeyUsage, KeyUsages, SanKind};

/// Most patterns that one violation lists.
const MAX_SHOWN: usize = 20;

/// An issuance policy that was checked: every pattern reads, and something can satisfy it.
#[derive(Clone, Debug)]
pub struct Policy {
    spec: PolicySpec,
    pub(super) subject: Option<BTreeMap<Attribute, Rules>>,
    pub(super) sans: Option<BTreeMap<SanKind, Rules>>,
    pub(super) key_usages: Option<UsageSets>,
}

/// The rules of one attribute or kind of name, in the order of the specification.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) allowed: Vec<Rule>,
    pub(super) required: Vec<Rule>,
    pub(super) denied: Vec<Rule>,
}

/// A pattern and its text.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) pattern: Pattern,
    pub(super) text: String,
}

impl Rules {
    pub(super) fn is_listed(&self, seen: &Seen<'_>) -> bool {
        self.allowed.iter().chain(&self.required).any(|rule| rule.pattern.covers(seen))
    }

    /// What would be allowed, as people wrote it.
    pub(super) fn permitted(&self) -> Vec<String> {
        shown(self.required.iter().chain(&self.allowed))
    }

    pub(super) fn permits_none(&self) -> bool {
        let denies_all = self.denied.iter().any(|rule| matches!(rule.pattern, Pattern::Any));
        denies_all || self.allowed.is_empty() && self.required.is_empty()
    }
}

/// The texts of the first rules, so that a request with many bad names under a long policy does not get a huge answer.
pub(super) fn shown<'a>(mut rules: impl Iterator<Item = &'a Rule>) -> Vec<String> {
    let mut texts: Vec<String> = rules.by_ref().take(MAX_SHOWN).map(|rule| rule.text.clone()).collect();
    let more = rules.count();
    if more > 0 {
        texts.push(format!("and {more} more"));
    }
    texts
}

/// Key usage rules as bit sets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UsageSets {
    pub(super) allowed: KeyUsages,
    pub(super) required: KeyUsages,
    pub(super) denied: KeyUsages,
}

impl UsageSets {
    pub(super) fn permitted(self) -> KeyUsages {
        self.allowed.union(self.required).difference(self.denied)
    }
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
    /// Every value that does not read; if all do, every reason why the policy could never permit anything.
    fn try_from(spec: PolicySpec) -> Result<Self, PolicyError> {
        let mut reader = Reader::default();
        reader.description(&spec.description);
        let subject = spec.subject.as_ref().map(|section| {
            let rules = |(attribute, rules): (&Attribute, &ValueRules)| {
                let field = format!("subject.{attribute}");
                (*attribute, reader.rules(rules, &field, |text| Pattern::for_attribute(*attribute, text)))
            };
            section.iter().map(rules).collect()
        });
        let sans = spec.sans.as_ref().map(|section| {
            let rules = |(kind, rules): (&SanKind, &ValueRules)| {
                (*kind, reader.rules(rules, &format!("sans.{kind}"), |text| Pattern::for_san(*kind, text)))
            };
            section.iter().map(rules).collect()
        });
        let key_usages = spec.key_usages.as_ref().map(usage_sets);
        reader.lists(&spec);
        let policy = Self { subject, sans, key_usages, spec };
        let mut faults = reader.faults;
        if faults.is_empty() {
            // Of patterns that were left out, more would follow that is not so.
            faults.extend(idle(&policy));
            faults.extend(contradictions(&policy).into_iter().map(PolicyFault::from));
        }
        if faults.is_empty() { Ok(policy) } else { Err(PolicyError { faults }) }
    }
}

fn usage_sets(rules: &SetRules<KeyUsage>) -> UsageSets {
    let set = |list: &[KeyUsage]| list.iter().copied().collect();
    UsageSets { allowed: set(&rules.allowed), required: set(&rules.required), denied: set(&rules.denied) }
}

/// Reads a specification and keeps every fault.
#[derive(Default)]
struct Reader {
    faults: Vec<PolicyFault>,
}

impl Reader {
    fn fault(&mut self, field: String, error: InvalidValue) {
        self.faults.push(PolicyFault::Value { field, error });
    }

    fn description(&mut self, text: &str) {
        if text.chars().count() > 1000 {
            self.fault("description".into(), InvalidValue::new("description", text, "at most 1000 characters"));
        }
    }

    fn rules(
        &mut self,
        rules: &ValueRules,
        field: &str,
        parse: impl Fn(&str) -> Result<Pattern, InvalidValue>,
    ) -> Rules {
        let mut list = |name: &str, texts: &[String]| self.patterns(&format!("{field}.{name}"), texts, &parse);
        Rules {
            allowed: list("allowed", &rules.allowed),
            required: list("required", &rules.required),
            denied: list("denied", &rules.denied),
        }
    }

    fn patterns(
        &mut self,
        field: &str,
        texts: &[String],
        parse: impl Fn(&str) -> Result<Pattern, InvalidValue>,
    ) -> Vec<Rule> {
        self.unique(field, texts);
        let mut parsed = Vec::with_capacity(texts.len());
        for (at, text) in texts.iter().enumerate() {
            match parse(text) {
                Ok(pattern) => parsed.push(Rule { pattern, text: text.clone() }),
                Err(error) => self.fault(format!("{field}[{at}]"), error),
            }
        }
        parsed
    }

    fn unique<T: Ord + Display>(&mut self, field: &str, list: &[T]) {
        let mut known = BTreeSet::new();
        for (at, value) in list.iter().enumerate() {
            if !known.insert(value) {
                let error = InvalidValue::new("value", value.to_string(), "each value once in a list");
                self.fault(format!("{field}[{at}]"), error);
            }
        }
    }

    /// Patterns are looked through where they are parsed; these are the lists of named values.
    fn lists(&mut self, spec: &PolicySpec) {
        if let Some(rules) = &spec.key_usages {
            self.set("key_usages", rules);
        }
        if let Some(rules) = &spec.extended_key_usages {
            self.set("extended_key_usages", rules);
        }
        self.unique("algorithms.key", spec.algorithms.key.as_deref().unwrap_or_default());
        self.unique("algorithms.signature", spec.algorithms.signature.as_deref().unwrap_or_default());
    }

    fn set<T: Ord + Display>(&mut self, field: &str, rules: &SetRules<T>) {
        self.unique(&format!("{field}.allowed"), &rules.allowed);
        self.unique(&format!("{field}.required"), &rules.required);
        self.unique(&format!("{field}.denied"), &rules.denied);
    }
}
