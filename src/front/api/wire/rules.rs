//! Tables that this API writes as lists: of each type at most one entry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::policy::{SetRules, Table, ValueRules};
use crate::front::{Code, Fault, Problem};

/// Rules on the values of one type.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "RulesOf{T}")]
pub(in crate::front::api) struct TypedRules<T> {
    /// The type; each at most once.
    #[serde(rename = "type")]
    pub(super) kind: T,
    /// A value must match one of these, or one of `required`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    allowed: Vec<String>,
    /// What must be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    required: Vec<String>,
    /// What must not be there, whatever else is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    denied: Vec<String>,
}

/// Members that a set may, must and must not hold.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, bound(deserialize = "T: Deserialize<'de>"))]
#[schemars(rename = "SetOf{T}")]
pub(in crate::front::api) struct Set<T> {
    /// May be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    allowed: Vec<T>,
    /// Must be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    required: Vec<T>,
    /// Must not be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    denied: Vec<T>,
}

impl<T> From<Set<T>> for SetRules<T> {
    fn from(set: Set<T>) -> Self {
        Self { allowed: set.allowed, required: set.required, denied: set.denied }
    }
}

impl<T> From<SetRules<T>> for Set<T> {
    fn from(rules: SetRules<T>) -> Self {
        Self { allowed: rules.allowed, required: rules.required, denied: rules.denied }
    }
}

/// Patterns for the names of one type.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "PatternsOf{T}")]
pub(in crate::front::api) struct TypedPatterns<T> {
    /// The type; each at most once.
    #[serde(rename = "type")]
    kind: T,
    /// The patterns.
    patterns: Vec<String>,
}

/// A list with types as a table; a type that occurs twice is a fault.
pub(super) fn table<T: Ord + Copy>(field: &str, list: Vec<TypedRules<T>>) -> Result<Table<T, ValueRules>, Problem> {
    let entry = |TypedRules { kind, allowed, required, denied }| (kind, ValueRules { allowed, required, denied });
    once(field, list.into_iter().map(entry))
}

pub(super) fn patterns<T: Ord + Copy>(
    field: &str,
    list: Vec<TypedPatterns<T>>,
) -> Result<Table<T, Vec<String>>, Problem> {
    once(field, list.into_iter().map(|TypedPatterns { kind, patterns }| (kind, patterns)))
}

fn once<T: Ord + Copy, V>(field: &str, list: impl Iterator<Item = (T, V)>) -> Result<Table<T, V>, Problem> {
    let mut table = Table::default();
    for (at, (kind, value)) in list.enumerate() {
        if table.0.insert(kind, value).is_some() {
            let fault = Fault::said(format!("{field}[{at}].type"), "conflict", "the type occurs twice");
            return Err(Problem::new(Code::InvalidValue, "each type may occur once").with([fault]));
        }
    }
    Ok(table)
}

pub(super) fn listed<T: Ord + Copy>(table: &Table<T, ValueRules>) -> Vec<TypedRules<T>> {
    let entry = |(kind, rules): (&T, &ValueRules)| {
        let ValueRules { allowed, required, denied } = rules.clone();
        TypedRules { kind: *kind, allowed, required, denied }
    };
    table.iter().map(entry).collect()
}

pub(super) fn listed_patterns<T: Ord + Copy>(table: &Table<T, Vec<String>>) -> Vec<TypedPatterns<T>> {
    table.iter().map(|(kind, patterns)| TypedPatterns { kind: *kind, patterns: patterns.clone() }).collect()
}
