//! The JSON API: certificates and all that belongs to them over HTTP, as a router that the host mounts.
//!
//! See [the API](crate::manual::api). [`Api::document`] is its OpenAPI document; a copy is in `src/front/api/openapi.json`.

mod acme;
mod alerts;
mod answer;
mod applications;
mod approvals;
mod audit;
mod authorities;
mod call;
mod certificates;
mod endpoint;
mod enrollment;
mod incidents;
mod inventory;
mod keys;
mod objects;
mod openapi;
mod policies;
mod profiles;
mod renewal;
mod requests;
mod revocation;
mod schema;
mod service;
mod spelling;
mod syncs;
mod tokens;
mod wire;

use std::sync::Arc;

use axum::Router;

use endpoint::Endpoint;
use service::Desk;

use super::limits::Meter;
use super::{Authenticator, Limits, Problem};
use crate::domain::Enrollment;
use crate::engine::Engine;

/// Where the API's clients expect it; where the host mounts it is the host's to say.
pub const PREFIX: &str = "/api/v1/cert-manager";

/// The JSON API over an engine.
///
/// ```no_run
/// # async fn run(engine: chancery::engine::Engine) {
/// use chancery::front::BearerTokens;
/// use chancery::front::api::{self, Api};
///
/// let api = Api::new(&engine, BearerTokens::of(&engine)).router();
/// let app: axum::Router = axum::Router::new().nest(api::PREFIX, api);
/// # drop(app);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Api {
    engine: Engine,
    authenticator: Arc<dyn Authenticator>,
    limits: Limits,
}

impl Api {
    /// The API over `engine`, for whom `authenticator` knows.
    pub fn new(engine: &Engine, authenticator: impl Authenticator) -> Self {
        Self { engine: engine.clone(), authenticator: Arc::new(authenticator), limits: Limits::default() }
    }

    /// Other bounds than the default ones.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The router. It is a `tower::Service`; its paths begin where it is mounted, usually at [`PREFIX`].
    pub fn router(self) -> Router {
        let Self { engine, authenticator, limits } = self;
        let limits = Limits { page: limits.page.clamp(1, 1000), ..limits };
        service::router(Arc::new(Desk { engine, authenticator, limits, meter: Meter::new(limits) }), endpoints())
    }

    /// The OpenAPI 3.1 document of what the router serves.
    pub fn document() -> serde_json::Value {
        openapi::document(&endpoints())
    }
}

/// Reads the body of a request for a certificate (`POST /certificates`) as the API does. One that names no Application stands
/// for `application`.
///
/// # Errors
/// What the API would answer.
pub fn read_request(body: &[u8], application: crate::domain::ApplicationId) -> Result<Enrollment, Problem> {
    let request: wire::IssueRequest = call::read_json(body)?;
    let application = request.application_id.unwrap_or(application);
    request.enrollment(application)
}

/// Every endpoint, in the order of the document.
fn endpoints() -> Vec<Endpoint> {
    [
        certificates::endpoints(),
        requests::endpoints(),
        renewal::endpoints(),
        revocation::endpoints(),
        incidents::endpoints(),
        keys::endpoints(),
        inventory::endpoints(),
        applications::endpoints(),
        enrollment::endpoints(),
        acme::endpoints(),
        approvals::endpoints(),
        profiles::endpoints(),
        policies::endpoints(),
        authorities::endpoints(),
        syncs::endpoints(),
        alerts::endpoints(),
        audit::endpoints(),
        tokens::endpoints(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
