//! Approval policies, requests that people decide on, and their votes.

use schemars::JsonSchema;
use serde::Deserialize;

use super::answer::{Answer, Done, PageView};
use super::call::{Asking, At, Call, Json, With};
use super::endpoint::{Endpoint, delete, get, post, put};
use super::requests::{RequestView, StatusWord};
use super::wire::{
    ApprovalPolicyBody, ApprovalPolicyView, ApprovalRequestView, UnreachableView, VoteBody, approval_field,
};
use crate::domain::{Action, ApplicationId, RequestId, RequestStatus, Slug};
use crate::engine::PageToken;
use crate::front::Problem;

pub(super) fn endpoints() -> Vec<Endpoint> {
    const POLICIES: &str = "/applications/{applicationId}/approval-policies";
    const REQUEST: &str = "/approval-requests/{certificateRequestId}";
    vec![
        get((POLICIES, "listApprovalPolicies"), Action::ApprovalPoliciesRead, policies)
            .says("Lists an Application's approval policies, in order."),
        post((POLICIES, "saveApprovalPolicy"), Action::ApprovalPoliciesEdit, save)
            .says("Makes an approval policy, the last in order, or changes the one of its name where it stands."),
        put(
            ("/applications/{applicationId}/approval-policy-order", "orderApprovalPolicies"),
            Action::ApprovalPoliciesEdit,
            order,
        )
        .says("Puts the approval policies in order: the first that is about a request applies."),
        delete(
            ("/applications/{applicationId}/approval-policies/{name}", "deleteApprovalPolicy"),
            Action::ApprovalPoliciesDelete,
            remove,
        )
        .says("Deletes an approval policy. Requests that wait go on as they began."),
        get(
            ("/applications/{applicationId}/unreachable-approvals", "listUnreachableApprovals"),
            Action::ApprovalPoliciesRead,
            unreachable,
        )
        .says("Lists the steps that the members as they are could never complete."),
        get(
            ("/applications/{applicationId}/approval-requests", "listApprovalRequests"),
            Action::ApprovalRequestsRead,
            requests,
        )
        .says("Lists the requests of a status that people decide or decided on, the latest first."),
        get((REQUEST, "getApprovalRequest"), Action::ApprovalRequestsRead, request)
            .says("Gives a request with all there is to decide on, and the digest that a vote must name."),
        post(("/approval-requests/{certificateRequestId}/approve", "approve"), Action::ApprovalRequestsRead, approve)
            .says("Agrees to a request as it was shown: for approvers of the current step. The last vote issues."),
        post(("/approval-requests/{certificateRequestId}/reject", "reject"), Action::ApprovalRequestsRead, reject)
            .says("Votes against a request as it was shown, which ends it."),
    ]
}

async fn policies(call: At<(ApplicationId,)>) -> Result<Answer<PageView<ApprovalPolicyView>>, Problem> {
    let policies = call.session.approval_policies(call.path.0).await?;
    Ok(Answer::new(PageView::whole(policies.into_iter().map(Into::into).collect())))
}

async fn save(call: With<(ApplicationId,), ApprovalPolicyBody>) -> Result<Answer<ApprovalPolicyView>, Problem> {
    let spec = call.body.0.spec()?;
    let saved = call.session.save_approval_policy(call.path.0, spec).await;
    Ok(Answer::new(saved.map_err(|error| Problem::from(error).spelled(approval_field))?.into()))
}

/// Approval policies in order.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OrderBody {
    /// The name of each, once.
    names: Vec<Slug>,
}

async fn order(call: With<(ApplicationId,), OrderBody>) -> Result<Answer<PageView<ApprovalPolicyView>>, Problem> {
    let Json(OrderBody { names }) = call.body;
    let policies = call.session.order_approval_policies(call.path.0, &names).await?;
    Ok(Answer::new(PageView::whole(policies.into_iter().map(Into::into).collect())))
}

async fn remove(call: At<(ApplicationId, Slug)>) -> Result<Done, Problem> {
    call.session.delete_approval_policy(call.path.0, &call.path.1).await?;
    Ok(Done)
}

async fn unreachable(call: At<(ApplicationId,)>) -> Result<Answer<PageView<UnreachableView>>, Problem> {
    let steps = call.session.unreachable_approvals(call.path.0).await?;
    Ok(Answer::new(PageView::whole(steps.into_iter().map(Into::into).collect())))
}

/// Which approval requests to list.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ApprovalFilter {
    /// Those of this status; those that wait if absent.
    status: Option<StatusWord>,
    /// The `next` of the page before.
    after: Option<String>,
}

async fn requests(
    call: Asking<(ApplicationId,), ApprovalFilter>,
) -> Result<Answer<PageView<ApprovalRequestView>>, Problem> {
    let Call { session, path, query, .. } = call;
    let status = query.status.map_or(RequestStatus::AwaitingApproval, Into::into);
    let after = query.after.as_deref().map(PageToken::new);
    let page = session.approval_requests(path.0, status, after.as_ref()).await?;
    Ok(Answer::new(PageView::of(page, Into::into)))
}

async fn request(call: At<(RequestId,)>) -> Result<Answer<ApprovalRequestView>, Problem> {
    Ok(Answer::new(call.session.approval_request(call.path.0).await?.into()))
}

async fn approve(call: With<(RequestId,), VoteBody>) -> Result<Answer<RequestView>, Problem> {
    let (id, Json(VoteBody { digest, comment })) = (call.path.0, call.body);
    call.session.approve(id, &digest, &comment).await?;
    Ok(Answer::new(call.session.request_summary(id).await?.into()))
}

async fn reject(call: With<(RequestId,), VoteBody>) -> Result<Answer<RequestView>, Problem> {
    let (id, Json(VoteBody { digest, comment })) = (call.path.0, call.body);
    call.session.reject(id, &digest, &comment).await?;
    Ok(Answer::new(call.session.request_summary(id).await?.into()))
}
