//! Alerts: which there are, what they tell of and where, and what became of what they told.

use maud::{Markup, html};

use super::answer::Answer;
use super::call::Call;
use super::layout::{Section, Site};
use super::parts::{self, Applications, Tone};
use super::service::{Page, shows};
use super::words;
use crate::domain::{Alert, AlertId, AlertState, Channel, Delivery, Hidden};
use crate::engine::{Notification, NotificationChannel};
use crate::front::Problem;

pub(super) fn pages() -> Vec<Page> {
    vec![shows("/alerts", list), shows("/alerts/{id}", show)]
}

/// What `application` is for the alerts of the product.
const PRODUCT: &str = "product";

async fn list(call: Call) -> Result<Answer, Problem> {
    let applications = Applications::of(&call).await?;
    let is_of_the_product = call.query.get("application") == Some(PRODUCT);
    let application = applications.chosen(&call.query).filter(|_| !is_of_the_product);
    if application.is_none() && !is_of_the_product {
        let body = html! { h1 { "Alerts" } (parts::nothing("You are no member of any Application.")) };
        return Ok(Answer::page(call.site.page_of(Section::Alerts, "Alerts", &body)));
    }
    let found = call.session.alerts(application, call.after().as_ref()).await?;
    let site = application.map_or_else(|| call.site.clone(), |id| call.site.clone().within(id));
    let body = html! {
        h1 { "Alerts" }
        (applications.chooser(application, &[]))
        @if call.session.administers_product() && !is_of_the_product {
            p { a href=(format!("?application={PRODUCT}")) { "Alerts of the product" } }
        }
        @if is_of_the_product { p { "These are the alerts of the product: they tell of all Applications." } }
        @if found.items.is_empty() { (parts::nothing("There is no alert.")) } @else { (table(&site, &found.items)) }
        (parts::pager(&found, &call.query))
    };
    Ok(Answer::page(site.page_of(Section::Alerts, "Alerts", &body)))
}

fn table(site: &Site, alerts: &[Alert]) -> Markup {
    html! {
        div .scroll role="region" aria-label="Alerts" tabindex="0" {
            table {
                caption .hidden { "Alerts" }
                thead {
                    tr { th scope="col" { "Name" } th scope="col" { "Tells when" } th scope="col" { "State" } th .extra scope="col" { "Where" } }
                }
                tbody {
                    @for alert in alerts {
                        tr {
                            th scope="row" { a href=(site.to(&format!("/alerts/{}", alert.id))) { (alert.name.as_str()) } }
                            td { (words::alert(alert.on)) }
                            td { (state(alert)) }
                            td .extra { (kinds(alert)) }
                        }
                    }
                }
            }
        }
    }
}

fn kinds(alert: &Alert) -> String {
    alert.channels.iter().map(|channel| channel.kind().to_string()).collect::<Vec<_>>().join(", ")
}

fn state(alert: &Alert) -> Markup {
    match alert.state {
        AlertState::Enabled => parts::badge(Tone::Good, "On"),
        _ => parts::badge(Tone::Quiet, "Off"),
    }
}

async fn show(call: Call) -> Result<Answer, Problem> {
    let id = call.id::<AlertId>()?;
    let alert = call.session.alert(id).await?;
    let told = call.session.notifications(id, call.after().as_ref()).await?;
    let site = alert.application.map_or_else(|| call.site.clone(), |id| call.site.clone().within(id));
    let scope = alert.application.map_or_else(|| PRODUCT.to_owned(), |id| id.to_string());
    let body = html! {
        p .crumbs { a href=(site.to(&format!("/alerts?application={scope}"))) { "Alerts" } }
        div .heading { h1 { (alert.name.as_str()) } (state(&alert)) }
        @if !alert.description.is_empty() { p { (alert.description) } }
        section .card {
            (parts::facts(&[
                ("Tells when", html! { (words::alert(alert.on)) }),
                ("Of", html! {
                    @if alert.filters.is_empty() { "every certificate" } @else { (alert.filters.len()) " conditions on certificates" }
                }),
                ("Where", html! { ul .plain-list { @for channel in &alert.channels { li { (place(channel)) } } } }),
                ("Changed", parts::when(&site, alert.updated_at)),
            ]))
        }
        section {
            h2 { "What it told" }
            @if told.items.is_empty() { (parts::nothing("Nothing within the last 30 days.")) } @else { (notifications(&site, &told.items)) }
            (parts::pager(&told, &call.query))
        }
    };
    Ok(Answer::page(site.page_of(Section::Alerts, alert.name.as_str(), &body)))
}

/// A channel without its secrets.
fn place(channel: &Channel<Hidden>) -> Markup {
    html! {
        (channel.kind().to_string())
        @match channel {
            Channel::Webhook { url, .. } => { ": " span .value { (url) } }
            Channel::Email { to } => { ": " span .value { (to.join(", ")) } }
            Channel::Custom { to, .. } => { ": " span .value { (to) } }
            _ => {}
        }
    }
}

fn notifications(site: &Site, told: &[Notification]) -> Markup {
    html! {
        ul .events {
            @for each in told {
                li {
                    p { (each.message.summary) }
                    p .quiet { (parts::when(site, each.created_at)) }
                    ul .plain-list { @for channel in &each.channels { li { (delivery(site, channel)) } } }
                }
            }
        }
    }
}

fn delivery(site: &Site, channel: &NotificationChannel) -> Markup {
    let kind = channel.channel.kind().to_string();
    html! {
        @match &channel.delivery {
            Delivery::Delivered { at } => { (parts::badge(Tone::Good, "Delivered")) " " (kind) " " (parts::when(site, *at)) }
            Delivery::GivenUp { reason, .. } => { (parts::badge(Tone::Bad, "Given up")) " " (kind) ": " (reason) }
            Delivery::Waiting { due_at, last, .. } => {
                (parts::badge(Tone::Waiting, "Waiting")) " " (kind) ", tried " (parts::when(site, *due_at))
                @if let Some(last) = last { ": " (last) }
            }
        }
    }
}
