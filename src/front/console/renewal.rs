//! Renewing a certificate as it is.

use maud::{Markup, html};

use super::answer::Answer;
use super::call::Call;
use super::issued;
use super::layout::Section;
use super::parts;
use super::service::{Page, does, shows};
use super::verdict;
use crate::domain::{CertificateId, CertificateRecord, KeyCustody, RenewalKey};
use crate::engine::Refusal;
use crate::front::{Code, Fault, Problem};
use crate::x509::Csr;

pub(super) fn pages() -> Vec<Page> {
    vec![shows("/certificates/{id}/renew", ask), does("/certificates/{id}/renew", renew)]
}

async fn ask(call: Call) -> Result<Answer, Problem> {
    let record = call.session.certificate(call.id::<CertificateId>()?).await?;
    Ok(Answer::page(form(&call, &record, &html! {})))
}

fn form(call: &Call, record: &CertificateRecord, said: &Markup) -> Markup {
    let place = call.site.to(&format!("/certificates/{}", record.id));
    let title = parts::title(record);
    let is_managed = record.custody == KeyCustody::Managed;
    let chosen = call.form.get("key").unwrap_or(if is_managed { "new" } else { "csr" });
    let choice = |value: &str, word: &str| {
        html! {
            label .choice { input type="radio" name="key" value=(value) checked[value == chosen]; span { (word) } }
        }
    };
    let body = html! {
        p .crumbs { a href=(place) { (title) } }
        h1 { "Renew " span .name { (title) } }
        p { "The new certificate says what this one says, for as long, under a new serial number. It is judged by the rules of today." }
        (said)
        section .card {
            (parts::facts(&[
                ("Names", parts::names(&record.sans)),
                ("Valid until", parts::when(&call.site, record.validity.not_after())),
            ]))
            form method="post" action=(format!("{place}/renew")) {
                (call.site.mark())
                fieldset {
                    legend { "Its key" }
                    (choice("new", "A new one, made and kept here"))
                    @if is_managed { (choice("reused", "The same again")) }
                    (choice("csr", "The client's, by a certificate request"))
                }
                div .field data-shows="key=csr" {
                    label for="csr" { "Certificate request, PEM" }
                    textarea #csr .pem name="csr" rows="6" spellcheck="false" autocomplete="off" { (call.form.text("csr")) }
                }
                div .actions {
                    button .primary type="submit" { "Renew" }
                    a .button href=(place) { "Not now" }
                }
            }
        }
    };
    call.site.page_of(Section::Certificates, "Renew", &body)
}

async fn renew(call: Call) -> Result<Answer, Problem> {
    let id = call.id::<CertificateId>()?;
    let refused = |call: &Call, record: &CertificateRecord, said: Markup| {
        Answer::Page(Code::Refused.status(), form(call, record, &said))
    };
    let key = match key(&call) {
        Ok(key) => key,
        Err(faults) => {
            let record = call.session.certificate(id).await?;
            return Ok(refused(&call, &record, html! { div .notice.bad role="alert" { (verdict::faults(&faults)) } }));
        }
    };
    match issued::answer(&call, call.session.renew(id, key).await?) {
        Ok(answer) => Ok(answer),
        Err(Refusal { violations }) => {
            let record = call.session.certificate(id).await?;
            Ok(refused(&call, &record, verdict::refused(&violations)))
        }
    }
}

fn key(call: &Call) -> Result<RenewalKey, Vec<Fault>> {
    match call.form.text("key") {
        "reused" => Ok(RenewalKey::Reused),
        "csr" => Csr::parse(call.form.text("csr").trim().as_bytes())
            .map(|csr| RenewalKey::Csr(Box::new(csr)))
            .map_err(|error| verdict::csr_faults(&error)),
        _ => Ok(RenewalKey::New),
    }
}
