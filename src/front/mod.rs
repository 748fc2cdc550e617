//! HTTP in: translates between protocols and the engine's verbs, and decides nothing.
//!
//! Here is what fronts share: who asks ([`Authenticator`]), how faults are told ([`Problem`], RFC 9457), and bounds ([`Limits`]).

pub mod api;
#[cfg(feature = "console")]
pub mod console;

mod auth;
mod limits;
mod problem;
mod request_id;

pub use auth::{AnyOf, Authenticator, BearerTokens, ClientCertificate, ClientRule, MutualTls, Unauthenticated};
pub use limits::{Limits, Rate};
pub use problem::{Code, Fault, Problem};
