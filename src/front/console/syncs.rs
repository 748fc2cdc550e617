//! Syncs: which there are, how they are doing, and what each has brought where.

use maud::{Markup, html};

use super::answer::Answer;
use super::call::{Call, if_allowed};
use super::layout::{Section, Site};
use super::parts::{self, Applications, Tone};
use super::service::{Page, does, shows};
use crate::domain::{Action, Deployment, DeploymentState, Selection, SyncId, SyncMode, SyncRecord, SyncState};
use crate::engine::{SyncHealth, SyncStatus};
use crate::front::Problem;

pub(super) fn pages() -> Vec<Page> {
    vec![shows("/syncs", list), shows("/syncs/{id}", show), does("/syncs/{id}/now", now)]
}

async fn list(call: Call) -> Result<Answer, Problem> {
    let applications = Applications::of(&call).await?;
    let Some(application) = applications.chosen(&call.query) else {
        let body = html! { h1 { "Syncs" } (parts::nothing("You are no member of any Application.")) };
        return Ok(Answer::page(call.site.page_of(Section::Syncs, "Syncs", &body)));
    };
    let found = call.session.syncs(application, call.after().as_ref()).await?;
    let site = call.site.clone().within(application);
    let body = html! {
        h1 { "Syncs" }
        (applications.chooser(Some(application), &[]))
        @if found.items.is_empty() { (parts::nothing("This Application delivers nothing anywhere.")) } @else { (table(&site, &found.items)) }
        (parts::pager(&found, &call.query))
    };
    Ok(Answer::page(site.page_of(Section::Syncs, "Syncs", &body)))
}

fn table(site: &Site, syncs: &[SyncRecord]) -> Markup {
    html! {
        div .scroll role="region" aria-label="Syncs" tabindex="0" {
            table {
                caption .hidden { "Syncs" }
                thead {
                    tr {
                        th scope="col" { "Name" }
                        th scope="col" { "Target" }
                        th scope="col" { "State" }
                        th .extra scope="col" { "Changed" }
                    }
                }
                tbody {
                    @for sync in syncs {
                        tr {
                            th scope="row" { a href=(site.to(&format!("/syncs/{}", sync.id))) { (sync.spec.name.as_str()) } }
                            td { (sync.spec.target.as_str()) }
                            td { (mode(sync)) }
                            td .extra { (parts::day(sync.updated_at)) }
                        }
                    }
                }
            }
        }
    }
}

fn mode(sync: &SyncRecord) -> Markup {
    match (sync.state, sync.spec.mode) {
        (SyncState::Deleted, _) => parts::badge(Tone::Quiet, "Being removed"),
        (_, SyncMode::Enabled) => parts::badge(Tone::Good, "On"),
        _ => parts::badge(Tone::Quiet, "Off"),
    }
}

async fn show(call: Call) -> Result<Answer, Problem> {
    let id = call.id::<SyncId>()?;
    let status = call.session.sync(id).await?;
    let sync = &status.sync;
    let deployments = call.session.deployments(id, call.after().as_ref()).await?;
    let allowed = if_allowed(call.session.permissions(sync.application).await)?.unwrap_or_default();
    let site = call.site.clone().within(sync.application);
    let body = html! {
        p .crumbs { a href=(site.to(&format!("/syncs?application={}", sync.application))) { "Syncs" } }
        div .heading { h1 { (sync.spec.name.as_str()) } (health(&status)) }
        @if !sync.spec.description.is_empty() { p { (sync.spec.description) } }
        @if allowed.contains(&Action::SyncsSyncCertificates) {
            form .doings method="post" action=(site.to(&format!("/syncs/{id}/now"))) {
                (site.mark())
                button type="submit" { "Look at everything now" }
            }
        }
        div .columns {
            div { (about(&status)) }
            div { (counts(&status)) }
        }
        section {
            h2 { "Deployments" }
            @if deployments.items.is_empty() { (parts::nothing("There is none.")) } @else { (placed(&site, &deployments.items)) }
            (parts::pager(&deployments, &call.query))
        }
    };
    Ok(Answer::page(site.page_of(Section::Syncs, sync.spec.name.as_str(), &body)))
}

fn health(status: &SyncStatus) -> Markup {
    match status.health {
        SyncHealth::Succeeded => parts::badge(Tone::Good, "Everything is there"),
        SyncHealth::Running => parts::badge(Tone::Waiting, "At work"),
        SyncHealth::Failed => parts::badge(Tone::Bad, "Something failed"),
    }
}

fn about(status: &SyncStatus) -> Markup {
    let spec = &status.sync.spec;
    html! {
        section .card {
            h2 { "What goes where" }
            (parts::facts(&[
                ("State", mode(&status.sync)),
                ("Target", html! { (spec.target.as_str()) }),
                ("Called", html! { code { (spec.name_template.to_string()) } }),
                ("Which", selection(&spec.select)),
            ]))
        }
    }
}

fn selection(select: &Selection) -> Markup {
    let counted = [
        (select.certificates.len(), "certificates by id"),
        (select.lineages.len(), "lineages"),
        (select.profiles.len(), "profiles"),
        (select.except.len(), "lineages excepted"),
    ];
    html! {
        ul .plain-list {
            @for (count, what) in counted { @if count > 0 { li { (count) " " (what) } } }
            @if !select.tags.is_empty() {
                li { "with all of the tags " (parts::tags(select.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())))) }
            }
        }
    }
}

fn counts(status: &SyncStatus) -> Markup {
    let counts = status.deployments;
    let shown = |count: usize| html! { (if count >= 1000 { "1000 or more".to_owned() } else { count.to_string() }) };
    html! {
        section .card {
            h2 { "How many" }
            (parts::facts(&[
                ("Delivered", shown(counts.deployed)),
                ("Waiting", shown(counts.waiting)),
                ("Failing", shown(counts.failing)),
                ("Being removed", shown(counts.withdrawing)),
                ("Waiting for people", shown(counts.parked)),
            ]))
        }
    }
}

/// How a deployment stands.
pub(super) fn deployment_badge(state: &DeploymentState) -> Markup {
    match state {
        DeploymentState::Waiting { .. } => parts::badge(Tone::Waiting, "Waiting"),
        DeploymentState::Deployed { .. } => parts::badge(Tone::Good, "Delivered"),
        DeploymentState::Failing { .. } => parts::badge(Tone::Bad, "Failing"),
        DeploymentState::Withdrawing { .. } => parts::badge(Tone::Waiting, "Being removed"),
        DeploymentState::Parked { .. } => parts::badge(Tone::Bad, "Waits for people"),
    }
}

fn placed(site: &Site, deployments: &[Deployment]) -> Markup {
    html! {
        div .scroll role="region" aria-label="Deployments" tabindex="0" {
            table {
                caption .hidden { "Deployments, by lineage" }
                thead {
                    tr { th scope="col" { "Certificate" } th scope="col" { "State" } th scope="col" { "Known there as" } th scope="col" { "Next" } }
                }
                tbody { @for each in deployments { (row(site, each)) } }
            }
        }
    }
}

fn row(site: &Site, each: &Deployment) -> Markup {
    html! {
        tr {
            th scope="row" { (parts::certificate_link(site, each.wanted.unwrap_or(each.lineage))) }
            td { (deployment_badge(&each.state)) }
            td { @for place in &each.places { span .value { (place.remote.to_string()) } " " } }
            td {
                @match &each.state {
                    DeploymentState::Deployed { check_at, .. } => { "looked at " (parts::when(site, *check_at)) }
                    DeploymentState::Waiting { retry_at, .. } => { "tried " (parts::when(site, *retry_at)) }
                    DeploymentState::Failing { retry_at, reason, .. } => { "tried " (parts::when(site, *retry_at)) ": " (reason) }
                    DeploymentState::Withdrawing { retry_at, reason, .. } => {
                        "tried " (parts::when(site, *retry_at)) @if let Some(reason) = reason { ": " (reason) }
                    }
                    DeploymentState::Parked { reason, .. } => (reason),
                }
            }
        }
    }
}

async fn now(call: Call) -> Result<Answer, Problem> {
    let id = call.id::<SyncId>()?;
    call.session.sync_now(id).await?;
    Ok(Answer::See(call.site.to(&format!("/syncs/{id}"))))
}
