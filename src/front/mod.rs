//! HTTP in: translates between protocols and the engine's verbs, and decides nothing.
//!
//! Here is what fronts share: who asks (`Authenticator`), how faults are told (`Problem`, RFC 9457), and bounds ([`Rate`]).

#[cfg(feature = "acme")]
pub mod acme;
#[cfg(feature = "api")]
pub mod api;

#[cfg(feature = "api")]
mod auth;
mod limits;
#[cfg(feature = "api")]
mod problem;
#[cfg(feature = "api")]
mod request_id;

#[cfg(feature = "api")]
pub use auth::{AnyOf, Authenticator, BearerTokens, ClientCertificate, ClientRule, MutualTls, Unauthenticated};
#[cfg(feature = "api")]
pub use limits::Limits;
pub use limits::Rate;
#[cfg(feature = "api")]
pub use problem::{Code, Fault, Problem};
