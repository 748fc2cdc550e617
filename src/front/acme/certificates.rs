//! Certificates: downloaded, revoked, and when to renew them (RFC 8555 sections 7.4.2 and 7.6, RFC 9773).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use http::StatusCode;

use super::arrival::{Arrival, By};
use super::problem::Fault;
use super::reply::Reply;
use super::service::{Call, nowhere};
use super::wire::{RenewalObject, RevokeBody};
use crate::domain::CertificateId;
use crate::domain::acme::{AcmeProblem, CertId, ProblemKind};
use crate::engine::Root;
use crate::engine::acme::RevokeBy;
use crate::x509::RevocationReason;

/// The certificate with the issuer's own chain.
pub(super) async fn show(call: &Call, arrival: &Arrival) -> Result<Reply, Fault> {
    chain(call, arrival, 0).await
}

/// The certificate with one of the other chains.
pub(super) async fn alternate(call: &Call, arrival: &Arrival) -> Result<Reply, Fault> {
    match call.id(1)? {
        0 => Err(nowhere()),
        number => chain(call, arrival, number).await,
    }
}

/// A chain without its root, which clients have or must not take from here, and links to the others. Where there is nothing
/// between the certificate and the root, the root is there: clients such as certbot take no chain of one.
async fn chain(call: &Call, arrival: &Arrival, number: usize) -> Result<Reply, Fault> {
    let (account, id): (_, CertificateId) = (arrival.reads()?, call.id(0)?);
    let chains = call.server.certificate(account, id).await?.chains;
    let chosen = chains.get(number).ok_or_else(nowhere)?;
    let root = if chosen.certificates(Root::Exclude).count() > 1 { Root::Exclude } else { Root::Include };
    let reply = Reply::text("application/pem-certificate-chain", chosen.pem(root));
    let others = (0..chains.len()).filter(|other| *other != number);
    Ok(others.fold(reply, |reply, other| match other {
        0 => reply.link(&call.place.certificate(id), "alternate"),
        other => reply.link(&call.place.alternate(id, other), "alternate"),
    }))
}

/// Revokes for an account, or for whoever has the certificate's key.
pub(super) async fn revoke(call: &Call, arrival: &Arrival) -> Result<Reply, Fault> {
    let body: RevokeBody = arrival.object()?;
    let refused = |kind, detail: &str| AcmeProblem::new(kind, detail);
    let certificate = BASE64URL.decode(&body.certificate);
    let certificate =
        certificate.map_err(|_| refused(ProblemKind::Malformed, "`certificate` is not base64url without padding"))?;
    let reason = match body.reason {
        None => None,
        Some(code) => Some(
            reason(code).ok_or_else(|| refused(ProblemKind::BadRevocationReason, "there is no such reason code"))?,
        ),
    };
    let by = match arrival.by() {
        By::Account(account, _) => RevokeBy::Account(account),
        By::Key(key) => RevokeBy::Key(key),
    };
    call.server.revoke(by, &certificate, reason).await?;
    Ok(Reply::empty(StatusCode::OK))
}

fn reason(code: u64) -> Option<RevocationReason> {
    RevocationReason::ALL.into_iter().find(|reason| u64::from(reason.code()) == code)
}

/// When to renew.
pub(super) async fn renewal_info(call: &Call) -> Result<Reply, Fault> {
    let id = call.id::<CertId>(0)?;
    let info = call.server.renewal_info(&id).await?;
    Ok(Reply::json(StatusCode::OK, &RenewalObject::of(&info))?.after(Some(info.retry_after)))
}
