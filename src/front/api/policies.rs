//! Policies, and what a change of one would mean.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, Done, PageView};
use super::call::{Asking, At, Call, Json, Paging, With};
use super::endpoint::{Endpoint, Needs, delete, get, post};
use super::wire::{Moment, PolicyBody, PolicyView, policy_field};
use crate::domain::policy::Impact;
use crate::domain::{CertificateId, PolicyId, Slug};
use crate::engine::Error;
use crate::front::{Fault, Problem};

pub(super) fn endpoints() -> Vec<Endpoint> {
    const ONE: &str = "/certificate-policies/{policyId}";
    vec![
        get(("/certificate-policies", "listPolicies"), Needs::Product, list).says("Lists the policies."),
        post(("/certificate-policies", "savePolicy"), Needs::Product, save)
            .says("Makes a policy, or a new revision of the one of its name."),
        get((ONE, "getPolicy"), Needs::Product, see).says("Gives a policy."),
        get(("/certificate-policies/name/{name}", "getPolicyByName"), Needs::Product, by_name)
            .says("Gives a policy by its name."),
        get(("/certificate-policies/{policyId}/revisions/{revision}", "getPolicyRevision"), Needs::Product, revision)
            .says("Gives a past or present revision of a policy."),
        delete((ONE, "deletePolicy"), Needs::Product, remove).says("Deletes a policy that no profile uses."),
        post(("/certificate-policies/{policyId}/impact", "policyImpact"), Needs::Product, impact)
            .says("Says which valid certificates a new text of a policy would refuse, and changes nothing."),
    ]
}

async fn list(call: Asking<(), Paging>) -> Result<Answer<PageView<PolicyView>>, Problem> {
    let page = call.session.policies(call.query.token().as_ref()).await?;
    Ok(Answer::new(PageView::of(page, Into::into)))
}

fn spelled(error: Error) -> Problem {
    Problem::from(error).spelled(policy_field)
}

async fn save(call: With<(), PolicyBody>) -> Result<Answer<PolicyView>, Problem> {
    let Call { session, body: Json(body), .. } = call;
    Ok(Answer::new(session.save_policy(body.spec()?).await.map_err(spelled)?.into()))
}

async fn see(call: At<(PolicyId,)>) -> Result<Answer<PolicyView>, Problem> {
    Ok(Answer::new(call.session.policy(call.path.0).await?.into()))
}

async fn by_name(call: At<(Slug,)>) -> Result<Answer<PolicyView>, Problem> {
    Ok(Answer::new(call.session.policy_named(&call.path.0).await?.into()))
}

async fn revision(call: At<(PolicyId, u32)>) -> Result<Answer<PolicyView>, Problem> {
    Ok(Answer::new(call.session.policy_revision(call.path.0, call.path.1).await?.into()))
}

async fn remove(call: At<(PolicyId,)>) -> Result<Done, Problem> {
    call.session.delete_policy(call.path.0).await?;
    Ok(Done)
}

/// A new text of a policy, to be tried.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ImpactBody {
    /// The new text.
    policy: PolicyBody,
    /// How many certificates to name at most; at most what the server gives.
    #[serde(default)]
    limit: Option<usize>,
}

/// What a new text of a policy would mean.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ImpactAnswer {
    /// The certificates that it would refuse.
    certificates: Vec<ImpactView>,
    /// Whether there are more.
    is_truncated: bool,
}

/// A certificate that a new policy would refuse.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ImpactView {
    /// The certificate.
    certificate_id: CertificateId,
    /// Until when it stays valid: its renewal, at the latest then, would be refused.
    until: Moment,
    /// Whether the present policy permits it.
    is_new: bool,
    /// Every rule that it would break.
    violations: Vec<Fault>,
}

impl From<Impact<CertificateId>> for ImpactView {
    fn from(impact: Impact<CertificateId>) -> Self {
        let violations = impact.after.violations().iter().map(Fault::from).collect();
        Self { certificate_id: impact.certificate, until: impact.until.into(), is_new: impact.is_new(), violations }
    }
}

async fn impact(call: With<(PolicyId,), ImpactBody>) -> Result<Answer<ImpactAnswer>, Problem> {
    let most = call.page_size(call.body.0.limit)?;
    let Call { session, path, body: Json(body), .. } = call;
    let mut walk = session.impact(path.0, body.policy.spec()?).await.map_err(spelled)?;
    let mut certificates: Vec<ImpactView> = Vec::new();
    while let Some(found) = walk.next().await? {
        if certificates.len() == most {
            return Ok(Answer::new(ImpactAnswer { certificates, is_truncated: true }));
        }
        certificates.push(found.into());
    }
    Ok(Answer::new(ImpactAnswer { certificates, is_truncated: false }))
}
