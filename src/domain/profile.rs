//! Profiles: an issuer, a policy and defaults.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::draft::judge_defaults;
use super::enrollment::Values;
use super::policy::{Policy, Table, Violation};
use super::{AutoRenewal, IssuerId, PolicyId, ProfileId, Slug, Span};
use crate::x509::{
    Attribute, BasicConstraints, ExtendedKeyUsage, InvalidValue, KeyAlgorithm, KeyUsages, SignatureAlgorithm,
};

/// A profile as people describe it; issuer and policy are named.
///
/// ```
/// use chancery::domain::ProfileSpec;
/// let spec: ProfileSpec = serde_json::from_str(r#"{
///     "name": "web", "issuer": { "ca": "intermediate" }, "policy": "web",
///     "defaults": { "ttl": "47d", "key_algorithm": "EC_prime256v1", "extended_key_usages": ["server_auth"] }
/// }"#)?;
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileSpec {
    /// The unique name.
    pub name: Slug,
    /// What it is for, at most 1000 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Who signs.
    pub issuer: IssuerChoice<Slug>,
    /// The name of the policy that judges.
    pub policy: Slug,
    /// What requests that leave something open get.
    #[serde(default)]
    pub defaults: Defaults,
    /// How far notBefore is set before the moment of issue, for clients whose clocks are slow. The time to live counts
    /// from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backdate: Option<Span>,
    /// Whether and when certificates with managed keys renew by themselves, unless an attachment says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_renew: Option<AutoRenewal>,
}

/// Who signs the certificates of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssuerChoice<T> {
    /// An issuer.
    Ca(T),
    /// Each certificate's own key. Only managed keys, only by the API.
    SelfSigned,
}

/// What requests that leave something open get.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Defaults {
    /// How long certificates are valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
    /// Subject attributes.
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub subject: Table<Attribute, Values>,
    /// The algorithm of managed keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_algorithm: Option<KeyAlgorithm>,
    /// What the issuer signs with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature_algorithm: Option<SignatureAlgorithm>,
    /// Key usages. Those that the request's key can not serve are left out, so that one profile serves RSA and
    /// elliptic-curve keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_usages: Option<KeyUsages>,
    /// Extended key usages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended_key_usages: Option<Vec<ExtendedKeyUsage>>,
    /// Whether certificates are CAs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_constraints: Option<BasicConstraints>,
}

/// A profile as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Its id.
    pub id: ProfileId,
    /// Grows with each change; certificates record the revision that they were issued under.
    pub revision: u32,
    /// The unique name.
    pub name: Slug,
    /// What it is for.
    pub description: String,
    /// Who signs.
    pub issuer: IssuerChoice<IssuerId>,
    /// The policy that judges.
    pub policy: PolicyId,
    /// What requests that leave something open get.
    pub defaults: Defaults,
    /// How far notBefore is set before the moment of issue.
    pub backdate: Option<Span>,
    /// Whether and when certificates with managed keys renew by themselves, unless an attachment says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_renew: Option<AutoRenewal>,
    /// When this revision was made.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

impl Profile {
    /// Whether nothing but revision and date differ.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        let as_this = Self { revision: self.revision, updated_at: self.updated_at, ..other.clone() };
        *self == as_this
    }

    /// The issuer; `None` for a self-signed profile.
    pub fn issuer_id(&self) -> Option<IssuerId> {
        match self.issuer {
            IssuerChoice::Ca(id) => Some(id),
            IssuerChoice::SelfSigned => None,
        }
    }
}

/// Why a profile can not be saved: every fault found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the profile is refused: {}", self.texts().join("; "))]
pub struct ProfileError {
    /// Values that are not valid, with their paths.
    pub values: Vec<(String, InvalidValue)>,
    /// Defaults that the profile's own policy refuses.
    pub violations: Vec<Violation>,
}

impl ProfileError {
    fn texts(&self) -> Vec<String> {
        let values = self.values.iter().map(|(field, error)| format!("{field}: {error}"));
        values
            .chain(self.violations.iter().map(|violation| format!("its defaults break its policy: {violation}")))
            .collect()
    }
}

impl ProfileSpec {
    /// A profile without defaults, named after its policy.
    pub fn new(name: Slug, issuer: IssuerChoice<Slug>, policy: Slug) -> Self {
        let (defaults, description) = (Defaults::default(), String::new());
        Self { name, description, issuer, policy, defaults, backdate: None, auto_renew: None }
    }

    /// Checks the profile against its policy, as of `now`: no default may break a rule.
    ///
    /// # Errors
    /// Every default that is not valid or that the policy refuses.
    pub fn check(&self, policy: &Policy, now: OffsetDateTime) -> Result<(), ProfileError> {
        let mut values = Vec::new();
        if self.description.chars().count() > 1000 {
            let error = InvalidValue::new("description", &self.description, "at most 1000 characters");
            values.push(("description".to_owned(), error));
        }
        if self.backdate.is_some_and(|span| span > Span::days(30)) {
            let error =
                InvalidValue::new("duration", self.backdate.map(String::from).unwrap_or_default(), "at most 30d");
            values.push(("backdate".to_owned(), error));
        }
        if let Some(error) = self.auto_renew.as_ref().and_then(|auto_renew| auto_renew.fault(self.defaults.ttl)) {
            values.push(("auto_renew".to_owned(), error));
        }
        let violations = judge_defaults(self, policy, now);
        if values.is_empty() && violations.is_empty() { Ok(()) } else { Err(ProfileError { values, violations }) }
    }
}
