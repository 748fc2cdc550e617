//! Revoking a certificate, with a reason and a confirmation, and lifting holds.

use maud::{Markup, html};

use super::answer::Answer;
use super::call::Call;
use super::layout::Section;
use super::parts;
use super::service::{Page, does, shows};
use super::words;
use crate::domain::{CertificateId, CertificateRecord};
use crate::front::{Code, Problem};
use crate::x509::RevocationReason;

pub(super) fn pages() -> Vec<Page> {
    vec![
        shows("/certificates/{id}/revoke", ask),
        does("/certificates/{id}/revoke", revoke),
        does("/certificates/{id}/release", release),
    ]
}

/// Reasons that somebody gives for the certificate of a service. Those that are about authorities are for the API.
const REASONS: [RevocationReason; 7] = [
    RevocationReason::KeyCompromise,
    RevocationReason::Superseded,
    RevocationReason::CessationOfOperation,
    RevocationReason::AffiliationChanged,
    RevocationReason::PrivilegeWithdrawn,
    RevocationReason::CertificateHold,
    RevocationReason::Unspecified,
];

async fn ask(call: Call) -> Result<Answer, Problem> {
    let record = call.session.certificate(call.id::<CertificateId>()?).await?;
    Ok(Answer::page(form(&call, &record, None)))
}

fn form(call: &Call, record: &CertificateRecord, said: Option<&str>) -> Markup {
    let place = call.site.to(&format!("/certificates/{}", record.id));
    let title = parts::title(record);
    let chosen = call.form.text("reason");
    let body = html! {
        p .crumbs { a href=(place) { (title) } }
        h1 { "Revoke " span .name { (title) } }
        p { "OCSP says so at once, the next revocation list too. Whoever relies on it will refuse it; but for a hold, this can not be undone." }
        @if let Some(said) = said { div .notice.bad role="alert" { (said) } }
        section .card {
            (parts::facts(&[
                ("Names", parts::names(&record.sans)),
                ("Valid until", parts::when(&call.site, record.validity.not_after())),
                ("Serial number", html! { code { (record.serial.to_string()) } }),
            ]))
            form method="post" action=(format!("{place}/revoke")) {
                (call.site.mark())
                fieldset {
                    legend { "Why" }
                    @for reason in REASONS {
                        label .choice {
                            input type="radio" name="reason" value=(reason.as_str()) required checked[reason.as_str() == chosen];
                            span { (words::reason(reason)) " " code .quiet { (reason.as_str()) } }
                        }
                    }
                }
                label .choice {
                    input type="checkbox" name="sure" value="yes" required;
                    span { "Yes, revoke " strong { (title) } }
                }
                div .actions {
                    button .danger type="submit" { "Revoke" }
                    a .button href=(place) { "Keep it" }
                }
            }
        }
    };
    call.site.page_of(Section::Certificates, "Revoke", &body)
}

async fn revoke(call: Call) -> Result<Answer, Problem> {
    let id = call.id::<CertificateId>()?;
    let asked = call.form.text("reason");
    let reason = REASONS.into_iter().find(|reason| reason.as_str() == asked);
    match reason.filter(|_| call.form.text("sure") == "yes") {
        Some(reason) => {
            call.session.revoke(id, reason).await?;
            Ok(Answer::See(call.site.to(&format!("/certificates/{id}"))))
        }
        None => {
            let record = call.session.certificate(id).await?;
            let page = form(&call, &record, Some("Say why, and confirm that it is to be revoked."));
            Ok(Answer::Page(Code::InvalidValue.status(), page))
        }
    }
}

async fn release(call: Call) -> Result<Answer, Problem> {
    let id = call.id::<CertificateId>()?;
    call.session.release_hold(id).await?;
    Ok(Answer::See(call.site.to(&format!("/certificates/{id}"))))
}
