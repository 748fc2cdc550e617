//! One certificate: what it says, how it stands, where it came from and went, and what can be done with it.

use maud::{Markup, html};

use super::answer::Answer;
use super::call::{Call, if_allowed};
use super::layout::{Section, Site};
use super::parts;
use super::service::{Page, shows};
use super::words;
use crate::domain::{
    Action, CertificateId, CertificateRecord, CertificateState, CertificateStatus, Deployment, Eligibility, Event,
    KeyCustody, RenewalState,
};
use crate::engine::{Chain, Error, RenewalView, Root};
use crate::front::Problem;
use crate::x509::{Certificate, RevocationReason};

pub(super) fn pages() -> Vec<Page> {
    vec![shows("/certificates/{id}", show)]
}

async fn show(call: Call) -> Result<Answer, Problem> {
    let record = call.session.certificate(call.id()?).await?;
    let parsed = record.certificate().map_err(Error::from)?;
    let allowed = match record.application {
        Some(application) => if_allowed(call.session.permissions(application).await)?.unwrap_or_default(),
        None => Vec::new(),
    };
    let renewal = if_allowed(call.session.renewal(record.id).await)?;
    let deployments = if_allowed(call.session.certificate_deployments(record.id).await)?;
    let site = record.application.map_or_else(|| call.site.clone(), |id| call.site.clone().within(id));
    let card = Card { site: &site, record: &record };
    let title = parts::title(&record);
    let body = html! {
        p .crumbs { a href=(site.to("/certificates")) { "Certificates" } }
        div .heading { h1 .name { (title) } (parts::certificate_badge(record.status_at(site.now))) }
        (card.state())
        (card.doings(&allowed, renewal.as_ref()))
        div .columns {
            div {
                (card.content(&parsed))
                (above(&call.session.chain(record.id).await?))
            }
            div {
                (card.lineage(&call).await?)
                @if let Some(renewal) = &renewal { (card.renewing(renewal)) }
                @if let Some(deployments) = &deployments { (card.deployments(deployments)) }
                (card.events(&call).await?)
            }
        }
    };
    Ok(Answer::page(site.page_of(Section::Certificates, &title, &body)))
}

/// A certificate on its page.
struct Card<'a> {
    site: &'a Site,
    record: &'a CertificateRecord,
}

impl Card<'_> {
    fn state(&self) -> Markup {
        let CertificateRecord { state, validity, .. } = self.record;
        let status = self.record.status_at(self.site.now);
        html! {
            @if let CertificateState::Revoked { reason, at } = state {
                div .notice.bad {
                    strong { "Revoked " (words::distance(self.site.now, *at)) ". " }
                    (words::reason(*reason)) ", since " (parts::exactly(*at)) "."
                }
            } @else if status == CertificateStatus::Expired {
                div .notice.bad { strong { "It ended " (words::distance(self.site.now, validity.not_after())) "." } }
            }
        }
    }

    /// What the visitor may do: the engine has said so, and will be asked again.
    fn doings(&self, allowed: &[Action], renewal: Option<&RenewalView>) -> Markup {
        let to = |what: &str| self.site.to(&format!("/certificates/{}/{what}", self.record.id));
        let may = |action: Action| allowed.contains(&action);
        let is_revoked = matches!(self.record.state, CertificateState::Revoked { .. });
        let is_held =
            matches!(self.record.state, CertificateState::Revoked { reason: RevocationReason::CertificateHold, .. });
        let has_ended = self.record.status_at(self.site.now) == CertificateStatus::Expired;
        let renews = renewal.is_some_and(|renewal| renewal.manually == Eligibility::Eligible);
        let has_key = self.record.custody == KeyCustody::Managed && may(Action::CertificatesReadPrivateKey);
        html! {
            div .doings {
                a .button href=(to("certificate.pem")) download { "Certificate" }
                a .button href=(to("chain.pem")) download { "Chain" }
                @if has_key { a .button href=(to("key")) { "Private key or PKCS#12" } }
                @if renews && may(Action::ProfilesIssue) { a .button href=(to("renew")) { "Renew" } }
                @if may(Action::CertificatesEdit) && is_held {
                    form method="post" action=(to("release")) { (self.site.mark()) button type="submit" { "Lift the hold" } }
                }
                @if may(Action::CertificatesEdit) && (!is_revoked || is_held) && !has_ended {
                    a .button.danger href=(to("revoke")) { "Revoke" }
                }
            }
        }
    }

    fn content(&self, parsed: &Certificate) -> Markup {
        let (record, content) = (self.record, parsed.content());
        let usages: Vec<String> = content.key_usages.iter().map(|usage| usage.to_string()).collect();
        let purposes: Vec<String> = content.extended_key_usages.iter().map(ToString::to_string).collect();
        let dash = |text: String| if text.is_empty() { "none".to_owned() } else { text };
        let validity = content.validity;
        html! {
            section .card {
                h2 { "What it says" }
                (parts::facts(&[
                    ("Subject", html! { (dash(content.subject.to_string())) }),
                    ("Names", parts::names(&content.sans)),
                    ("Valid from", parts::exactly(validity.not_before())),
                    ("Valid until", parts::when(self.site, validity.not_after())),
                    ("Lifetime", html! { (words::length(validity.span())) }),
                    ("Key", html! { (words::key(content.key_algorithm)) ", " (words::custody(record.custody)) }),
                    ("Signed with", html! { (content.signature_algorithm.to_string()) }),
                    ("Key usages", html! { (dash(usages.join(", "))) }),
                    ("Purposes", html! { (dash(purposes.join(", "))) }),
                    ("CA", html! { (content.basic_constraints.to_string()) }),
                    ("Issuer", html! { (parsed.issuer_name()) }),
                    ("Serial number", html! { code { (record.serial.to_string()) } }),
                    ("SHA-256", html! { code { (record.fingerprint) } }),
                ]))
            }
        }
    }

    async fn lineage(&self, call: &Call) -> Result<Markup, Problem> {
        let record = self.record;
        let link = |id: CertificateId| parts::certificate_link(self.site, id);
        let application = match record.application {
            Some(id) => if_allowed(call.session.application(id).await)?.map(|found| (id, found.name.to_string())),
            None => None,
        };
        let profile = match (record.application, record.profile) {
            (Some(application), Some((id, revision))) => {
                let attached = if_allowed(call.session.attached_profiles(application).await)?.unwrap_or_default();
                let named =
                    attached.into_iter().find(|profile| profile.id == id).map(|profile| profile.name.to_string());
                Some((named.unwrap_or_else(|| id.to_string()), revision))
            }
            _ => None,
        };
        Ok(html! {
            section .card {
                h2 { "Where it comes from" }
                (parts::facts(&[
                    ("Application", html! {
                        @match application {
                            Some((id, name)) => a href=(self.site.to(&format!("/applications/{id}"))) { (name) },
                            None => span .quiet { "none" },
                        }
                    }),
                    ("Profile", html! {
                        @match profile {
                            Some((name, revision)) => { (name) " " span .quiet { "revision " (revision) } }
                            None => span .quiet { "none" },
                        }
                    }),
                    ("Origin", html! {
                        (words::origin(record.origin))
                        @if let Some(method) = record.method { " by " (words::method(method)) }
                    }),
                    ("Requester", html! { (record.requester.to_string()) }),
                    ("Request", html! {
                        @match record.request {
                            Some(id) => a .id href=(self.site.to(&format!("/requests/{id}"))) { (id.to_string()) },
                            None => span .quiet { "none" },
                        }
                    }),
                    ("Replaces", html! { @match record.replaces { Some(id) => (link(id)), None => span .quiet { "nothing" } } }),
                    ("Replaced by", html! { @match record.replaced_by { Some(id) => (link(id)), None => span .quiet { "nothing" } } }),
                    ("Lineage", html! {
                        @if record.lineage == record.id { "It is the first" } @else { "Began with " (link(record.lineage)) }
                    }),
                    ("Tags", parts::tags(record.metadata.iter())),
                    ("In the inventory since", parts::exactly(record.created_at)),
                ]))
            }
        })
    }

    fn renewing(&self, renewal: &RenewalView) -> Markup {
        let plan = renewal.plan.as_ref().filter(|plan| plan.certificate == self.record.id);
        html! {
            section .card {
                h2 { "Renewal" }
                (parts::facts(&[
                    ("By somebody", self.eligible(&renewal.manually)),
                    ("By itself", self.eligible(&renewal.by_itself)),
                    ("Plan", html! { @match plan { Some(plan) => (self.plan(&plan.state)), None => span .quiet { "none" } } }),
                ]))
            }
        }
    }

    fn eligible(&self, eligibility: &Eligibility) -> Markup {
        html! {
            @match eligibility {
                Eligibility::Eligible => "possible now",
                Eligibility::NotYet { opens_at } => { "from " (parts::when(self.site, *opens_at)) }
                Eligibility::Ineligible { reasons } => {
                    ul .plain-list { @for reason in reasons { li { (reason.to_string()) } } }
                }
            }
        }
    }

    fn plan(&self, state: &RenewalState) -> Markup {
        html! {
            @match state {
                RenewalState::Scheduled { due_at, .. } => { "renews " (parts::when(self.site, *due_at)) }
                RenewalState::Trying { attempts, .. } => { "is being renewed, attempt " (attempts) }
                RenewalState::Retrying { due_at, error, .. } => { "tries again " (parts::when(self.site, *due_at)) ": " (error) }
                RenewalState::Open { request, .. } => {
                    "waits for " a .id href=(self.site.to(&format!("/requests/{request}"))) { (request.to_string()) }
                }
                RenewalState::Blocked { reason, .. } => { (parts::badge(parts::Tone::Bad, "Blocked")) " " (reason) }
                RenewalState::NeedsPerson { reason } => { (parts::badge(parts::Tone::Bad, "Needs somebody")) " " (reason) }
                RenewalState::Off => span .quiet { "it does not renew by itself" },
            }
        }
    }

    fn deployments(&self, deployments: &[Deployment]) -> Markup {
        html! {
            section .card {
                h2 { "Where it goes" }
                @if deployments.is_empty() { (parts::nothing("No sync delivers it.")) } @else {
                    ul .plain-list {
                        @for each in deployments {
                            li {
                                (super::syncs::deployment_badge(&each.state)) " "
                                a href=(self.site.to(&format!("/syncs/{}", each.sync))) { (each.target.as_str()) }
                                @if let Some(place) = each.places.last() { " as " span .value { (place.remote.to_string()) } }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Those among the latest events of its Application: events are kept by Application, and one page is read.
    async fn events(&self, call: &Call) -> Result<Markup, Problem> {
        let Some(application) = self.record.application else { return Ok(html! {}) };
        let Some(page) = if_allowed(call.session.events(application, None).await)? else { return Ok(html! {}) };
        let is_about = |event: &&Event| {
            let told = words::event(&event.kind);
            told.certificate == Some(self.record.id) || told.request.is_some() && told.request == self.record.request
        };
        let events: Vec<&Event> = page.items.iter().filter(is_about).collect();
        Ok(html! {
            section .card {
                h2 { "What happened" }
                @if events.is_empty() { (parts::nothing("Nothing of late.")) } @else { (super::applications::told(self.site, &events, Some(self.record.id))) }
                p .hint { "Among the latest 100 events of its Application." }
            }
        })
    }
}

fn above(chain: &Chain) -> Markup {
    html! {
        section .card {
            h2 { "Chain" }
            ol .chain {
                @for each in chain.certificates(Root::Include) {
                    li {
                        (each.content().subject.to_string())
                        @if each.content().subject.is_empty() { (parts::named(&each.content().subject, &each.content().sans)) }
                        br; span .quiet { "until " (parts::day(each.content().validity.not_after())) }
                    }
                }
            }
        }
    }
}
