//! Issuers.

use schemars::JsonSchema;
use serde::Deserialize;

use super::answer::{Answer, PageView};
use super::call::{Asking, At, Call, Json, Paging, With};
use super::endpoint::{Endpoint, Needs, get, patch, post};
use super::inventory::{certificates, unreadable};
use super::spelling::camel;
use super::wire::{
    AuthorityBody, AuthorityCertificates, AuthorityImport, AuthorityPatch, AuthorityType, AuthorityView, CrlView,
    InstallBody,
};
use crate::domain::{IssuerId, IssuerSpec, Slug};
use crate::engine::Error;
use crate::front::{Code, Fault, Problem};
use crate::signer::SoftwareSigner;

pub(super) fn endpoints() -> Vec<Endpoint> {
    const ONE: &str = "/ca/internal/{caId}";
    vec![
        get(("/ca/internal", "listAuthorities"), Needs::Product, list).says("Lists the issuers."),
        post(("/ca/internal", "createAuthority"), Needs::Product, create)
            .says("Makes an issuer: a root, an intermediate below another, or one that waits for an outside CA."),
        post(("/ca/internal/import", "importAuthority"), Needs::Product, import)
            .says("Takes over an issuer with its chain."),
        get((ONE, "getAuthority"), Needs::Product, see).says("Gives an issuer."),
        get(("/ca/internal/by-name/{name}", "getAuthorityByName"), Needs::Product, by_name)
            .says("Gives an issuer by its name."),
        patch((ONE, "editAuthority"), Needs::Product, edit)
            .says("Changes how an issuer tells of revocations, or how many renewals there may be below it."),
        get(("/ca/internal/{caId}/ca-certificates", "getAuthorityCertificates"), Needs::Product, own)
            .says("Gives an issuer's certificate and those above it, or the request for its certificate."),
        post(("/ca/internal/{caId}/import-certificate", "installAuthority"), Needs::Product, install)
            .says("Gives a waiting issuer the certificate that an outside CA issued."),
        get(("/ca/internal/{caId}/crls", "listCrls"), Needs::Product, crls)
            .says("Gives an issuer's revocation lists as they were last published."),
    ]
}

async fn list(call: Asking<(), Paging>) -> Result<Answer<PageView<AuthorityView>>, Problem> {
    let page = call.session.issuers(call.query.token().as_ref()).await?;
    Ok(Answer::new(PageView::of(page, Into::into)))
}

fn spelled(error: Error) -> Problem {
    Problem::from(error).spelled(camel)
}

async fn create(call: With<(), AuthorityBody>) -> Result<Answer<AuthorityView>, Problem> {
    let Call { session, body: Json(body), .. } = call;
    let (kind, parent) = (body.kind, body.parent_ca_id);
    let spec = IssuerSpec::from(body);
    let made = match (kind, parent) {
        (AuthorityType::Root, None) => session.create_root(spec).await,
        (AuthorityType::Root, Some(_)) => {
            let said = "a root has no issuer above it";
            return Err(Problem::new(Code::InvalidValue, said).with([Fault::said("parentCaId", "conflict", said)]));
        }
        (AuthorityType::Intermediate, Some(parent)) => session.create_intermediate(spec, parent).await,
        (AuthorityType::Intermediate, None) => session.request_issuer(spec).await,
    };
    Ok(Answer::new(made.map_err(spelled)?.into()))
}

async fn import(call: With<(), AuthorityImport>) -> Result<Answer<AuthorityView>, Problem> {
    let Call { session, body: Json(body), .. } = call;
    let (chain, urls) = (certificates("certificateChain", &body.certificate_chain)?, body.urls());
    let key = body.private_key.map(|text| {
        let read = SoftwareSigner::from_pkcs8_pem(text.0.expose_text());
        read.map_err(|_| {
            unreadable("privateKey", "one PKCS#8 document in PEM, of a key that is fit for use, is accepted")
        })
    });
    let made = session.import_issuer(body.name, urls, chain, key.transpose()?).await;
    Ok(Answer::new(made.map_err(spelled)?.into()))
}

async fn see(call: At<(IssuerId,)>) -> Result<Answer<AuthorityView>, Problem> {
    Ok(Answer::new(call.session.issuer(call.path.0).await?.into()))
}

async fn by_name(call: At<(Slug,)>) -> Result<Answer<AuthorityView>, Problem> {
    Ok(Answer::new(call.session.issuer_named(&call.path.0).await?.into()))
}

async fn edit(call: With<(IssuerId,), AuthorityPatch>) -> Result<Answer<AuthorityView>, Problem> {
    let Call { session, path, body: Json(patch), .. } = call;
    if let Some(status) = patch.status() {
        session.set_issuer_status(path.0, status).await.map_err(spelled)?;
    }
    if let Some(budget) = patch.budget() {
        session.set_renewal_budget(path.0, budget).await.map_err(spelled)?;
    }
    Ok(Answer::new(session.issuer(path.0).await?.into()))
}

async fn own(call: At<(IssuerId,)>) -> Result<Answer<AuthorityCertificates>, Problem> {
    Ok(Answer::new((&call.session.issuer(call.path.0).await?).into()))
}

async fn install(call: With<(IssuerId,), InstallBody>) -> Result<Answer<AuthorityView>, Problem> {
    let Call { session, path, body: Json(body), .. } = call;
    let mut chain = certificates("certificate", &body.certificate)?;
    if !body.certificate_chain.trim().is_empty() {
        chain.extend(certificates("certificateChain", &body.certificate_chain)?);
    }
    Ok(Answer::new(session.install_issuer(path.0, chain).await?.into()))
}

/// Which of an issuer's revocation lists.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CrlQuery {
    /// That of one shard, from 0; the first if absent.
    #[serde(default)]
    shard: u32,
}

async fn crls(call: Asking<(IssuerId,), CrlQuery>) -> Result<Answer<PageView<CrlView>>, Problem> {
    let (issuer, shard) = (call.session.issuer(call.path.0).await?.id, call.query.shard);
    let found = call.engine.crl(issuer, shard).await?;
    Ok(Answer::new(PageView::whole(found.map(|crl| CrlView::of(shard, crl)).into_iter().collect())))
}
