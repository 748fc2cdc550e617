//! What a table says: the policy, the surroundings, and cases with their expectations.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::domain::policy::Table;
use crate::domain::policy::{Problem, Violation};
use crate::domain::{Defaults, Method, Names, PolicySpec, Preset, Span, Terms, Values};
use crate::x509::{
    Attribute, BasicConstraints, ExtendedKeyUsage, KeyAlgorithm, KeyUsages, SanKind, SanSpec, SignatureAlgorithm,
};

/// A policy with cases that say what it should permit and refuse.
///
/// Requests are completed from `defaults`, or else from the preset's, as a profile would, and signed by a stand-in issuer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyTable {
    /// The policy under test.
    pub policy: PolicySpec,
    /// The profile's defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<Defaults>,
    /// Takes the defaults of this kind of certificate, if there are no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// The algorithm of the stand-in issuer's key.
    #[serde(default = "default_issuer_key")]
    pub issuer_key: KeyAlgorithm,
    /// The cases.
    #[serde(default, rename = "case")]
    pub cases: Vec<PolicyCase>,
}

fn default_issuer_key() -> KeyAlgorithm {
    KeyAlgorithm::P256
}

impl PolicyTable {
    /// A table without cases, defaults or preset, with an issuer on P-256.
    pub fn new(policy: PolicySpec) -> Self {
        Self { policy, defaults: None, preset: None, issuer_key: default_issuer_key(), cases: Vec::new() }
    }

    /// Sets the profile's defaults.
    #[must_use]
    pub fn defaults(self, defaults: Defaults) -> Self {
        Self { defaults: Some(defaults), ..self }
    }

    /// Sets the algorithm of the stand-in issuer's key.
    #[must_use]
    pub fn issuer_key(self, issuer_key: KeyAlgorithm) -> Self {
        Self { issuer_key, ..self }
    }

    /// Adds a case.
    #[must_use]
    pub fn case(mut self, case: PolicyCase) -> Self {
        self.cases.push(case);
        self
    }
}

/// One request and what the policy should say of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyCase {
    /// What the case is about, for a person.
    pub name: String,
    /// What is asked.
    #[serde(default)]
    pub request: Request,
    /// What should come of it.
    pub expect: Expectation,
}

impl PolicyCase {
    /// A request that should be permitted.
    pub fn permits(name: &str, request: Request) -> Self {
        Self { name: name.to_owned(), request, expect: Expectation::Permit }
    }

    /// A request that should be refused with exactly these violations.
    pub fn refuses(name: &str, request: Request, violations: impl IntoIterator<Item = Expected>) -> Self {
        let expect = Expectation::Refuse(violations.into_iter().collect());
        Self { name: name.to_owned(), request, expect }
    }
}

/// What should come of a request: `"permit"`, or `{ refuse = […] }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// It is permitted.
    Permit,
    /// It is refused with as many violations as are listed, each matching one; with an empty list, with any at all.
    Refuse(Vec<Expected>),
}

/// A violation by any part of it; what is left out may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// The request's field, for example `sans[1]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// In which way the rule is broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// The rule's path, whole or its beginning up to a `.`, `[`, `:` or space.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The value seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
}

impl Expected {
    /// A violation in this field.
    pub fn field(field: &str) -> Self {
        Self { field: Some(field.to_owned()), ..Self::default() }
    }

    /// Says in which way, too.
    #[must_use]
    pub fn problem(self, problem: Problem) -> Self {
        Self { problem: Some(problem), ..self }
    }

    /// Says which rule, too.
    #[must_use]
    pub fn rule(self, rule: &str) -> Self {
        Self { rule: Some(rule.to_owned()), ..self }
    }

    /// Says which value, too.
    #[must_use]
    pub fn seen(self, seen: &str) -> Self {
        Self { seen: Some(seen.to_owned()), ..self }
    }

    pub(super) fn matches(&self, violation: &Violation) -> bool {
        let same = |wanted: &Option<String>, seen: &str| wanted.as_deref().is_none_or(|wanted| wanted == seen);
        same(&self.field, &violation.field)
            && self.problem.is_none_or(|problem| problem == violation.problem)
            && self.rule.as_deref().is_none_or(|rule| is_rule_or_above(rule, &violation.rule))
            && same(&self.seen, &violation.seen)
    }

    /// How many parts it names: what names most is looked for first.
    pub(super) fn weight(&self) -> usize {
        let texts = [&self.field, &self.rule, &self.seen];
        texts.into_iter().flatten().count() + usize::from(self.problem.is_some())
    }
}

fn is_rule_or_above(wanted: &str, rule: &str) -> bool {
    rule.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', ':', ' ']))
}

/// What is asked: names and key for a managed key, or a certificate request in PEM; and the terms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// A PKCS#10 request in PEM; it brings subject, names, usages and key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csr: Option<String>,
    /// The method that brings it; the API, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// As in [`Names::subject`].
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub subject: Table<Attribute, Option<Values>>,
    /// As in [`Names::sans`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sans: Vec<SanSpec>,
    /// As in [`Names::key_algorithm`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_algorithm: Option<KeyAlgorithm>,
    /// As in [`Names::key_usages`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_usages: Option<KeyUsages>,
    /// As in [`Names::extended_key_usages`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended_key_usages: Option<Vec<ExtendedKeyUsage>>,
    /// As in [`Terms::ttl`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
    /// As in [`Terms::not_before`], RFC 3339.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub not_before: Option<OffsetDateTime>,
    /// As in [`Terms::not_after`], RFC 3339.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub not_after: Option<OffsetDateTime>,
    /// As in [`Terms::basic_constraints`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_constraints: Option<BasicConstraints>,
    /// As in [`Terms::signature_algorithm`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature_algorithm: Option<SignatureAlgorithm>,
}

impl Request {
    /// A certificate request in PEM.
    pub fn csr(pem: &str) -> Self {
        Self { csr: Some(pem.to_owned()), ..Self::default() }
    }

    /// Sets a subject attribute.
    #[must_use]
    pub fn attribute(mut self, attribute: Attribute, value: impl Into<Values>) -> Self {
        self.subject.0.insert(attribute, Some(value.into()));
        self
    }

    /// Adds a DNS name.
    #[must_use]
    pub fn dns(self, name: &str) -> Self {
        self.san(SanKind::DnsName, name)
    }

    /// Adds a subject alternative name.
    #[must_use]
    pub fn san(mut self, kind: SanKind, value: &str) -> Self {
        self.sans.push(SanSpec { kind, value: value.to_owned() });
        self
    }

    /// Sets how long it shall be valid.
    #[must_use]
    pub fn ttl(self, ttl: Span) -> Self {
        Self { ttl: Some(ttl), ..self }
    }

    pub(super) fn names(&self) -> Names {
        Names {
            subject: self.subject.clone(),
            sans: Some(self.sans.clone()),
            key_algorithm: self.key_algorithm,
            key_usages: self.key_usages,
            extended_key_usages: self.extended_key_usages.clone(),
        }
    }

    pub(super) fn terms(&self) -> Terms {
        Terms {
            ttl: self.ttl,
            not_before: self.not_before,
            not_after: self.not_after,
            basic_constraints: self.basic_constraints,
            signature_algorithm: self.signature_algorithm,
        }
    }
}
