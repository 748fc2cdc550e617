//! What approvers are shown, in the one form that is digested, and how far a later draft drifted from it.

use serde::Serialize;
use time::OffsetDateTime;

use crate::domain::policy::{Problem, Violation};
use crate::domain::{CertificateId, Enrollment, ProfileId, RenewalKey, Source};
use crate::x509::{
    BasicConstraints, Content, ExtendedKeyUsage, KeyAlgorithm, KeyUsages, San, SignatureAlgorithm, Subject,
};

/// The canonical form: JSON whose fields stand in this order. Times that the moment of issue decides are not in it.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    version: u8,
    profile: ProfileId,
    subject: &'a Subject,
    sans: &'a [San],
    key_algorithm: KeyAlgorithm,
    signature_algorithm: SignatureAlgorithm,
    validity: ShownValidity,
    key_usages: KeyUsages,
    extended_key_usages: &'a [ExtendedKeyUsage],
    basic_constraints: BasicConstraints,
    key: ShownKey<'a>,
    replaces: Option<CertificateId>,
}

/// A length where a length was asked for, dates where dates were.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct ShownValidity {
    #[serde(with = "time::serde::timestamp::option")]
    not_before: Option<OffsetDateTime>,
    #[serde(with = "time::serde::timestamp::option")]
    not_after: Option<OffsetDateTime>,
    seconds: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum ShownKey<'a> {
    /// Made here.
    New,
    /// That of the certificate which is replaced.
    Reused,
    /// The client's, DER `SubjectPublicKeyInfo`.
    Client(&'a [u8]),
}

impl ShownValidity {
    fn of(enrollment: &Enrollment, content: &Content) -> Self {
        let terms = &enrollment.terms;
        let seconds = terms.not_after.is_none().then(|| content.validity.span().whole_seconds());
        let fixed = |asked: Option<OffsetDateTime>, said| asked.map(|_| said);
        Self {
            not_before: fixed(terms.not_before, content.validity.not_before()),
            not_after: fixed(terms.not_after, content.validity.not_after()),
            seconds,
        }
    }
}

impl<'a> ShownKey<'a> {
    fn of(source: &'a Source) -> Self {
        match source {
            Source::Managed | Source::Renewal { key: RenewalKey::New, .. } => Self::New,
            Source::Renewal { key: RenewalKey::Reused, .. } => Self::Reused,
            Source::Csr(csr) | Source::Renewal { key: RenewalKey::Csr(csr), .. } => {
                Self::Client(csr.public_key().spki_der())
            }
        }
    }
}

/// What approvers are shown of a completed request, as octets to be digested.
///
/// # Errors
/// Values that can not be written as JSON; there are none.
pub(crate) fn shown_octets(enrollment: &Enrollment, content: &Content) -> Result<Vec<u8>, serde_json::Error> {
    let replaces = match &enrollment.source {
        Source::Renewal { certificate, .. } => Some(*certificate),
        Source::Managed | Source::Csr(_) => None,
    };
    serde_json::to_vec(&Shown {
        version: 1,
        profile: enrollment.profile,
        subject: &content.subject,
        sans: &content.sans,
        key_algorithm: content.key_algorithm,
        signature_algorithm: content.signature_algorithm,
        validity: ShownValidity::of(enrollment, content),
        key_usages: content.key_usages,
        extended_key_usages: &content.extended_key_usages,
        basic_constraints: content.basic_constraints,
        key: ShownKey::of(&enrollment.source),
        replaces,
    })
}

/// Every field in which a draft of the same enrollment says something else than what was shown.
pub(crate) fn drift(enrollment: &Enrollment, shown: &Content, now: &Content) -> Vec<Violation> {
    let mut drifted = Vec::new();
    let mut compare = |field: &str, is_same: bool| {
        if !is_same {
            let seen = "it is no longer what the approvers were shown: profile or policy was changed";
            drifted.push(Violation::of(Problem::NotApproved, field, "approval.digest").seen(seen));
        }
    };
    compare("subject", shown.subject == now.subject);
    compare("sans", shown.sans == now.sans);
    compare("key_algorithm", shown.key_algorithm == now.key_algorithm);
    compare("signature_algorithm", shown.signature_algorithm == now.signature_algorithm);
    compare("validity", ShownValidity::of(enrollment, shown) == ShownValidity::of(enrollment, now));
    compare("key_usages", shown.key_usages == now.key_usages);
    compare("extended_key_usages", shown.extended_key_usages == now.extended_key_usages);
    compare("basic_constraints", shown.basic_constraints == now.basic_constraints);
    drifted
}
