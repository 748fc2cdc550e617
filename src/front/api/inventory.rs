//! Taking certificates over that were issued elsewhere.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::call::{Call, Json, With};
use super::certificates::refusal;
use super::endpoint::{Endpoint, post};
use super::wire::{CertificateView, Pair, PrivateText, tags};
use crate::domain::{Action, ApplicationId, CertificateId, Metadata, ProfileId};
use crate::engine::{Import, ImportOutcome};
use crate::front::{Code, Fault, Problem};
use crate::sealer::Secret;
use crate::x509::{Certificate, pem};

/// The longest private key that is read, PEM.
const MAX_KEY_BYTES: usize = 64 * 1024;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post(("/certificates/import-certificate", "importCertificate"), Action::CertificatesImport, import)
            .says("Takes a certificate that was issued elsewhere into an Application's inventory."),
    ]
}

/// A certificate to take over.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ImportBody {
    /// The Application that will own it.
    application_id: ApplicationId,
    /// The profile that later renewals use; its policy judges the certificate. Without one it is only tracked.
    #[serde(default)]
    profile_id: Option<ProfileId>,
    /// The certificate, PEM.
    certificate_pem: String,
    /// Those above it, PEM.
    #[serde(default)]
    chain_pem: Option<String>,
    /// Its private key, PKCS#8 in PEM, to be kept.
    #[serde(default)]
    private_key_pem: Option<PrivateText>,
    /// Tags.
    #[serde(default)]
    metadata: Vec<Pair>,
}

/// A certificate that was taken over.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ImportAnswer {
    /// Its id.
    certificate_id: CertificateId,
    /// The certificate, PEM.
    certificate: String,
    /// Those above it, PEM.
    certificate_chain: String,
    /// Its serial number, hex.
    serial_number: String,
    /// The certificate as the inventory has it.
    details: CertificateView,
}

async fn import(call: With<(), ImportBody>) -> Result<Answer<ImportAnswer>, Problem> {
    let Call { engine, session, body: Json(body), .. } = call;
    let certificate = only(certificates("certificatePem", &body.certificate_pem)?)?;
    let chain = body.chain_pem.as_deref().filter(|text| !text.trim().is_empty());
    let chain = chain.map(|text| certificates("chainPem", text)).transpose()?.unwrap_or_default();
    let key = body.private_key_pem.map(|text| key_der(&text)).transpose()?;
    let tags = tags(body.metadata).map_err(|fault| Problem::invalid(vec![fault]))?;
    let metadata = Metadata::try_from(tags).map_err(|error| Problem::value("metadata", error))?;
    let (pem, certificate_chain) = (certificate.pem(), chain.iter().map(Certificate::pem).collect());
    let (application, profile) = (body.application_id, body.profile_id);
    let import = Import { application, profile, certificate, chain, key, metadata };
    match session.import_certificate(import).await? {
        ImportOutcome::Imported(record) => Ok(Answer::new(ImportAnswer {
            certificate_id: record.id,
            certificate: pem,
            certificate_chain,
            serial_number: record.serial.to_string(),
            details: CertificateView::of(&record, engine.now()),
        })),
        ImportOutcome::Refused(violations) => Err(refusal(&violations)),
    }
}

/// The certificates of a PEM text.
pub(super) fn certificates(field: &str, text: &str) -> Result<Vec<Certificate>, Problem> {
    Certificate::from_pem_chain(text).map_err(|error| unreadable(field, &error.to_string()))
}

fn only(mut certificates: Vec<Certificate>) -> Result<Certificate, Problem> {
    let one = certificates.pop();
    match one.filter(|_| certificates.is_empty()) {
        Some(one) => Ok(one),
        None => Err(unreadable("certificatePem", "one certificate is accepted; those above it belong into `chainPem`")),
    }
}

fn key_der(text: &PrivateText) -> Result<Secret, Problem> {
    let mut blocks = pem::decode_all(text.0.expose_text(), pem::Label::PrivateKey.as_str(), MAX_KEY_BYTES)
        .map_err(|_| unreadable("privateKeyPem", "one PKCS#8 document in PEM is accepted"))?;
    match (blocks.pop(), blocks.is_empty()) {
        (Some(der), true) => Ok(Secret::new(der)),
        _ => Err(unreadable("privateKeyPem", "one PKCS#8 document in PEM is accepted")),
    }
}

pub(super) fn unreadable(field: &str, said: &str) -> Problem {
    Problem::new(Code::InvalidValue, format!("{field}: {said}")).with([Fault::said(field, "invalid", said)])
}
