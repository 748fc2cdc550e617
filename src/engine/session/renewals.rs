//! Verbs on renewals.

use super::Session;
use crate::domain::{AutoRenewal, CertificateId, IssuerId, IssuerRecord, RenewalBudget, RenewalKey};
use crate::engine::error::Error;
use crate::engine::outcome::Outcome;
use crate::engine::renewal::RenewalView;

/// Renewals.
impl Session {
    /// Renews a certificate as it is: a new serial number, a new validity of the same length, and the key that is said.
    /// Needs `certificate-profiles.issue-cert`; a key by certificate request `certificates.edit`, too.
    ///
    /// To change what it says, [`submit`](Self::submit) an [`Enrollment::renewal`](crate::domain::Enrollment::renewal) with
    /// the changes; see [renewal](crate::manual::renewal). A new managed key is in the answer; one that is used again is not,
    /// for reading it again is a permission of its own.
    ///
    /// # Errors
    /// As [`submit`](Self::submit); a refusal is no error. [`Error::NotRenewable`] for a certificate without a profile;
    /// [`Error::PrivateKey`] or [`Error::Seal`] if the key is to be used again and can not be opened.
    #[tracing::instrument(level = "debug", skip(self, key), err(level = "debug"))]
    pub async fn renew(&self, id: CertificateId, key: RenewalKey) -> Result<Outcome, Error> {
        verb!(self.renew(id, key))
    }

    /// How the renewal of a certificate stands: who may renew it from when on, and what became of it so far. Needs
    /// `certificates.read`.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn renewal(&self, id: CertificateId) -> Result<RenewalView, Error> {
        verb!(self.renewal(id))
    }

    /// Sets whether and when a certificate and its successors renew by themselves; `None` leaves it to attachment and profile
    /// again. Takes up what is blocked or needs a person. Needs `certificates.edit`.
    ///
    /// # Errors
    /// [`Error::NotRenewable`] with every reason if it can not renew by itself; [`Error::Invalid`] for a window that does not
    /// open in time; [`Error::Contended`] if somebody else changed what it rests on.
    #[tracing::instrument(level = "debug", skip(self, own), err(level = "debug"))]
    pub async fn set_renewal(&self, id: CertificateId, own: Option<AutoRenewal>) -> Result<RenewalView, Error> {
        verb!(self.set_renewal(id, own))
    }

    /// Lets a certificate renew by itself now and before all others, whatever is set; but not before it is old enough. `false`
    /// if it can not renew by itself: its key is with the client, or it has ended. Needs `certificates.edit`.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn expedite_renewal(&self, id: CertificateId) -> Result<bool, Error> {
        verb!(self.expedite_renewal(id))
    }

    /// Sets how many renewals automatic renewal may do below an issuer, over all workers. For product administrators.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a budget of nothing; [`Error::Contended`] if somebody else changed the issuer.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn set_renewal_budget(&self, id: IssuerId, budget: RenewalBudget) -> Result<IssuerRecord, Error> {
        verb!(self.set_renewal_budget(id, budget))
    }
}
