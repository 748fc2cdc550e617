//! The judgement: each section looks at its part of the content and reports every violation.

use std::fmt::Display;

use time::OffsetDateTime;

use super::pattern::Pattern;
use super::rules::Patterns;
use super::spec::{CaRule, SetRules, ValueRules};
use super::{Policy, Problem, Verdict, Violation};
use crate::domain::Span;
use crate::x509::{BasicConstraints, Content, KeyUsages};

impl Policy {
    /// Judges what a certificate would say, at the instant `now`.
    ///
    /// A pure function: the same policy, content and instant give the same verdict. Nothing is allocated for a content
    /// that passes.
    pub fn judge(&self, content: &Content, now: OffsetDateTime) -> Verdict {
        let mut judge = Judge { policy: self, content, violations: Vec::new() };
        judge.subject();
        judge.sans();
        judge.key_usages();
        judge.extended_key_usages();
        judge.algorithms();
        judge.validity(now);
        judge.basic_constraints();
        Verdict::new(judge.violations)
    }
}

struct Judge<'a> {
    policy: &'a Policy,
    content: &'a Content,
    violations: Vec<Violation>,
}

/// The rules of one attribute or kind, with their texts.
struct Section<'a> {
    rule: String,
    patterns: &'a Patterns,
    texts: &'a ValueRules,
}

impl Section<'_> {
    fn permitted(&self) -> Vec<String> {
        self.texts.required.iter().chain(&self.texts.allowed).cloned().collect()
    }

    fn denied_by(&self, overlaps: impl Fn(&Pattern) -> bool) -> Option<String> {
        let at = self.patterns.denied.iter().position(overlaps)?;
        Some(format!("{}.denied[{at}] = {}", self.rule, self.texts.denied[at]))
    }
}

fn is_denied(patterns: &Patterns, overlaps: impl Fn(&Pattern) -> bool) -> bool {
    patterns.denied.iter().any(overlaps)
}

fn is_listed(patterns: &Patterns, covers: impl Fn(&Pattern) -> bool) -> bool {
    patterns.allowed.iter().chain(&patterns.required).any(covers)
}

impl Judge<'_> {
    fn report(&mut self, violation: Violation) {
        self.violations.push(violation);
    }

    fn subject(&mut self) {
        let policy = self.policy;
        let (Some(section), Some(texts)) = (&policy.subject, &policy.spec().subject) else { return };
        for (attribute, value) in self.content.subject.iter() {
            let Some((patterns, rules)) = section.get(&attribute).zip(texts.get(&attribute)) else {
                let listed = section.keys().map(ToString::to_string).collect();
                self.report(not_allowed(format!("subject.{attribute}"), "policy.subject", value, listed));
                continue;
            };
            let fine = !is_denied(patterns, |pattern| pattern.overlaps_text(value))
                && is_listed(patterns, |pattern| pattern.covers_text(value));
            if !fine {
                let section = Section { rule: format!("policy.subject.{attribute}"), patterns, texts: rules };
                let denied_by = section.denied_by(|pattern| pattern.overlaps_text(value));
                self.report(refused(format!("subject.{attribute}"), value.to_owned(), &section, denied_by));
            }
        }
        for (attribute, patterns) in section {
            let mut values = self.content.subject.values(*attribute);
            let satisfied = values.any(|value| patterns.required.iter().any(|pattern| pattern.covers_text(value)));
            if !patterns.required.is_empty() && !satisfied {
                let allowed = texts.get(attribute).map(|rules| rules.required.clone()).unwrap_or_default();
                self.report(missing(
                    format!("subject.{attribute}"),
                    format!("policy.subject.{attribute}.required"),
                    allowed,
                ));
            }
        }
    }

    fn sans(&mut self) {
        let policy = self.policy;
        let (Some(section), Some(texts)) = (&policy.sans, &policy.spec().sans) else { return };
        for (at, san) in self.content.sans.iter().enumerate() {
            let kind = san.kind();
            let Some((patterns, rules)) = section.get(&kind).zip(texts.get(&kind)) else {
                let listed = section.keys().map(ToString::to_string).collect();
                self.report(not_allowed(format!("sans[{at}]"), "policy.sans", &san.to_string(), listed));
                continue;
            };
            let fine = !is_denied(patterns, |pattern| pattern.overlaps_san(san))
                && is_listed(patterns, |pattern| pattern.covers_san(san));
            if !fine {
                let section = Section { rule: format!("policy.sans.{kind}"), patterns, texts: rules };
                let denied_by = section.denied_by(|pattern| pattern.overlaps_san(san));
                self.report(refused(format!("sans[{at}]"), san.to_string(), &section, denied_by));
            }
        }
        for (kind, patterns) in section {
            for (at, pattern) in patterns.required.iter().enumerate() {
                if !self.content.sans.iter().any(|san| pattern.covers_san(san)) {
                    let wanted = texts.get(kind).map(|rules| rules.required[at].clone()).unwrap_or_default();
                    let rule = format!("policy.sans.{kind}.required[{at}]");
                    self.report(missing("sans".into(), rule, vec![format!("{kind}:{wanted}")]));
                }
            }
        }
    }

    fn key_usages(&mut self) {
        let Some(rules) = self.policy.key_usages else { return };
        let seen = self.content.key_usages;
        let permitted = rules.allowed.union(rules.required).difference(rules.denied);
        let names = |set: KeyUsages| set.iter().map(|usage| usage.to_string()).collect::<Vec<_>>();
        let field = || "key_usages".to_owned();
        for usage in seen.intersection(rules.denied).iter() {
            self.report(denied(field(), "policy.key_usages.denied".into(), usage.to_string(), names(permitted)));
        }
        for usage in seen.difference(rules.denied).difference(permitted).iter() {
            self.report(not_allowed(field(), "policy.key_usages", &usage.to_string(), names(permitted)));
        }
        for usage in rules.required.difference(seen).iter() {
            self.report(missing(field(), "policy.key_usages.required".into(), vec![usage.to_string()]));
        }
    }

    fn extended_key_usages(&mut self) {
        let Some(rules) = &self.policy.spec().extended_key_usages else { return };
        let SetRules { allowed, required, denied: refused } = rules;
        let seen = &self.content.extended_key_usages;
        let permitted = || required.iter().chain(allowed).filter(|u| !refused.contains(u)).map(to_text).collect();
        let field = || "extended_key_usages".to_owned();
        for usage in seen {
            if refused.contains(usage) {
                let rule = "policy.extended_key_usages.denied".to_owned();
                self.report(denied(field(), rule, usage.to_string(), permitted()));
            } else if !allowed.contains(usage) && !required.contains(usage) {
                self.report(not_allowed(field(), "policy.extended_key_usages", &usage.to_string(), permitted()));
            }
        }
        for usage in required.iter().filter(|usage| !seen.contains(usage)) {
            self.report(missing(field(), "policy.extended_key_usages.required".into(), vec![usage.to_string()]));
        }
    }

    fn algorithms(&mut self) {
        let rules = &self.policy.spec().algorithms;
        let Content { key_algorithm, signature_algorithm, .. } = self.content;
        self.one_of("key_algorithm", "policy.algorithms.key", key_algorithm, rules.key.as_deref());
        self.one_of(
            "signature_algorithm",
            "policy.algorithms.signature",
            signature_algorithm,
            rules.signature.as_deref(),
        );
    }

    fn one_of<T: PartialEq + Display>(&mut self, field: &str, rule: &str, seen: &T, allowed: Option<&[T]>) {
        if let Some(allowed) = allowed.filter(|allowed| !allowed.contains(seen)) {
            let allowed = allowed.iter().map(to_text).collect();
            self.report(not_allowed(field.into(), rule, &seen.to_string(), allowed));
        }
    }

    fn validity(&mut self, now: OffsetDateTime) {
        let rules = &self.policy.spec().validity;
        let validity = self.content.validity;
        let span = validity.span();
        if let Some(max) = rules.max.filter(|max| span > max.as_duration()) {
            self.out_of_range("validity", "policy.validity.max", readable(span), format!("at most {max}"));
        }
        if let Some(min) = rules.min.filter(|min| span < min.as_duration()) {
            self.out_of_range("validity", "policy.validity.min", readable(span), format!("at least {min}"));
        }
        let age = now - validity.not_before();
        if let Some(limit) = rules.backdate.filter(|limit| age > limit.as_duration() + SUB_SECOND) {
            let seen = format!("{} before now", readable(age));
            self.out_of_range("not_before", "policy.validity.backdate", seen, format!("at most {limit} before now"));
        }
    }

    fn out_of_range(&mut self, field: &str, rule: &str, seen: String, allowed: String) {
        let (field, rule) = (field.to_owned(), rule.to_owned());
        self.report(Violation { field, problem: Problem::OutOfRange, rule, seen, allowed: vec![allowed] });
    }

    fn basic_constraints(&mut self) {
        let rules = &self.policy.spec().basic_constraints;
        let seen = self.content.basic_constraints;
        let field = || "basic_constraints".to_owned();
        match (rules.ca, seen) {
            (CaRule::Denied, BasicConstraints::Ca { .. }) => {
                let rule = "policy.basic_constraints.ca".to_owned();
                self.report(denied(field(), rule, seen.to_string(), vec!["no CA".into()]));
            }
            (CaRule::Required, BasicConstraints::EndEntity) => {
                self.report(missing(field(), "policy.basic_constraints.ca".into(), vec!["CA".into()]));
            }
            (_, BasicConstraints::Ca { path_length }) => {
                let within = |max: &u8| path_length.is_some_and(|length| length <= *max);
                if let Some(max) = rules.max_path_length.filter(|max| !within(max)) {
                    let allowed = format!("a path length of at most {max}");
                    let rule = "policy.basic_constraints.max_path_length";
                    self.out_of_range("basic_constraints", rule, seen.to_string(), allowed);
                }
            }
            (_, BasicConstraints::EndEntity) => {}
        }
    }
}

/// A notBefore is in whole seconds and may be cut down by less than one.
const SUB_SECOND: time::Duration = time::Duration::SECOND;

fn readable(span: time::Duration) -> String {
    let seconds = span.whole_seconds();
    format!("{seconds}s").parse::<Span>().map_or_else(|_| format!("{seconds}s"), |span| span.to_string())
}

fn to_text<T: Display>(value: &T) -> String {
    value.to_string()
}

fn refused(field: String, seen: String, section: &Section<'_>, denied_by: Option<String>) -> Violation {
    match denied_by {
        Some(rule) => denied(field, rule, seen, section.permitted()),
        None => not_allowed(field, &section.rule, &seen, section.permitted()),
    }
}

fn denied(field: String, rule: String, seen: String, allowed: Vec<String>) -> Violation {
    Violation { field, problem: Problem::Denied, rule, seen, allowed }
}

fn not_allowed(field: String, rule: &str, seen: &str, allowed: Vec<String>) -> Violation {
    Violation { field, problem: Problem::NotAllowed, rule: rule.to_owned(), seen: seen.to_owned(), allowed }
}

fn missing(field: String, rule: String, allowed: Vec<String>) -> Violation {
    Violation { field, problem: Problem::Missing, rule, seen: String::new(), allowed }
}
