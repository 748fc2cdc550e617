//! The judgement: each section looks at its part of the content and reports every violation.

use std::fmt::Display;

use time::OffsetDateTime;

use super::pattern::Seen;
use super::rules::{Rules, UsageSets, shown};
use super::spec::{CaRule, SetRules};
use super::{Policy, Problem, Verdict, Violation};
use crate::domain::Span;
use crate::x509::{Attribute, BasicConstraints, Content, ExtendedKeyUsage, KeyUsage, KeyUsages, San, SanKind};

impl Policy {
    /// Judges what a certificate would say, at the instant `now`.
    ///
    /// `now` matters only for how far notBefore may lie in the past.
    ///
    /// A pure function: the same policy, content and instant give the same verdict. Violations are made only of what
    /// breaks a rule: a content that passes costs few allocations or none.
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

/// Where a name stands in the content.
#[derive(Clone, Copy)]
enum Place {
    Subject(Attribute),
    San(usize, SanKind),
}

impl Place {
    fn field(self) -> String {
        match self {
            Self::Subject(attribute) => format!("subject.{attribute}"),
            Self::San(at, _) => format!("sans[{at}]"),
        }
    }

    fn rule(self) -> String {
        match self {
            Self::Subject(attribute) => format!("policy.subject.{attribute}"),
            Self::San(_, kind) => format!("policy.sans.{kind}"),
        }
    }
}

impl Seen<'_> {
    fn shown(&self) -> String {
        match self {
            Self::San(san, _) => san.to_string(),
            Self::Text(value) => value.as_str().to_owned(),
        }
    }
}

impl Judge<'_> {
    fn report(&mut self, violation: Violation) {
        self.violations.push(violation);
    }

    fn subject(&mut self) {
        let Some(section) = &self.policy.subject else { return };
        for (attribute, value) in self.content.subject.iter() {
            let place = Place::Subject(attribute);
            match section.get(&attribute) {
                Some(rules) => self.name(rules, &Seen::text(value), place),
                None => self.unlisted(place, "policy.subject", value.to_owned(), section.keys().map(to_text).collect()),
            }
        }
        for (attribute, rules) in section {
            self.required_attribute(*attribute, rules);
        }
    }

    fn sans(&mut self) {
        let Some(section) = &self.policy.sans else { return };
        for (at, san) in self.content.sans.iter().enumerate() {
            let place = Place::San(at, san.kind());
            match section.get(&san.kind()) {
                Some(rules) => self.name(rules, &Seen::san(san), place),
                None => self.unlisted(place, "policy.sans", san.to_string(), section.keys().map(to_text).collect()),
            }
        }
        for (kind, rules) in section {
            self.required_sans(*kind, rules);
        }
    }

    fn unlisted(&mut self, place: Place, rule: &str, seen: String, kinds: Vec<String>) {
        self.report(Violation::of(Problem::NotAllowed, place.field(), rule).seen(seen).allowed(kinds));
    }

    /// Every denial that hits is reported; only a name that none hits must also be listed.
    fn name(&mut self, rules: &Rules, seen: &Seen<'_>, place: Place) {
        let mut is_denied = false;
        for (at, rule) in rules.denied.iter().enumerate().filter(|(_, rule)| rule.pattern.overlaps(seen)) {
            is_denied = true;
            let path = format!("{}.denied[{at}] = {}", place.rule(), rule.text);
            self.report(
                Violation::of(Problem::Denied, place.field(), path).seen(seen.shown()).allowed(rules.permitted()),
            );
        }
        if !is_denied && !rules.is_listed(seen) {
            let violation = Violation::of(Problem::NotAllowed, place.field(), place.rule());
            self.report(violation.seen(seen.shown()).allowed(rules.permitted()));
        }
    }

    fn required_attribute(&mut self, attribute: Attribute, rules: &Rules) {
        let fits = |value| rules.required.iter().any(|rule| rule.pattern.covers(&Seen::text(value)));
        if !rules.required.is_empty() && !self.content.subject.values(attribute).any(fits) {
            let place = Place::Subject(attribute);
            let wanted = shown(rules.required.iter());
            self.report(Violation::of(Problem::Missing, place.field(), place.rule() + ".required").allowed(wanted));
        }
    }

    fn required_sans(&mut self, kind: SanKind, rules: &Rules) {
        for (at, rule) in rules.required.iter().enumerate() {
            let fits = |san: &San| rule.pattern.covers(&Seen::san(san));
            if !self.content.sans.iter().any(fits) {
                let path = format!("policy.sans.{kind}.required[{at}]");
                self.report(
                    Violation::of(Problem::Missing, "sans", path).allowed(vec![format!("{kind}:{}", rule.text)]),
                );
            }
        }
    }

    fn key_usages(&mut self) {
        let Some(rules) = self.policy.key_usages else { return };
        let seen = self.content.key_usages;
        let permitted = rules.permitted();
        let report = |judge: &mut Self, problem, rule: &str, seen: &dyn Display| {
            judge.report(Violation::of(problem, "key_usages", rule).seen(seen.to_string()).allowed(names(permitted)));
        };
        for usage in seen.intersection(rules.denied).iter() {
            report(self, Problem::Denied, "policy.key_usages.denied", &usage);
        }
        for usage in seen.difference(rules.denied).difference(permitted).iter() {
            report(self, Problem::NotAllowed, "policy.key_usages", &usage);
        }
        if self.absence_is_denied(rules) {
            report(self, Problem::Denied, "policy.key_usages.denied", &"none, which stands for every usage");
        }
        for usage in rules.required.difference(seen).iter() {
            let rule = "policy.key_usages.required";
            self.report(Violation::of(Problem::Missing, "key_usages", rule).allowed(vec![usage.to_string()]));
        }
    }

    /// Without the extension a key may serve for anything (RFC 5280 section 4.2.1.3), but for signing certificates, which
    /// takes a CA.
    fn absence_is_denied(&self, rules: UsageSets) -> bool {
        let is_ca = self.content.basic_constraints.is_ca();
        let harmless = if is_ca { KeyUsages::default() } else { KeyUsages::from([KeyUsage::KeyCertSign]) };
        self.content.key_usages.is_empty() && !rules.denied.difference(harmless).is_empty()
    }

    fn extended_key_usages(&mut self) {
        let Some(rules) = &self.policy.spec().extended_key_usages else { return };
        let seen = &self.content.extended_key_usages;
        for usage in seen {
            if is_denied(rules, usage) {
                self.purpose(Problem::Denied, "policy.extended_key_usages.denied", usage);
            } else if !rules.allowed.contains(usage) && !rules.required.contains(usage) {
                self.purpose(Problem::NotAllowed, "policy.extended_key_usages", usage);
            }
        }
        if seen.is_empty() && !rules.denied.is_empty() {
            let all = "none, which stands for every purpose";
            self.purpose(Problem::Denied, "policy.extended_key_usages.denied", &all);
        }
        for usage in rules.required.iter().filter(|usage| !seen.contains(usage)) {
            let rule = "policy.extended_key_usages.required";
            self.report(Violation::of(Problem::Missing, "extended_key_usages", rule).allowed(vec![usage.to_string()]));
        }
    }

    fn purpose(&mut self, problem: Problem, rule: &str, seen: &impl Display) {
        let rules = self.policy.spec().extended_key_usages.iter();
        let listed =
            rules.flat_map(|rules| rules.required.iter().chain(&rules.allowed).map(move |usage| (rules, usage)));
        let permitted = listed.filter(|(rules, usage)| !is_denied(rules, usage)).map(|(_, usage)| usage.to_string());
        let permitted = permitted.collect();
        self.report(Violation::of(problem, "extended_key_usages", rule).seen(seen.to_string()).allowed(permitted));
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
            self.report(Violation::of(Problem::NotAllowed, field, rule).seen(seen.to_string()).allowed(allowed));
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
        self.report(Violation::of(Problem::OutOfRange, field, rule).seen(seen).allowed(vec![allowed]));
    }

    fn basic_constraints(&mut self) {
        let rules = &self.policy.spec().basic_constraints;
        let seen = self.content.basic_constraints;
        // What may sign certificates is a CA, whatever else it says of itself.
        let acts_as_ca = seen.is_ca() || self.content.key_usages.contains(KeyUsage::KeyCertSign);
        let (field, rule) = ("basic_constraints", "policy.basic_constraints.ca");
        match rules.ca {
            CaRule::Denied if acts_as_ca => {
                let seen =
                    if seen.is_ca() { seen.to_string() } else { "key_cert_sign, which makes it a CA".to_owned() };
                self.report(Violation::of(Problem::Denied, field, rule).seen(seen).allowed(vec!["no CA".into()]));
            }
            CaRule::Required if !seen.is_ca() => {
                self.report(Violation::of(Problem::Missing, field, rule).allowed(vec!["CA".into()]))
            }
            _ => self.path_length(seen),
        }
    }

    fn path_length(&mut self, seen: BasicConstraints) {
        let BasicConstraints::Ca { path_length } = seen else { return };
        let within = |max: &u8| path_length.is_some_and(|length| length <= *max);
        if let Some(max) = self.policy.spec().basic_constraints.max_path_length.filter(|max| !within(max)) {
            let rule = "policy.basic_constraints.max_path_length";
            self.out_of_range("basic_constraints", rule, seen.to_string(), format!("a path length of at most {max}"));
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

fn names(set: KeyUsages) -> Vec<String> {
    set.iter().map(|usage| usage.to_string()).collect()
}

/// anyExtendedKeyUsage stands for the denied purposes, too.
fn is_denied(rules: &SetRules<ExtendedKeyUsage>, usage: &ExtendedKeyUsage) -> bool {
    rules.denied.contains(usage) || *usage == ExtendedKeyUsage::Any && !rules.denied.is_empty()
}
