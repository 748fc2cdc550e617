//! Applications: a team's service, the profiles attached to it, and its members.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Actor, ApplicationId, ApprovalPolicy, Methods, Principal, ProfileId, Role, Slug};
use crate::x509::InvalidValue;

/// An Application as people describe it; profiles are named.
///
/// ```
/// use chancery::domain::ApplicationSpec;
/// let spec: ApplicationSpec = serde_json::from_str(r#"{
///     "name": "payments-api",
///     "attachments": [ { "profile": "web", "methods": { "api": { "auto_renew": "30d" } } } ],
///     "members": [ { "principal": "user:alice", "role": "admin" } ]
/// }"#)?;
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplicationSpec {
    /// The unique name.
    pub name: Slug,
    /// What it is, at most 1000 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether members may read managed private keys again.
    #[serde(default)]
    pub key_rereading: KeyRereading,
    /// The attached profiles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<AttachmentSpec>,
    /// The members. Whoever creates the Application becomes an Admin beside them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member>,
}

impl ApplicationSpec {
    /// An Application without profiles and further members.
    pub fn new(name: Slug) -> Self {
        Self {
            name,
            description: String::new(),
            key_rereading: KeyRereading::default(),
            attachments: Vec::new(),
            members: Vec::new(),
        }
    }

    /// Attaches the profile called `profile` with these methods.
    #[must_use]
    pub fn attach(mut self, profile: Slug, methods: Methods) -> Self {
        self.attachments.push(AttachmentSpec { profile, methods });
        self
    }

    /// Adds a member.
    #[must_use]
    pub fn member(mut self, principal: Principal, role: Role) -> Self {
        self.members.push(Member { principal, role });
        self
    }

    /// Every fault with its path; whether the profiles exist is the engine's to know.
    pub fn faults(&self) -> Vec<(String, InvalidValue)> {
        let mut faults = Vec::new();
        if self.description.chars().count() > 1000 {
            let error = InvalidValue::new("description", &self.description, "at most 1000 characters");
            faults.push(("description".into(), error));
        }
        for (at, attachment) in self.attachments.iter().enumerate() {
            let path = format!("attachments[{at}]");
            if self.attachments[..at].iter().any(|earlier| earlier.profile == attachment.profile) {
                let error = InvalidValue::new("profile", attachment.profile.as_str(), "each profile attached once");
                faults.push((format!("{path}.profile"), error));
            }
            let settings = attachment.methods.faults().into_iter();
            faults.extend(settings.map(|(field, error)| (format!("{path}.methods.{field}"), error)));
        }
        for (at, member) in self.members.iter().enumerate() {
            if self.members[..at].iter().any(|earlier| earlier.principal == member.principal) {
                let error = InvalidValue::new("member", member.principal.to_string(), "each member once");
                faults.push((format!("members[{at}]"), error));
            }
        }
        faults
    }
}

/// A profile attached by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachmentSpec {
    /// The profile's name.
    pub profile: Slug,
    /// The methods that may be used.
    #[serde(default)]
    pub methods: Methods,
}

/// Whether managed private keys may be read again after the answer that issued them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyRereading {
    /// Admins and Operators may, and each reading is an event.
    #[default]
    Allowed,
    /// Nobody may. It can not be allowed again.
    DisabledForGood,
}

/// A member with its role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The user, machine or group.
    pub principal: Principal,
    /// What it may do.
    pub role: Role,
}

/// An Application as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Its id.
    pub id: ApplicationId,
    /// Its unique name.
    pub name: Slug,
    /// What it is.
    pub description: String,
    /// Whether managed keys may be read again.
    pub key_rereading: KeyRereading,
    /// The attached profiles.
    pub attachments: Vec<Attachment>,
    /// The members.
    pub members: Vec<Member>,
    /// Which requests people must agree to: the first that is in force and about a request applies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approval_policies: Vec<ApprovalPolicy>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// A profile attached to an Application with its methods: what has URLs and is enrolled against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The profile.
    pub profile: ProfileId,
    /// The methods that may be used.
    pub methods: Methods,
}

impl Application {
    /// The highest role that `actor` has here, by itself or through its groups.
    pub fn role_of(&self, actor: &Actor) -> Option<Role> {
        let own = self.members.iter().filter(|member| actor.answers_to(&member.principal));
        own.map(|member| member.role).max()
    }

    /// The approval policy of a name.
    pub fn approval_policy(&self, name: &Slug) -> Option<&ApprovalPolicy> {
        self.approval_policies.iter().find(|policy| policy.name == *name)
    }

    /// The attachment of `profile`.
    pub fn attachment(&self, profile: ProfileId) -> Option<&Attachment> {
        self.attachments.iter().find(|attachment| attachment.profile == profile)
    }
}
