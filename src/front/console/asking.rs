//! Asking for a certificate: the form, what the policy says while it is filled in, and the request.

use std::collections::BTreeMap;
use std::net::IpAddr;

use maud::{Markup, html};

use super::answer::Answer;
use super::call::{Call, if_allowed};
use super::field::Field;
use super::issued;
use super::layout::{Section, Site};
use super::parts::{self, Applications};
use super::service::{Page, does, shows};
use super::verdict;
use super::words;
use crate::domain::{Action, Application, ApplicationId, Enrollment, Profile, ProfileId};
use crate::front::{Code, Fault, Problem};
use crate::x509::{Csr, KeyAlgorithm, SanKind};

pub(super) fn pages() -> Vec<Page> {
    vec![shows("/requests/new", begin), does("/requests/new", ask), does("/requests/new/verdict", judge)]
}

async fn begin(call: Call) -> Result<Answer, Problem> {
    let applications = Applications::of(&call).await?;
    let asked = call.query.get("application").and_then(|id| id.parse::<ApplicationId>().ok());
    let only = match applications.all.as_slice() {
        [only] if !applications.is_cut => Some(only.id),
        _ => None,
    };
    match asked.or(only) {
        Some(application) => {
            let desk = Desk::of(&call, application).await?;
            Ok(Answer::page(desk.page(&call, &html! {})?))
        }
        None => Ok(Answer::page(choice(&call, &applications))),
    }
}

fn choice(call: &Call, applications: &Applications) -> Markup {
    let body = html! {
        h1 { "Ask for a certificate" }
        @if applications.all.is_empty() { (parts::nothing("You are no member of any Application.")) } @else {
            p { "For which Application?" }
            ul .choices {
                @for application in &applications.all {
                    li {
                        a href=(format!("?application={}", application.id)) { (application.name.as_str()) }
                        @if !application.description.is_empty() { span .quiet { (application.description) } }
                    }
                }
            }
        }
    };
    call.site.page_of(Section::Requests, "Ask for a certificate", &body)
}

/// Asks, or says what would come of it.
async fn ask(call: Call) -> Result<Answer, Problem> {
    let application = application(&call)?;
    let desk = Desk::of(&call, application).await?;
    if call.form.text("do") == "check" {
        let said = said(&call, application).await?;
        return Ok(Answer::page(desk.page(&call, &said)?));
    }
    let refused = |said: Markup| Ok(Answer::Page(Code::Refused.status(), desk.page(&call, &said)?));
    match enrollment(&call, application) {
        Err(faults) => refused(verdict::unreadable(&faults)),
        Ok(enrollment) => match issued::answer(&call, call.session.submit(&enrollment).await?) {
            Ok(answer) => Ok(answer),
            Err(refusal) => refused(verdict::refused(&refusal.violations)),
        },
    }
}

/// What the script of the form asks for: the verdict alone.
async fn judge(call: Call) -> Result<Answer, Problem> {
    Ok(Answer::page(said(&call, application(&call)?).await?))
}

async fn said(call: &Call, application: ApplicationId) -> Result<Markup, Problem> {
    match enrollment(call, application) {
        Err(faults) => Ok(verdict::unreadable(&faults)),
        Ok(enrollment) => Ok(match call.session.dry_run(&enrollment).await? {
            Ok(draft) => verdict::permitted(&call.site, &draft),
            Err(refusal) => verdict::refused(&refusal.violations),
        }),
    }
}

/// Whether the engine would let the visitor ask in an Application.
pub(super) async fn may_ask(call: &Call, application: ApplicationId) -> Result<bool, Problem> {
    let allowed = if_allowed(call.session.permissions(application).await)?.unwrap_or_default();
    Ok([Action::CertificatesCreate, Action::ProfilesIssue].iter().all(|action| allowed.contains(action)))
}

fn application(call: &Call) -> Result<ApplicationId, Problem> {
    call.form.get("application").and_then(|id| id.parse().ok()).ok_or_else(super::call::nowhere)
}

/// An Application with the profiles that certificates are asked for under.
struct Desk {
    application: Application,
    profiles: Vec<Profile>,
    may_ask: bool,
}

impl Desk {
    async fn of(call: &Call, id: ApplicationId) -> Result<Self, Problem> {
        let application = call.session.application(id).await?;
        let attached = if_allowed(call.session.attached_profiles(id).await)?.unwrap_or_default();
        let is_served = |profile: &Profile| {
            application.attachment(profile.id).is_some_and(|attachment| attachment.methods.api.is_some())
        };
        let profiles = attached.into_iter().filter(is_served).collect();
        let may_ask = may_ask(call, id).await?;
        Ok(Self { application, profiles, may_ask })
    }

    fn page(&self, call: &Call, said: &Markup) -> Result<Markup, Problem> {
        let site = call.site.clone().within(self.application.id);
        let body = html! {
            p .crumbs { a href=(site.to(&format!("/requests?application={}", self.application.id))) { "Requests" } }
            h1 { "Ask for a certificate" }
            p .quiet { "For the Application " strong { (self.application.name.as_str()) } "." }
            @if !self.may_ask {
                (parts::nothing("Your role in this Application does not let you ask for certificates."))
            } @else if self.profiles.is_empty() {
                (parts::nothing("No profile that you may ask under is attached to this Application."))
            } @else {
                (self.form(call, &site, said)?)
            }
        };
        Ok(site.page_of(Section::Requests, "Ask for a certificate", &body))
    }

    fn form(&self, call: &Call, site: &Site, said: &Markup) -> Result<Markup, Problem> {
        let once = match call.form.get("once") {
            Some(once) => once.to_owned(),
            None => words_of(call.engine.unguessable::<12>()?),
        };
        let profiles: Vec<_> = self.profiles.iter().map(|each| (each.id.to_string(), each.name.to_string())).collect();
        let field = |name, label, hint| Field { name, label, hint, value: call.form.text(name), class: "" };
        Ok(html! {
            form #ask .columns method="post" action=(site.to("/requests/new")) data-verdict=(site.to("/requests/new/verdict")) {
                (site.mark())
                input type="hidden" name="application" value=(self.application.id.to_string());
                input type="hidden" name="once" value=(once);
                div {
                    section .card {
                        (field("profile", "Profile", "").choice(&profiles))
                        (source(call.form.text("source")))
                        div data-shows="source=managed" { (self.managed(call)) }
                        div data-shows="source=csr" {
                            (Field { class: "pem", ..field("csr", "Certificate request, PEM", "It brings subject, names, usages and key.") }.lines(8))
                        }
                        (field("ttl", "Lifetime", "Such as 90d or 12h. Left empty: as the profile says.").line())
                        (field("tags", "Tags", "One a line: key=value.").lines(2))
                    }
                }
                div {
                    section .card.sticky aria-labelledby="verdict-title" {
                        h2 #verdict-title { "What the policy says" }
                        div #verdict role="status" aria-live="polite" {
                            @if said.0.is_empty() { p .quiet { "Nothing yet. Fill in the form, then check it." } } @else { (said) }
                        }
                        div .actions {
                            button .primary type="submit" name="do" value="ask" { "Ask for it" }
                            button type="submit" name="do" value="check" { "Check only" }
                        }
                        p .hint { "Checking does nothing and records nothing." }
                    }
                }
            }
        })
    }

    fn managed(&self, call: &Call) -> Markup {
        let field = |name, label, hint| Field { name, label, hint, value: call.form.text(name), class: "" };
        let keys = KeyAlgorithm::ALL.map(|key| (key.as_str().to_owned(), words::key(key).to_owned()));
        let keys: Vec<_> = std::iter::once((String::new(), "As the profile says".to_owned())).chain(keys).collect();
        let names = "One a line: api.example.com, 192.0.2.7, jane@example.com or a URI.";
        html! {
            (field("names", "Names", names).lines(3))
            (field("common_name", "Common name", "May be left empty: relying parties read the names.").line())
            (field("key_algorithm", "Key", "").choice(&keys))
        }
    }
}

fn source(chosen: &str) -> Markup {
    let is_csr = chosen == "csr";
    html! {
        fieldset {
            legend { "Its key" }
            label .choice {
                input type="radio" name="source" value="managed" checked[!is_csr];
                span { "Made and kept here" }
            }
            label .choice {
                input type="radio" name="source" value="csr" checked[is_csr];
                span { "Mine: I have a certificate request" }
            }
        }
    }
}

fn words_of(octets: [u8; 12]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// What the form asks for, or everything in it that can not be read. What can be read is judged by the engine.
fn enrollment(call: &Call, application: ApplicationId) -> Result<Enrollment, Vec<Fault>> {
    let form = &call.form;
    let mut faults = Vec::new();
    let profile = form.get("profile").and_then(|id| id.parse::<ProfileId>().ok());
    if profile.is_none() {
        faults.push(Fault::said("profile", "none is chosen", ""));
    }
    let csr = match form.text("source") {
        "csr" => Csr::parse(form.text("csr").trim().as_bytes())
            .map_err(|error| faults.extend(verdict::csr_faults(&error)))
            .ok()
            .map(Some),
        _ => Some(None),
    };
    let ttl = form.get("ttl").map(str::parse).transpose();
    let ttl = ttl.map_err(|error| faults.push(Fault::of("ttl", error))).unwrap_or_default();
    let tags = tags(form.text("tags")).map_err(|fault| faults.push(fault)).unwrap_or_default();
    let (Some(profile), Some(csr), true) = (profile, csr, faults.is_empty()) else { return Err(faults) };
    let mut enrollment = match csr {
        Some(csr) => Enrollment::csr(application, profile, csr),
        None => managed(call, Enrollment::managed(application, profile)),
    };
    (enrollment.terms.ttl, enrollment.metadata) = (ttl, tags);
    enrollment.idempotency_key = form.get("once").map(str::to_owned);
    Ok(enrollment)
}

fn managed(call: &Call, mut enrollment: Enrollment) -> Enrollment {
    let form = &call.form;
    for (kind, name) in form.text("names").split(['\n', ',']).filter_map(san) {
        enrollment = enrollment.san(kind, name);
    }
    if let Some(name) = form.get("common_name") {
        enrollment = enrollment.common_name(name);
    }
    let key = form.get("key_algorithm").and_then(|word| KeyAlgorithm::ALL.into_iter().find(|key| key.as_str() == word));
    match key {
        Some(key) => enrollment.key_algorithm(key),
        None => enrollment,
    }
}

/// A name with its kind, as it looks like.
fn san(line: &str) -> Option<(SanKind, &str)> {
    let name = line.trim();
    if name.is_empty() {
        return None;
    }
    let kind = if name.parse::<IpAddr>().is_ok() {
        SanKind::IpAddress
    } else if name.contains("://") || name.starts_with("urn:") {
        SanKind::Uri
    } else if name.contains('@') {
        SanKind::Email
    } else {
        SanKind::DnsName
    };
    Some((kind, name))
}

fn tags(text: &str) -> Result<BTreeMap<String, String>, Fault> {
    let mut tags = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let Some((key, value)) = line.split_once('=') else {
            return Err(Fault { allowed: vec!["key=value".to_owned()], ..Fault::said("metadata", "invalid", line) });
        };
        if tags.insert(key.trim().to_owned(), value.trim().to_owned()).is_some() {
            return Err(Fault {
                allowed: vec!["each key once".to_owned()],
                ..Fault::said("metadata", "invalid", line)
            });
        }
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_they_look_like() {
        let table = [
            (" api.example.com\r", SanKind::DnsName, "api.example.com"),
            ("192.0.2.7", SanKind::IpAddress, "192.0.2.7"),
            ("2001:db8::7", SanKind::IpAddress, "2001:db8::7"),
            ("jane@example.com", SanKind::Email, "jane@example.com"),
            ("spiffe://example.com/a", SanKind::Uri, "spiffe://example.com/a"),
            ("*.example.com", SanKind::DnsName, "*.example.com"),
        ];
        for (line, kind, name) in table {
            assert_eq!(san(line), Some((kind, name)));
        }
        assert_eq!(san("  "), None);
    }

    #[test]
    fn tags_are_pairs_and_each_key_comes_once() {
        assert_eq!(tags("env=prod\r\n\n a = b=c ").unwrap().len(), 2);
        assert!(tags("env").is_err());
        assert!(tags("a=1\na=2").is_err());
    }
}
