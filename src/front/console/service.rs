//! The way of a request through the console: id, origin, session, rate, form, page.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, get, on, post};
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{HeaderMap, Method};
use tracing::Instrument;

use super::answer::{Answer, finished};
use super::call::Call;
use super::cookie::{SignedOut, Visitor};
use super::form::Form;
use super::layout::{Site, problem_page};
use super::{Transport, assets, cookie, origin, sign_in};
use crate::engine::Engine;
use crate::front::limits::{Class, Meter};
use crate::front::request_id::request_id;
use crate::front::{Code, Limits, Problem};

/// What all requests share.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) engine: Engine,
    pub(super) base: Arc<str>,
    pub(super) transport: Transport,
    pub(super) limits: Limits,
    pub(super) meter: Meter,
    pub(super) doors: Meter<String>,
    pub(super) signed_out: SignedOut,
}

type Placeholders = Result<RawPathParams, RawPathParamsRejection>;
type Answered = Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send>>;

/// A page for those who are signed in, or something that a form on one does.
pub(super) struct Page {
    method: MethodFilter,
    path: &'static str,
    work: Box<dyn Fn(Call) -> Answered + Send + Sync>,
}

/// A page that is read.
pub(super) fn shows<H, F>(path: &'static str, handler: H) -> Page
where
    H: Fn(Call) -> F + Copy + Send + Sync + 'static,
    F: Future<Output = Result<Answer, Problem>> + Send + 'static,
{
    Page { method: MethodFilter::GET, path, work: Box::new(move |call| Box::pin(handler(call))) }
}

/// Something that a form does.
pub(super) fn does<H, F>(path: &'static str, handler: H) -> Page
where
    H: Fn(Call) -> F + Copy + Send + Sync + 'static,
    F: Future<Output = Result<Answer, Problem>> + Send + 'static,
{
    Page { method: MethodFilter::POST, ..shows(path, handler) }
}

/// The router of all pages.
pub(super) fn router(desk: Arc<Desk>, pages: Vec<Page>) -> Router {
    let router = pages.into_iter().fold(Router::new(), |router, page| {
        let path = page.path;
        router.route(path, route(&desk, page))
    });
    let [door, entered, left, lost, other] = std::array::from_fn(|_| Arc::clone(&desk));
    router
        .route("/assets/console.css", get(assets::stylesheet))
        .route("/assets/console.js", get(assets::script))
        .route("/assets/icon.svg", get(assets::icon))
        .route(
            "/sign-in",
            get(move |request: Request| async move { sign_in::form(&door, &request.into_parts().0) })
                .post(move |request: Request| async move { sign_in::enter(&entered, request).await }),
        )
        .route("/sign-out", post(move |request: Request| async move { sign_in::leave(&left, request).await }))
        .fallback(move |request: Request| async move { astray(&lost, &request.into_parts().0) })
        .method_not_allowed_fallback(move |request: Request| async move { refused(&other, &request.into_parts().0) })
}

fn route(desk: &Arc<Desk>, page: Page) -> MethodRouter {
    let (desk, page) = (Arc::clone(desk), Arc::new(page));
    on(page.method, move |params: Placeholders, request: Request| {
        let (desk, page) = (Arc::clone(&desk), Arc::clone(&page));
        async move { serve(&desk, &page, params, request).await }
    })
}

async fn serve(desk: &Desk, page: &Page, params: Placeholders, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let id = desk.request_id(&parts.headers);
    let span = tracing::info_span!("console", page = page.path, request_id = id, principal = tracing::field::Empty);
    let answer = async {
        let visitor = match cookie::visitor(desk, &parts.headers).await {
            Ok(Some(visitor)) => visitor,
            Ok(None) => return sign_in::first(desk, &parts),
            Err(problem) => return problem_page(&desk.site(), problem, &id),
        };
        let site = Site::of(desk, &visitor);
        tracing::Span::current().record("principal", tracing::field::display(visitor.actor.principal()));
        match attempt(desk, page, (params, visitor), (&parts, body)).await {
            Ok(answer) => answer,
            Err(problem) => problem_page(&site, problem, &id),
        }
    };
    let response = finished(answer.instrument(span.clone()).await, &id);
    let status = response.status().as_u16().to_string();
    span.in_scope(|| tracing::debug!(status, "answered"));
    metrics::counter!("chancery_console_requests_total", "page" => page.path, "status" => status).increment(1);
    response
}

async fn attempt(
    desk: &Desk,
    page: &Page,
    (params, visitor): (Placeholders, Visitor),
    (parts, body): (&Parts, Body),
) -> Result<Answer, Problem> {
    let class = if parts.method.is_safe() { Class::Reads } else { Class::Writes };
    desk.meter.admit(visitor.actor.principal(), class, desk.engine.now()).map_err(too_often)?;
    let form = match parts.method {
        Method::POST => {
            origin::check(&parts.headers)?;
            let form = desk.receive(&parts.headers, body).await?;
            visitor.check(&form)?;
            form
        }
        _ => Form::default(),
    };
    let params = params.map(|params| params.iter().map(|(_, value)| value.to_owned()).collect()).unwrap_or_default();
    let (engine, limits, site) = (desk.engine.clone(), desk.limits, Site::of(desk, &visitor));
    let session = engine.acting_as(visitor.actor);
    let query = Form::read(parts.uri.query().unwrap_or_default().as_bytes());
    (page.work)(Call { engine, session, limits, site, params, query, form }).await
}

pub(super) fn too_often(wait: time::Duration) -> Problem {
    metrics::counter!("chancery_console_rate_limited_total").increment(1);
    let seconds = wait.whole_seconds().max(1);
    Problem::new(Code::RateLimited, format!("That was too often; try again in {seconds} seconds.")).after(wait)
}

fn astray(desk: &Desk, parts: &Parts) -> Response {
    let id = desk.request_id(&parts.headers);
    if matches!(parts.uri.path(), "" | "/") {
        return finished(Answer::See(desk.site().to("/certificates")), &id);
    }
    finished(problem_page(&desk.site(), Problem::new(Code::NotFound, ""), &id), &id)
}

fn refused(desk: &Desk, parts: &Parts) -> Response {
    let id = desk.request_id(&parts.headers);
    let problem = Problem::new(Code::MethodNotAllowed, "Go back and follow the links of the page.");
    finished(problem_page(&desk.site(), problem, &id), &id)
}

impl Desk {
    /// The console as strangers see it.
    pub(super) fn site(&self) -> Site {
        Site::stranger(Arc::clone(&self.base), self.engine.now())
    }

    pub(super) fn request_id(&self, headers: &HeaderMap) -> String {
        request_id(headers, &self.engine).to_str().unwrap_or_default().to_owned()
    }

    /// The form in a request's body.
    pub(super) async fn receive(&self, headers: &HeaderMap, body: Body) -> Result<Form, Problem> {
        let limit = self.limits.body;
        let too_large = || Problem::new(Code::BodyTooLarge, format!("At most {limit} bytes are accepted."));
        let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let body = axum::body::to_bytes(body, limit).await.map_err(|_| too_large())?;
        Form::of(headers, &body)
    }
}
