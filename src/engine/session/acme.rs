//! Verbs on ACME: binding keys and accounts. What clients do is in [`acme`](crate::engine::acme).

use super::Session;
use crate::domain::acme::{Account, Binding, BindingSpec, Order};
use crate::domain::{AcmeAccountId, AcmeBindingId, ApplicationId, ProfileId};
use crate::engine::error::Error;
use crate::engine::query::{Page, PageToken};
use crate::sealer::Secret;

/// ACME: keys for external account bindings (RFC 8555 section 7.3.4), accounts and their orders.
impl Session {
    /// Makes a key with which clients bind accounts of an attachment. Its secret, 512 random bits in base64url as clients are configured
    /// with it, is in this answer. Needs `enrollment.rotate-acme-eab-secret`.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every fault of the specification; [`Error::NotFound`] for a profile that is not attached;
    /// [`Error::Seal`] without a sealer.
    #[tracing::instrument(level = "debug", skip(self, spec), err(level = "debug"))]
    pub async fn create_acme_binding(
        &self,
        application: ApplicationId,
        profile: ProfileId,
        spec: BindingSpec,
    ) -> Result<(Binding, Secret), Error> {
        verb!(self.create_acme_binding((application, profile), spec))
    }

    /// One page of an attachment's binding keys, the latest first; those that have expired or were revoked are gone. Needs
    /// `enrollment.read`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a page token that is not one of this list's.
    #[tracing::instrument(level = "debug", skip(self, after), err(level = "debug"))]
    pub async fn acme_bindings(
        &self,
        application: ApplicationId,
        profile: ProfileId,
        after: Option<&PageToken>,
    ) -> Result<Page<Binding>, Error> {
        verb!(self.acme_bindings((application, profile), after))
    }

    /// The secret of a binding key again; an event tells of it. Needs `enrollment.reveal-acme-eab-secret`.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn reveal_acme_binding(&self, id: AcmeBindingId) -> Result<Secret, Error> {
        verb!(self.reveal_acme_binding(id))
    }

    /// Revokes a binding key: no account is made with it any more. Those that were made stay; see
    /// [`revoke_acme_account`](Self::revoke_acme_account). Needs `enrollment.rotate-acme-eab-secret`.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn revoke_acme_binding(&self, id: AcmeBindingId) -> Result<(), Error> {
        verb!(self.revoke_acme_binding(id))
    }

    /// One page of an attachment's accounts, the latest first. Needs `enrollment.read`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a page token that is not one of this list's.
    #[tracing::instrument(level = "debug", skip(self, after), err(level = "debug"))]
    pub async fn acme_accounts(
        &self,
        application: ApplicationId,
        profile: ProfileId,
        after: Option<&PageToken>,
    ) -> Result<Page<Account>, Error> {
        verb!(self.acme_accounts((application, profile), after))
    }

    /// One page of an account's orders, the latest first. Needs `enrollment.read`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a page token that is not one of this list's.
    #[tracing::instrument(level = "debug", skip(self, after), err(level = "debug"))]
    pub async fn acme_account_orders(
        &self,
        id: AcmeAccountId,
        after: Option<&PageToken>,
    ) -> Result<Page<Order>, Error> {
        verb!(self.acme_account_orders(id, after))
    }

    /// Takes an account away: it does nothing any more; its certificates stay. Needs `enrollment.edit`.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn revoke_acme_account(&self, id: AcmeAccountId) -> Result<Account, Error> {
        verb!(self.revoke_acme_account(id))
    }
}
