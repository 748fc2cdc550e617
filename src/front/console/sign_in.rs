//! Signing in by a token, and out again.

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use maud::{Markup, html};

use super::answer::{Answer, finished};
use super::cookie;
use super::form::Form;
use super::layout::{Site, problem_page};
use super::service::{Desk, too_often};
use super::{ClientAddress, origin};
use crate::front::Problem;
use crate::front::limits::Class;

/// The form, for those who are not signed in.
pub(super) fn form(desk: &Desk, parts: &Parts) -> Response {
    let query = Form::read(parts.uri.query().unwrap_or_default().as_bytes());
    let page = page(&desk.site(), query.text("next"), None);
    finished(Answer::page(page), &desk.request_id(&parts.headers))
}

/// Where somebody goes who must sign in first. What they asked is asked again afterwards, unless it was a form.
pub(super) fn first(desk: &Desk, parts: &Parts) -> Answer {
    let site = desk.site();
    let place = match parts.uri.path_and_query() {
        Some(asked) if parts.method.is_safe() && asked.as_str() != "/" => {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("next", &site.to(asked.as_str()));
            format!("{}?{}", site.to("/sign-in"), query.finish())
        }
        _ => site.to("/sign-in"),
    };
    Answer::See(place)
}

/// Signs in whoever presents a good token.
pub(super) async fn enter(desk: &Desk, request: Request) -> Response {
    let id = desk.request_id(request.headers());
    let answer = attempt(desk, request).await;
    finished(answer.unwrap_or_else(|problem| problem_page(&desk.site(), problem, &id)), &id)
}

async fn attempt(desk: &Desk, request: Request) -> Result<Answer, Problem> {
    let (parts, body) = request.into_parts();
    origin::check(&parts.headers)?;
    let address = parts.extensions.get::<ClientAddress>().map(|address| address.0.to_string()).unwrap_or_default();
    desk.doors.admit(&address, Class::Writes, desk.engine.now()).map_err(too_often)?;
    let (form, site) = (desk.receive(&parts.headers, body).await?, desk.site());
    let entered = match form.get("token") {
        Some(token) => cookie::begin(desk, token).await?,
        None => None,
    };
    metrics::counter!("chancery_console_sign_ins_total", "outcome" => if entered.is_some() { "ok" } else { "refused" })
        .increment(1);
    Ok(match entered {
        Some(cookie) => Answer::SeeWith(next(&site, form.text("next")), cookie),
        None => {
            let said = "This token is not accepted. It may be mistyped, revoked, or past its end.";
            Answer::Page(StatusCode::FORBIDDEN, page(&site, form.text("next"), Some(said)))
        }
    })
}

fn next(site: &Site, asked: &str) -> String {
    if within(site, asked) { asked.to_owned() } else { site.to("/certificates") }
}

/// Whether a place is within the console; anything else would make a sign-in lead astray.
fn within(site: &Site, asked: &str) -> bool {
    let is_plain = asked.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    is_plain && asked.strip_prefix(&site.to("/")).is_some_and(|rest| !rest.starts_with('/'))
}

/// Signs out. Whoever is not signed in is not told so.
pub(super) async fn leave(desk: &Desk, request: Request) -> Response {
    let id = desk.request_id(request.headers());
    let answer = depart(desk, request).await;
    finished(answer.unwrap_or_else(|problem| problem_page(&desk.site(), problem, &id)), &id)
}

async fn depart(desk: &Desk, request: Request) -> Result<Answer, Problem> {
    let (parts, body) = request.into_parts();
    origin::check(&parts.headers)?;
    let form = desk.receive(&parts.headers, body).await?;
    if let Some(visitor) = cookie::visitor(desk, &parts.headers).await? {
        visitor.check(&form)?;
        desk.signed_out.end(&visitor, desk.engine.now());
    }
    Ok(Answer::SeeWith(desk.site().to("/sign-in"), cookie::end(desk)))
}

fn page(site: &Site, next: &str, said: Option<&str>) -> Markup {
    let body = html! {
        div .door.card {
            h1 { "Sign in" }
            p .quiet { "With a token of access, as programs use it at the API. An administrator of the product makes tokens." }
            @if let Some(said) = said { div .notice.bad role="alert" { (said) } }
            form method="post" action=(site.to("/sign-in")) {
                input type="hidden" name="next" value=(next);
                div .field {
                    label for="token" { "Token" }
                    input #token type="password" name="token" required autofocus autocomplete="current-password"
                        spellcheck="false" aria-describedby="token-hint";
                    p #token-hint .hint { "It begins with " code { "chy_" } "." }
                }
                button .primary type="submit" { "Sign in" }
            }
            // A link on somebody else's page does not bring the cookie along (`SameSite=Strict`); one on this page does.
            @if within(site, next) { p .hint { "Signed in already? " a href=(next) { "Go on" } } }
        }
    };
    site.page("Sign in", &body)
}
