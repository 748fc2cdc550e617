//! Getting certificates out: PEM, chain, private key, PKCS#12.

use maud::{Markup, html};

use super::answer::Answer;
use super::call::Call;
use super::issued;
use super::layout::Section;
use super::parts;
use super::service::{Page, does, shows};
use crate::domain::{CertificateId, CertificateRecord};
use crate::engine::Root;
use crate::front::problem::internal;
use crate::front::{Code, Problem};
use crate::x509::export::ExportError;

pub(super) fn pages() -> Vec<Page> {
    vec![
        shows("/certificates/{id}/certificate.pem", certificate),
        shows("/certificates/{id}/chain.pem", chain),
        shows("/certificates/{id}/key", key_form),
        does("/certificates/{id}/key", key),
        does("/certificates/{id}/pkcs12", pkcs12),
    ]
}

const PEM: &str = "application/x-pem-file";

async fn certificate(call: Call) -> Result<Answer, Problem> {
    let chain = call.session.chain(call.id()?).await?;
    Ok(Answer::File("certificate.pem".to_owned(), PEM, chain.leaf().pem().into_bytes()))
}

async fn chain(call: Call) -> Result<Answer, Problem> {
    let chain = call.session.chain(call.id()?).await?;
    Ok(Answer::File("chain.pem".to_owned(), PEM, chain.pem(Root::Exclude).into_bytes()))
}

async fn key_form(call: Call) -> Result<Answer, Problem> {
    let record = call.session.certificate(call.id::<CertificateId>()?).await?;
    Ok(Answer::page(form(&call, &record, None)))
}

fn form(call: &Call, record: &CertificateRecord, said: Option<&str>) -> Markup {
    let to = |what: &str| call.site.to(&format!("/certificates/{}{what}", record.id));
    let title = parts::title(record);
    let body = html! {
        p .crumbs { a href=(to("")) { (title) } }
        h1 { "Private key of " span .name { (title) } }
        p { "Whoever has the key can speak in this name. Each reading is recorded, with who read it." }
        @if let Some(said) = said { div .notice.bad role="alert" { (said) } }
        section .card {
            h2 { "As a PKCS#12 file" }
            p .quiet { "Certificate, chain and key in one file, under a password of your own." }
            form method="post" action=(to("/pkcs12")) {
                (call.site.mark())
                div .field {
                    label for="password" { "Password" }
                    input #password type="password" name="password" required minlength="6" maxlength="128"
                        autocomplete="new-password" aria-describedby="password-hint";
                    p #password-hint .hint { "6 to 128 characters. It is not kept." }
                }
                button .primary type="submit" { "Save PKCS#12" }
            }
        }
        section .card {
            h2 { "In the clear" }
            p .quiet { "As PEM, on the next page. Reload it and it is gone." }
            form method="post" action=(to("/key")) {
                (call.site.mark())
                button type="submit" { "Show the private key" }
            }
        }
        p { a href=(to("")) { "Back without reading it" } }
    };
    call.site.page_of(Section::Certificates, "Private key", &body)
}

async fn key(call: Call) -> Result<Answer, Problem> {
    let id = call.id::<CertificateId>()?;
    let key = call.session.private_key(id).await?;
    let record = call.session.certificate(id).await?;
    Ok(Answer::page(issued::key_page(&call.site, &record, (&key, "This reading is recorded."))))
}

async fn pkcs12(call: Call) -> Result<Answer, Problem> {
    let record = call.session.certificate(call.id::<CertificateId>()?).await?;
    let password = call.form.text("password");
    if !(6..=128).contains(&password.chars().count()) {
        let page = form(&call, &record, Some("A password has 6 to 128 characters."));
        return Ok(Answer::Page(Code::InvalidValue.status(), page));
    }
    let chain = call.session.chain(record.id).await?;
    let key = call.session.private_key(record.id).await?;
    let name: String = parts::title(&record).chars().take(128).collect();
    let container = match chain.pkcs12(&key, password, &name) {
        // Some readers take few names; the serial number is one for all.
        Err(ExportError::FriendlyName) => chain.pkcs12(&key, password, &record.serial.to_string()),
        made => made,
    };
    let container = container.map_err(|error| internal(&error.to_string()))?;
    Ok(Answer::File("certificate.p12".to_owned(), "application/x-pkcs12", container.expose().to_vec()))
}
