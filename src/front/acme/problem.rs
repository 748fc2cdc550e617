//! How ACME clients are told of faults: problem documents of RFC 8555 section 6.7, and what HTTP adds to them.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::ser::{Serialize, Serializer};
use time::Duration;

use super::jws::ALGORITHMS;
use crate::domain::acme::{AcmeProblem, Identifier, ProblemKind};
use crate::engine::Error;
use crate::engine::acme::AcmeError;
use crate::store::StoreError;

/// A problem on its way to a client.
#[derive(Debug)]
pub(super) struct Fault {
    problem: Box<AcmeProblem>,
    status: StatusCode,
    wait: Option<Duration>,
    location: Option<String>,
}

impl Fault {
    /// A request that is not of the form that it must have, with a status of its own.
    pub(super) fn malformed(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, ..AcmeProblem::new(ProblemKind::Malformed, detail).into() }
    }

    /// Too much at once.
    pub(super) fn too_often(wait: Duration) -> Self {
        let problem = AcmeProblem::new(ProblemKind::RateLimited, "this address has asked too often; see `Retry-After`");
        Self { wait: Some(wait), ..problem.into() }
    }

    /// What can not happen, but for a fault of ours.
    pub(super) fn unwritable(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "an ACME request failed");
        AcmeProblem::new(ProblemKind::ServerInternal, "something went wrong here").into()
    }

    /// What the client is told.
    pub(super) fn problem(&self) -> &AcmeProblem {
        &self.problem
    }

    pub(super) fn at(self, location: String) -> Self {
        Self { location: Some(location), ..self }
    }
}

impl From<AcmeProblem> for Fault {
    fn from(problem: AcmeProblem) -> Self {
        let wait = problem.retry_after.map(|wait| Duration::seconds(wait.as_seconds() as i64));
        let status = if problem.account.is_some() { StatusCode::CONFLICT } else { status_of(problem.kind) };
        Self { problem: Box::new(problem), status, wait, location: None }
    }
}

impl From<AcmeError> for Fault {
    fn from(error: AcmeError) -> Self {
        match error {
            AcmeError::Refused(problem) => problem.into(),
            AcmeError::Failed(error) => error.into(),
        }
    }
}

/// What goes on inside is logged and not told.
impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let (status, detail, wait) = match &error {
            Error::NotFound { .. } => (StatusCode::NOT_FOUND, "there is no such thing", None),
            Error::Store(StoreError::Unavailable { .. } | StoreError::Unknown { .. }) | Error::Contended => {
                (StatusCode::SERVICE_UNAVAILABLE, "this can not be done now; try again", Some(Duration::seconds(5)))
            }
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "something went wrong here", None),
        };
        if status.is_server_error() {
            tracing::error!(%error, "an ACME request failed");
        }
        let kind = if status.is_server_error() { ProblemKind::ServerInternal } else { ProblemKind::Malformed };
        Self { status, wait, ..AcmeProblem::new(kind, detail).into() }
    }
}

/// A problem as it is written, alone or within an order or a challenge.
pub(super) struct Told<'a>(pub(super) &'a AcmeProblem);

impl Serialize for Told<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Document::of(self.0, status_of(self.0.kind)).serialize(serializer)
    }
}

#[derive(serde::Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: String,
    detail: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subproblems: Vec<Part<'a>>,
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    algorithms: &'a [&'a str],
}

#[derive(serde::Serialize)]
struct Part<'a> {
    #[serde(rename = "type")]
    kind: String,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    identifier: Option<&'a Identifier>,
}

impl<'a> Document<'a> {
    fn of(problem: &'a AcmeProblem, status: StatusCode) -> Self {
        let parts = problem.subproblems.iter();
        let parts =
            parts.map(|each| Part { kind: urn(each.kind), detail: &each.detail, identifier: each.identifier.as_ref() });
        let algorithms: &[&str] =
            if problem.kind == ProblemKind::BadSignatureAlgorithm { &ALGORITHMS } else { Default::default() };
        let (kind, detail, status) = (urn(problem.kind), problem.detail.as_str(), status.as_u16());
        Self { kind, detail, status, subproblems: parts.collect(), algorithms }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let document = serde_json::to_vec(&Document::of(&self.problem, self.status)).unwrap_or_default();
        let mut response = Response::new(Body::from(document));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait) = self.wait {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        if let Some(location) = self.location.and_then(|location| HeaderValue::from_str(&location).ok()) {
            headers.insert(LOCATION, location);
        }
        response
    }
}

fn urn(kind: ProblemKind) -> String {
    format!("urn:ietf:params:acme:error:{kind}")
}

/// Whole seconds, and never too few.
pub(super) fn whole_seconds(wait: Duration) -> i64 {
    (wait + Duration::milliseconds(999)).whole_seconds().max(1)
}

fn status_of(kind: ProblemKind) -> StatusCode {
    use ProblemKind as Kind;
    match kind {
        Kind::AlreadyReplaced => StatusCode::CONFLICT,
        Kind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Kind::ServerInternal => StatusCode::INTERNAL_SERVER_ERROR,
        Kind::Caa
        | Kind::ExternalAccountRequired
        | Kind::IncorrectResponse
        | Kind::OrderNotReady
        | Kind::Unauthorized
        | Kind::UserActionRequired => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_REQUEST,
    }
}
