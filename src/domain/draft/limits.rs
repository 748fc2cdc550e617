//! From when and until when, and what the issuer's own certificate leaves room for.

use super::{Completion, invalid, missing};
use crate::domain::policy::{Policy, Problem, Violation};
use crate::domain::{Span, Terms};
use crate::x509::{BasicConstraints, Content, Validity};

const NO_TIME: Span = Span::days(0);

impl Completion<'_> {
    pub(super) fn validity(&mut self) -> Validity {
        let Terms { ttl, not_before, not_after, .. } = *self.terms;
        let asks_nothing = ttl.is_none() && not_before.is_none() && not_after.is_none();
        let kept = self.kept.as_ref().filter(|_| asks_nothing).and_then(|before| self.kept_validity(before));
        if let Some(validity) = kept {
            return validity;
        }
        if ttl.is_some() && (not_before.is_some() || not_after.is_some()) {
            let seen = "ttl and not_before or not_after exclude each other";
            self.report("ttl", Problem::Conflict, "request", seen);
        }
        let backdated = || self.now.checked_sub(self.backdate.unwrap_or(NO_TIME).as_duration());
        let start = not_before.or_else(backdated).unwrap_or(self.now);
        let end = not_after.unwrap_or_else(|| {
            let span = ttl.unwrap_or_else(|| self.ttl_from_defaults()).as_duration();
            start.checked_add(span).unwrap_or(start)
        });
        Validity::new(start, end).unwrap_or_else(|error| {
            self.violations.push(invalid("validity".into(), &error));
            // One that breaks no rule, so that what can not be read is not reported as too long, too.
            Validity::clamped(self.now, stand_in_span(self.policy).as_duration())
        })
    }

    fn ttl_from_defaults(&mut self) -> Span {
        let max = self.policy.spec().validity.max;
        let default = self.defaults.ttl;
        if let Some((ttl, max)) = default.zip(max).filter(|(ttl, max)| ttl > max) {
            // Not clamped: the policy changed under the profile, and a person must decide.
            let rule = "profile.defaults.ttl: it is longer than policy.validity.max (configuration drift)";
            self.out_of_range("ttl", rule, ttl.to_string(), vec![format!("at most {max}")]);
            return max;
        }
        default.or_else(|| self.method.default_ttl()).unwrap_or_else(|| {
            let allowed =
                vec![max.map_or_else(|| "a ttl or not_after".into(), |max| format!("a ttl of at most {max}"))];
            self.violations.push(missing("ttl", "request: a time to live is needed", allowed));
            stand_in_span(self.policy)
        })
    }

    pub(super) fn respect_issuer(&mut self, content: &Content) {
        let not_after = content.validity.not_after();
        if let Some(limit) = self.issuer.not_after.filter(|limit| not_after > *limit) {
            let rule = "issuer.not_after: a certificate must not outlive its issuer";
            self.out_of_range("not_after", rule, not_after.to_string(), vec![format!("at most {limit}")]);
        }
        if not_after <= self.now {
            let rule = "request: a certificate must not be expired when it is issued";
            self.out_of_range("not_after", rule, not_after.to_string(), vec![format!("later than {}", self.now)]);
        }
        self.respect_path_length(content.basic_constraints);
    }

    fn respect_path_length(&mut self, seen: BasicConstraints) {
        let (BasicConstraints::Ca { path_length }, Some(limit)) = (seen, self.issuer.path_length) else { return };
        let fits = limit > 0 && path_length.is_some_and(|length| length < limit);
        if !fits {
            let allowed = match limit {
                0 => Vec::new(),
                limit => vec![format!("a CA with a path length of at most {}", limit - 1)],
            };
            self.out_of_range("basic_constraints", &format!("issuer.path_length: {limit}"), seen.to_string(), allowed);
        }
    }

    fn out_of_range(&mut self, field: &str, rule: &str, seen: String, allowed: Vec<String>) {
        self.violations.push(Violation::of(Problem::OutOfRange, field, rule).seen(seen).allowed(allowed));
    }
}

fn stand_in_span(policy: &Policy) -> Span {
    let rules = &policy.spec().validity;
    rules.max.or(rules.min).filter(|span| span.as_seconds() > 0).unwrap_or(Span::days(1))
}
