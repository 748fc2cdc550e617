//! The directory and nonces (RFC 8555 sections 7.1.1 and 7.2).

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use serde::Serialize;

use super::problem::Fault;
use super::reply::Reply;
use super::service::Call;
use crate::engine::acme::AcmeDirectory;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Directory<'a> {
    new_nonce: String,
    new_account: String,
    new_order: String,
    revoke_cert: String,
    key_change: String,
    renewal_info: String,
    meta: Meta<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Meta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    terms_of_service: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    website: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    caa_identities: &'a [String],
    external_account_required: bool,
    profiles: BTreeMap<&'a str, &'a str>,
}

/// The directory.
pub(super) async fn show(call: &Call) -> Result<Reply, Fault> {
    let directory = call.server.directory().await?;
    let of = |name: &str| call.place.of(name);
    Reply::json(
        StatusCode::OK,
        &Directory {
            new_nonce: of("new-nonce"),
            new_account: of("new-account"),
            new_order: of("new-order"),
            revoke_cert: of("revoke-cert"),
            key_change: of("key-change"),
            renewal_info: of("renewal-info"),
            meta: meta(&directory),
        },
    )
}

fn meta(directory: &AcmeDirectory) -> Meta<'_> {
    let settings = &directory.settings;
    let profiles = directory.profiles.iter();
    Meta {
        terms_of_service: settings.terms.as_deref(),
        website: settings.website.as_deref(),
        caa_identities: &settings.caa,
        external_account_required: settings.checks.needs_binding(),
        profiles: profiles.map(|profile| (profile.name.as_str(), profile.description.as_str())).collect(),
    }
}

/// A nonce, which every answer bears.
pub(super) fn new_nonce(call: &Call) -> Result<Reply, Fault> {
    Ok(Reply::empty(if call.parts.method == Method::GET { StatusCode::NO_CONTENT } else { StatusCode::OK }))
}
