//! Approval policies, and requests that people decide on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::certificate::ContentView;
use super::rules::{TypedPatterns, listed_patterns, patterns};
use super::{Moment, Pair, pairs};
use crate::domain::{
    ApplicationId, ApprovalPolicy, ApprovalPolicySpec, ApprovalPolicyState, ApprovalStep, CertificateId, Conditions,
    Decision, MachineBypass, Method, Principal, ProfileId, RequestId, RequesterKind, SelfApproval, Slug, Span,
    UnreachableStep, Vote,
};
use crate::engine::ApprovalRequest;
use crate::front::{Fault, Problem};
use crate::x509::{KeyAlgorithm, SanKind};

/// An approval policy. Of those in force the first that is about a request applies.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct ApprovalPolicyBody {
    /// The name, unique in the Application.
    name: Slug,
    /// What it is for.
    #[serde(default)]
    description: String,
    /// Which requests it is about; without any, all.
    #[serde(default)]
    conditions: ConditionsBody,
    /// Who must agree, one step after the other: 1 to 10.
    steps: Vec<StepBody>,
    /// How long a request waits: 1 hour to 30 days.
    #[serde(default = "week")]
    max_request_ttl: Span,
    /// Whether machines that ask by the API pass without approval.
    #[serde(default)]
    bypass_for_machine_identities: bool,
    /// Whether requesters may approve what they asked for.
    #[serde(default)]
    allow_self_approval: bool,
    /// Whether it is in force.
    #[serde(default = "yes")]
    is_active: bool,
}

fn week() -> Span {
    Span::days(7)
}

fn yes() -> bool {
    true
}

/// What a request must be: all that is given must hold, and of each list one entry.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct ConditionsBody {
    /// Asked under one of these profiles.
    profiles: Vec<Slug>,
    /// Some name has anything in common with one of these patterns.
    sans: Vec<TypedPatterns<SanKind>>,
    /// Valid for longer than this.
    validity_over: Option<Span>,
    /// The key is one of these.
    key_algorithms: Vec<KeyAlgorithm>,
    /// Asked by one of these kinds of requester.
    requesters: Vec<RequesterKind>,
    /// Asked by one of these methods.
    methods: Vec<Method>,
}

/// People who must agree before the next step begins.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StepBody {
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// How many must agree.
    required_approvals: u32,
    /// Who may: users and groups that are members.
    approvers: Vec<Principal>,
}

impl From<StepBody> for ApprovalStep {
    fn from(step: StepBody) -> Self {
        Self { name: step.name, required: step.required_approvals, approvers: step.approvers }
    }
}

impl From<ApprovalStep> for StepBody {
    fn from(step: ApprovalStep) -> Self {
        Self { name: step.name, required_approvals: step.required, approvers: step.approvers }
    }
}

impl ApprovalPolicyBody {
    /// The policy as the engine takes it.
    pub(in crate::front::api) fn spec(self) -> Result<ApprovalPolicySpec, Problem> {
        let ConditionsBody { profiles, sans, validity_over, key_algorithms, requesters, methods } = self.conditions;
        let sans = patterns("conditions.sans", sans)?;
        let bypass = if self.bypass_for_machine_identities { MachineBypass::Api } else { MachineBypass::Never };
        let own = if self.allow_self_approval { SelfApproval::Allowed } else { SelfApproval::Forbidden };
        Ok(ApprovalPolicySpec {
            name: self.name,
            description: self.description,
            conditions: Conditions { profiles, sans, validity_over, key_algorithms, requesters, methods },
            steps: self.steps.into_iter().map(Into::into).collect(),
            max_age: self.max_request_ttl,
            machine_bypass: bypass,
            self_approval: own,
            state: if self.is_active { ApprovalPolicyState::Active } else { ApprovalPolicyState::Inactive },
        })
    }
}

/// The field of an approval policy as its client wrote it.
pub(in crate::front::api) fn field(field: &str) -> String {
    if let Some(rest) = field.strip_prefix("conditions.sans.") {
        let (kind, rest) = rest.find('[').map_or((rest, ""), |at| rest.split_at(at));
        return format!("conditions.sans[{kind}].patterns{rest}");
    }
    match field {
        "max_age" => "maxRequestTtl".to_owned(),
        field => super::super::spelling::camel(&field.replace("].required", "].required_approvals")),
    }
}

/// An approval policy as it is kept.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct ApprovalPolicyView {
    /// The name.
    name: Slug,
    /// What it is for.
    description: String,
    /// Which requests it is about.
    conditions: ConditionsView,
    /// Who must agree.
    steps: Vec<StepBody>,
    /// How long a request waits.
    max_request_ttl: Span,
    /// Whether machines that ask by the API pass without approval.
    bypass_for_machine_identities: bool,
    /// Whether requesters may approve what they asked for.
    allow_self_approval: bool,
    /// Whether it is in force.
    is_active: bool,
}

/// Which requests an approval policy is about.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ConditionsView {
    /// Asked under one of these profiles.
    profile_ids: Vec<ProfileId>,
    /// Some name has anything in common with one of these patterns.
    sans: Vec<TypedPatterns<SanKind>>,
    /// Valid for longer than this.
    validity_over: Option<Span>,
    /// The key is one of these.
    key_algorithms: Vec<KeyAlgorithm>,
    /// Asked by one of these kinds of requester.
    requesters: Vec<RequesterKind>,
    /// Asked by one of these methods.
    methods: Vec<Method>,
}

impl From<ApprovalPolicy> for ApprovalPolicyView {
    fn from(policy: ApprovalPolicy) -> Self {
        let Conditions { profiles, sans, validity_over, key_algorithms, requesters, methods } = policy.conditions;
        let sans = listed_patterns(&sans);
        Self {
            name: policy.name,
            description: policy.description,
            conditions: ConditionsView {
                profile_ids: profiles,
                sans,
                validity_over,
                key_algorithms,
                requesters,
                methods,
            },
            steps: policy.steps.into_iter().map(Into::into).collect(),
            max_request_ttl: policy.max_age,
            bypass_for_machine_identities: policy.machine_bypass == MachineBypass::Api,
            allow_self_approval: policy.self_approval == SelfApproval::Allowed,
            is_active: policy.state == ApprovalPolicyState::Active,
        }
    }
}

/// A step that the members as they are could never complete.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct UnreachableView {
    /// The approval policy.
    approval_policy: String,
    /// The step, from 0.
    step: usize,
}

impl From<UnreachableStep> for UnreachableView {
    fn from(step: UnreachableStep) -> Self {
        Self { approval_policy: step.policy.to_string(), step: step.step }
    }
}

/// A vote to be cast.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct VoteBody {
    /// The digest of the approval request that the voter was shown.
    pub(in crate::front::api) digest: String,
    /// What they have to say.
    #[serde(default)]
    pub(in crate::front::api) comment: String,
}

/// A request that people decide or decided on.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct ApprovalRequestView {
    /// The request.
    certificate_request_id: RequestId,
    /// The Application that asked.
    application_id: ApplicationId,
    /// The profile.
    profile_id: ProfileId,
    /// How it was asked.
    enrollment_type: Method,
    /// Who asked.
    requester: Principal,
    /// Tags.
    metadata: Vec<Pair>,
    /// The certificate that is to be replaced.
    renewed_from_certificate_id: Option<CertificateId>,
    /// How it stands.
    status: &'static str,
    /// What the certificate is to say.
    draft: ContentView,
    /// What the rules say of it now; absent in lists, and once it was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    violations: Option<Vec<Fault>>,
    /// The approval policy that asks for it.
    approval_policy: Slug,
    /// What a vote must name.
    digest: String,
    /// Who must agree.
    steps: Vec<StepBody>,
    /// The step whose approvers may vote now, from 0; `null` when all are completed.
    current_step: Option<usize>,
    /// The votes that were cast.
    votes: Vec<VoteView>,
    /// When it expires, undecided.
    expires_at: Moment,
    /// When it was asked.
    created_at: Moment,
    /// When it last changed.
    updated_at: Moment,
}

/// A vote that was cast.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct VoteView {
    /// Who.
    voter: Principal,
    /// In which step, from 0.
    step: usize,
    /// How.
    decision: Decision,
    /// What they had to say.
    comment: String,
    /// When.
    at: Moment,
}

impl From<Vote> for VoteView {
    fn from(vote: Vote) -> Self {
        let Vote { voter, step, decision, comment, at } = vote;
        Self { voter, step, decision, comment, at: at.into() }
    }
}

impl From<ApprovalRequest> for ApprovalRequestView {
    fn from(request: ApprovalRequest) -> Self {
        let approval = request.approval;
        let verdict = request.verdict.as_ref();
        Self {
            certificate_request_id: request.id,
            application_id: request.application,
            profile_id: request.profile.0,
            enrollment_type: request.method,
            requester: request.requester,
            metadata: pairs(&request.metadata),
            renewed_from_certificate_id: request.replaces,
            status: super::super::requests::status_word(request.status),
            draft: (&request.draft.content).into(),
            violations: verdict.map(|verdict| verdict.violations().iter().map(Fault::from).collect()),
            current_step: approval.current_step(),
            approval_policy: approval.policy,
            digest: approval.digest,
            steps: approval.steps.into_iter().map(Into::into).collect(),
            votes: approval.votes.into_iter().map(Into::into).collect(),
            expires_at: approval.expires_at.into(),
            created_at: request.created_at.into(),
            updated_at: request.updated_at.into(),
        }
    }
}
