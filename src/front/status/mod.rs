//! What relying parties ask for: revocation lists, OCSP and issuers' own certificates, as a router that the host mounts.
//!
//! It is public by nature, asks nobody who they are, and belongs under plain http: who checks a certificate can not first check
//! another (RFC 5280 section 8).

mod ocsp;
mod reply;

use std::future::Future;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderMap, Method, StatusCode};
use tracing::Instrument;

use crate::domain::{IssuerId, Slug};
use crate::engine::{Engine, Error};

/// CRLs, OCSP and issuers' own certificates over HTTP. Where it is mounted, it serves
///
/// | | | |
/// |---|---|---|
/// | `GET /crl/{issuer}/{shard}.crl` | `application/pkix-crl` | the list of a shard (from 0) as it was last published |
/// | `GET /ca/{issuer}.cer` | `application/pkix-cert` | an issuer's own certificate, DER |
/// | `POST /ocsp`, `GET /ocsp/{base64}` | `application/ocsp-response` | RFC 6960 appendix A.1 |
///
/// `{issuer}` is the issuer's name, or its id: URLs that certificates bear are said before there is an id.
///
/// ```no_run
/// # async fn run(engine: chancery::engine::Engine) {
/// use chancery::front::status::Status;
///
/// let app: axum::Router = axum::Router::new().nest("/pki", Status::new(&engine).router());
/// # drop(app);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Status {
    engine: Engine,
}

impl Status {
    /// What `engine` has to tell.
    pub fn new(engine: &Engine) -> Self {
        Self { engine: engine.clone() }
    }

    /// The router. It is a `tower::Service`; its paths begin where it is mounted.
    pub fn router(self) -> Router {
        Router::new()
            .route("/crl/{issuer}/{list}", get(crl))
            .route("/ca/{certificate}", get(certificate))
            .route("/ocsp", post(ocsp::posted))
            .route("/ocsp/{*question}", get(ocsp::in_path))
            .with_state(self.engine)
    }
}

/// Answers, and counts it.
async fn counted(kind: &'static str, engine: &Engine, answer: impl Future<Output = Response>) -> Response {
    let begun = engine.now();
    let response = answer.instrument(tracing::debug_span!("status", kind)).await;
    let status = response.status().as_u16().to_string();
    metrics::counter!("chancery_status_requests_total", "kind" => kind, "status" => status).increment(1);
    let took = (engine.now() - begun).as_seconds_f64();
    metrics::histogram!("chancery_status_request_seconds", "kind" => kind).record(took);
    response
}

type Engined = State<Engine>;

async fn crl(State(engine): Engined, Path(at): Path<(String, String)>, asked: HeaderMap) -> Response {
    counted("crl", &engine, async { told(published(&engine, at, &asked).await) }).await
}

async fn published(
    engine: &Engine,
    (issuer, list): (String, String),
    asked: &HeaderMap,
) -> Result<Option<Response>, Error> {
    let Some(shard) = list.strip_suffix(".crl").and_then(|shard| shard.parse::<u32>().ok()) else { return Ok(None) };
    let Some(issuer) = issuer_of(engine, &issuer).await? else { return Ok(None) };
    let Some(crl) = engine.crl(issuer, shard).await? else { return Ok(None) };
    let tag = format!("\"{}-{}\"", crl.number, crl.this_update.unix_timestamp());
    let updates = (crl.this_update, crl.next_update);
    Ok(Some(reply::kept("application/pkix-crl", crl.der, (tag, updates), (asked, engine.now()))))
}

async fn certificate(State(engine): Engined, Path(file): Path<String>, asked: HeaderMap) -> Response {
    counted("ca", &engine, async { told(issuer_certificate(&engine, &file, &asked).await) }).await
}

async fn issuer_certificate(engine: &Engine, file: &str, asked: &HeaderMap) -> Result<Option<Response>, Error> {
    let Some(issuer) = file.strip_suffix(".cer") else { return Ok(None) };
    let Some(issuer) = issuer_of(engine, issuer).await? else { return Ok(None) };
    let Some(der) = engine.issuer_certificate(issuer).await? else { return Ok(None) };
    let now = engine.now();
    let tag = reply::tag_of(&der);
    Ok(Some(reply::kept("application/pkix-cert", der.into(), (tag, (now, now + reply::LONGEST)), (asked, now))))
}

/// The issuer that a URL means. One that is called like an id is not reached by its name.
async fn issuer_of(engine: &Engine, text: &str) -> Result<Option<IssuerId>, Error> {
    if let Ok(id) = text.parse::<IssuerId>() {
        return Ok(Some(id));
    }
    match text.parse::<Slug>() {
        Ok(name) => engine.issuer_id(&name).await,
        Err(_) => Ok(None),
    }
}

fn told(found: Result<Option<Response>, Error>) -> Response {
    match found {
        Ok(Some(response)) => response,
        Ok(None) => reply::failed(StatusCode::NOT_FOUND, "there is no such thing\n"),
        Err(error) => {
            tracing::error!(%error, "what relying parties ask for can not be told now");
            reply::failed(StatusCode::SERVICE_UNAVAILABLE, "it can not be told now\n")
        }
    }
}

/// Whether others may keep the answer: only what was asked by GET.
fn is_kept(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}
