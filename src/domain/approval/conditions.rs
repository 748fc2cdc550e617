//! Which requests an approval policy is about.

use serde::{Deserialize, Serialize};

use super::{ApprovalPolicy, ApprovalPolicyState, MachineBypass};
use crate::domain::policy::{NameGuard, Table};
use crate::domain::{Method, Principal, PrincipalKind, ProfileId, Span};
use crate::x509::{Content, InvalidValue, KeyAlgorithm, SanKind};

const MOST_ENTRIES: usize = 100;

/// What a request must be for an approval policy to be about it: all that is given must hold, and of each list one entry.
/// An empty or absent condition holds for every request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "P: Deserialize<'de>"))]
pub struct Conditions<P> {
    /// Asked under one of these profiles.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<P>,
    /// Some name, or the common name, has anything in common with one of these patterns, by kind of name. They read as
    /// those that a policy denies: see [writing a policy](crate::manual::policies).
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    pub sans: Table<SanKind, Vec<String>>,
    /// Valid for longer than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validity_over: Option<Span>,
    /// The key is one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key_algorithms: Vec<KeyAlgorithm>,
    /// Asked by one of these kinds of requester.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requesters: Vec<RequesterKind>,
    /// Asked by one of these methods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<Method>,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequesterKind {
    /// A person.
    User,
    /// A program with its own identity.
    Machine,
}

impl RequesterKind {
    fn is(self, principal: &Principal) -> bool {
        match principal.kind() {
            PrincipalKind::User => self == Self::User,
            PrincipalKind::Machine => self == Self::Machine,
            PrincipalKind::Acme => self == Self::Machine,
            // Neither asks of its own; should one ever, no condition lets it slip through.
            PrincipalKind::Group | PrincipalKind::System => true,
        }
    }
}

impl<P> Default for Conditions<P> {
    fn default() -> Self {
        Self {
            profiles: Vec::new(),
            sans: Table::default(),
            validity_over: None,
            key_algorithms: Vec::new(),
            requesters: Vec::new(),
            methods: Vec::new(),
        }
    }
}

impl<P> Conditions<P> {
    /// The same conditions about other profiles.
    pub(super) fn about<Q>(self, profiles: Vec<Q>) -> Conditions<Q> {
        let Self { sans, validity_over, key_algorithms, requesters, methods, .. } = self;
        Conditions { profiles, sans, validity_over, key_algorithms, requesters, methods }
    }

    /// Every fault with its path.
    pub(super) fn faults(&self) -> Vec<(String, InvalidValue)> {
        let mut faults = Vec::new();
        let patterns = self.sans.iter().flat_map(|(kind, texts)| {
            texts.iter().enumerate().map(move |(at, text)| (format!("conditions.sans.{kind}[{at}]"), *kind, text))
        });
        for (field, kind, text) in patterns {
            faults.extend(NameGuard::parse(kind, text).err().map(|error| (field, error)));
        }
        for (kind, _) in self.sans.iter().filter(|(_, texts)| texts.is_empty()) {
            let error = InvalidValue::new("condition", "no pattern", "at least one pattern, or `*` for every name");
            faults.push((format!("conditions.sans.{kind}"), error));
        }
        let entries = self.profiles.len() + self.sans.iter().map(|(_, texts)| texts.len()).sum::<usize>();
        if entries > MOST_ENTRIES {
            let accepted = "at most 100 profiles and patterns";
            faults.push(("conditions".into(), InvalidValue::new("conditions", entries.to_string(), accepted)));
        }
        faults
    }
}

/// A completed request, as approval policies look at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) profile: ProfileId,
    pub(crate) method: Method,
    pub(crate) requester: &'a Principal,
    pub(crate) content: &'a Content,
}

impl Candidate<'_> {
    /// The policy that makes the request wait: the first that is in force and about it, unless that one lets it pass.
    pub(crate) fn approval<'p>(&self, policies: &'p [ApprovalPolicy]) -> Option<&'p ApprovalPolicy> {
        let mut in_force = policies.iter().filter(|policy| policy.state == ApprovalPolicyState::Active);
        in_force.find(|policy| self.meets(&policy.conditions)).filter(|policy| !self.passes(policy))
    }

    fn passes(&self, policy: &ApprovalPolicy) -> bool {
        let asks_itself = self.requester.kind() == PrincipalKind::Machine && self.method == Method::Api;
        policy.machine_bypass == MachineBypass::Api && asks_itself
    }

    fn meets(&self, conditions: &Conditions<ProfileId>) -> bool {
        let Conditions { profiles, sans, validity_over, key_algorithms, requesters, methods } = conditions;
        let span = self.content.validity.span();
        (profiles.is_empty() || profiles.contains(&self.profile))
            && (methods.is_empty() || methods.contains(&self.method))
            && (requesters.is_empty() || requesters.iter().any(|kind| kind.is(self.requester)))
            && (key_algorithms.is_empty() || key_algorithms.contains(&self.content.key_algorithm))
            && validity_over.is_none_or(|over| span > over.as_duration())
            && (sans.is_empty() || self.has_name(sans))
    }

    /// A wildcard that stands for a guarded host needs the approval that the host needs.
    fn has_name(&self, sans: &Table<SanKind, Vec<String>>) -> bool {
        let mut guards = sans.iter().flat_map(|(kind, texts)| texts.iter().map(|text| NameGuard::parse(*kind, text)));
        // Patterns were read when the policy was saved; one that can not be read any more lets nothing slip through.
        guards.any(|guard| guard.map_or(true, |guard| guard.is_met_by(self.content)))
    }
}
