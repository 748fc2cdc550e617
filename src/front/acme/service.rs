//! The way of a request through ACME: rate, method, body, signature, handler; and what every answer bears.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, LINK};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use time::OffsetDateTime;
use tracing::Instrument;
use zeroize::Zeroizing;

use super::arrival::Arrival;
use super::bounds::{AcmeBounds, ClientAddress};
use super::nonce::Nonces;
use super::place::{Base, Place};
use super::problem::Fault;
use super::resource::{Access, Resource};
use super::{accounts, authorizations, certificates, directory, orders};
use crate::domain::{ApplicationId, ProfileId};
use crate::engine::Engine;
use crate::engine::acme::AcmeServer;
use crate::front::Limits;
use crate::front::limits::{Class, Meter};

pub(super) const REPLAY_NONCE: HeaderName = HeaderName::from_static("replay-nonce");

/// What all requests share.
#[derive(Debug)]
pub(super) struct Desk {
    engine: Engine,
    base: Base,
    bounds: AcmeBounds,
    addresses: ClientAddress,
    meter: Meter<IpAddr>,
    nonces: OnceLock<Nonces>,
}

/// A request that is being answered.
pub(super) struct Call {
    pub(super) server: AcmeServer,
    pub(super) place: Place,
    /// The values of the placeholders below the attachment.
    pub(super) ids: Vec<String>,
    pub(super) parts: Parts,
    address: Option<IpAddr>,
    desk: Arc<Desk>,
}

type Placeholders = Result<RawPathParams, RawPathParamsRejection>;

/// The router of all resources of all attachments.
pub(super) fn router(desk: &Arc<Desk>) -> Router {
    let router = Resource::ALL.into_iter().fold(Router::new(), |router, resource| {
        let path = format!("/applications/{{application}}/profiles/{{profile}}/{}", resource.path());
        let desk = Arc::clone(desk);
        router.route(&path, any(move |params: Placeholders, request: Request| serve(desk, resource, params, request)))
    });
    let desk = Arc::clone(desk);
    router.fallback(move || async move { desk.finished(nowhere().into_response(), None) })
}

impl Desk {
    pub(super) fn new(engine: Engine, base: Base, bounds: AcmeBounds, addresses: ClientAddress) -> Self {
        let limits = Limits { reads: bounds.requests, writes: bounds.new_accounts, ..Limits::default() };
        Self { engine, base, bounds, addresses, meter: Meter::new(limits), nonces: OnceLock::new() }
    }

    /// What was made from the key of the store, which is read once.
    async fn nonces(&self, server: &AcmeServer) -> Result<&Nonces, Fault> {
        if let Some(nonces) = self.nonces.get() {
            return Ok(nonces);
        }
        let key = server.nonce_key().await?;
        let key: [u8; 32] = key.expose().try_into().map_err(Fault::unwritable)?;
        Ok(self.nonces.get_or_init(|| Nonces::new(Zeroizing::new(key))))
    }

    /// What every answer bears (RFC 8555 sections 6.5 and 7.1): a fresh nonce, and the way to the directory. None is kept on the way.
    fn finished(&self, mut response: Response, place: Option<&Place>) -> Response {
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
        let nonce = self.nonces.get().map(|nonces| nonces.make(self.engine.now(), self.engine.distinct()));
        if let Some(nonce) = nonce.and_then(|nonce| HeaderValue::from_str(&nonce).ok()) {
            headers.insert(REPLAY_NONCE, nonce);
        }
        let index = place.map(|place| format!("<{}>;rel=\"index\"", place.directory()));
        if let Some(index) = index.and_then(|index| HeaderValue::from_str(&index).ok()) {
            headers.append(LINK, index);
        }
        response
    }

    fn admit(&self, address: Option<IpAddr>, class: Class) -> Result<(), Fault> {
        let Some(address) = address else { return Ok(()) };
        self.meter.admit(&address, class, self.engine.now()).map_err(|wait| {
            metrics::counter!("chancery_acme_rate_limited_total").increment(1);
            Fault::too_often(wait)
        })
    }
}

async fn serve(desk: Arc<Desk>, resource: Resource, params: Placeholders, request: Request) -> Response {
    let span = tracing::info_span!("acme", resource = resource.name(), account = tracing::field::Empty);
    let begun = desk.engine.now();
    let (place, response) = attempt(&desk, resource, params, request).instrument(span.clone()).await;
    let status = response.status().as_u16().to_string();
    span.in_scope(|| tracing::debug!(status, "answered"));
    metrics::counter!("chancery_acme_requests_total", "resource" => resource.name(), "status" => status).increment(1);
    let took = (desk.engine.now() - begun).as_seconds_f64();
    metrics::histogram!("chancery_acme_request_seconds", "resource" => resource.name()).record(took);
    let index = place.filter(|_| resource != Resource::Directory);
    desk.finished(response, index.as_ref())
}

async fn attempt(
    desk: &Arc<Desk>,
    resource: Resource,
    params: Placeholders,
    request: Request,
) -> (Option<Place>, Response) {
    let params = params.map(|params| params.iter().map(|(_, value)| value.to_owned()).collect()).unwrap_or_default();
    let Some((application, profile, ids)) = read_path(params, resource) else {
        return (None, nowhere().into_response());
    };
    let place = desk.base.place(application, profile);
    let (parts, body) = request.into_parts();
    let address = desk.addresses.of(&parts);
    let server = desk.engine.acme(application, profile);
    let call = Call { server, place: place.clone(), ids, parts, address, desk: Arc::clone(desk) };
    let answered = answer(&call, resource, body).await;
    (Some(place), answered.unwrap_or_else(IntoResponse::into_response))
}

/// A host may have mounted the router below placeholders of its own: the last ones are ours.
fn read_path(mut params: Vec<String>, resource: Resource) -> Option<(ApplicationId, ProfileId, Vec<String>)> {
    let mut own = params.split_off(params.len().checked_sub(2 + resource.ids())?);
    let ids = own.split_off(2);
    Some((own[0].parse().ok()?, own[1].parse().ok()?, ids))
}

async fn answer(call: &Call, resource: Resource, body: axum::body::Body) -> Result<Response, Fault> {
    // First, so that every refusal below bears a nonce.
    let nonces = call.desk.nonces(&call.server).await?;
    call.desk.admit(call.address, Class::Reads)?;
    let method = &call.parts.method;
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    match resource.access() {
        Access::Open | Access::Public if is_read => open(call, resource).await,
        Access::Open | Access::Signed(_) if *method == Method::POST => {
            let body = call.receive(body).await?;
            let arrival = Arrival::verified(call, resource, &body, nonces).await?;
            signed(call, resource, &arrival).await
        }
        _ => Ok(wrong_method(resource)),
    }
}

async fn open(call: &Call, resource: Resource) -> Result<Response, Fault> {
    let reply = match resource {
        Resource::Directory => directory::show(call).await,
        Resource::NewNonce => directory::new_nonce(call),
        _ => certificates::renewal_info(call).await,
    };
    reply.map(super::reply::Reply::into_response)
}

async fn signed(call: &Call, resource: Resource, arrival: &Arrival) -> Result<Response, Fault> {
    let reply = match resource {
        Resource::Directory => arrival.reads().map(|_| ()).and(directory::show(call).await),
        Resource::NewNonce => arrival.reads().map(|_| ()).and(directory::new_nonce(call)),
        Resource::NewAccount => accounts::create(call, arrival).await,
        Resource::Account => accounts::update(call, arrival).await,
        Resource::Orders => orders::list(call, arrival).await,
        Resource::KeyChange => accounts::roll_key(call, arrival).await,
        Resource::NewOrder => orders::create(call, arrival).await,
        Resource::Order => orders::show(call, arrival).await,
        Resource::Finalize => orders::finalize(call, arrival).await,
        Resource::Authorization => authorizations::show_or_deactivate(call, arrival).await,
        Resource::Challenge => authorizations::challenge(call, arrival).await,
        Resource::Certificate => certificates::show(call, arrival).await,
        Resource::Alternate => certificates::alternate(call, arrival).await,
        Resource::RevokeCert => certificates::revoke(call, arrival).await,
        Resource::RenewalInfo => return Ok(wrong_method(resource)),
    };
    reply.map(super::reply::Reply::into_response)
}

impl Call {
    pub(super) fn now(&self) -> OffsetDateTime {
        self.desk.engine.now()
    }

    /// What the request must have been signed for: exactly its own URL, as clients see it (RFC 8555 section 6.4).
    pub(super) fn url(&self) -> String {
        let path = self.parts.uri.path_and_query().map(http::uri::PathAndQuery::as_str).unwrap_or_default();
        format!("{}{path}", self.desk.base)
    }

    /// The id at a placeholder.
    pub(super) fn id<T: std::str::FromStr>(&self, at: usize) -> Result<T, Fault> {
        self.ids.get(at).and_then(|text| text.parse().ok()).ok_or_else(nowhere)
    }

    /// Lets one more account be asked for.
    pub(super) fn admit_account(&self) -> Result<(), Fault> {
        self.desk.admit(self.address, Class::Writes)
    }

    async fn receive(&self, body: axum::body::Body) -> Result<bytes::Bytes, Fault> {
        if !is_jose(&self.parts.headers) {
            let detail = "the body must be declared as `application/jose+json`";
            return Err(Fault::malformed(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let most = self.desk.bounds.body;
        to_bytes(body, most).await.map_err(|error| {
            let is_limit =
                std::error::Error::source(&error).is_some_and(|it| it.is::<http_body_util::LengthLimitError>());
            match is_limit {
                true => Fault::malformed(StatusCode::PAYLOAD_TOO_LARGE, format!("at most {most} bytes are taken")),
                false => Fault::malformed(StatusCode::BAD_REQUEST, "the body did not arrive whole"),
            }
        })
    }
}

fn is_jose(headers: &HeaderMap) -> bool {
    let declared = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = declared.split(';').next().unwrap_or_default();
    media.trim().eq_ignore_ascii_case("application/jose+json")
}

pub(super) fn nowhere() -> Fault {
    Fault::malformed(StatusCode::NOT_FOUND, "there is no such resource")
}

fn wrong_method(resource: Resource) -> Response {
    let detail = "see `Allow` for the methods of this resource; most are read by POST-as-GET (RFC 8555 section 6.3)";
    let mut response = Fault::malformed(StatusCode::METHOD_NOT_ALLOWED, detail).into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(resource.allow()));
    response
}
