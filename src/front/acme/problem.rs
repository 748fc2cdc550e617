//! How ACME is told of faults: problem documents with the error types of RFC 8555 section 6.7.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::{Serialize, Serializer};
use time::Duration;

use super::jws::ALGORITHMS;
use crate::domain::acme::Identifier;

macro_rules! errors {
    ($($(#[doc = $doc:literal])* $error:ident = $name:literal, $status:ident;)*) => {
        /// What went wrong, for programs: the types that are registered for ACME.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum AcmeError { $($(#[doc = $doc])* $error,)* }

        impl AcmeError {
            /// Its name, without `urn:ietf:params:acme:error:`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$error => $name,)* }
            }

            /// The HTTP status that it comes with, unless something says otherwise.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$error => StatusCode::$status,)* }
            }
        }
    };
}

errors! {
    /// There is no account of this key.
    AccountDoesNotExist = "accountDoesNotExist", BAD_REQUEST;
    /// The certificate is revoked already.
    AlreadyRevoked = "alreadyRevoked", BAD_REQUEST;
    /// Another order replaces this certificate already (RFC 9773).
    AlreadyReplaced = "alreadyReplaced", CONFLICT;
    /// The certificate request is not acceptable.
    BadCsr = "badCSR", BAD_REQUEST;
    /// The nonce is not fresh, not of this server, or was used before.
    BadNonce = "badNonce", BAD_REQUEST;
    /// The key is not one that is supported.
    BadPublicKey = "badPublicKey", BAD_REQUEST;
    /// The reason for revocation is not allowed.
    BadRevocationReason = "badRevocationReason", BAD_REQUEST;
    /// The signature algorithm is not supported.
    BadSignatureAlgorithm = "badSignatureAlgorithm", BAD_REQUEST;
    /// CAA records forbid issuance.
    Caa = "caa", FORBIDDEN;
    /// Several problems, told by subproblems.
    Compound = "compound", BAD_REQUEST;
    /// The server could not connect to the validation target.
    Connection = "connection", BAD_REQUEST;
    /// A DNS query failed.
    Dns = "dns", BAD_REQUEST;
    /// The request must bind an external account.
    ExternalAccountRequired = "externalAccountRequired", FORBIDDEN;
    /// What was received does not match the challenge.
    IncorrectResponse = "incorrectResponse", FORBIDDEN;
    /// A contact of the account can not be understood.
    InvalidContact = "invalidContact", BAD_REQUEST;
    /// The profile is not offered here (draft-ietf-acme-profiles).
    InvalidProfile = "invalidProfile", BAD_REQUEST;
    /// The request is not of the form that it must have.
    Malformed = "malformed", BAD_REQUEST;
    /// The order can not be finalized now.
    OrderNotReady = "orderNotReady", FORBIDDEN;
    /// There were too many requests.
    RateLimited = "rateLimited", TOO_MANY_REQUESTS;
    /// No certificate is issued for this identifier.
    RejectedIdentifier = "rejectedIdentifier", BAD_REQUEST;
    /// Something failed here.
    ServerInternal = "serverInternal", INTERNAL_SERVER_ERROR;
    /// A TLS error during validation.
    Tls = "tls", BAD_REQUEST;
    /// The account may not do this.
    Unauthorized = "unauthorized", FORBIDDEN;
    /// A contact has an unsupported scheme.
    UnsupportedContact = "unsupportedContact", BAD_REQUEST;
    /// The identifier is of an unsupported type.
    UnsupportedIdentifier = "unsupportedIdentifier", BAD_REQUEST;
    /// The user must visit a page first.
    UserActionRequired = "userActionRequired", FORBIDDEN;
}

impl Serialize for AcmeError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("urn:ietf:params:acme:error:{}", self.as_str()))
    }
}

/// A fault as it is told to ACME clients, media type `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeProblem {
    /// What programs decide by.
    pub error: AcmeError,
    /// What is wrong, for people.
    pub detail: String,
    /// What is wrong with each identifier (RFC 8555 section 6.7.1).
    pub subproblems: Vec<Subproblem>,
    status: Option<StatusCode>,
    retry_after: Option<Duration>,
    location: Option<String>,
}

/// What is wrong with one identifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subproblem {
    /// What programs decide by.
    #[serde(rename = "type")]
    pub error: AcmeError,
    /// What is wrong, for people.
    pub detail: String,
    /// Which identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier: Option<Identifier>,
}

impl AcmeProblem {
    /// A fault.
    pub fn new(error: AcmeError, detail: impl Into<String>) -> Self {
        let (detail, subproblems) = (detail.into(), Vec::new());
        Self { error, detail, subproblems, status: None, retry_after: None, location: None }
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status.unwrap_or(self.error.status())
    }

    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status: Some(status), ..self }
    }

    pub(super) fn after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    pub(super) fn at(self, location: String) -> Self {
        Self { location: Some(location), ..self }
    }

    pub(super) fn with(self, subproblems: Vec<Subproblem>) -> Self {
        Self { subproblems, ..self }
    }
}

/// As it is written, alone or within an order or a challenge.
impl Serialize for AcmeProblem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Document<'a> {
            #[serde(rename = "type")]
            error: AcmeError,
            detail: &'a str,
            status: u16,
            #[serde(skip_serializing_if = "<[Subproblem]>::is_empty")]
            subproblems: &'a [Subproblem],
            #[serde(skip_serializing_if = "<[&str]>::is_empty")]
            algorithms: &'a [&'a str],
        }
        let algorithms: &[&str] =
            if self.error == AcmeError::BadSignatureAlgorithm { &ALGORITHMS } else { Default::default() };
        let Self { error, detail, subproblems, .. } = self;
        Document { error: *error, detail, status: self.status().as_u16(), subproblems, algorithms }
            .serialize(serializer)
    }
}

impl IntoResponse for AcmeProblem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(serde_json::to_vec(&self).unwrap_or_default()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        if let Some(location) = self.location.and_then(|location| HeaderValue::from_str(&location).ok()) {
            headers.insert(LOCATION, location);
        }
        response
    }
}

/// Whole seconds, and never too few.
pub(super) fn whole_seconds(wait: Duration) -> i64 {
    (wait + Duration::milliseconds(999)).whole_seconds().max(1)
}
