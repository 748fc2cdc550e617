//! ACME as pure rules (RFC 8555): accounts, bindings, orders, authorizations and challenges as state machines.
//!
//! What is stored are facts that nothing else tells. Whether an order is pending, ready, processing, valid or invalid is computed from
//! its authorizations and from its certificate request; whether an authorization has expired, from the clock. So there is
//! no cascade that a crash could cut in two.

mod account;
mod authorization;
mod binding;
mod challenge;
mod identifier;
mod matching;
mod meter;
mod order;
mod problem;
mod renewal_info;
pub(in crate::domain) mod settings;

pub use account::{Account, AccountKey, AccountState, AccountStatus, Bound, Contact, MAX_CONTACTS};
pub(crate) use authorization::Due;
pub use authorization::{Authorization, AuthorizationState, AuthorizationStatus, Proof};
pub use binding::{Binding, BindingMac, BindingScope, BindingSpec, BindingUses};
pub use challenge::{Challenge, ChallengeKind, ChallengeState, ValidationError, ValidationFault};
pub use identifier::{Identifier, IdentifierSpec};
pub(crate) use matching::{match_csr, names_of, refusal};
pub(crate) use meter::Meter;
pub(crate) use order::Ownership;
pub use order::{MAX_IDENTIFIERS, Order, OrderState, OrderStatus, Replaced};
pub use problem::{AcmeProblem, ProblemKind, Subproblem};
pub use renewal_info::{CertId, RenewalInfo};
pub(crate) use renewal_info::{Haste, suggested_window};
