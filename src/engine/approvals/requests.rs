//! Requests as people see them: those that wait for approval, with all there is to decide on, and all of an Application.

use time::OffsetDateTime;

use super::votes::open_approval;
use crate::domain::{
    Action, Actor, ApplicationId, Approval, CertificateId, CertificateRequest, Draft, Metadata, Method, Principal,
    ProfileId, RequestId, RequestState, RequestStatus, Verdict,
};
use crate::engine::context::Context;
use crate::engine::error::Error;
use crate::engine::query::{Page, PageToken};
use crate::engine::schema::{Entity, index};
use crate::store::{MAX_SCAN_LIMIT, Order, Over, Scan};
use crate::x509::Content;

/// A request that people decide or decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRequest {
    /// The request.
    pub id: RequestId,
    /// The Application that asked.
    pub application: ApplicationId,
    /// The profile, and its revision when it was asked.
    pub profile: (ProfileId, u32),
    /// How it was asked.
    pub method: Method,
    /// Who asked.
    pub requester: Principal,
    /// Tags.
    pub metadata: Metadata,
    /// The certificate that is to be replaced, if this is a renewal.
    pub replaces: Option<CertificateId>,
    /// How it stands.
    pub status: RequestStatus,
    /// What the certificate is to say: what a vote is bound to. Where a length was asked for, its dates are those of an
    /// issue at the moment when it was asked.
    pub draft: Draft,
    /// What the rules say of it now; what is refused here would be voided by the last vote. `None` in lists, and once it
    /// was decided.
    pub verdict: Option<Verdict>,
    /// The digest that a vote must name, the steps, the votes, and when it expires.
    pub approval: Approval,
    /// When it was asked.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
}

/// Which requests to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestQuery {
    /// Those of one status. A request whose time has passed is listed as expired once due work has recorded it.
    pub status: Option<RequestStatus>,
    /// The size of a page, 1 to 1000; 100 if zero.
    pub page_size: usize,
}

/// A request in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSummary {
    /// The request.
    pub id: RequestId,
    /// The Application that asked.
    pub application: ApplicationId,
    /// The profile and its revision.
    pub profile: (ProfileId, u32),
    /// How it was asked.
    pub method: Method,
    /// Who asked.
    pub requester: Principal,
    /// Tags.
    pub metadata: Metadata,
    /// The certificate that is to be replaced, if this is a renewal.
    pub replaces: Option<CertificateId>,
    /// How it stands.
    pub status: RequestStatus,
    /// The certificate that came of it.
    pub certificate: Option<CertificateId>,
    /// What people were shown, if people decide or decided on it.
    pub content: Option<Content>,
    /// When it was asked.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
}

impl RequestSummary {
    fn of(request: CertificateRequest, now: OffsetDateTime) -> Self {
        let status = request.status_at(now);
        let content = request.approval().map(|approval| approval.content.clone());
        let certificate = match request.state {
            RequestState::Issued { certificate, .. } => Some(certificate),
            _ => None,
        };
        let CertificateRequest { id, application, profile, method, requester, metadata, replaces, .. } = request;
        let CertificateRequest { created_at, updated_at, .. } = request;
        Self {
            id,
            application,
            profile,
            method,
            requester,
            metadata,
            replaces,
            status,
            certificate,
            content,
            created_at,
            updated_at,
        }
    }
}

impl ApprovalRequest {
    fn of(request: CertificateRequest, verdict: Option<Verdict>, now: OffsetDateTime) -> Option<Self> {
        let (status, approval) = (request.status_at(now), request.approval()?.clone());
        let CertificateRequest { id, application, profile, method, requester, metadata, replaces, .. } = request;
        let CertificateRequest { ignored_extensions, created_at, updated_at, .. } = request;
        let draft = Draft { content: approval.content.clone(), violations: Vec::new(), ignored_extensions };
        Some(Self {
            id,
            application,
            profile,
            method,
            requester,
            metadata,
            replaces,
            status,
            draft,
            verdict,
            approval,
            created_at,
            updated_at,
        })
    }
}

impl Context {
    /// A request that people decide on, with all there is to decide on.
    pub(in crate::engine) async fn approval_request(
        &self,
        actor: &Actor,
        id: RequestId,
    ) -> Result<ApprovalRequest, Error> {
        let (request, application) = self.seen_request(actor, id).await?;
        let now = self.now();
        let verdict = match open_approval(&request.value, now) {
            Some(approval) => {
                let judgement = self.judge_kept(&request.value, approval, application).await?;
                Some(Verdict::new(judgement.result.err().unwrap_or_default()))
            }
            None => None,
        };
        ApprovalRequest::of(request.value, verdict, now).ok_or_else(|| Error::not_found("approval request", id))
    }

    /// One page of the requests of a status that people decide or decided on, the latest first.
    pub(in crate::engine) async fn approval_requests(
        &self,
        actor: &Actor,
        application: ApplicationId,
        status: RequestStatus,
        after: Option<&PageToken>,
    ) -> Result<Page<ApprovalRequest>, Error> {
        self.permitted(actor, application, Action::ApprovalRequestsRead).await?;
        let now = self.now();
        let scan = latest_first(index::REQUEST_APPROVAL, &format!("{application}|{}", status), 100);
        let is_so = |request: &CertificateRequest| request.status_at(now) == status;
        let page = self.filtered(scan, after, is_so).await?;
        let items = page.items.into_iter().filter_map(|request| ApprovalRequest::of(request, None, now)).collect();
        Ok(Page { items, next: page.next })
    }

    /// A request as lists show it.
    pub(in crate::engine) async fn request_summary(
        &self,
        actor: &Actor,
        id: RequestId,
    ) -> Result<RequestSummary, Error> {
        let request = self.load::<CertificateRequest>(&id.to_string()).await?.value;
        match self.permitted(actor, request.application, Action::CertificatesRead).await {
            Err(Error::NotFound { .. }) => Err(Error::not_found(CertificateRequest::KIND, id)),
            permitted => permitted.map(|_| RequestSummary::of(request, self.now())),
        }
    }

    /// One page of an Application's requests, the latest first.
    pub(in crate::engine) async fn requests(
        &self,
        actor: &Actor,
        application: ApplicationId,
        query: RequestQuery,
        after: Option<&PageToken>,
    ) -> Result<Page<RequestSummary>, Error> {
        self.permitted(actor, application, Action::CertificatesList).await?;
        let now = self.now();
        let size = if query.page_size == 0 { 100 } else { query.page_size.min(MAX_SCAN_LIMIT) };
        let scan = match query.status {
            None | Some(RequestStatus::Issued) => {
                latest_first(index::REQUEST_APPLICATION, &application.to_string(), size)
            }
            Some(status) => latest_first(index::REQUEST_STATUS, &format!("{application}|{status}"), size),
        };
        let is_so = |request: &CertificateRequest| query.status.is_none_or(|status| request.status_at(now) == status);
        let page = self.filtered(scan, after, is_so).await?;
        let items = page.items.into_iter().map(|request| RequestSummary::of(request, now)).collect();
        Ok(Page { items, next: page.next })
    }
}

/// What stands under one value of an index: ids sort by the time they were made.
fn latest_first(index: &'static str, value: &str, size: usize) -> Scan {
    let mut scan = Scan::new(Over::Index(index.into()), size);
    scan.from = Some(value.to_owned());
    scan.to = Some(format!("{value}\u{1}"));
    scan.order = Order::Descending;
    scan
}
