//! What comes of a request, and the one page on which a private key is seen.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};

use super::answer::Answer;
use super::call::Call;
use super::layout::{Section, Site};
use super::parts;
use crate::domain::CertificateRecord;
use crate::engine::{Issued, Outcome, Refusal, SubjectKey};

/// The page that an outcome leads to, or what was refused.
pub(super) fn answer(call: &Call, outcome: Outcome) -> Result<Answer, Refusal> {
    match outcome {
        Outcome::Issued(issued) => Ok(issued_answer(&call.site, &issued)),
        Outcome::Pending(pending) => Ok(Answer::See(call.site.to(&format!("/requests/{}", pending.id)))),
        Outcome::Refused(refusal) => Err(refusal),
    }
}

/// A key is shown in the answer itself, for no other answer will hold it; without one the certificate's page is the answer.
fn issued_answer(site: &Site, issued: &Issued) -> Answer {
    match &issued.private_key {
        Some(key) => {
            let said = "It is handed to you once: to read it again is a permission of its own, and recorded.";
            Answer::page(key_page(site, &issued.record, (key, said)))
        }
        None => Answer::See(site.to(&format!("/certificates/{}", issued.record.id))),
    }
}

/// The page that shows a private key.
pub(super) fn key_page(site: &Site, record: &CertificateRecord, (key, said): (&SubjectKey, &str)) -> Markup {
    let pem = key.pem();
    let text = pem.expose_text();
    let to = |what: &str| site.to(&format!("/certificates/{}{what}", record.id));
    let title = parts::title(record);
    let body = html! {
        h1 { "Private key of " span .name { (title) } }
        div .notice.waiting role="status" {
            strong { "Save the key now. " } (said) " Whoever has it can speak in this name."
        }
        section .card {
            div .doings {
                a .button.primary download="private-key.pem" href=(format!("data:application/x-pem-file;base64,{}", STANDARD.encode(text))) {
                    "Save private key"
                }
                a .button href=(to("/chain.pem")) download { "Save chain" }
                a .button href=(to("/certificate.pem")) download { "Save certificate" }
            }
            label for="key" { "Private key, PKCS#8 in PEM" }
            textarea #key .pem readonly rows="8" spellcheck="false" autocomplete="off" { (text) }
        }
        p { a .button href=(to("")) { "I have the key: to the certificate" } }
    };
    site.page_of(Section::Certificates, "Private key", &body)
}
