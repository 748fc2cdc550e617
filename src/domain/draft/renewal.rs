//! Completing a renewal: what the predecessor says, but for what is asked. The profile's defaults are not applied.

use std::collections::BTreeMap;

use time::Duration;

use super::{Completion, Draft, Parts, Predecessor};
use crate::domain::policy::Problem;
use crate::domain::{Defaults, KeyCustody, Names, RenewalKey};
use crate::x509::{Attribute, Content, KeyAlgorithm, SignatureAlgorithm, Subject, Validity};

/// A successor whose end its issuer cuts off must outlive its predecessor by this part of the predecessor's life, or nothing
/// is gained, and it would soon be renewed again, and again.
const LEAST_GAIN: i32 = 10;

/// What a successor has of its predecessor in place of a profile's defaults: what a certificate request may leave open.
pub(super) fn inherited(of: &Content) -> Defaults {
    Defaults {
        key_usages: Some(of.key_usages),
        extended_key_usages: Some(of.extended_key_usages.clone()),
        basic_constraints: Some(of.basic_constraints),
        ..Defaults::default()
    }
}

impl Completion<'_> {
    pub(super) fn renewal(mut self, key: &RenewalKey, names: &Names, of: Predecessor<'_>) -> Draft {
        self.kept = Some(of.content.clone());
        match key {
            RenewalKey::Csr(csr) => self.csr(csr, names),
            RenewalKey::New => {
                let algorithm = names.key_algorithm.unwrap_or(of.content.key_algorithm);
                self.edited(algorithm, names, of)
            }
            RenewalKey::Reused => {
                self.refuse_edits_of_key(names, of);
                self.edited(of.content.key_algorithm, names, of)
            }
        }
    }

    fn edited(mut self, key_algorithm: KeyAlgorithm, names: &Names, of: Predecessor<'_>) -> Draft {
        let before = of.content;
        let subject = self.edited_subject(&before.subject, names);
        let sans = if names.sans.is_some() { self.sans(names) } else { before.sans.clone() };
        let usages = names.key_usages.unwrap_or_else(|| before.key_usages.difference(key_algorithm.unfit_usages()));
        let purposes = names.extended_key_usages.clone().unwrap_or_else(|| before.extended_key_usages.clone());
        let constraints = self.terms.basic_constraints.or(Some(before.basic_constraints));
        self.finish(Parts { subject, sans, key_algorithm, usages, purposes, constraints, ignored: Vec::new() })
    }

    fn refuse_edits_of_key(&mut self, names: &Names, of: Predecessor<'_>) {
        if names.key_algorithm.is_some_and(|asked| asked != of.content.key_algorithm) {
            self.report("key_algorithm", Problem::Conflict, "request", "a key that is used again keeps its algorithm");
        }
        if of.custody == KeyCustody::Managed {
            return;
        }
        if self.issuer.signature_algorithms.is_empty() {
            let seen = "a self-signed certificate can only be renewed with a key that is kept here";
            self.report("key", Problem::Conflict, "profile.issuer", seen);
        }
        if names.sans.as_ref().is_some_and(Vec::is_empty) && !of.content.sans.is_empty() {
            let seen = "the names of a certificate whose key the client has can not all be removed";
            self.report("sans", Problem::Conflict, "request", seen);
        }
    }

    /// The predecessor's subject in its own order, each edited attribute in its old place, new ones at the end.
    fn edited_subject(&mut self, before: &Subject, names: &Names) -> Subject {
        if names.subject.is_empty() {
            return before.clone();
        }
        let set = names.subject.iter().filter_map(|(attribute, values)| Some((*attribute, values.as_ref()?)));
        let edits = self.subject_from(set.collect::<BTreeMap<_, _>>());
        let is_edited = |attribute: &Attribute| names.subject.get(attribute).is_some();
        let mut parts: Vec<(Attribute, String)> = Vec::new();
        for (attribute, value) in before.iter() {
            if !is_edited(&attribute) {
                parts.push((attribute, value.to_owned()));
            } else if !parts.iter().any(|(placed, _)| *placed == attribute) {
                parts.extend(edits.values(attribute).map(|value| (attribute, value.to_owned())));
            }
        }
        let new = edits.iter().filter(|(attribute, _)| before.values(*attribute).next().is_none());
        parts.extend(new.map(|(attribute, value)| (attribute, value.to_owned())));
        Subject::from_parts(parts).unwrap_or_else(|_| before.clone())
    }

    /// As long as before, from now on. An issuer that ends earlier cuts it off, if that still gains something.
    pub(super) fn kept_validity(&self, before: &Content) -> Option<Validity> {
        let start = self.now.checked_sub(self.backdate.map_or(Duration::ZERO, |span| span.as_duration()))?;
        let end = start.checked_add(before.validity.span())?;
        let least = before.validity.not_after() + before.validity.span() / LEAST_GAIN;
        let cut = self.issuer.not_after.filter(|limit| end > *limit && *limit >= least);
        Validity::new(start, cut.unwrap_or(end)).ok()
    }

    /// The predecessor's, if issuer, key and policy still agree on it.
    pub(super) fn kept_signature(&self, possible: &[SignatureAlgorithm]) -> Option<SignatureAlgorithm> {
        let before = self.kept.as_ref()?.signature_algorithm;
        let listed = self.policy.spec().algorithms.signature.as_deref();
        let agrees = possible.contains(&before) && listed.is_none_or(|listed| listed.contains(&before));
        agrees.then_some(before)
    }
}

#[cfg(test)]
#[path = "renewal_tests.rs"]
mod tests;
