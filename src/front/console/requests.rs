//! The requests of an Application, by how they stand.

use maud::{Markup, html};

use super::answer::Answer;
use super::asking;
use super::call::Call;
use super::field::Field;
use super::layout::Section;
use super::parts::{self, Applications};
use super::service::{Page, shows};
use super::words;
use crate::domain::{ApplicationId, RequestStatus};
use crate::engine::{RequestQuery, RequestSummary};
use crate::front::Problem;

pub(super) fn pages() -> Vec<Page> {
    vec![shows("/requests", list)]
}

const STATUSES: [RequestStatus; 8] = [
    RequestStatus::AwaitingApproval,
    RequestStatus::Issuing,
    RequestStatus::Issued,
    RequestStatus::Failed,
    RequestStatus::Rejected,
    RequestStatus::Cancelled,
    RequestStatus::Expired,
    RequestStatus::Voided,
];

async fn list(call: Call) -> Result<Answer, Problem> {
    let applications = Applications::of(&call).await?;
    let Some(application) = applications.chosen(&call.query) else {
        let body = html! { h1 { "Requests" } (parts::nothing("You are no member of any Application.")) };
        return Ok(Answer::page(call.site.page_of(Section::Requests, "Requests", &body)));
    };
    let status = STATUSES.into_iter().find(|status| call.query.get("status") == Some(status.as_str()));
    let asked = RequestQuery { status, page_size: call.limits.page };
    let found = call.session.requests(application, asked, call.after().as_ref()).await?;
    let may_ask = asking::may_ask(&call, application).await?;
    let site = call.site.clone().within(application);
    let body = html! {
        div .heading {
            h1 { "Requests" }
            @if may_ask {
                a .button.primary href=(site.to(&format!("/requests/new?application={application}"))) { "Ask for a certificate" }
            }
        }
        (filters(&applications, application, status))
        @if found.items.is_empty() { (parts::nothing("There is no such request.")) } @else { (table(&call, &found.items)) }
        (parts::pager(&found, &call.query))
    };
    Ok(Answer::page(site.page_of(Section::Requests, "Requests", &body)))
}

fn filters(applications: &Applications, chosen: ApplicationId, status: Option<RequestStatus>) -> Markup {
    let words = STATUSES.map(|status| (status.as_str().to_owned(), words::request_status(status).to_owned()));
    let options: Vec<_> = std::iter::once((String::new(), "Any".to_owned())).chain(words).collect();
    let value = status.map_or("", RequestStatus::as_str);
    html! {
        form .filters method="get" role="search" aria-label="Filter requests" {
            div .field {
                label for="application" { "Application" }
                select #application name="application" { (applications.options(Some(chosen))) }
            }
            (Field { name: "status", label: "Status", value, ..Field::default() }.choice(&options))
            div .actions { button .primary type="submit" { "Show" } }
        }
    }
}

fn table(call: &Call, requests: &[RequestSummary]) -> Markup {
    html! {
        div .scroll role="region" aria-label="Requests found" tabindex="0" {
            table {
                caption .hidden { "Requests, the latest first" }
                thead {
                    tr {
                        th scope="col" { "Request" }
                        th scope="col" { "Status" }
                        th scope="col" { "Requester" }
                        th .extra scope="col" { "Method" }
                        th scope="col" { "Asked" }
                    }
                }
                tbody { @for request in requests { (row(call, request)) } }
            }
        }
    }
}

fn row(call: &Call, request: &RequestSummary) -> Markup {
    let named = request.content.as_ref().map(|content| parts::named(&content.subject, &content.sans));
    let title = named.filter(|name| !name.is_empty()).unwrap_or_else(|| request.id.to_string());
    html! {
        tr {
            th scope="row" {
                a href=(call.site.to(&format!("/requests/{}", request.id))) { (title) }
                @if request.replaces.is_some() { " " span .quiet { "renewal" } }
            }
            td { (parts::request_badge(request.status)) }
            td { (request.requester.to_string()) }
            td .extra { (words::method(request.method)) }
            td { (parts::day(request.created_at)) br; span .quiet { (words::distance(call.site.now, request.created_at)) } }
        }
    }
}
