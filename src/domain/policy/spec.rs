//! Policies as people write them: public fields, serde, nothing checked yet.

use serde::{Deserialize, Serialize};

use super::{Contradiction, Table};
use crate::domain::{Slug, Span};
use crate::x509::{Attribute, ExtendedKeyUsage, InvalidValue, KeyAlgorithm, KeyUsage, SanKind, SignatureAlgorithm};

/// An issuance policy as data. Becomes a [`Policy`](super::Policy) by `TryFrom`, which reports every fault at once.
///
/// See [writing a policy](crate::manual::policies).
///
/// ```
/// use chancery::domain::policy::{Policy, PolicySpec};
/// let spec: PolicySpec = serde_json::from_str(r#"{
///     "name": "web",
///     "subject": { "common_name": { "allowed": ["*.example.com"] } },
///     "sans": { "dns_name": { "allowed": ["*.example.com"], "denied": ["admin.example.com"] } },
///     "validity": { "max": "90d" }
/// }"#)?;
/// let policy = Policy::try_from(spec)?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySpec {
    /// The policy's unique name.
    pub name: Slug,
    /// What it is for, at most 1000 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Which subject attributes there may be, with which values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Table<Attribute, ValueRules>>,
    /// Which subject alternative names there may be (RFC 5280 section 4.2.1.6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sans: Option<Table<SanKind, ValueRules>>,
    /// Which key usages there may be (RFC 5280 section 4.2.1.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_usages: Option<SetRules<KeyUsage>>,
    /// Which extended key usages there may be (RFC 5280 section 4.2.1.12).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended_key_usages: Option<SetRules<ExtendedKeyUsage>>,
    /// Which algorithms there may be.
    #[serde(default, skip_serializing_if = "AlgorithmRules::is_unconstrained")]
    pub algorithms: AlgorithmRules,
    /// How long and from when certificates may be valid.
    #[serde(default, skip_serializing_if = "ValidityRules::is_unconstrained")]
    pub validity: ValidityRules,
    /// Whether certificates may be CAs; by default they may not.
    #[serde(default)]
    pub basic_constraints: BasicConstraintsRules,
}

impl PolicySpec {
    /// A policy that constrains nothing but forbids CAs.
    pub fn new(name: Slug) -> Self {
        Self {
            name,
            description: String::new(),
            subject: None,
            sans: None,
            key_usages: None,
            extended_key_usages: None,
            algorithms: AlgorithmRules::default(),
            validity: ValidityRules::default(),
            basic_constraints: BasicConstraintsRules::default(),
        }
    }
}

/// Patterns for the values of one subject attribute or one kind of subject alternative name.
///
/// How a pattern reads depends on what it is for: see [writing a policy](crate::manual::policies).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueRules {
    /// A value must match one of these, or one of `required`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
    /// Subject attributes: the value must match one of these. Subject alternative names: each of these must be matched
    /// by some name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<String>,
    /// A value must not match any of these, whatever else it matches, nor be another spelling of one that does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<String>,
}

impl ValueRules {
    /// Rules that allow what matches one of `patterns`.
    pub fn allow<P: Into<String>>(patterns: impl IntoIterator<Item = P>) -> Self {
        Self { allowed: patterns.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}

/// Members that a set may, must and must not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "T: Deserialize<'de>"))]
pub struct SetRules<T> {
    /// May be there.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<T>,
    /// Must be there.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<T>,
    /// Must not be there, whatever else is said.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<T>,
}

impl<T> Default for SetRules<T> {
    fn default() -> Self {
        Self { allowed: Vec::new(), required: Vec::new(), denied: Vec::new() }
    }
}

/// Algorithms that may be used; `None` leaves the choice open, an empty list permits none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlgorithmRules {
    /// Of the subject's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Vec<KeyAlgorithm>>,
    /// Of the issuer's signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Vec<SignatureAlgorithm>>,
}

impl AlgorithmRules {
    fn is_unconstrained(&self) -> bool {
        *self == Self::default()
    }
}

/// Bounds of the validity; `None` leaves one open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidityRules {
    /// The shortest time from notBefore to notAfter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Span>,
    /// The longest time from notBefore to notAfter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Span>,
    /// How far notBefore may lie in the past.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backdate: Option<Span>,
}

impl ValidityRules {
    fn is_unconstrained(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether certificates may be CAs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicConstraintsRules {
    /// Whether they may, must or must not be.
    #[serde(default)]
    pub ca: CaRule,
    /// The longest path length that a CA may have; a CA must then state one. `None` for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_path_length: Option<u8>,
}

/// Whether a certificate may be a CA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaRule {
    /// It must not.
    #[default]
    Denied,
    /// It may.
    Allowed,
    /// It must.
    Required,
}

/// Why a policy can not be saved: every fault found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policy is refused: {}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct PolicyError {
    /// The faults, at least one.
    pub faults: Vec<PolicyFault>,
}

/// One fault of a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFault {
    /// A value is not valid.
    #[error("{field}: {error}")]
    Value {
        /// The path of the field, for example `sans.dns_name.allowed[0]`.
        field: String,
        /// What is wrong with it.
        error: InvalidValue,
    },
    /// Rules that deny where nothing is permitted in the first place.
    #[error("{field}: nothing is allowed or required beside it, so that nothing at all is permitted; {hint}")]
    Idle {
        /// The path of the denials.
        field: String,
        /// What was probably meant.
        hint: &'static str,
    },
    /// The policy can never permit anything.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
}
