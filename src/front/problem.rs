//! How faults are told: problem details (RFC 9457) with a stable code, and never what goes on inside.

use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use time::Duration;

use crate::domain::Violation;
use crate::domain::policy::PolicyFault;
use crate::engine::Error;
use crate::x509::InvalidValue;

/// A fault as it is told over HTTP, media type `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What programs decide by; type, title and status follow from it.
    pub code: Code,
    /// What is wrong with this request, for people.
    pub detail: String,
    /// Everything that is wrong with the request, each with the path of its field.
    pub violations: Vec<Fault>,
    /// The request's id, as in the answer's `x-request-id`.
    pub request_id: Option<String>,
    /// How long to wait; told by `Retry-After`.
    pub(super) retry_after: Option<Duration>,
}

/// A problem as it is written.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Problem")]
pub(super) struct Details<'a> {
    /// `urn:chancery:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// What the code means.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// The code: what programs decide by.
    code: Code,
    /// What is wrong with this request, for people.
    detail: &'a str,
    /// Everything that is wrong with the request, each with the path of its field.
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    violations: &'a [Fault],
    /// The request's id, as in the answer's `x-request-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { code, detail, violations, request_id, .. } = self;
        let details = Details {
            kind: format!("urn:chancery:problem:{}", code.as_str()),
            title: code.title(),
            status: code.status().as_u16(),
            code: *code,
            detail,
            violations,
            request_id: request_id.as_deref(),
        };
        details.serialize(serializer)
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// The field, for example `attributes.altNames[1]`; empty for the whole body.
    pub field: String,
    /// In which way.
    pub problem: String,
    /// The rule that is broken.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rule: String,
    /// The value seen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub seen: String,
    /// What would be allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $code:ident = $status:ident, $title:literal;)*) => {
        /// What went wrong, for programs. Codes do not change; there may be more.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum Code { $($(#[doc = $doc])* $code,)* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$code,)*];

            /// The HTTP status that it comes with.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$code => StatusCode::$status,)* }
            }

            /// What it means, in one line.
            pub fn title(self) -> &'static str {
                match self { $(Self::$code => $title,)* }
            }
        }
    };
}

codes! {
    /// The body is no JSON text: broken, not UTF-8, nested too deeply.
    Malformed = BAD_REQUEST, "The body is not JSON.";
    /// The body or the query is not what this endpoint takes.
    InvalidRequest = BAD_REQUEST, "The request has not the expected form.";
    /// More than one thing is meant.
    Ambiguous = BAD_REQUEST, "More than one thing is meant.";
    /// No credentials, or none that are good.
    Unauthenticated = UNAUTHORIZED, "It is not known who asks.";
    /// The role does not allow it.
    Forbidden = FORBIDDEN, "The role does not allow this.";
    /// There is no such thing, or none to be seen.
    NotFound = NOT_FOUND, "There is no such thing.";
    /// The path has no such method.
    MethodNotAllowed = METHOD_NOT_ALLOWED, "The path has no such method.";
    /// The name is taken.
    NameTaken = CONFLICT, "The name is taken.";
    /// It is in use.
    InUse = CONFLICT, "It is still in use.";
    /// Others changed the same things at the same time.
    Contended = CONFLICT, "Others changed the same things.";
    /// The vote or cancellation does not count.
    VoteRefused = CONFLICT, "The vote does not count.";
    /// It is not revoked, or its hold not lifted.
    NotRevocable = CONFLICT, "The certificate is not revoked.";
    /// It can not be renewed.
    NotRenewable = CONFLICT, "The certificate can not be renewed.";
    /// The private key is not here to be read.
    PrivateKeyUnavailable = CONFLICT, "The private key can not be read.";
    /// The issuer can not do it as it stands.
    IssuerUnfit = CONFLICT, "The issuer can not be used so.";
    /// The body is too long.
    BodyTooLarge = PAYLOAD_TOO_LARGE, "The body is too long.";
    /// The body is not declared as JSON.
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE, "The body's media type is not accepted.";
    /// Values are not valid.
    InvalidValue = UNPROCESSABLE_ENTITY, "Values are not valid.";
    /// The request breaks rules.
    Refused = UNPROCESSABLE_ENTITY, "The request is refused.";
    /// The idempotency key came with other content, or is none.
    IdempotencyKey = UNPROCESSABLE_ENTITY, "The idempotency key can not be used so.";
    /// Too many requests.
    RateLimited = TOO_MANY_REQUESTS, "Too many requests.";
    /// Something went wrong here.
    Internal = INTERNAL_SERVER_ERROR, "Something went wrong here.";
    /// Something that is needed does not answer.
    Unavailable = SERVICE_UNAVAILABLE, "It can not be done now.";
}

impl Code {
    /// The code's text.
    pub fn as_str(self) -> String {
        serde_json::to_value(self).ok().and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

impl Problem {
    /// A problem with what is to be said of it to people.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), violations: Vec::new(), request_id: None, retry_after: None }
    }

    /// The same problem with what is wrong, field by field.
    #[must_use]
    pub fn with(mut self, violations: impl IntoIterator<Item = Fault>) -> Self {
        self.violations.extend(violations);
        self
    }

    /// The same problem, to be tried again after a while.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// The same problem with the fields' paths as the request spells them.
    #[must_use]
    pub(super) fn spelled(mut self, spell: impl Fn(&str) -> String) -> Self {
        for violation in &mut self.violations {
            violation.field = spell(&violation.field);
        }
        self
    }

    pub(super) fn refused(violations: &[Violation]) -> Self {
        let count = match violations.len() {
            1 => "1 rule is broken".to_owned(),
            many => format!("{many} rules are broken"),
        };
        Self::new(Code::Refused, count).with(violations.iter().map(Fault::from))
    }

    pub(super) fn invalid(faults: Vec<(String, InvalidValue)>) -> Self {
        let detail = faults.iter().map(|(field, error)| format!("{field}: {error}")).collect::<Vec<_>>().join("; ");
        Self::new(Code::InvalidValue, detail).with(faults.into_iter().map(|(field, error)| Fault::of(field, error)))
    }

    /// One value that can not be.
    pub(super) fn value(field: &str, error: InvalidValue) -> Self {
        Self::invalid(vec![(field.to_owned(), error)])
    }
}

impl Fault {
    /// A value that can not be.
    pub(super) fn of(field: impl Into<String>, error: InvalidValue) -> Self {
        let InvalidValue { what, seen, accepted } = error;
        let (problem, rule) = ("invalid".to_owned(), format!("standard: {what}"));
        Self { field: field.into(), problem, rule, seen, allowed: vec![accepted.into_owned()] }
    }

    /// Something that is wrong in one sentence.
    pub(super) fn said(field: impl Into<String>, problem: &str, seen: impl Into<String>) -> Self {
        let (field, seen) = (field.into(), seen.into());
        Self { field, problem: problem.to_owned(), rule: String::new(), seen, allowed: Vec::new() }
    }
}

impl From<&Violation> for Fault {
    fn from(violation: &Violation) -> Self {
        let Violation { field, problem, rule, seen, allowed } = violation.clone();
        let problem = serde_json::to_value(problem).ok().and_then(|text| text.as_str().map(str::to_owned));
        Self { field, problem: problem.unwrap_or_default(), rule, seen, allowed }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let said = error.to_string();
        match error {
            Error::NotFound { .. } => Self::new(Code::NotFound, said),
            Error::Forbidden { .. } | Error::NotAdministrator { .. } => Self::new(Code::Forbidden, said),
            Error::Ambiguous { .. } => Self::new(Code::Ambiguous, said),
            Error::NameTaken { .. } => Self::new(Code::NameTaken, said),
            Error::Invalid { faults } => Self::invalid(faults),
            Error::Policy(error) => {
                Self::new(Code::InvalidValue, said).with(error.faults.into_iter().map(policy_fault))
            }
            Error::Profile(error) => {
                let values = error.values.into_iter().map(|(field, error)| Fault::of(field, error));
                let violations = error.violations.iter().map(|violation| {
                    let fault = Fault::from(violation);
                    Fault { field: format!("defaults.{}", fault.field), ..fault }
                });
                Self::new(Code::InvalidValue, said).with(values.chain(violations))
            }
            Error::Certificate(_) | Error::Key(_) => Self::new(Code::InvalidValue, said),
            Error::Issuer { .. } => Self::new(Code::IssuerUnfit, said),
            Error::InUse { .. } => Self::new(Code::InUse, said),
            Error::IdempotencyKey { .. } => Self::new(Code::IdempotencyKey, said),
            Error::Vote(_) => Self::new(Code::VoteRefused, said),
            Error::PrivateKey { .. } => Self::new(Code::PrivateKeyUnavailable, said),
            Error::Revocation { .. } => Self::new(Code::NotRevocable, said),
            Error::NotRenewable { reasons } => {
                let reasons = reasons.iter().map(|reason| Fault::said("", "ineligible", reason.to_string()));
                Self::new(Code::NotRenewable, said).with(reasons)
            }
            Error::Contended => Self::new(Code::Contended, said).after(Duration::SECOND),
            Error::Store(_) | Error::Sign(_) | Error::Entropy(_) | Error::ImportUnfinished => unavailable(&said),
            Error::Seal(_) | Error::Encoding { .. } => internal(&said),
        }
    }
}

/// Something went wrong that is nobody's business outside.
pub(super) fn internal(what: &str) -> Problem {
    tracing::error!(error = what, "a request failed");
    Problem::new(Code::Internal, "the request could not be done; its id tells the operators where to look")
}

fn unavailable(what: &str) -> Problem {
    tracing::error!(error = what, "a request could not be done now");
    let detail =
        "the request could not be done now; whether it was done can be read, or asked with its idempotency key";
    Problem::new(Code::Unavailable, detail).after(Duration::seconds(5))
}

fn policy_fault(fault: PolicyFault) -> Fault {
    let said = fault.to_string();
    match fault {
        PolicyFault::Value { field, error } => Fault::of(field, error),
        PolicyFault::Idle { field, .. } => Fault::said(field, "idle", said),
        _ => Fault::said("", "contradiction", said),
    }
}
