//! Whether a certificate request is for exactly what was ordered (RFC 8555 section 7.4), and how a refusal is told.

use std::collections::BTreeSet;

use super::{AcmeProblem, Identifier, ProblemKind, Subproblem};
use crate::domain::Violation;
use crate::x509::{Csr, San};

/// The subject alternative names of a request that came by ACME: those that it asks for, and its common name, which is an
/// identifier like them. A common name that can be none is the caller's to refuse.
pub(crate) fn names_of(csr: &Csr) -> Vec<San> {
    let mut sans = csr.extensions().sans.clone();
    let own = csr.subject().common_name().and_then(identifier_of).map(|identifier| identifier.to_san());
    sans.extend(own.filter(|own| !csr.extensions().sans.contains(own)));
    sans
}

fn identifier_of(name: &str) -> Option<Identifier> {
    Identifier::ip(name).or_else(|_| Identifier::dns(name)).ok()
}

/// Checks that a request names all identifiers and nothing else, whatever their case and order.
///
/// # Errors
/// `badCSR` with what is wrong with each name.
pub(crate) fn match_csr(ordered: &[Identifier], csr: &Csr) -> Result<(), AcmeProblem> {
    let subproblem = |detail: String, identifier| Subproblem { kind: ProblemKind::BadCsr, detail, identifier };
    let mut wrong = Vec::new();
    let mut named = BTreeSet::new();
    for san in names_of(csr) {
        match Identifier::of_san(&san) {
            Some(identifier) => drop(named.insert(identifier)),
            None => wrong.push(subproblem(format!("`{}` is no identifier of an order", san.value()), None)),
        }
    }
    if let Some(name) = csr.subject().common_name().filter(|name| identifier_of(name).is_none()) {
        wrong.push(subproblem(format!("the common name `{name}` is no identifier of an order"), None));
    }
    let ordered: BTreeSet<Identifier> = ordered.iter().cloned().collect();
    let told = |identifier: &Identifier, detail: &str| subproblem(detail.to_owned(), Some(identifier.clone()));
    wrong.extend(
        ordered.difference(&named).map(|missing| told(missing, "it was ordered, and the request does not name it")),
    );
    wrong.extend(named.difference(&ordered).map(|beyond| told(beyond, "the request names it, and it was not ordered")));
    if wrong.is_empty() {
        return Ok(());
    }
    Err(AcmeProblem::of(ProblemKind::BadCsr, "the certificate request is not for what was ordered", wrong))
}

/// A policy's refusal as clients are told: `sans` are the names that were judged, in that order.
pub(crate) fn refusal(violations: &[Violation], sans: &[San]) -> AcmeProblem {
    let subproblems = violations.iter().map(|violation| {
        let identifier = position(&violation.field).and_then(|at| sans.get(at)).and_then(Identifier::of_san);
        let kind = if identifier.is_some() { ProblemKind::RejectedIdentifier } else { ProblemKind::BadCsr };
        Subproblem { kind, detail: violation.to_string(), identifier }
    });
    AcmeProblem::of(ProblemKind::BadCsr, "the certificate is refused", subproblems.collect())
}

/// Which name a violation is about: `sans[2]` is about the third.
fn position(field: &str) -> Option<usize> {
    field.strip_prefix("sans[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
#[path = "matching_tests.rs"]
mod tests;
