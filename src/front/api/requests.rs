//! Requests for certificates: polling one, listing them, taking one back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, PageView};
use super::call::{Asking, At, Call};
use super::certificates::refusal;
use super::endpoint::{Endpoint, get, post};
use super::wire::{AltName, IssuedView, KeyText, Moment, Pair, pairs};
use crate::domain::{Action, ApplicationId, CertificateId, Method, Principal, ProfileId, RequestId, RequestStatus};
use crate::engine::{Outcome, PageToken, RequestQuery, RequestSummary, Root};
use crate::front::{Fault, Problem};

pub(super) fn endpoints() -> Vec<Endpoint> {
    const ONE: &str = "/certificates/certificate-requests/{certificateRequestId}";
    vec![
        get((ONE, "getCertificateRequest"), Action::CertificatesRead, poll)
            .says("Says how a request stands, with the certificate once there is one."),
        get(("/certificates/certificate-requests", "listCertificateRequests"), Action::CertificatesList, list)
            .says("Lists an Application's requests, the latest first."),
        post(
            ("/certificates/certificate-requests/{certificateRequestId}/cancel", "cancelCertificateRequest"),
            Action::ApprovalRequestsRead,
            cancel,
        )
        .says("Takes a request back that waits for approval: for who asked."),
    ]
}

/// A request's status as this API spells it.
pub(super) fn status_word(status: RequestStatus) -> &'static str {
    match status {
        RequestStatus::AwaitingApproval => "pending_approval",
        RequestStatus::Issuing => "pending",
        RequestStatus::Issued => "issued",
        // Approved, and then no longer permitted: to who polls, it came to nothing like any other.
        RequestStatus::Failed | RequestStatus::Voided => "failed",
        RequestStatus::Rejected => "rejected",
        RequestStatus::Cancelled => "cancelled",
        RequestStatus::Expired => "expired",
    }
}

/// A request's status, to look for.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum StatusWord {
    PendingApproval,
    Pending,
    Issued,
    /// It could not be signed.
    Failed,
    /// It was approved and then no longer permitted; shown as `failed`.
    Voided,
    Rejected,
    Cancelled,
    Expired,
}

impl From<StatusWord> for RequestStatus {
    fn from(word: StatusWord) -> Self {
        match word {
            StatusWord::PendingApproval => Self::AwaitingApproval,
            StatusWord::Pending => Self::Issuing,
            StatusWord::Issued => Self::Issued,
            StatusWord::Failed => Self::Failed,
            StatusWord::Voided => Self::Voided,
            StatusWord::Rejected => Self::Rejected,
            StatusWord::Cancelled => Self::Cancelled,
            StatusWord::Expired => Self::Expired,
        }
    }
}

/// How a request stands.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RequestView {
    /// The request.
    id: RequestId,
    /// The Application that asked.
    application_id: ApplicationId,
    /// The profile.
    profile_id: ProfileId,
    /// `pending_approval`, `pending`, `issued`, `failed`, `rejected`, `cancelled` or `expired`.
    status: &'static str,
    /// How it was asked.
    enrollment_type: Method,
    /// Who asked.
    requester: Principal,
    /// The certificate's id, once it is issued.
    certificate_id: Option<CertificateId>,
    /// The certificate that is to be replaced.
    renewed_from_certificate_id: Option<CertificateId>,
    /// The common name that was asked for, as far as it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    common_name: Option<String>,
    /// The subject alternative names that were asked for, as far as they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    alt_names: Option<Vec<AltName>>,
    /// Tags.
    metadata: Vec<Pair>,
    /// When it was asked.
    created_at: Moment,
    /// When it last changed.
    updated_at: Moment,
}

impl From<RequestSummary> for RequestView {
    fn from(request: RequestSummary) -> Self {
        let content = request.content;
        Self {
            id: request.id,
            application_id: request.application,
            profile_id: request.profile.0,
            status: status_word(request.status),
            enrollment_type: request.method,
            requester: request.requester,
            certificate_id: request.certificate,
            renewed_from_certificate_id: request.replaces,
            common_name: content.as_ref().and_then(|content| content.subject.common_name().map(str::to_owned)),
            alt_names: content.map(|content| content.sans.iter().map(Into::into).collect()),
            metadata: pairs(&request.metadata),
            created_at: request.created_at.into(),
            updated_at: request.updated_at.into(),
        }
    }
}

/// How a request stands, with what came of it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PollAnswer {
    /// The request.
    id: RequestId,
    /// `pending_approval`, `pending`, `issued`, `failed`, `rejected`, `cancelled` or `expired`.
    status: &'static str,
    /// The certificate, PEM; `null` while there is none.
    certificate: Option<String>,
    /// The certificates above it, PEM.
    certificate_chain: Option<String>,
    /// The certificate's id.
    certificate_id: Option<CertificateId>,
    /// The private key: once, for who asked, if no answer could hold it before; later only for who may read it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<KeyText>,
    /// The serial number, hex.
    serial_number: Option<String>,
    /// Why there will be none.
    error_message: Option<String>,
    /// The same, reason by reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violations: Vec<Fault>,
    /// The request in full.
    request: RequestView,
    /// When it was asked.
    created_at: Moment,
}

async fn poll(call: At<(RequestId,)>) -> Result<Answer<PollAnswer>, Problem> {
    let outcome = call.session.request(call.path.0).await?;
    // Read after it: an outcome is never older than the status that it is shown with.
    let mut request: RequestView = call.session.request_summary(call.path.0).await?.into();
    let mut answer = PollAnswer {
        id: request.id,
        status: request.status,
        certificate: None,
        certificate_chain: None,
        certificate_id: None,
        private_key: None,
        serial_number: None,
        error_message: None,
        violations: Vec::new(),
        created_at: request.created_at,
        request: {
            if let Outcome::Issued(issued) = &outcome {
                let content = issued.certificate().content();
                request.common_name = content.subject.common_name().map(str::to_owned);
                request.alt_names = Some(content.sans.iter().map(Into::into).collect());
            }
            request
        },
    };
    match outcome {
        Outcome::Issued(issued) => {
            let view = IssuedView::of(*issued, Root::Include);
            (answer.certificate, answer.certificate_chain) = (Some(view.certificate), Some(view.certificate_chain));
            (answer.certificate_id, answer.serial_number) = (Some(view.certificate_id), Some(view.serial_number));
            answer.private_key = view.private_key;
            Ok(Answer::new(answer))
        }
        Outcome::Pending(pending) => Ok(Answer::for_now(answer, pending.retry_after)),
        Outcome::Refused(refused) => {
            answer.error_message = Some(refused.to_string());
            answer.violations = refusal(&refused.violations).violations;
            Ok(Answer::new(answer))
        }
    }
}

/// Which requests to list.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RequestFilter {
    /// Those of this Application.
    application_id: ApplicationId,
    /// Those of one status.
    status: Option<StatusWord>,
    /// How many; at most what the server gives.
    limit: Option<usize>,
    /// The `next` of the page before.
    after: Option<String>,
}

async fn list(call: Asking<(), RequestFilter>) -> Result<Answer<PageView<RequestView>>, Problem> {
    let page_size = call.page_size(call.query.limit)?;
    let Call { session, query, .. } = call;
    let after = query.after.as_deref().map(PageToken::new);
    let asked = RequestQuery { status: query.status.map(Into::into), page_size };
    let page = session.requests(query.application_id, asked, after.as_ref()).await?;
    Ok(Answer::new(PageView::of(page, Into::into)))
}

async fn cancel(call: At<(RequestId,)>) -> Result<Answer<RequestView>, Problem> {
    call.session.cancel(call.path.0).await?;
    Ok(Answer::new(call.session.request_summary(call.path.0).await?.into()))
}
