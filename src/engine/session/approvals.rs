//! Verbs on approval policies and on requests that wait for people.

use super::Session;
use crate::domain::{
    ApplicationId, ApprovalPolicy, ApprovalPolicySpec, Ballot, Decision, RequestId, RequestStatus, Slug,
    UnreachableStep,
};
use crate::engine::approvals::{ApprovalRequest, RequestQuery, RequestSummary};
use crate::engine::error::Error;
use crate::engine::outcome::Outcome;
use crate::engine::query::{Page, PageToken};

/// Approvals. See [approvals](crate::manual::approvals).
impl Session {
    /// Makes an approval policy, the last in order, or changes the one of its name where it stands. Needs
    /// `approval-policies.create` or `approval-policies.edit`. Requests that wait already go on as they began.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every fault: also for approvers that are no members, and for steps that the members could
    /// never complete. [`Error::NotFound`] for a profile that does not exist; [`Error::Contended`] if somebody else changed
    /// the Application.
    #[tracing::instrument(level = "debug", skip(self, spec), fields(name = %spec.name), err(level = "debug"))]
    pub async fn save_approval_policy(
        &self,
        id: ApplicationId,
        spec: ApprovalPolicySpec,
    ) -> Result<ApprovalPolicy, Error> {
        verb!(self.save_approval_policy(id, spec))
    }

    /// Puts an Application's approval policies in order: of those that are about a request, the first applies. Needs
    /// `approval-policies.edit`.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless each policy is named once; [`Error::Contended`] if somebody else changed the Application.
    #[tracing::instrument(level = "debug", skip(self, names), err(level = "debug"))]
    pub async fn order_approval_policies(
        &self,
        id: ApplicationId,
        names: &[Slug],
    ) -> Result<Vec<ApprovalPolicy>, Error> {
        verb!(self.order_approval_policies(id, names))
    }

    /// Deletes an approval policy. Needs `approval-policies.delete`. Requests that wait go on as they began.
    ///
    /// # Errors
    /// [`Error::Contended`] if somebody else changed the Application.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn delete_approval_policy(&self, id: ApplicationId, name: &Slug) -> Result<(), Error> {
        verb!(self.delete_approval_policy(id, name))
    }

    /// An Application's approval policies, in order. Needs `approval-policies.read`.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn approval_policies(&self, id: ApplicationId) -> Result<Vec<ApprovalPolicy>, Error> {
        verb!(self.approval_policies(id))
    }

    /// The steps of approval policies in force that the members as they are could never complete, since somebody left.
    /// Needs `approval-policies.read`.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn unreachable_approvals(&self, id: ApplicationId) -> Result<Vec<UnreachableStep>, Error> {
        verb!(self.unreachable_approvals(id))
    }

    /// Agrees to a request as it was shown. Needs `approval-requests.read`, and to be an approver of the current step.
    ///
    /// `digest` is that of the [`ApprovalRequest`] that the voter was shown. The vote that completes the last step judges
    /// the request again and issues it, or voids it: that is the answer. The private key is never part of it; its
    /// requester gets it from [`request`](Self::request). It is safe to repeat: the same vote gets the present answer.
    ///
    /// # Errors
    /// [`Error::Vote`] if the vote does not count; [`Error::Invalid`] for a comment of more than 1000 characters. What the
    /// last vote sets going may fail as [`submit`](Self::submit) may; then nothing was written, and it can be cast again.
    #[tracing::instrument(level = "debug", skip(self, comment), err(level = "debug"))]
    pub async fn approve(&self, id: RequestId, digest: &str, comment: &str) -> Result<Outcome, Error> {
        let ballot = Ballot { decision: Decision::Approve, digest: digest.to_owned(), comment: comment.to_owned() };
        verb!(self.vote(id, ballot))
    }

    /// Votes against a request as it was shown, which ends it. Needs what [`approve`](Self::approve) needs.
    ///
    /// # Errors
    /// As [`approve`](Self::approve).
    #[tracing::instrument(level = "debug", skip(self, comment), err(level = "debug"))]
    pub async fn reject(&self, id: RequestId, digest: &str, comment: &str) -> Result<Outcome, Error> {
        let ballot = Ballot { decision: Decision::Reject, digest: digest.to_owned(), comment: comment.to_owned() };
        verb!(self.vote(id, ballot))
    }

    /// Takes back a request that waits for approval. Needs `approval-requests.read`, and to be the one who asked.
    ///
    /// # Errors
    /// [`Error::Vote`] if somebody else asked, or it does not wait any more.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn cancel(&self, id: RequestId) -> Result<Outcome, Error> {
        verb!(self.cancel(id))
    }

    /// A request that people decide or decided on: what it is about, what the rules say of it now, and the digest that a
    /// vote must name. Needs `approval-requests.read`.
    ///
    /// # Errors
    /// [`Error::NotFound`] also for a request that needed no approval, or that the actor may not see.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn approval_request(&self, id: RequestId) -> Result<ApprovalRequest, Error> {
        verb!(self.approval_request(id))
    }

    /// One page of an Application's requests of a status that people decide or decided on, the latest first, 100 a page.
    /// Needs `approval-requests.read`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that is not one of this list's.
    #[tracing::instrument(level = "debug", skip(self, after), err(level = "debug"))]
    pub async fn approval_requests(
        &self,
        id: ApplicationId,
        status: RequestStatus,
        after: Option<&PageToken>,
    ) -> Result<Page<ApprovalRequest>, Error> {
        verb!(self.approval_requests(id, status, after))
    }

    /// A request as lists show it: how it stands, without what came of it. Needs `certificates.read`.
    ///
    /// # Errors
    /// [`Error::NotFound`] also for a request of an Application that the actor may not see.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn request_summary(&self, id: RequestId) -> Result<RequestSummary, Error> {
        verb!(self.request_summary(id))
    }

    /// One page of an Application's requests, the latest first. Needs `certificates.list`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that is not one of this list's.
    #[tracing::instrument(level = "debug", skip(self, after), err(level = "debug"))]
    pub async fn requests(
        &self,
        id: ApplicationId,
        query: RequestQuery,
        after: Option<&PageToken>,
    ) -> Result<Page<RequestSummary>, Error> {
        verb!(self.requests(id, query, after))
    }
}
