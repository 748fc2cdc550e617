//! Verbs of product administrators, on issuers, policies and profiles.

use super::Session;
use crate::domain::{
    IssuerId, IssuerRecord, IssuerSpec, IssuerUrls, PolicyId, PolicySpec, Profile, ProfileId, ProfileSpec, Slug,
};
use crate::engine::error::Error;
use crate::engine::impact::ImpactWalk;
use crate::engine::schema::PolicyRecord;
use crate::signer::SoftwareSigner;
use crate::x509::Certificate;

/// Issuers, policies and profiles: for product administrators.
impl Session {
    /// Makes an issuer that signs its own certificate. Its key is the signer's that the host handed over under the
    /// issuer's name, or a new one that is sealed and kept.
    ///
    /// # Errors
    /// [`Error::NameTaken`]; [`Error::Invalid`] for a subject, URL or signature algorithm that can not be;
    /// [`Error::Seal`] if a new key is to be kept without a sealer; [`Error::Issuer`] if the signer holds another kind of key;
    /// [`Error::Sign`] if it does not sign.
    #[tracing::instrument(level = "debug", skip_all, fields(name = %spec.name), err(level = "debug"))]
    pub async fn create_root(&self, spec: IssuerSpec) -> Result<IssuerRecord, Error> {
        verb!(self.create_root(spec))
    }

    /// Makes an issuer whose certificate the issuer `parent` signs.
    ///
    /// # Errors
    /// As [`create_root`](Self::create_root), and [`Error::Issuer`] if the parent can not issue it: it would outlive the
    /// parent, or the parent's path length leaves no room (RFC 5280 section 4.2.1.9).
    #[tracing::instrument(level = "debug", skip_all, fields(name = %spec.name, %parent), err(level = "debug"))]
    pub async fn create_intermediate(&self, spec: IssuerSpec, parent: IssuerId) -> Result<IssuerRecord, Error> {
        verb!(self.create_intermediate(spec, parent))
    }

    /// Makes an issuer that waits for its certificate from an outside CA. Its state holds the request to send there.
    ///
    /// See [`IssuerState::AwaitingCertificate`](crate::domain::IssuerState) for the request (PKCS#10, RFC 2986), DER.
    ///
    /// # Errors
    /// As [`create_root`](Self::create_root).
    #[tracing::instrument(level = "debug", skip_all, fields(name = %spec.name), err(level = "debug"))]
    pub async fn request_issuer(&self, spec: IssuerSpec) -> Result<IssuerRecord, Error> {
        verb!(self.request_issuer(spec))
    }

    /// Gives a waiting issuer the certificate that an outside CA issued, with those above it.
    /// The
    /// certificate comes first, then those above it, each issued by the next.
    ///
    /// # Errors
    /// [`Error::Issuer`] if it does not wait, or the certificate has another key or subject, is not one of a CA, or the chain
    /// does not hold together.
    #[tracing::instrument(level = "debug", skip(self, chain), err(level = "debug"))]
    pub async fn install_issuer(&self, id: IssuerId, chain: Vec<Certificate>) -> Result<IssuerRecord, Error> {
        verb!(self.install_issuer(id, chain))
    }

    /// Takes over an issuer with its chain. Without a key, it is with the signer that the host handed over under `name`.
    ///
    /// # Errors
    /// [`Error::NameTaken`]; [`Error::Invalid`] for a URL; [`Error::Issuer`] if the chain is not one of a CA, does not hold
    /// together, or the key is not its key; [`Error::Seal`] to keep a key without a sealer.
    #[tracing::instrument(level = "debug", skip_all, fields(%name), err(level = "debug"))]
    pub async fn import_issuer(
        &self,
        name: Slug,
        urls: IssuerUrls,
        chain: Vec<Certificate>,
        key: Option<SoftwareSigner>,
    ) -> Result<IssuerRecord, Error> {
        verb!(self.import_issuer((name, urls), chain, key))
    }

    /// An issuer by its name.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn issuer_named(&self, name: &Slug) -> Result<IssuerRecord, Error> {
        verb!(self.issuer_named(name))
    }

    /// Makes a policy, or a new revision of the one of its name if it says something else.
    ///
    /// # Errors
    /// [`Error::Policy`] with every fault, also if it can never permit anything.
    /// [`Error::Contended`] if somebody else saved it at the same moment.
    #[tracing::instrument(level = "debug", skip_all, fields(name = %spec.name), err(level = "debug"))]
    pub async fn save_policy(&self, spec: PolicySpec) -> Result<PolicyRecord, Error> {
        verb!(self.save_policy(spec))
    }

    /// A policy by its name.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn policy_named(&self, name: &Slug) -> Result<PolicyRecord, Error> {
        verb!(self.policy_named(name))
    }

    /// A past or present revision of a policy.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn policy_revision(&self, id: PolicyId, revision: u32) -> Result<PolicyRecord, Error> {
        verb!(self.policy_revision(id, revision))
    }

    /// Deletes a policy that no profile uses.
    ///
    /// # Errors
    /// [`Error::InUse`] if a profile uses it.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn delete_policy(&self, id: PolicyId) -> Result<(), Error> {
        verb!(self.delete_policy(id))
    }

    /// Which valid certificates a new text of a policy would refuse, and from when that would hurt.
    /// Nothing is
    /// changed. The walk reads a page at a time; see [`ImpactWalk::next`].
    ///
    /// # Errors
    /// [`Error::Policy`] if the new text is not a valid policy.
    #[tracing::instrument(level = "debug", skip(self, new), err(level = "debug"))]
    pub async fn impact(&self, policy: PolicyId, new: PolicySpec) -> Result<ImpactWalk<'_>, Error> {
        verb!(self.impact(policy, new))
    }

    /// Makes a profile, or a new revision of the one of its name if it says something else.
    ///
    /// # Errors
    /// [`Error::Profile`] with every default that its policy refuses.
    /// [`Error::NotFound`] for a policy or issuer of no such name; [`Error::Contended`] if somebody else changed either.
    #[tracing::instrument(level = "debug", skip_all, fields(name = %spec.name), err(level = "debug"))]
    pub async fn save_profile(&self, spec: ProfileSpec) -> Result<Profile, Error> {
        verb!(self.save_profile(spec))
    }

    /// A profile by its name.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn profile_named(&self, name: &Slug) -> Result<Profile, Error> {
        verb!(self.profile_named(name))
    }

    /// Deletes a profile: nothing more is issued under it.
    /// What was issued stays, and so do its
    /// revisions.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn delete_profile(&self, id: ProfileId) -> Result<(), Error> {
        verb!(self.delete_profile(id))
    }
}
