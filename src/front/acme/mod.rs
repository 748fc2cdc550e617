//! ACME (RFC 8555): certificates for clients that prove control of names, as a router that the host mounts.
//!
//! Each attachment of a profile to an Application on which ACME is enabled has its own directory, accounts and orders. Beside RFC 8555 there
//! are addresses (RFC 8738), tls-alpn-01 (RFC 8737), renewal information (RFC 9773) and profiles (draft-ietf-acme-profiles). See
//! [ACME](crate::manual::acme).

mod accounts;
mod arrival;
mod authorizations;
mod bounds;
mod certificates;
mod directory;
mod jws;
mod nonce;
mod orders;
mod place;
mod problem;
mod reply;
mod resource;
mod service;
mod wire;

use std::sync::Arc;

use axum::Router;

pub use bounds::{AcmeBounds, ClientAddress};
pub use jws::Jws;
pub use orders::read_order;
pub use place::AcmeUrlError;
use place::Base;
use service::Desk;

use crate::domain::{ApplicationId, ProfileId};
use crate::engine::Engine;

/// ACME over an engine.
///
/// ```no_run
/// # async fn run(engine: chancery::engine::Engine) -> Result<(), Box<dyn std::error::Error>> {
/// use chancery::front::acme::Acme;
///
/// // As clients see it, TLS and proxies included.
/// let acme = Acme::new(&engine, "https://ca.example.com/acme")?;
/// let app: axum::Router = axum::Router::new().nest("/acme", acme.router());
/// # drop(app);
/// # Ok(())
/// # }
/// ```
///
/// Control of names is proved by due work: the engine needs a [challenge verifier](crate::challenge::NetworkVerifier), and a
/// [worker](crate::engine::Worker) must run.
#[derive(Clone, Debug)]
pub struct Acme {
    engine: Engine,
    base: Base,
    bounds: AcmeBounds,
    addresses: ClientAddress,
}

impl Acme {
    /// ACME over `engine`, mounted at what clients know as `url`: https, without query, for example `https://ca.example.com/acme`.
    /// Requests are signed for URLs, so a wrong one refuses them all.
    ///
    /// # Errors
    /// What is no such URL.
    pub fn new(engine: &Engine, url: &str) -> Result<Self, AcmeUrlError> {
        let (bounds, addresses) = (AcmeBounds::default(), ClientAddress::default());
        Ok(Self { engine: engine.clone(), base: url.parse()?, bounds, addresses })
    }

    /// Other bounds than the default ones.
    #[must_use]
    pub fn bounds(self, bounds: AcmeBounds) -> Self {
        Self { bounds, ..self }
    }

    /// Where the address of a client is read, which rates are counted by. Without it, the connection's.
    #[must_use]
    pub fn client_address(self, addresses: ClientAddress) -> Self {
        Self { addresses, ..self }
    }

    /// The directory's URL of an attachment: what clients are configured with.
    pub fn directory(&self, application: ApplicationId, profile: ProfileId) -> String {
        self.base.place(application, profile).directory()
    }

    /// The router. It is a `tower::Service`; its paths begin where it is mounted.
    pub fn router(self) -> Router {
        let Self { engine, base, bounds, addresses } = self;
        service::router(&Arc::new(Desk::new(engine, base, bounds, addresses)))
    }
}
