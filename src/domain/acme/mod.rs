//! ACME as pure rules (RFC 8555): accounts, bindings, orders, authorizations and challenges as state machines.

mod challenge;
mod identifier;

pub use challenge::{ChallengeKind, ValidationError, ValidationFault};
pub use identifier::{Identifier, IdentifierSpec};
