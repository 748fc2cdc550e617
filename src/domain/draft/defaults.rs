//! Judging a profile's defaults by themselves.

use time::OffsetDateTime;

use super::{Completion, IssuerTerms};
use crate::domain::policy::{Policy, Problem, Violation};
use crate::domain::{Defaults, IssuerChoice, Method, Names, ProfileSpec, Terms};
use crate::x509::{Lint, SignatureAlgorithm, lint_content};

/// Which defaults the policy refuses: a request that leaves everything open is completed and judged, and what is merely
/// missing is passed over, for requests will bring it.
pub(in crate::domain) fn judge_defaults(profile: &ProfileSpec, policy: &Policy, now: OffsetDateTime) -> Vec<Violation> {
    let signature_algorithms = match profile.issuer {
        IssuerChoice::Ca(_) => SignatureAlgorithm::ALL.to_vec(),
        IssuerChoice::SelfSigned => Vec::new(),
    };
    let issuer = &IssuerTerms { signature_algorithms, not_after: None, path_length: None };
    let (terms, defaults, backdate) = (&Terms::default(), &profile.defaults, profile.backdate);
    let (method, kept, violations) = (Method::Api, None, Vec::new());
    let completion = Completion { terms, defaults, backdate, policy, issuer, method, now, kept, violations };
    let draft = completion.managed(&Names::default());
    let judged = policy.judge(&draft.content, now).into_violations();
    let unsound = lint_content(&draft.content).into_iter().filter(|lint| is_of_defaults(lint, defaults));
    let all = draft.violations.into_iter().chain(judged).chain(unsound.map(Violation::from));
    all.filter(|violation| !is_open(violation, defaults)).collect()
}

/// Whether the fault is the defaults' own, and not that a request must bring the other half.
fn is_of_defaults(lint: &Lint, defaults: &Defaults) -> bool {
    match lint {
        Lint::NamesNobody => false,
        Lint::CaWithoutCertSign => defaults.key_usages.is_some() && defaults.basic_constraints.is_some(),
        _ => true,
    }
}

/// Whether a request has yet to say something, and may say what is right.
fn is_open(violation: &Violation, defaults: &Defaults) -> bool {
    match violation.field.as_str() {
        "key_usages" if defaults.key_usages.is_none() => true,
        "extended_key_usages" if defaults.extended_key_usages.is_none() => true,
        _ => violation.problem == Problem::Missing,
    }
}
