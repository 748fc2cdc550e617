//! Applications: what they are, who belongs to them, what happened in them.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::spelling::camel;
use super::Moment;
use crate::domain::{
    Actor, Application, ApplicationId, Event, EventId, KeyRereading, Member, Principal, PrincipalKind, ProfileId, Role,
    Slug,
};
use crate::front::Problem;

/// An Application to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct ApplicationBody {
    /// The unique name.
    pub(in crate::front::api) name: Slug,
    /// What it is.
    #[serde(default)]
    pub(in crate::front::api) description: String,
    /// The profiles to attach, without methods yet.
    #[serde(default)]
    pub(in crate::front::api) profile_ids: Vec<ProfileId>,
    /// The members. Whoever makes the Application becomes an Admin beside them.
    #[serde(default)]
    pub(in crate::front::api) members: Vec<MemberBody>,
}

/// Changes to an Application; what is absent stays.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct ApplicationPatch {
    /// What it is.
    #[serde(default)]
    pub(in crate::front::api) description: Option<String>,
    /// Whether members may read managed private keys again; once `false`, for good.
    #[serde(default)]
    pub(in crate::front::api) key_rereading: Option<bool>,
}

/// A member to be added.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct MemberBody {
    /// Who.
    pub(in crate::front::api) principal: Principal,
    /// What it may do.
    pub(in crate::front::api) role: Role,
}

impl From<MemberBody> for Member {
    fn from(member: MemberBody) -> Self {
        Self { principal: member.principal, role: member.role }
    }
}

/// A role to be given.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct RoleBody {
    /// What the member may do.
    pub(in crate::front::api) role: Role,
}

/// A member.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct MemberView {
    /// Who.
    principal: Principal,
    /// What it may do.
    role: Role,
}

impl From<Member> for MemberView {
    fn from(member: Member) -> Self {
        Self { principal: member.principal, role: member.role }
    }
}

/// The kind of member that a path names.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::front::api) enum MemberRoute {
    /// People.
    Users,
    /// Programs.
    Identities,
    /// Groups.
    Groups,
}

impl FromStr for MemberRoute {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "users" => Ok(Self::Users),
            "identities" => Ok(Self::Identities),
            "groups" => Ok(Self::Groups),
            _ => Err(()),
        }
    }
}

impl MemberRoute {
    /// The principal of this kind that the host calls `id`.
    pub(in crate::front::api) fn principal(self, id: String) -> Result<Principal, Problem> {
        let kind = match self {
            Self::Users => PrincipalKind::User,
            Self::Identities => PrincipalKind::Machine,
            Self::Groups => PrincipalKind::Group,
        };
        Principal::new(kind, id).map_err(|error| Problem::value("memberId", error))
    }
}

/// An Application.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct ApplicationView {
    /// Its id.
    id: ApplicationId,
    /// The unique name.
    name: Slug,
    /// What it is.
    description: String,
    /// Whether members may read managed private keys again.
    key_rereading: bool,
    /// How many profiles are attached.
    profile_count: usize,
    /// How many members it has, for those who may read them.
    #[serde(skip_serializing_if = "Option::is_none")]
    member_count: Option<usize>,
    /// When it was made.
    created_at: Moment,
    /// When it was last changed.
    updated_at: Moment,
}

impl ApplicationView {
    /// The Application as the engine showed it to `actor`: to those who may not read its members, with no other than theirs.
    pub(in crate::front::api) fn of(application: Application, actor: &Actor) -> Self {
        let may_be_whole = !matches!(application.role_of(actor), Some(Role::Operator | Role::Auditor));
        let is_whole = may_be_whole || !application.members.iter().all(|member| actor.answers_to(&member.principal));
        Self {
            id: application.id,
            profile_count: application.attachments.len(),
            member_count: is_whole.then_some(application.members.len()),
            key_rereading: application.key_rereading == KeyRereading::Allowed,
            name: application.name,
            description: application.description,
            created_at: application.created_at.into(),
            updated_at: application.updated_at.into(),
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct EventView {
    /// Its id.
    id: EventId,
    /// When.
    at: Moment,
    /// Who did it.
    actor: Principal,
    /// The Application that it concerns.
    application_id: Option<ApplicationId>,
    /// What: `certificate-issued`.
    event: String,
    /// What is to be known of it, by its kind.
    details: Map<String, Value>,
    /// The block of the audit chain that seals it.
    sealed: Option<u64>,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        let Event { id, at, actor, application, kind, sealed } = event;
        let mut fields = match serde_json::to_value(kind) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        let name = fields.remove("event").and_then(|name| name.as_str().map(str::to_owned));
        let details = fields.into_iter().map(|(key, value)| (camel(&key), value)).collect();
        let event = name.unwrap_or_default();
        Self { id, at: at.into(), actor, application_id: application, event, details, sealed }
    }
}
