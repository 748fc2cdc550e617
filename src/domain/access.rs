//! Access by a token: whose name it stands for, what it reaches, and until when.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Action, Actor, ApplicationId, Principal, PrincipalKind, Span, TokenId};
use crate::x509::InvalidValue;

const MOST_ENTRIES: usize = 100;

/// What a token reaches of all that its principal may do. An absent list bounds nothing; an empty one leaves nothing.
///
/// What is not done on an Application (issuers, policies, profiles, tokens) is reached by an unbounded scope alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// These Applications, and what they hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applications: Option<Vec<ApplicationId>>,
    /// These actions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actions: Option<Vec<Action>>,
}

impl Scope {
    /// Whether it bounds nothing.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it reaches an Application.
    pub fn reaches(&self, application: ApplicationId) -> bool {
        self.applications.as_ref().is_none_or(|reached| reached.contains(&application))
    }

    /// Whether it reaches an action.
    pub fn allows(&self, action: Action) -> bool {
        self.actions.as_ref().is_none_or(|allowed| allowed.contains(&action))
    }
}

/// By what right somebody acts who came with a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// What it reaches.
    pub scope: Scope,
    /// When it ends.
    pub ends_at: OffsetDateTime,
}

/// A token to be made.
///
/// ```
/// use chancery::domain::TokenSpec;
/// let spec: TokenSpec = serde_json::from_str(r#"{
///     "name": "deploys of payments", "principal": "machine:ci", "ttl": "30d",
///     "scope": { "actions": ["certificates.create", "certificate-profiles.issue-cert"] }
/// }"#)?;
/// assert!(spec.faults().is_empty());
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSpec {
    /// What it is for, 1 to 100 characters.
    pub name: String,
    /// In whose name it acts: a user or a machine.
    pub principal: Principal,
    /// The groups that it stands for, beside its principal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Principal>,
    /// What it reaches.
    #[serde(default)]
    pub scope: Scope,
    /// How long it is valid: 1 minute to 366 days.
    #[serde(default = "quarter")]
    pub ttl: Span,
}

fn quarter() -> Span {
    Span::days(90)
}

impl TokenSpec {
    /// A token for all that `principal` may do, for 90 days.
    pub fn new(name: impl Into<String>, principal: Principal) -> Self {
        Self { name: name.into(), principal, groups: Vec::new(), scope: Scope::default(), ttl: quarter() }
    }

    /// Every fault with its path.
    pub fn faults(&self) -> Vec<(String, InvalidValue)> {
        let mut faults = Vec::new();
        let mut expect = |holds: bool, field: &str, seen: String, accepted: &'static str| {
            if !holds {
                faults.push((field.to_owned(), InvalidValue::new("token", seen, accepted)));
            }
        };
        let named = (1..=100).contains(&self.name.chars().count()) && !self.name.chars().any(char::is_control);
        expect(named, "name", self.name.clone(), "1 to 100 characters without control characters");
        let acts = matches!(self.principal.kind(), PrincipalKind::User | PrincipalKind::Machine);
        expect(acts, "principal", self.principal.to_string(), "`user:…` or `machine:…`");
        for (at, group) in self.groups.iter().enumerate() {
            let is_group = group.kind() == PrincipalKind::Group;
            expect(is_group, &format!("groups[{at}]"), group.to_string(), "`group:…`");
        }
        let lengths = Span::minutes(1)..=Span::days(366);
        expect(lengths.contains(&self.ttl), "ttl", self.ttl.to_string(), "1min to 366d");
        let lists = [
            ("groups", self.groups.len()),
            ("scope.applications", self.scope.applications.as_ref().map_or(0, Vec::len)),
            ("scope.actions", self.scope.actions.as_ref().map_or(0, Vec::len)),
        ];
        for (field, entries) in lists {
            expect(entries <= MOST_ENTRIES, field, format!("{entries} entries"), "at most 100 entries");
        }
        faults
    }
}

/// A token as it is shown: what it is, and nothing that could be presented.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// What it is for.
    pub name: String,
    /// In whose name it acts.
    pub principal: Principal,
    /// The groups that it stands for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Principal>,
    /// What it reaches.
    #[serde(default)]
    pub scope: Scope,
    /// Who made it.
    pub made_by: Principal,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it ends.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

impl Token {
    /// Whoever presents it.
    pub(crate) fn actor(&self) -> Result<Actor, InvalidValue> {
        let access = Access { scope: self.scope.clone(), ends_at: self.expires_at };
        let actor = Actor::new(self.principal.clone())?.with_access(Arc::new(access));
        self.groups.iter().try_fold(actor, |actor, group| actor.in_group(group.id()))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn an_empty_list_leaves_nothing_and_an_absent_one_bounds_nothing() {
        let application = ApplicationId::new(datetime!(2026-01-01 0:00 UTC), [1; 10]);
        let whole = Scope::default();
        assert!(whole.is_whole() && whole.reaches(application) && whole.allows(Action::CertificatesCreate));
        let none = Scope { applications: Some(Vec::new()), actions: Some(Vec::new()) };
        assert!(!none.is_whole() && !none.reaches(application) && !none.allows(Action::ApplicationRead));
    }

    #[test]
    fn every_fault_of_a_token_at_once() {
        let mut spec = TokenSpec::new("", Principal::engine());
        spec.groups = vec!["user:alice".parse().unwrap()];
        spec.ttl = Span::days(367);
        let fields: Vec<String> = spec.faults().into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["name", "principal", "groups[0]", "ttl"]);
    }
}
