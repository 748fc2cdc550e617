//! Getting certificates out: chain, bundle, private key, PKCS#12.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, Pkcs12, Text};
use super::call::{Asking, At, Call, Json, With};
use super::endpoint::{Endpoint, get, post};
use super::wire::{KeyText, Pem, PemBundle, PrivateText};
use crate::domain::{Action, CertificateId};
use crate::engine::{Error, Root};
use crate::front::problem::internal;
use crate::front::{Code, Fault, Problem};
use crate::x509::InvalidValue;
use crate::x509::export::ExportError;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(("/certificates/{certificateId}/certificate", "getCertificatePem"), Action::CertificatesRead, pieces)
            .says("Gives a certificate and those above it."),
        get(("/certificates/{certificateId}/chain", "getChain"), Action::CertificatesRead, chain)
            .says("Gives a certificate and those above it, one PEM after the other, as servers read them."),
        get(("/certificates/{certificateId}/bundle", "getBundle"), Action::CertificatesReadPrivateKey, bundle)
            .says("Gives a certificate, those above it, and its private key. An event tells of it."),
        get(("/certificates/{certificateId}/private-key", "getPrivateKey"), Action::CertificatesReadPrivateKey, key)
            .says("Reads a managed private key again. An event tells of it."),
        post(("/certificates/{certificateId}/pkcs12", "exportPkcs12"), Action::CertificatesReadPrivateKey, pkcs12)
            .says("Gives certificate, chain and private key under a password. An event tells of it."),
    ]
}

/// How much of a chain is given.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct ChainQuery {
    /// Whether root certificates are left out.
    remove_roots_from_chain: bool,
}

impl ChainQuery {
    fn root(&self) -> Root {
        super::certificates::root(self.remove_roots_from_chain)
    }
}

async fn pieces(call: Asking<(CertificateId,), ChainQuery>) -> Result<Answer<Pem>, Problem> {
    let chain = call.session.chain(call.path.0).await?;
    Ok(Answer::new(Pem::of(&chain, call.query.root())))
}

async fn chain(call: Asking<(CertificateId,), ChainQuery>) -> Result<Text, Problem> {
    Ok(Text(call.session.chain(call.path.0).await?.pem(call.query.root())))
}

async fn bundle(call: Asking<(CertificateId,), ChainQuery>) -> Result<Answer<PemBundle>, Problem> {
    let private_key = match call.session.private_key(call.path.0).await {
        Ok(key) => Some(KeyText(key.pem())),
        // It is with the client, or may not be read any more; the rest is there all the same.
        Err(Error::PrivateKey { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let chain = call.session.chain(call.path.0).await?;
    let serial_number = chain.leaf().serial().to_string();
    let Pem { certificate, certificate_chain, .. } = Pem::of(&chain, call.query.root());
    Ok(Answer::new(PemBundle { certificate, certificate_chain, private_key, serial_number }))
}

/// A private key.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct KeyAnswer {
    /// PKCS#8, PEM.
    private_key: KeyText,
}

async fn key(call: At<(CertificateId,)>) -> Result<Answer<KeyAnswer>, Problem> {
    let key = call.session.private_key(call.path.0).await?;
    Ok(Answer::new(KeyAnswer { private_key: KeyText(key.pem()) }))
}

/// How a PKCS#12 container is made.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Pkcs12Body {
    /// The password, 6 to 128 characters.
    password: PrivateText,
    /// What the entry is called.
    alias: String,
}

async fn pkcs12(call: With<(CertificateId,), Pkcs12Body>) -> Result<Pkcs12, Problem> {
    let Call { session, path, body: Json(Pkcs12Body { password, alias }), .. } = call;
    let password = password.0.expose_text();
    if !(6..=128).contains(&password.chars().count()) {
        let error = InvalidValue::new("password", "(hidden)", "6 to 128 characters");
        return Err(Problem::value("password", error));
    }
    if !(1..=128).contains(&alias.chars().count()) {
        return Err(Problem::value("alias", InvalidValue::new("alias", alias, "1 to 128 characters")));
    }
    let chain = session.chain(path.0).await?;
    let key = session.private_key(path.0).await?;
    let container = chain.pkcs12(&key, password, &alias).map_err(|error| match error {
        ExportError::FriendlyName => {
            let said = error.to_string();
            Problem::new(Code::InvalidValue, said.clone()).with([Fault::said("alias", "invalid", said)])
        }
        error => internal(&error.to_string()),
    })?;
    Ok(Pkcs12(container.expose().to_vec()))
}
