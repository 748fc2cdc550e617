//! Pages for people: certificates, requests and what is decided on them, as a router that the host mounts.
//!
//! See [the console](crate::manual::console).

mod account;
mod alerts;
mod answer;
mod applications;
mod asking;
mod assets;
mod call;
mod certificate;
mod cookie;
mod decision;
mod expiry;
mod exports;
mod field;
mod form;
mod inventory;
mod issued;
mod layout;
mod origin;
mod parts;
mod renewal;
mod requests;
mod revocation;
mod service;
mod sign_in;
mod syncs;
mod verdict;
mod words;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;

use cookie::SignedOut;
use service::Desk;

use super::Limits;
use super::Rate;
use super::limits::Meter;
use crate::engine::Engine;

/// Where the console is mounted unless the host says otherwise.
pub const PREFIX: &str = "/console";

/// Where a request came from. A host that knows puts it among the request's extensions, so that attempts to sign in are counted
/// for each address; without it they are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

/// How the console is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Transport {
    /// By TLS, which somebody in front may end. The cookie is `Secure`.
    #[default]
    Tls,
    /// By plain HTTP on this machine, for development. The cookie is not `Secure`.
    LoopbackHttp,
}

/// Pages for people over an engine. The engine needs a [`Sealer`](crate::sealer::Sealer): it seals the cookies.
///
/// ```no_run
/// # async fn run(engine: chancery::engine::Engine) {
/// use chancery::front::console::{self, Console};
///
/// let app: axum::Router = axum::Router::new().nest(console::PREFIX, Console::new(&engine).router());
/// # drop(app);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Console {
    engine: Engine,
    base: Arc<str>,
    transport: Transport,
    limits: Limits,
    attempts: Rate,
}

impl Console {
    /// The console over `engine`, for whoever has a token that the engine made.
    pub fn new(engine: &Engine) -> Self {
        Self {
            engine: engine.clone(),
            base: PREFIX.into(),
            transport: Transport::default(),
            limits: Limits { page: 50, ..Limits::default() },
            attempts: Rate { per_minute: 20, burst: 20 },
        }
    }

    /// Mounted below another path than [`PREFIX`], for example `/ops/console`: links and the cookie's path follow from it.
    #[must_use]
    pub fn mounted_at(self, path: &str) -> Self {
        Self { base: format!("/{}", path.trim_matches('/')).trim_end_matches('/').into(), ..self }
    }

    /// Reached in another way than by TLS.
    #[must_use]
    pub fn transport(self, transport: Transport) -> Self {
        Self { transport, ..self }
    }

    /// Other bounds than the default ones, which are those of [`Limits`] with 50 entries a page.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// How often somebody may try to sign in from one address: 20 times a minute unless the host says otherwise.
    #[must_use]
    pub fn attempts(self, attempts: Rate) -> Self {
        Self { attempts, ..self }
    }

    /// The router. It is a `tower::Service`; its paths begin where it is mounted.
    pub fn router(self) -> Router {
        let Self { engine, base, transport, limits, attempts } = self;
        let limits = Limits { page: limits.page.clamp(1, 1000), ..limits };
        let doors = Meter::new(Limits { writes: attempts, ..limits });
        let (meter, signed_out) = (Meter::new(limits), SignedOut::default());
        service::router(Arc::new(Desk { engine, base, transport, limits, meter, doors, signed_out }), pages())
    }
}

/// Every page for those who are signed in.
fn pages() -> Vec<service::Page> {
    [
        inventory::pages(),
        certificate::pages(),
        exports::pages(),
        revocation::pages(),
        renewal::pages(),
        requests::pages(),
        asking::pages(),
        decision::pages(),
        syncs::pages(),
        alerts::pages(),
        applications::pages(),
        account::pages(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
