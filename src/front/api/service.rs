//! The way of a request through the API: id, credentials, rate, body, handler, answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, get, on};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::LengthLimitError;
use tracing::Instrument;

use super::call::Arrival;
use super::endpoint::Endpoint;
use super::openapi;
use crate::domain::Actor;
use crate::engine::Engine;
use crate::front::limits::{Class, Meter};
use crate::front::request_id::{REQUEST_ID, request_id};
use crate::front::{Authenticator, Code, Limits, Problem, Unauthenticated};

/// What all requests share.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) engine: Engine,
    pub(super) authenticator: Arc<dyn Authenticator>,
    pub(super) limits: Limits,
    pub(super) meter: Meter,
}

type Placeholders = Result<RawPathParams, RawPathParamsRejection>;

/// The router of all endpoints and of the document that describes them.
pub(super) fn router(desk: Arc<Desk>, endpoints: Vec<Endpoint>) -> Router {
    let document = openapi::document(&endpoints).to_string();
    let router = Router::new().route("/openapi.json", get(move || async move { published(document) }));
    let router = endpoints.into_iter().fold(router, |router, endpoint| {
        let (path, route) = (endpoint.path, route(&desk, endpoint));
        router.route(path, route)
    });
    let (lost, astray) = (Arc::clone(&desk), desk);
    let refuse = |desk: &Desk, headers: &HeaderMap, problem: Problem| {
        let id = request_id(headers, &desk.engine);
        let status = problem.code.status().as_u16().to_string();
        // One label for whatever is called by no endpoint's name.
        let labels = [("endpoint", "none".to_owned()), ("method", "other".to_owned()), ("status", status)];
        metrics::counter!("chancery_api_requests_total", &labels).increment(1);
        finished(problem_with(problem, &id), &id)
    };
    let nowhere = move |headers: HeaderMap| async move {
        refuse(&lost, &headers, Problem::new(Code::NotFound, "nothing is served under this path"))
    };
    let otherwise = move |headers: HeaderMap| async move {
        refuse(&astray, &headers, Problem::new(Code::MethodNotAllowed, "see `Allow` for the methods of this path"))
    };
    router.fallback(nowhere).method_not_allowed_fallback(otherwise)
}

fn published(document: String) -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")], document).into_response()
}

fn route(desk: &Arc<Desk>, endpoint: Endpoint) -> MethodRouter {
    let method = MethodFilter::try_from(endpoint.method.clone()).unwrap_or(MethodFilter::GET);
    let (desk, endpoint) = (Arc::clone(desk), Arc::new(endpoint));
    on(method, move |params: Placeholders, request: Request| {
        let (desk, endpoint) = (Arc::clone(&desk), Arc::clone(&endpoint));
        async move { serve(&desk, &endpoint, params, request).await }
    })
}

async fn serve(desk: &Desk, endpoint: &Endpoint, params: Placeholders, request: Request) -> Response {
    let id = request_id(request.headers(), &desk.engine);
    let request_id = id.to_str().unwrap_or_default();
    let span = tracing::info_span!("api", endpoint = endpoint.id, request_id, principal = tracing::field::Empty);
    let begun = desk.engine.now();
    let answered = attempt(desk, endpoint, params, request).instrument(span.clone()).await;
    let response = match answered {
        Ok(response) => response,
        Err(problem) => problem_with(problem, &id),
    };
    let status = response.status().as_u16().to_string();
    span.in_scope(|| tracing::debug!(status, "answered"));
    let method = endpoint.method.as_str().to_owned();
    let labels = [("endpoint", endpoint.id.to_owned()), ("method", method), ("status", status)];
    metrics::counter!("chancery_api_requests_total", &labels).increment(1);
    let took = (desk.engine.now() - begun).as_seconds_f64();
    metrics::histogram!("chancery_api_request_seconds", "endpoint" => endpoint.id).record(took);
    finished(response, &id)
}

async fn attempt(
    desk: &Desk,
    endpoint: &Endpoint,
    params: Placeholders,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let actor = desk.identify(&parts).await?;
    tracing::Span::current().record("principal", tracing::field::display(actor.principal()));
    desk.admit(&actor, &endpoint.method)?;
    let body = desk.receive(&parts.headers, body).await?;
    let session = desk.engine.acting_as(actor);
    let params = params.map(|params| params.iter().map(|(_, value)| value.to_owned()).collect()).unwrap_or_default();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let (engine, limits) = (desk.engine.clone(), desk.limits);
    (endpoint.work)(Arrival { engine, session, limits, params, query, headers: parts.headers, body }).await
}

impl Desk {
    async fn identify(&self, parts: &Parts) -> Result<Actor, Problem> {
        self.authenticator.authenticate(parts).await.map_err(|refusal| match refusal {
            Unauthenticated::Unavailable { reason } => {
                tracing::error!(error = %reason, "credentials could not be checked");
                let problem = Problem::new(Code::Unavailable, "credentials can not be checked now");
                problem.after(time::Duration::seconds(5))
            }
            // Whether a token was never good or is not any more is nobody's business.
            refusal => Problem::new(Code::Unauthenticated, refusal.to_string()),
        })
    }

    fn admit(&self, actor: &Actor, method: &Method) -> Result<(), Problem> {
        let class = if method.is_safe() { Class::Reads } else { Class::Writes };
        self.meter.admit(actor.principal(), class, self.engine.now()).map_err(|wait| {
            metrics::counter!("chancery_api_rate_limited_total").increment(1);
            Problem::new(Code::RateLimited, "this principal has asked too often; see `Retry-After`").after(wait)
        })
    }

    async fn receive(&self, headers: &HeaderMap, body: axum::body::Body) -> Result<bytes::Bytes, Problem> {
        let limit = self.limits.body;
        let too_large = || Problem::new(Code::BodyTooLarge, format!("at most {limit} bytes are accepted"));
        let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        axum::body::to_bytes(body, limit).await.map_err(|error| {
            let is_limit = std::error::Error::source(&error).is_some_and(|source| source.is::<LengthLimitError>());
            if is_limit { too_large() } else { Problem::new(Code::Malformed, "the body did not arrive whole") }
        })
    }
}

fn problem_with(mut problem: Problem, id: &HeaderValue) -> Response {
    problem.request_id = id.to_str().ok().map(str::to_owned);
    problem.into_response()
}

/// Answers hold what only their receiver may see, or what will be other soon: none is kept on the way.
fn finished(mut response: Response, id: &HeaderValue) -> Response {
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id.clone());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}
