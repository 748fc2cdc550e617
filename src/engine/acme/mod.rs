//! ACME (RFC 8555) below one attachment: what its clients do, over the store. The front speaks the protocol, and decides nothing.
//!
//! An order is finalized in the commit that records its request, so that one order has one certificate, whoever asks for it at once
//! and whatever crashes. Control of identifiers is proved by due work, never while a client waits.

mod accounts;
mod answers;
mod authorizations;
mod bindings;
mod collect;
mod finalize;
mod limits;
mod nonces;
mod orders;
mod renewal_info;
mod replaces;
mod revocation;
mod validate;
mod views;

use std::fmt;
use std::sync::Arc;

pub use answers::{
    AcmeCertificate, AcmeDirectory, AcmeProfile, AuthorizationView, BindingProof, Created, NewAccount, NewOrder,
    OrderView, RevokeBy, Terms,
};

use super::context::Context;
use super::error::Error;
use super::query::{Page, PageToken};
#[cfg(feature = "acme")]
use crate::domain::acme::Binding;
use crate::domain::acme::{Account, AccountKey, AcmeProblem, CertId, ChallengeKind, RenewalInfo};
use crate::domain::{AcmeAccountId, AcmeAuthorizationId, AcmeOrderId, ApplicationId, CertificateId, ProfileId};
use crate::sealer::Secret;
use crate::x509::RevocationReason;

/// Why something was not done for a client.
#[derive(Debug, thiserror::Error)]
pub enum AcmeError {
    /// It is refused: what the client is told.
    #[error(transparent)]
    Refused(#[from] AcmeProblem),
    /// Something failed here; nothing of it is for clients.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl AcmeError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Failed(error) if error.is_conflict())
    }
}

/// The verbs of ACME clients below one attachment. Cheap to make and to clone.
///
/// Whoever calls vouches that a request was signed with the key of the [`Account`] that it is made in the name of, as it was just read by
/// [`account`](Self::account) or [`account_with_key`](Self::account_with_key); here it is only asked what the account may do.
///
/// # Errors
/// Every verb may fail with [`AcmeError::Failed`]: [`Error::NotFound`] if there is no such attachment, or ACME is not enabled on it;
/// [`Error::Store`], [`Error::Entropy`], [`Error::Seal`]; [`Error::Contended`] if others changed the same things again and again. What it
/// refuses clients is said there.
///
/// # Cancellation
/// A verb whose future is dropped has happened entirely or not at all, or has left a request that due work goes on with.
#[derive(Clone)]
pub struct AcmeServer {
    context: Arc<Context>,
    application: ApplicationId,
    profile: ProfileId,
}

impl fmt::Debug for AcmeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AcmeServer({}, {})", self.application, self.profile)
    }
}

/// Runs a verb and counts it by name and result.
macro_rules! verb {
    ($server:ident . $verb:ident ( $($argument:expr),* )) => {{
        let at = ($server.application, $server.profile);
        let result = $server.context.$verb(at $(, $argument)*).await;
        let outcome = match &result {
            Ok(_) => "ok",
            Err(error) => outcome_of(error),
        };
        metrics::counter!("chancery_verbs_total", "verb" => stringify!($verb), "outcome" => outcome).increment(1);
        result
    }};
}

fn outcome_of(error: &AcmeError) -> &'static str {
    match error {
        AcmeError::Refused(_) => "refused",
        AcmeError::Failed(_) => "error",
    }
}

impl AcmeServer {
    pub(super) fn new(context: Arc<Context>, application: ApplicationId, profile: ProfileId) -> Self {
        Self { context, application, profile }
    }

    /// The Application.
    pub fn application(&self) -> ApplicationId {
        self.application
    }

    /// The profile whose directory it is.
    pub fn profile(&self) -> ProfileId {
        self.profile
    }

    /// What the directory tells: the settings, and the profiles that orders may choose.
    #[tracing::instrument(level = "debug", err(level = "debug"))]
    pub async fn directory(&self) -> Result<AcmeDirectory, AcmeError> {
        verb!(self.acme_directory())
    }

    /// The key that nonces are made with: 32 random octets, one for the whole store, made when it is first asked for. Keep it for as
    /// long as the process lives.
    #[tracing::instrument(level = "debug", err(level = "debug"))]
    pub async fn nonce_key(&self) -> Result<Secret, AcmeError> {
        verb!(self.acme_nonce_key())
    }

    /// A valid account.
    ///
    /// # Errors
    /// `accountDoesNotExist`; `unauthorized` for one that is valid no more.
    #[tracing::instrument(level = "debug", err(level = "debug"))]
    pub async fn account(&self, id: AcmeAccountId) -> Result<Account, AcmeError> {
        verb!(self.acme_account(id))
    }

    /// The account with a key, by the SHA-256 thumbprint of its JWK (RFC 7638).
    ///
    /// # Errors
    /// `accountDoesNotExist`; `unauthorized` for one that is valid no more.
    #[tracing::instrument(level = "debug", skip(thumbprint), err(level = "debug"))]
    pub async fn account_with_key(&self, thumbprint: [u8; 32]) -> Result<Account, AcmeError> {
        verb!(self.acme_account_with_key(thumbprint))
    }

    /// Verifies the MAC of an external account binding (RFC 8555 section 7.3.4); that its payload is the account's key and its URL
    /// that of the request is the caller's to see.
    ///
    /// # Errors
    /// `unauthorized`: there is no such key, it has expired or was used, or the MAC is not its.
    #[cfg(feature = "acme")]
    #[tracing::instrument(level = "debug", skip_all, err(level = "debug"))]
    pub async fn verify_binding(&self, proof: &BindingProof<'_>) -> Result<Binding, AcmeError> {
        verb!(self.verify_binding(proof))
    }

    /// Makes an account, or finds the one that has the key already (RFC 8555 section 7.3).
    ///
    /// # Errors
    /// `externalAccountRequired`, `userActionRequired` without agreement to the terms, `invalidContact`, `unsupportedContact`; `unauthorized` if
    /// the binding's key was used up meanwhile, or the key belongs to an account that is valid no more.
    #[tracing::instrument(level = "debug", skip_all, err(level = "debug"))]
    pub async fn create_account(&self, new: NewAccount) -> Result<Created<Account>, AcmeError> {
        verb!(self.create_acme_account(new))
    }

    /// Changes an account's contacts (RFC 8555 section 7.3.2); `None` leaves them.
    ///
    /// # Errors
    /// `invalidContact`, `unsupportedContact`, `unauthorized`.
    #[tracing::instrument(level = "debug", skip_all, fields(account = %account.id), err(level = "debug"))]
    pub async fn update_account(&self, account: &Account, contacts: Option<Vec<String>>) -> Result<Account, AcmeError> {
        verb!(self.update_acme_account(account, contacts))
    }

    /// Gives an account up (RFC 8555 section 7.3.6): its open orders come to nothing, its certificates stay.
    ///
    /// # Errors
    /// `unauthorized` if it is valid no more.
    #[tracing::instrument(level = "debug", skip_all, fields(account = %account.id), err(level = "debug"))]
    pub async fn deactivate_account(&self, account: &Account) -> Result<Account, AcmeError> {
        verb!(self.deactivate_acme_account(account))
    }

    /// Gives an account another key (RFC 8555 section 7.3.5).
    ///
    /// # Errors
    /// `malformed` with [`AcmeProblem::account`] if that one has the key (409); `unauthorized`.
    #[tracing::instrument(level = "debug", skip_all, fields(account = %account.id), err(level = "debug"))]
    pub async fn roll_key(&self, account: &Account, key: AccountKey) -> Result<Account, AcmeError> {
        verb!(self.roll_acme_key(account, key))
    }

    /// Places an order (RFC 8555 section 7.4). Proofs of control that the account has given lately are used again.
    ///
    /// # Errors
    /// `malformed`, `unsupportedIdentifier`, `rejectedIdentifier` with a subproblem for each identifier that binding or policy does not
    /// allow, `invalidProfile`, `alreadyReplaced`, `rateLimited` with [`AcmeProblem::retry_after`], `unauthorized`.
    #[tracing::instrument(level = "debug", skip_all, fields(account = %account.id), err(level = "debug"))]
    pub async fn new_order(&self, account: &Account, new: NewOrder) -> Result<OrderView, AcmeError> {
        verb!(self.new_acme_order(account, new))
    }

    /// An order of the account.
    ///
    /// # Errors
    /// `malformed` if it has no such order.
    #[tracing::instrument(level = "debug", skip(self, account), err(level = "debug"))]
    pub async fn order(&self, account: &Account, id: AcmeOrderId) -> Result<OrderView, AcmeError> {
        verb!(self.acme_order(account, id))
    }

    /// One page of the account's orders, the latest first (RFC 8555 section 7.1.2.1). 100 a page.
    ///
    /// # Errors
    /// `malformed` for a token that is not one of this list's.
    #[tracing::instrument(level = "debug", skip_all, fields(account = %account.id), err(level = "debug"))]
    pub async fn orders(&self, account: &Account, after: Option<&PageToken>) -> Result<Page<AcmeOrderId>, AcmeError> {
        verb!(self.acme_orders(account, after))
    }

    /// An authorization of the account.
    ///
    /// # Errors
    /// `malformed` if it has no such authorization.
    #[tracing::instrument(level = "debug", skip(self, account), err(level = "debug"))]
    pub async fn authorization(
        &self,
        account: &Account,
        id: AcmeAuthorizationId,
    ) -> Result<AuthorizationView, AcmeError> {
        verb!(self.acme_authorization(account, id))
    }

    /// Gives an authorization up (RFC 8555 section 7.5.2).
    ///
    /// # Errors
    /// As [`authorization`](Self::authorization), and `unauthorized` if it is neither pending nor valid.
    #[tracing::instrument(level = "debug", skip(self, account), err(level = "debug"))]
    pub async fn deactivate_authorization(
        &self,
        account: &Account,
        id: AcmeAuthorizationId,
    ) -> Result<AuthorizationView, AcmeError> {
        verb!(self.deactivate_acme_authorization(account, id))
    }

    /// Says that a challenge is ready to be looked at (RFC 8555 section 7.5.1). Due work does so.
    ///
    /// # Errors
    /// As [`authorization`](Self::authorization); `malformed` for a challenge that it does not have.
    #[tracing::instrument(level = "debug", skip(self, account), err(level = "debug"))]
    pub async fn answer_challenge(
        &self,
        account: &Account,
        id: AcmeAuthorizationId,
        kind: ChallengeKind,
    ) -> Result<AuthorizationView, AcmeError> {
        verb!(self.answer_acme_challenge(account, id, kind))
    }

    /// Asks for an order's certificate (RFC 8555 section 7.4), `csr` in DER. It is issued at once, unless the signer is elsewhere or people
    /// must agree. The same request again is answered the same.
    ///
    /// # Errors
    /// `malformed` if there is no such order, `orderNotReady`, `badCSR` and `rejectedIdentifier` with what is wrong with each identifier; the
    /// order stays ready then.
    #[tracing::instrument(level = "debug", skip(self, account, csr), err(level = "debug"))]
    pub async fn finalize(&self, account: &Account, id: AcmeOrderId, csr: &[u8]) -> Result<OrderView, AcmeError> {
        verb!(self.finalize_acme_order(account, id, csr))
    }

    /// A certificate that the account ordered, with every chain that leads to a root (RFC 8555 section 7.4.2).
    ///
    /// # Errors
    /// `malformed` if it has no such certificate.
    #[tracing::instrument(level = "debug", skip(self, account), err(level = "debug"))]
    pub async fn certificate(&self, account: &Account, id: CertificateId) -> Result<AcmeCertificate, AcmeError> {
        verb!(self.acme_certificate(account, id))
    }

    /// Revokes a certificate, given in DER (RFC 8555 section 7.6). Who shows its key revokes it for keyCompromise, whatever the reason
    /// given.
    ///
    /// # Errors
    /// `unauthorized`, `alreadyRevoked`, `badRevocationReason`, `malformed` for one that was not issued here.
    #[tracing::instrument(level = "debug", skip_all, err(level = "debug"))]
    pub async fn revoke(
        &self,
        by: RevokeBy<'_>,
        certificate: &[u8],
        reason: Option<RevocationReason>,
    ) -> Result<(), AcmeError> {
        verb!(self.revoke_by_acme(by, certificate, reason))
    }

    /// When a certificate's client should renew it (RFC 9773). It is public.
    ///
    /// # Errors
    /// `malformed` for a certificate that is not one of the Application's.
    #[tracing::instrument(level = "debug", err(level = "debug"))]
    pub async fn renewal_info(&self, id: &CertId) -> Result<RenewalInfo, AcmeError> {
        verb!(self.acme_renewal_info(id))
    }
}
