//! Applications: those that a visitor sees, and what each has: profiles, members, approval policies, events.

use maud::{Markup, html};

use super::answer::Answer;
use super::call::{Call, if_allowed};
use super::layout::{Section, Site};
use super::parts::{self, Tone};
use super::service::{Page, shows};
use super::words;
use crate::domain::{
    Action, Application, ApplicationId, ApprovalPolicy, ApprovalPolicyState, Attachment, CertificateId, Event,
    KeyRereading, Member, Methods, Profile,
};
use crate::front::Problem;

pub(super) fn pages() -> Vec<Page> {
    vec![shows("/applications", list), shows("/applications/{id}", show)]
}

async fn list(call: Call) -> Result<Answer, Problem> {
    let found = call.session.applications(call.after().as_ref()).await?;
    let body = html! {
        h1 { "Applications" }
        @if found.items.is_empty() { (parts::nothing("You are no member of any Application.")) } @else {
            ul .choices {
                @for application in &found.items {
                    li {
                        a href=(call.site.to(&format!("/applications/{}", application.id))) { (application.name.as_str()) }
                        @if !application.description.is_empty() { span .quiet { (application.description) } }
                    }
                }
            }
        }
        (parts::pager(&found, &call.query))
    };
    Ok(Answer::page(call.site.page_of(Section::Applications, "Applications", &body)))
}

async fn show(call: Call) -> Result<Answer, Problem> {
    let id = call.id::<ApplicationId>()?;
    let application = call.session.application(id).await?;
    let profiles = if_allowed(call.session.attached_profiles(id).await)?;
    let members = if_allowed(call.session.members(id).await)?;
    let policies = if_allowed(call.session.approval_policies(id).await)?;
    let permissions = call.session.permissions(id).await?;
    let events = call.session.events(id, call.after().as_ref()).await?;
    let site = call.site.clone().within(id);
    let body = html! {
        p .crumbs { a href=(site.to("/applications")) { "Applications" } }
        h1 { (application.name.as_str()) }
        @if !application.description.is_empty() { p { (application.description) } }
        div .doings {
            a .button href=(site.to(&format!("/certificates?application={id}"))) { "Certificates" }
            a .button href=(site.to(&format!("/requests?application={id}"))) { "Requests" }
        }
        div .columns {
            div {
                (about(&site, &application))
                @if let Some(profiles) = &profiles { (attached(&application, profiles)) }
                @if let Some(policies) = &policies { (approvals(policies)) }
            }
            div {
                @if let Some(members) = &members { (belonging(members)) }
                section .card {
                    h2 { "What you may do" }
                    details {
                        summary { (permissions.len()) " of " (Action::ALL.len()) " actions" }
                        ul .tags { @for action in &permissions { li { code { (action.as_str()) } } } }
                    }
                }
            }
        }
        section {
            h2 { "What happened" }
            (told(&site, &events.items.iter().collect::<Vec<_>>(), None))
            (parts::pager(&events, &call.query))
        }
    };
    Ok(Answer::page(site.page_of(Section::Applications, application.name.as_str(), &body)))
}

fn about(site: &Site, application: &Application) -> Markup {
    let rereading = match application.key_rereading {
        KeyRereading::Allowed => "Admins and Operators may read private keys again",
        KeyRereading::DisabledForGood => "nobody may read private keys again, for good",
    };
    html! {
        section .card {
            (parts::facts(&[
                ("Id", html! { code { (application.id.to_string()) } }),
                ("Private keys", html! { (rereading) }),
                ("Made", parts::when(site, application.created_at)),
                ("Changed", parts::when(site, application.updated_at)),
            ]))
        }
    }
}

fn attached(application: &Application, profiles: &[Profile]) -> Markup {
    html! {
        section .card {
            h2 { "Profiles" }
            @if profiles.is_empty() { (parts::nothing("None is attached.")) } @else {
                ul .plain-list {
                    @for profile in profiles {
                        li {
                            strong { (profile.name.as_str()) } " "
                            span .quiet { "by " (application.attachment(profile.id).map(methods).unwrap_or_default()) }
                            @if !profile.description.is_empty() { p .quiet { (profile.description) } }
                        }
                    }
                }
            }
        }
    }
}

fn methods(attachment: &Attachment) -> String {
    let Methods { api, acme, est, scep } = &attachment.methods;
    let words = [("API", api.is_some()), ("ACME", acme.is_some()), ("EST", est.is_some()), ("SCEP", scep.is_some())];
    let enabled: Vec<&str> = words.into_iter().filter(|(_, is_on)| *is_on).map(|(word, _)| word).collect();
    if enabled.is_empty() { "no method yet".to_owned() } else { enabled.join(", ") }
}

fn approvals(policies: &[ApprovalPolicy]) -> Markup {
    html! {
        section .card {
            h2 { "Approval policies" }
            @if policies.is_empty() { (parts::nothing("No request needs approval.")) } @else {
                ol .plain-list {
                    @for policy in policies {
                        li {
                            strong { (policy.name.as_str()) } " "
                            @match policy.state {
                                ApprovalPolicyState::Active => (parts::badge(Tone::Good, "In force")),
                                ApprovalPolicyState::Inactive => (parts::badge(Tone::Quiet, "Not in force")),
                            }
                            @if !policy.description.is_empty() { p { (policy.description) } }
                            ol .steps {
                                @for step in &policy.steps {
                                    li {
                                        (step.name.as_deref().unwrap_or("Approvers"))
                                        p .quiet { (step.required) " of " (step.approvers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn belonging(members: &[Member]) -> Markup {
    html! {
        section .card {
            h2 { "Members" }
            table {
                caption .hidden { "Members" }
                thead { tr { th scope="col" { "Who" } th scope="col" { "Role" } } }
                tbody {
                    @for member in members { tr { th scope="row" { (member.principal.to_string()) } td { (member.role.to_string()) } } }
                }
            }
        }
    }
}

/// Events, one a line; on the page of a certificate without links to itself.
pub(super) fn told(site: &Site, events: &[&Event], at: Option<CertificateId>) -> Markup {
    html! {
        ul .events {
            @for event in events {
                @let told = words::event(&event.kind);
                li {
                    p {
                        (told.text)
                        @if let Some(id) = told.certificate.filter(|id| at != Some(*id)) { " " (parts::certificate_link(site, id)) }
                        @if let Some(id) = told.request.filter(|_| at.is_none()) { " " a .id href=(site.to(&format!("/requests/{id}"))) { (id.to_string()) } }
                    }
                    p .quiet { (event.actor.to_string()) ", " (parts::when(site, event.at)) }
                }
            }
        }
    }
}
