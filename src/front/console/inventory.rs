//! The inventory: certificates, searched and filtered, with a picture of what ends when.

use maud::{Markup, html};
use time::macros::format_description;
use time::{Date, Duration, OffsetDateTime};

use super::answer::Answer;
use super::asking;
use super::call::{Call, if_allowed};
use super::expiry;
use super::field::Field;
use super::form::Form;
use super::layout::Section;
use super::parts::{self, Applications};
use super::service::{Page, shows};
use crate::domain::{ApplicationId, CertificateRecord, CertificateStatus, Profile};
use crate::engine::{CertificateQuery, NameQuery, Page as Listed};
use crate::front::{Code, Problem};
use crate::x509::Serial;

pub(super) fn pages() -> Vec<Page> {
    vec![shows("/", home), shows("/certificates", list)]
}

async fn home(call: Call) -> Result<Answer, Problem> {
    Ok(Answer::See(call.site.to("/certificates")))
}

/// What `application` is for all of them.
const ALL: &str = "all";

async fn list(call: Call) -> Result<Answer, Problem> {
    let applications = Applications::of(&call).await?;
    let may_see_all = call.session.administers_product();
    let scope = match call.query.get("application") {
        Some(ALL) => None,
        None if may_see_all => None,
        _ => match applications.chosen(&call.query) {
            None => return Ok(Answer::page(member_of_none(&call))),
            chosen => chosen,
        },
    };
    let profiles = match scope {
        Some(application) => if_allowed(call.session.attached_profiles(application).await)?.unwrap_or_default(),
        None => Vec::new(),
    };
    let found = find(&call, scope).await?;
    let is_searched =
        ["after", "name", "status", "tag", "profile", "within"].iter().any(|field| call.query.get(field).is_some());
    let picture = if is_searched { None } else { Some(expiry::picture(&call, scope).await?) };
    let may_ask = match scope {
        Some(application) => asking::may_ask(&call, application).await?,
        None => true,
    };
    let rows = Rows { call: &call, applications: &applications, scope };
    let body = html! {
        div .heading {
            h1 { "Certificates" }
            @if may_ask { (ask(&call, scope)) }
        }
        @if let Some(picture) = picture { (picture) }
        (filters(&call.query, &applications, (scope, may_see_all), &profiles))
        (rows.table(&found))
        (parts::pager(&found, &call.query))
    };
    let site = scope.map_or_else(|| call.site.clone(), |scope| call.site.clone().within(scope));
    Ok(Answer::page(site.page_of(Section::Certificates, "Certificates", &body)))
}

fn ask(call: &Call, scope: Option<ApplicationId>) -> Markup {
    let path = match scope {
        Some(application) => format!("/requests/new?application={application}"),
        None => "/requests/new".to_owned(),
    };
    html! { a .button.primary href=(call.site.to(&path)) { "Ask for a certificate" } }
}

fn member_of_none(call: &Call) -> Markup {
    let body = html! {
        h1 { "Certificates" }
        (parts::nothing("You are no member of any Application. An administrator of one can make you a member."))
    };
    call.site.page_of(Section::Certificates, "Certificates", &body)
}

/// What is asked: a serial number or fingerprint names certificates by itself, whatever else is filled in.
async fn find(call: &Call, scope: Option<ApplicationId>) -> Result<Listed<CertificateRecord>, Problem> {
    let whole = |items| Listed { items, next: None };
    match call.query.get("name").map(digits) {
        Some(Digits::Fingerprint(fingerprint)) => {
            Ok(whole(call.session.certificates_by_fingerprint(&fingerprint).await?))
        }
        Some(Digits::Serial(serial)) => Ok(whole(call.session.certificates_by_serial(&serial).await?)),
        _ => {
            let query = query(call, scope)?;
            Ok(call.session.certificates(&query, call.after().as_ref()).await?)
        }
    }
}

enum Digits {
    Fingerprint([u8; 32]),
    Serial(Serial),
    None,
}

/// Hex, with or without colons: of 32 octets a fingerprint, of 8 to 20 a serial number.
fn digits(text: &str) -> Digits {
    let hex: String = text.chars().filter(|c| *c != ':').map(|c| c.to_ascii_lowercase()).collect();
    let pair = |at: usize| hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let octets: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(pair).collect();
    match octets.filter(|_| hex.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        Some(octets) if octets.len() == 32 => octets.try_into().map_or(Digits::None, Digits::Fingerprint),
        Some(octets) if (8..=20).contains(&octets.len()) => hex.parse().map_or(Digits::None, Digits::Serial),
        _ => Digits::None,
    }
}

fn query(call: &Call, scope: Option<ApplicationId>) -> Result<CertificateQuery, Problem> {
    let Call { query, site, limits, .. } = call;
    let name = query.get("name").map(|name| match query.get("match") {
        Some("exact") => NameQuery::Exact(name.to_owned()),
        _ => NameQuery::Under(name.trim_start_matches("*.").to_owned()),
    });
    let tag = query.get("tag").map(|tag| {
        let (key, value) = tag.split_once('=').unwrap_or((tag, ""));
        (key.trim().to_owned(), value.trim().to_owned())
    });
    let within = query.get("within").and_then(|days| days.parse::<u16>().ok());
    let within = within.map(|days| site.now + Duration::days(i64::from(days)));
    let from = date(query, "from")?.or_else(|| within.map(|_| site.now));
    Ok(CertificateQuery {
        application: scope,
        profile: query.get("profile").and_then(|id| id.parse().ok()),
        issuer: None,
        status: query.get("status").and_then(status),
        name,
        ends_from: from,
        ends_before: date(query, "before")?.or(within),
        tag,
        page_size: limits.page,
    })
}

fn date(query: &Form, name: &str) -> Result<Option<OffsetDateTime>, Problem> {
    let read = |text: &str| {
        Date::parse(text, format_description!("[year]-[month]-[day]"))
            .map(|date| date.midnight().assume_utc())
            .map_err(|_| Problem::new(Code::InvalidRequest, "A day is written as 2026-11-22."))
    };
    query.get(name).map(read).transpose()
}

const STATUSES: [CertificateStatus; 4] =
    [CertificateStatus::Active, CertificateStatus::Renewed, CertificateStatus::Expired, CertificateStatus::Revoked];

fn status(word: &str) -> Option<CertificateStatus> {
    STATUSES.into_iter().find(|status| status.to_string() == word)
}

fn filters(
    query: &Form,
    applications: &Applications,
    (scope, may_see_all): (Option<ApplicationId>, bool),
    profiles: &[Profile],
) -> Markup {
    let any = |word: &str| (String::new(), word.to_owned());
    let statuses = STATUSES.map(|status| (status.to_string(), super::words::certificate_status(status).to_owned()));
    let statuses: Vec<_> = std::iter::once(any("Any")).chain(statuses).collect();
    let profiles = profiles.iter().map(|profile| (profile.id.to_string(), profile.name.to_string()));
    let profiles: Vec<_> = std::iter::once(any("Any")).chain(profiles).collect();
    let matches = [("under", "Domain and below"), ("exact", "Exact name")];
    let matches = matches.map(|(value, word)| (value.to_owned(), word.to_owned()));
    let within = ["7", "30", "90"].map(|days| (days.to_owned(), format!("{days} days")));
    let within: Vec<_> = std::iter::once(any("Any time")).chain(within).collect();
    let field = |name, label, hint| Field { name, label, hint, value: query.text(name), class: "" };
    html! {
        form .filters method="get" role="search" aria-label="Filter certificates" {
            (Field { class: "grow", ..field("name", "Name, serial number or fingerprint", "") }.line())
            (field("match", "Match", "").choice(&matches))
            div .field {
                label for="application" { "Application" }
                select #application name="application" {
                    @if may_see_all { option value=(ALL) selected[scope.is_none()] { "All" } }
                    (applications.options(scope))
                }
            }
            @if profiles.len() > 1 { (field("profile", "Profile", "").choice(&profiles)) }
            (field("status", "Status", "").choice(&statuses))
            (field("within", "Ends within", "").choice(&within))
            (field("tag", "Tag", "").line_like("key=value"))
            @for name in ["from", "before"] {
                @if let Some(value) = query.get(name) { input type="hidden" name=(name) value=(value); }
            }
            div .actions {
                button .primary type="submit" { "Search" }
                a .button href="?" { "Clear" }
            }
            @if let (Some(from), Some(before)) = (query.get("from"), query.get("before")) {
                p .hint.wide { "Only those that end from " (from) " and before " (before) "." }
            }
        }
    }
}

/// The rows of one page.
struct Rows<'a> {
    call: &'a Call,
    applications: &'a Applications,
    scope: Option<ApplicationId>,
}

impl Rows<'_> {
    fn table(&self, found: &Listed<CertificateRecord>) -> Markup {
        if found.items.is_empty() {
            return parts::nothing("No certificate is found.");
        }
        html! {
            div .scroll role="region" aria-label="Certificates found" tabindex="0" {
                table {
                    caption .hidden { "Certificates" }
                    thead {
                        tr {
                            th scope="col" { "Name" }
                            th .extra scope="col" { "Status" }
                            th scope="col" { "Ends" }
                            @if self.scope.is_none() { th .extra scope="col" { "Application" } }
                            th .extra scope="col" { "Key" }
                            th .extra scope="col" { "Serial number" }
                        }
                    }
                    tbody { @for record in &found.items { (self.row(record)) } }
                }
            }
        }
    }

    fn row(&self, record: &CertificateRecord) -> Markup {
        let site = &self.call.site;
        let title = parts::title(record);
        let others = record.sans.iter().filter(|san| san.value() != title).count();
        html! {
            tr {
                th scope="row" {
                    a href=(site.to(&format!("/certificates/{}", record.id))) { (title) }
                    @if others > 0 { " " span .quiet title=(format!("and {others} more names")) { "+" (others) } }
                    div .narrow { (parts::certificate_badge(record.status_at(site.now))) }
                }
                td .extra { (parts::certificate_badge(record.status_at(site.now))) }
                td { (parts::day(record.validity.not_after())) br; span .quiet { (super::words::distance(site.now, record.validity.not_after())) } }
                @if self.scope.is_none() {
                    td .extra { @if let Some(id) = record.application { (self.applications.name(id)) } @else { span .quiet { "an issuer's" } } }
                }
                td .extra { (super::words::key(record.key_algorithm)) }
                td .extra { code .short { (record.serial.to_string()) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_told_from_names() {
        assert!(matches!(digits(&"ab:".repeat(32)), Digits::Fingerprint(_)));
        assert!(matches!(digits("5f0c5f0c5f0c5f0c5f0c"), Digits::Serial(_)));
        for name in ["api.example.com", "cafe", "deadbeef.example", "", "żółw"] {
            assert!(matches!(digits(name), Digits::None), "{name}");
        }
    }
}
