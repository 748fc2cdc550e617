//! HTTP in: translates between protocols and the engine's verbs, and decides nothing.
//!
//! With the features `acme`, `api` and `status` here is what fronts share: who asks (`Authenticator`), how faults are told (`Problem`,
//! RFC 9457), bounds (`Limits`), and whether the service is well (`Health`).

#[cfg(feature = "acme")]
pub mod acme;
#[cfg(feature = "api")]
pub mod api;
#[cfg(feature = "console")]
pub mod console;
#[cfg(feature = "status")]
pub mod status;

#[cfg(feature = "api")]
mod auth;
#[cfg(feature = "status")]
mod health;
#[cfg(any(feature = "acme", feature = "api"))]
mod limits;
#[cfg(feature = "api")]
mod problem;
#[cfg(feature = "api")]
mod request_id;

#[cfg(feature = "api")]
pub use auth::{AnyOf, Authenticator, BearerTokens, ClientCertificate, ClientRule, MutualTls, Unauthenticated};
#[cfg(feature = "status")]
pub use health::Health;
#[cfg(any(feature = "acme", feature = "api"))]
pub use limits::{Limits, Rate};
#[cfg(feature = "api")]
pub use problem::{Code, Fault, Problem};
