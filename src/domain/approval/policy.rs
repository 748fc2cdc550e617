//! Approval policies: as people write them, and as an Application keeps them.

use serde::{Deserialize, Serialize};

use super::{Conditions, unreachable_steps};
use crate::domain::{Member, Principal, PrincipalKind, ProfileId, Slug, Span};
use crate::x509::InvalidValue;

const MOST_STEPS: usize = 10;
const MOST_APPROVERS: usize = 50;
const MOST_REQUIRED: u32 = 100;
/// Policies live in their Application's document, which has a bound.
const MOST_BYTES: usize = 16 * 1024;

/// An approval policy as people describe it; profiles are named.
///
/// ```
/// use chancery::domain::ApprovalPolicySpec;
/// let spec: ApprovalPolicySpec = serde_json::from_str(r#"{
///     "name": "production",
///     "conditions": { "profiles": ["web"], "sans": { "dns_name": ["**.prod.example.com"] } },
///     "steps": [ { "name": "team", "required": 1, "approvers": ["user:bob", "group:leads"] } ],
///     "max_age": "2d"
/// }"#)?;
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalPolicySpec {
    /// The name, unique in the Application.
    pub name: Slug,
    /// What it is for, at most 1000 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Which requests it is about; without any, all.
    #[serde(default = "Conditions::default")]
    pub conditions: Conditions<Slug>,
    /// Who must agree, one step after the other: 1 to 10.
    pub steps: Vec<ApprovalStep>,
    /// How long a request waits before it expires: 1 hour to 30 days.
    #[serde(default = "week")]
    pub max_age: Span,
    /// Whether machines pass without approval.
    #[serde(default)]
    pub machine_bypass: MachineBypass,
    /// Whether requesters may approve what they asked for.
    #[serde(default)]
    pub self_approval: SelfApproval,
    /// Whether it is in force.
    #[serde(default)]
    pub state: ApprovalPolicyState,
}

fn week() -> Span {
    Span::days(7)
}

/// People who must agree before the next step begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalStep {
    /// What it is called, 1 to 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many of the approvers must agree, 1 to 100.
    pub required: u32,
    /// Who may: users and groups that are members of the Application, at most 50. Of a group, every user may.
    pub approvers: Vec<Principal>,
}

/// Whether machines pass without approval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MachineBypass {
    /// Machines wait like everybody.
    #[default]
    Never,
    /// Machines that ask by the API pass. What comes by ACME, EST or SCEP never does: there is no identity behind it that
    /// was given that right.
    Api,
}

/// Whether requesters may approve what they asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelfApproval {
    /// They may not.
    #[default]
    Forbidden,
    /// They may, if they are approvers.
    Allowed,
}

/// Whether an approval policy is in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalPolicyState {
    /// It is.
    #[default]
    Active,
    /// It is kept, but asks for nothing.
    Inactive,
}

/// An approval policy as its Application keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalPolicy {
    /// The name, unique in the Application.
    pub name: Slug,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Which requests it is about.
    pub conditions: Conditions<ProfileId>,
    /// Who must agree, in order.
    pub steps: Vec<ApprovalStep>,
    /// How long a request waits before it expires.
    pub max_age: Span,
    /// Whether machines pass without approval.
    pub machine_bypass: MachineBypass,
    /// Whether requesters may approve what they asked for.
    pub self_approval: SelfApproval,
    /// Whether it is in force.
    pub state: ApprovalPolicyState,
}

impl ApprovalPolicySpec {
    /// A policy that asks for the steps' approval of every request.
    pub fn new(name: Slug, steps: impl IntoIterator<Item = ApprovalStep>) -> Self {
        Self {
            name,
            description: String::new(),
            conditions: Conditions::default(),
            steps: steps.into_iter().collect(),
            max_age: week(),
            machine_bypass: MachineBypass::default(),
            self_approval: SelfApproval::default(),
            state: ApprovalPolicyState::default(),
        }
    }

    /// Every fault with its path, in an Application of these members; whether the profiles exist is the engine's to know.
    pub fn faults(&self, members: &[Member]) -> Vec<(String, InvalidValue)> {
        let mut faults = Vec::new();
        let mut report = |field: String, seen: String, accepted: &'static str| {
            faults.push((field, InvalidValue::new("approval policy", seen, accepted)));
        };
        if self.description.chars().count() > 1000 {
            report("description".into(), self.description.clone(), "at most 1000 characters");
        }
        if !(1..=MOST_STEPS).contains(&self.steps.len()) {
            report("steps".into(), format!("{} steps", self.steps.len()), "1 to 10 steps");
        }
        if self.max_age < Span::hours(1) || self.max_age > Span::days(30) {
            report("max_age".into(), self.max_age.to_string(), "1h to 30d");
        }
        if serde_json::to_vec(self).map_or(0, |json| json.len()) > MOST_BYTES {
            report("policy".into(), "a longer one".into(), "at most 16 KiB of JSON; name groups instead of users");
        }
        faults.extend(self.conditions.faults());
        for (at, step) in self.steps.iter().enumerate() {
            let path = |(field, error): (String, InvalidValue)| (format!("steps[{at}].{field}"), error);
            faults.extend(step.faults(members).into_iter().map(path));
        }
        if faults.is_empty() {
            faults.extend(self.unreachable(members));
        }
        faults
    }

    fn unreachable(&self, members: &[Member]) -> Vec<(String, InvalidValue)> {
        let accepted = match self.self_approval {
            SelfApproval::Forbidden => {
                "no more than there are approvers: each votes once in all steps, and not on what they asked for"
            }
            SelfApproval::Allowed => "no more than there are approvers: each votes once in all steps",
        };
        let fault = |step: usize| {
            let required = self.steps[step].required.to_string();
            (format!("steps[{step}].required"), InvalidValue::new("quorum", required, accepted))
        };
        unreachable_steps(&self.steps, self.self_approval, members).into_iter().map(fault).collect()
    }

    /// The policy as it is kept, about `profiles`.
    pub(crate) fn kept(self, profiles: Vec<ProfileId>) -> ApprovalPolicy {
        let Self { name, description, conditions, steps, max_age, machine_bypass, self_approval, state } = self;
        let conditions = conditions.about(profiles);
        ApprovalPolicy { name, description, conditions, steps, max_age, machine_bypass, self_approval, state }
    }
}

impl ApprovalStep {
    /// A step in which `required` of `approvers` must agree.
    pub fn new(required: u32, approvers: impl IntoIterator<Item = Principal>) -> Self {
        Self { name: None, required, approvers: approvers.into_iter().collect() }
    }

    fn faults(&self, members: &[Member]) -> Vec<(String, InvalidValue)> {
        let mut faults = Vec::new();
        let mut report = |field: String, seen: String, accepted: &'static str| {
            faults.push((field, InvalidValue::new("approval step", seen, accepted)));
        };
        if let Some(name) = self.name.as_ref().filter(|name| !(1..=100).contains(&name.chars().count())) {
            report("name".into(), name.clone(), "1 to 100 characters");
        }
        if !(1..=MOST_REQUIRED).contains(&self.required) {
            report("required".into(), self.required.to_string(), "1 to 100");
        }
        if !(1..=MOST_APPROVERS).contains(&self.approvers.len()) {
            report("approvers".into(), format!("{} approvers", self.approvers.len()), "1 to 50 approvers");
        }
        for (at, approver) in self.approvers.iter().enumerate() {
            let (path, seen) = (|| format!("approvers[{at}]"), || approver.to_string());
            if !matches!(approver.kind(), PrincipalKind::User | PrincipalKind::Group) {
                report(path(), seen(), "`user:…` or `group:…`: only people approve");
            } else if !members.iter().any(|member| member.principal == *approver) {
                report(path(), seen(), "a member of the Application");
            }
            if self.approvers[..at].contains(approver) {
                report(path(), seen(), "each approver once");
            }
        }
        faults
    }
}
