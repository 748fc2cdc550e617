//! Issuance policies: rules over what a certificate may say, judged as a pure function.
//!
//! A [`PolicySpec`] is what people write; a [`Policy`] is the same, checked and made fast. [`Policy::judge`] answers
//! with a [`Verdict`]: permit, or every violation at once.
//!
//! Each section has three states: *absent* leaves its part of the certificate unconstrained, *empty* permits nothing
//! there, *rules* permit only what they list. What is denied stays denied, whatever else is allowed or required.

mod guard;
mod impact;
mod judge;
mod pattern;
mod rules;
mod satisfiable;
mod spec;
mod table;
#[cfg(test)]
mod tests;
mod verdict;

pub(in crate::domain) use guard::{NameGuard, NamePattern};
pub use impact::{Impact, impact};
pub use rules::Policy;
pub use satisfiable::Contradiction;
pub use spec::{
    AlgorithmRules, BasicConstraintsRules, CaRule, PolicyError, PolicyFault, PolicySpec, SetRules, ValidityRules,
    ValueRules,
};
pub use table::Table;
pub use verdict::{Problem, Verdict, Violation};
