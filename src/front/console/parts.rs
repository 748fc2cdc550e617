//! Pieces that pages are made of: badges, times, lists of facts, pages of lists.

use maud::{Markup, html};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::call::Call;
use super::form::Form;
use super::layout::Site;
use super::words;
use crate::domain::{Application, ApplicationId, CertificateId, CertificateRecord, CertificateStatus, RequestStatus};
use crate::engine::Page;
use crate::front::Problem;
use crate::x509::{San, Subject};

/// How something stands: a sign and a word, and a colour that says no more than they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Waiting,
    Bad,
    Quiet,
}

pub(super) fn badge(tone: Tone, word: &str) -> Markup {
    let (class, sign) = match tone {
        Tone::Good => ("badge good", "✓"),
        Tone::Waiting => ("badge waiting", "…"),
        Tone::Bad => ("badge bad", "✕"),
        Tone::Quiet => ("badge quiet-badge", "–"),
    };
    html! { span class=(class) { span aria-hidden="true" { (sign) } (word) } }
}

pub(super) fn certificate_badge(status: CertificateStatus) -> Markup {
    let tone = match status {
        CertificateStatus::Active => Tone::Good,
        CertificateStatus::Renewed => Tone::Quiet,
        CertificateStatus::Expired | CertificateStatus::Revoked => Tone::Bad,
    };
    badge(tone, words::certificate_status(status))
}

pub(super) fn request_badge(status: RequestStatus) -> Markup {
    let tone = match status {
        RequestStatus::AwaitingApproval | RequestStatus::Issuing => Tone::Waiting,
        RequestStatus::Issued => Tone::Good,
        RequestStatus::Cancelled => Tone::Quiet,
        RequestStatus::Failed | RequestStatus::Rejected | RequestStatus::Expired | RequestStatus::Voided => Tone::Bad,
    };
    badge(tone, words::request_status(status))
}

/// An instant, with how far away it is.
pub(super) fn when(site: &Site, at: OffsetDateTime) -> Markup {
    html! { (exactly(at)) " " span .quiet { "(" (words::distance(site.now, at)) ")" } }
}

/// An instant.
pub(super) fn exactly(at: OffsetDateTime) -> Markup {
    html! { time datetime=(at.format(&Rfc3339).unwrap_or_default()) { (words::instant(at)) } }
}

/// The day of an instant, for tables.
pub(super) fn day(at: OffsetDateTime) -> Markup {
    let full = words::instant(at);
    html! { time datetime=(at.format(&Rfc3339).unwrap_or_default()) title=(full) { (words::day(at)) } }
}

/// What is known of something, one fact a line.
pub(super) fn facts(facts: &[(&str, Markup)]) -> Markup {
    html! {
        dl .facts {
            @for (name, fact) in facts {
                div { dt { (name) } dd { (fact) } }
            }
        }
    }
}

/// A text of the engine's, in which words of programs stand between backticks.
pub(super) fn marked(text: &str) -> Markup {
    // An odd one has no fellow: the text is shown as it is.
    let is_paired = text.matches('`').count().is_multiple_of(2);
    html! {
        @if !is_paired { (text) } @else {
            @for (at, part) in text.split('`').enumerate() {
                @if at % 2 == 1 { code { (part) } } @else { (part) }
            }
        }
    }
}

/// Something else than a table where there is nothing to show.
pub(super) fn nothing(said: &str) -> Markup {
    html! { p .nothing { (said) } }
}

/// Leads to the page after this one.
pub(super) fn pager<T>(page: &Page<T>, query: &Form) -> Markup {
    let next = page.next.as_ref().map(|next| format!("?{}", query.with("after", Some(next.as_str()))));
    let is_first = query.get("after").is_none();
    html! {
        @if next.is_some() || !is_first {
            nav .pager aria-label="Pages" {
                @if !is_first { a .button href=(format!("?{}", query.with("after", None))) { "First page" } }
                @if let Some(next) = next { a .button rel="next" href=(next) { "Next page" } }
            }
        }
    }
}

/// What a certificate is called: its common name, else its first name, else its serial number.
pub(super) fn title(record: &CertificateRecord) -> String {
    let named = named(&record.subject, &record.sans);
    if named.is_empty() { record.serial.to_string() } else { named }
}

/// What somebody is called by a subject and names; empty if there is neither.
pub(super) fn named(subject: &Subject, sans: &[San]) -> String {
    let common = subject.common_name().map(str::to_owned);
    common.or_else(|| sans.first().map(San::value)).or_else(|| Some(subject.to_string())).unwrap_or_default()
}

/// A list of names, each with its kind.
pub(super) fn names(sans: &[San]) -> Markup {
    html! {
        @if sans.is_empty() { span .quiet { "none" } } @else {
            ul .names {
                @for san in sans { li { span .kind { (words::name_kind(san.kind())) } " " span .value { (san.value()) } } }
            }
        }
    }
}

pub(super) fn tags<'a>(tags: impl Iterator<Item = (&'a str, &'a str)>) -> Markup {
    let tags: Vec<(&str, &str)> = tags.collect();
    html! {
        @if tags.is_empty() { span .quiet { "none" } } @else {
            ul .tags { @for (key, value) in tags { li { span .kind { (key) } " " span .value { (value) } } } }
        }
    }
}

/// Leads to a certificate that only its id is known of.
pub(super) fn certificate_link(site: &Site, id: CertificateId) -> Markup {
    html! { a .id href=(site.to(&format!("/certificates/{id}"))) { (id.to_string()) } }
}

/// The Applications of a visitor, the one that a page is about among them.
pub(super) struct Applications {
    pub(super) all: Vec<Application>,
    /// Whether there are more than a choice shows.
    pub(super) is_cut: bool,
}

impl Applications {
    pub(super) async fn of(call: &Call) -> Result<Self, Problem> {
        let page = call.session.applications(None).await?;
        Ok(Self { is_cut: page.next.is_some(), all: page.items })
    }

    /// The one that a query names, or else the first.
    pub(super) fn chosen(&self, query: &Form) -> Option<ApplicationId> {
        let asked = query.get("application").and_then(|id| id.parse().ok());
        asked.or_else(|| self.all.first().map(|application| application.id))
    }

    /// What an Application is called.
    pub(super) fn name(&self, id: ApplicationId) -> String {
        let found = self.all.iter().find(|application| application.id == id);
        found.map_or_else(|| id.to_string(), |application| application.name.to_string())
    }

    /// A choice of one, that shows it at once.
    pub(super) fn chooser(&self, chosen: Option<ApplicationId>, keep: &[(&str, &str)]) -> Markup {
        html! {
            form .chooser method="get" role="search" aria-label="Application" {
                @for (name, value) in keep { input type="hidden" name=(name) value=(value); }
                div .field {
                    label for="application" { "Application" }
                    select #application name="application" data-submit="" { (self.options(chosen)) }
                }
                button type="submit" { "Show" }
            }
        }
    }

    /// The options of a choice.
    pub(super) fn options(&self, chosen: Option<ApplicationId>) -> Markup {
        let is_listed = |id: &ApplicationId| self.all.iter().any(|application| application.id == *id);
        html! {
            @if let Some(id) = chosen.filter(|id| !is_listed(id)) { option value=(id.to_string()) selected { (id.to_string()) } }
            @for application in &self.all {
                option value=(application.id.to_string()) selected[chosen == Some(application.id)] { (application.name.as_str()) }
            }
        }
    }
}
