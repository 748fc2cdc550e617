//! Policies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Moment;
use super::rules::{Set, TypedRules, listed, table};
use crate::domain::policy::{AlgorithmRules, BasicConstraintsRules, CaRule, ValidityRules};
use crate::domain::{PolicyId, PolicySpec, Slug, Span};
use crate::engine::PolicyRecord;
use crate::front::Problem;
use crate::x509::{Attribute, ExtendedKeyUsage, KeyAlgorithm, KeyUsage, SanKind, SignatureAlgorithm};

/// An issuance policy. A section that is absent constrains nothing; an empty one permits nothing; one with rules is a whitelist.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct PolicyBody {
    /// The unique name.
    pub(in crate::front::api) name: Slug,
    /// What it is for.
    #[serde(default)]
    description: String,
    /// Which subject attributes there may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<Vec<TypedRules<Attribute>>>,
    /// Which subject alternative names there may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sans: Option<Vec<TypedRules<SanKind>>>,
    /// Which key usages there may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_usages: Option<Set<KeyUsage>>,
    /// Which extended key usages there may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extended_key_usages: Option<Set<ExtendedKeyUsage>>,
    /// Which algorithms there may be.
    #[serde(default)]
    algorithms: Algorithms,
    /// How long and from when.
    #[serde(default)]
    validity: ValidityBody,
    /// Whether certificates may be CAs.
    #[serde(default)]
    basic_constraints: ConstraintRules,
}

/// Which algorithms there may be; an absent list leaves the choice open.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Algorithms {
    /// Of the issuer's signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<Vec<SignatureAlgorithm>>,
    /// Of the subject's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_algorithm: Option<Vec<KeyAlgorithm>>,
}

/// Bounds of the validity.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct ValidityBody {
    /// The shortest.
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<Span>,
    /// The longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<Span>,
    /// How far notBefore may lie in the past.
    #[serde(skip_serializing_if = "Option::is_none")]
    backdate: Option<Span>,
}

/// Whether certificates may be CAs.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct ConstraintRules {
    /// Whether they may, must or must not.
    #[serde(rename = "isCA")]
    is_ca: CaWord,
    /// The longest path length; a CA must then state one.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_path_length: Option<u8>,
}

/// Whether something may be.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum CaWord {
    #[default]
    Denied,
    Allowed,
    Required,
}

impl PolicyBody {
    /// The policy as the engine takes it.
    pub(in crate::front::api) fn spec(self) -> Result<PolicySpec, Problem> {
        let ca = match self.basic_constraints.is_ca {
            CaWord::Denied => CaRule::Denied,
            CaWord::Allowed => CaRule::Allowed,
            CaWord::Required => CaRule::Required,
        };
        let ValidityBody { min, max, backdate } = self.validity;
        Ok(PolicySpec {
            name: self.name,
            description: self.description,
            subject: self.subject.map(|list| table("subject", list)).transpose()?,
            sans: self.sans.map(|list| table("sans", list)).transpose()?,
            key_usages: self.key_usages.map(Into::into),
            extended_key_usages: self.extended_key_usages.map(Into::into),
            algorithms: AlgorithmRules { key: self.algorithms.key_algorithm, signature: self.algorithms.signature },
            validity: ValidityRules { min, max, backdate },
            basic_constraints: BasicConstraintsRules { ca, max_path_length: self.basic_constraints.max_path_length },
        })
    }
}

impl From<&PolicySpec> for PolicyBody {
    fn from(spec: &PolicySpec) -> Self {
        let is_ca = match spec.basic_constraints.ca {
            CaRule::Denied => CaWord::Denied,
            CaRule::Allowed => CaWord::Allowed,
            CaRule::Required => CaWord::Required,
        };
        let ValidityRules { min, max, backdate } = spec.validity.clone();
        let AlgorithmRules { key, signature } = spec.algorithms.clone();
        Self {
            name: spec.name.clone(),
            description: spec.description.clone(),
            subject: spec.subject.as_ref().map(listed),
            sans: spec.sans.as_ref().map(listed),
            key_usages: spec.key_usages.clone().map(Into::into),
            extended_key_usages: spec.extended_key_usages.clone().map(Into::into),
            algorithms: Algorithms { signature, key_algorithm: key },
            validity: ValidityBody { min, max, backdate },
            basic_constraints: ConstraintRules { is_ca, max_path_length: spec.basic_constraints.max_path_length },
        }
    }
}

/// A policy as it is kept.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct PolicyView {
    /// Its id.
    id: PolicyId,
    /// Grows with each change.
    revision: u32,
    /// The rules.
    policy: PolicyBody,
    /// When this revision was made.
    updated_at: Moment,
}

impl From<PolicyRecord> for PolicyView {
    fn from(record: PolicyRecord) -> Self {
        let PolicyRecord { id, revision, spec, updated_at } = record;
        Self { id, revision, policy: (&spec).into(), updated_at: updated_at.into() }
    }
}

/// The field of a policy as its client wrote it: tables are lists here, so a rule is found by its type.
pub(in crate::front::api) fn field(field: &str) -> String {
    for section in ["subject", "sans"] {
        if let Some(rest) = field.strip_prefix(section).and_then(|rest| rest.strip_prefix('.')) {
            let (kind, rest) = rest.find(['.', '[']).map_or((rest, ""), |at| rest.split_at(at));
            return format!("{section}[{kind}]{rest}");
        }
    }
    match field {
        "algorithms.key" => "algorithms.keyAlgorithm".to_owned(),
        "basic_constraints.ca" => "basicConstraints.isCA".to_owned(),
        field => super::super::spelling::camel(field),
    }
}
