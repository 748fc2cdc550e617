//! The verbs in one actor's name.

use std::sync::Arc;

use super::context::Context;
use super::error::Error;
use super::impact::ImpactWalk;
use super::inventory::{Import, ImportOutcome};
use super::outcome::{Chain, Outcome, Refusal, SubjectKey};
use super::query::{CertificateQuery, Page, PageToken};
use super::schema::PolicyRecord;
use crate::domain::{
    Actor, Application, ApplicationId, ApplicationSpec, CertificateId, CertificateRecord, Draft, Enrollment, Event,
    IssuerId, IssuerRecord, IssuerSpec, IssuerUrls, KeyRereading, Member, Metadata, Methods, PolicyId, PolicySpec,
    Principal, Profile, ProfileId, ProfileSpec, RequestId, Slug,
};
use crate::signer::SoftwareSigner;
use crate::x509::{Certificate, Serial};

/// The engine's verbs in the name of one actor. Cheap to make and to clone.
///
/// Every verb that names an Application asks the permission matrix ([`Action`](crate::domain::Action)); verbs on
/// issuers, policies and profiles are for product administrators. All fail with [`Error::Store`] if the store does.
#[derive(Clone, Debug)]
pub struct Session {
    context: Arc<Context>,
    actor: Actor,
}

/// Runs a verb and counts it by name and result.
macro_rules! verb {
    ($session:ident . $verb:ident ( $($argument:expr),* )) => {{
        let result = $session.context.$verb(&$session.actor $(, $argument)*).await;
        let outcome = if result.is_ok() { "ok" } else { "error" };
        metrics::counter!("chancery_verbs_total", "verb" => stringify!($verb), "outcome" => outcome).increment(1);
        result
    }};
}

impl Session {
    pub(super) fn new(context: Arc<Context>, actor: Actor) -> Self {
        Self { context, actor }
    }

    /// In whose name.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }
}

/// Certificates.
impl Session {
    /// Asks for a certificate: judged at once, and issued if it is permitted. Needs `certificates.create` and
    /// `certificate-profiles.issue-cert`.
    ///
    /// # Errors
    /// A refusal is no error. [`Error::Contended`] after too many changes under way; [`Error::Seal`] for a managed key
    /// without a sealer.
    #[tracing::instrument(level = "debug", skip_all, fields(application = %enrollment.application, method = %enrollment.method), err)]
    pub async fn submit(&self, enrollment: &Enrollment) -> Result<Outcome, Error> {
        verb!(self.submit(enrollment))
    }

    /// Judges a request without issuing or recording anything: the completed draft, or every reason against it.
    #[tracing::instrument(level = "debug", skip_all, fields(application = %enrollment.application), err)]
    pub async fn dry_run(&self, enrollment: &Enrollment) -> Result<Result<Draft, Refusal>, Error> {
        verb!(self.dry_run(enrollment))
    }

    /// Where a request stands. A managed key comes along only if the actor may read it again.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn request(&self, id: RequestId) -> Result<Outcome, Error> {
        verb!(self.request(id))
    }

    /// A certificate by its id. Needs `certificates.read`.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn certificate(&self, id: CertificateId) -> Result<CertificateRecord, Error> {
        verb!(self.certificate(id))
    }

    /// The certificates with a serial number: one for each issuer that gave it out. Needs `certificates.read`.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn certificates_by_serial(&self, serial: &Serial) -> Result<Vec<CertificateRecord>, Error> {
        verb!(self.by_serial(serial))
    }

    /// The certificates with a SHA-256 fingerprint over their DER. Needs `certificates.read`.
    #[tracing::instrument(level = "debug", skip_all, err)]
    pub async fn certificates_by_fingerprint(&self, fingerprint: &[u8; 32]) -> Result<Vec<CertificateRecord>, Error> {
        verb!(self.by_fingerprint(fingerprint))
    }

    /// One page of the certificates that a query finds. Needs `certificates.list`; without an Application in the query,
    /// a product administrator.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn certificates(
        &self,
        query: &CertificateQuery,
        after: Option<&PageToken>,
    ) -> Result<Page<CertificateRecord>, Error> {
        verb!(self.certificates(query, after))
    }

    /// A certificate with those above it, for export. Needs `certificates.read`.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn chain(&self, id: CertificateId) -> Result<Chain, Error> {
        let record = verb!(self.certificate(id))?;
        self.context.chain_of(&record).await
    }

    /// Reads a managed private key again; an event tells of it. Needs `certificates.read-private-key`.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn private_key(&self, id: CertificateId) -> Result<SubjectKey, Error> {
        verb!(self.private_key(id))
    }

    /// Replaces a certificate's tags. Needs `certificates.edit`.
    #[tracing::instrument(level = "debug", skip(self, metadata), err)]
    pub async fn tag_certificate(&self, id: CertificateId, metadata: Metadata) -> Result<CertificateRecord, Error> {
        verb!(self.tag_certificate(id, metadata))
    }

    /// Deletes an expired or imported certificate, and its key, from the inventory. Needs `certificates.delete`.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn delete_certificate(&self, id: CertificateId) -> Result<(), Error> {
        verb!(self.delete_certificate(id))
    }

    /// Takes a certificate that was issued elsewhere into an Application's inventory. Needs `certificates.import`.
    #[tracing::instrument(level = "debug", skip_all, err)]
    pub async fn import_certificate(&self, import: Import) -> Result<ImportOutcome, Error> {
        verb!(self.import_certificate(import))
    }
}

/// Applications.
impl Session {
    /// Makes an Application; the actor becomes an Admin of it. For product administrators.
    #[tracing::instrument(level = "debug", skip_all, fields(name = %spec.name), err)]
    pub async fn create_application(&self, spec: ApplicationSpec) -> Result<Application, Error> {
        verb!(self.create_application(spec))
    }

    /// An Application. Needs `application.read`.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn application(&self, id: ApplicationId) -> Result<Application, Error> {
        verb!(self.see_application(id))
    }

    /// An Application by its name. Needs `application.read`.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn application_named(&self, name: &Slug) -> Result<Application, Error> {
        verb!(self.application_named(name))
    }

    /// One page of the Applications that the actor may see.
    #[tracing::instrument(level = "debug", skip_all, err)]
    pub async fn applications(&self, after: Option<&PageToken>) -> Result<Page<Application>, Error> {
        verb!(self.applications(after))
    }

    /// Changes an Application's description, or switches the rereading of keys off for good. Needs `application.edit`.
    #[tracing::instrument(level = "debug", skip(self, description), err)]
    pub async fn edit_application(
        &self,
        id: ApplicationId,
        description: String,
        key_rereading: KeyRereading,
    ) -> Result<Application, Error> {
        verb!(self.edit_application(id, description, key_rereading))
    }

    /// Deletes an Application; its certificates stay known. Needs `application.delete`.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn delete_application(&self, id: ApplicationId) -> Result<(), Error> {
        verb!(self.delete_application(id))
    }

    /// Attaches a profile, without methods yet. Needs `application.manage-profiles`.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn attach_profile(&self, id: ApplicationId, profile: ProfileId) -> Result<Application, Error> {
        verb!(self.attach_profile(id, profile))
    }

    /// Detaches a profile. Needs `application.manage-profiles`.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn detach_profile(&self, id: ApplicationId, profile: ProfileId) -> Result<Application, Error> {
        verb!(self.detach_profile(id, profile))
    }

    /// Sets the enrollment methods of an attachment. Needs `enrollment.edit`.
    #[tracing::instrument(level = "debug", skip(self, methods), err)]
    pub async fn set_methods(
        &self,
        id: ApplicationId,
        profile: ProfileId,
        methods: Methods,
    ) -> Result<Application, Error> {
        verb!(self.set_methods((id, profile), methods))
    }

    /// Gives somebody a role, making them a member if they are none. Needs `members.assign-role`.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn set_member(&self, id: ApplicationId, member: Member) -> Result<Application, Error> {
        verb!(self.set_member(id, member))
    }

    /// Removes a member. Needs `members.delete`.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn remove_member(&self, id: ApplicationId, principal: &Principal) -> Result<Application, Error> {
        verb!(self.remove_member(id, principal))
    }

    /// One page of an Application's events, the latest first. Needs `application.read`.
    #[tracing::instrument(level = "debug", skip(self, after), err)]
    pub async fn events(&self, id: ApplicationId, after: Option<&PageToken>) -> Result<Page<Event>, Error> {
        verb!(self.events(id, after))
    }
}

/// Issuers, policies and profiles: for product administrators.
impl Session {
    /// Makes an issuer that signs its own certificate. Its key is the signer's that the host handed over under the
    /// issuer's name, or a new one that is sealed and kept.
    #[tracing::instrument(level = "debug", skip_all, fields(name = %spec.name), err)]
    pub async fn create_root(&self, spec: IssuerSpec) -> Result<IssuerRecord, Error> {
        verb!(self.create_root(spec))
    }

    /// Makes an issuer whose certificate the issuer `parent` signs.
    #[tracing::instrument(level = "debug", skip_all, fields(name = %spec.name, %parent), err)]
    pub async fn create_intermediate(&self, spec: IssuerSpec, parent: IssuerId) -> Result<IssuerRecord, Error> {
        verb!(self.create_intermediate(spec, parent))
    }

    /// Makes an issuer that waits for its certificate from an outside CA. Its state holds the request to send there.
    #[tracing::instrument(level = "debug", skip_all, fields(name = %spec.name), err)]
    pub async fn request_issuer(&self, spec: IssuerSpec) -> Result<IssuerRecord, Error> {
        verb!(self.request_issuer(spec))
    }

    /// Gives a waiting issuer the certificate that an outside CA issued, with those above it.
    #[tracing::instrument(level = "debug", skip(self, chain), err)]
    pub async fn install_issuer(&self, id: IssuerId, chain: Vec<Certificate>) -> Result<IssuerRecord, Error> {
        verb!(self.install_issuer(id, chain))
    }

    /// Takes over an issuer with its chain. Without a key, it is with the signer that the host handed over under `name`.
    #[tracing::instrument(level = "debug", skip_all, fields(%name), err)]
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
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn issuer_named(&self, name: &Slug) -> Result<IssuerRecord, Error> {
        verb!(self.issuer_named(name))
    }

    /// Makes a policy, or a new revision of the one of its name if it says something else.
    ///
    /// # Errors
    /// [`Error::Policy`] with every fault, also if it can never permit anything.
    #[tracing::instrument(level = "debug", skip_all, fields(name = %spec.name), err)]
    pub async fn save_policy(&self, spec: PolicySpec) -> Result<PolicyRecord, Error> {
        verb!(self.save_policy(spec))
    }

    /// A policy by its name.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn policy_named(&self, name: &Slug) -> Result<PolicyRecord, Error> {
        verb!(self.policy_named(name))
    }

    /// A past or present revision of a policy.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn policy_revision(&self, id: PolicyId, revision: u32) -> Result<PolicyRecord, Error> {
        verb!(self.policy_revision(id, revision))
    }

    /// Deletes a policy that no profile uses.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn delete_policy(&self, id: PolicyId) -> Result<(), Error> {
        verb!(self.delete_policy(id))
    }

    /// Which valid certificates a new text of a policy would refuse, and from when that would hurt.
    #[tracing::instrument(level = "debug", skip(self, new), err)]
    pub async fn impact(&self, policy: PolicyId, new: PolicySpec) -> Result<ImpactWalk<'_>, Error> {
        verb!(self.impact(policy, new))
    }

    /// Makes a profile, or a new revision of the one of its name if it says something else.
    ///
    /// # Errors
    /// [`Error::Profile`] with every default that its policy refuses.
    #[tracing::instrument(level = "debug", skip_all, fields(name = %spec.name), err)]
    pub async fn save_profile(&self, spec: ProfileSpec) -> Result<Profile, Error> {
        verb!(self.save_profile(spec))
    }

    /// A profile by its name.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn profile_named(&self, name: &Slug) -> Result<Profile, Error> {
        verb!(self.profile_named(name))
    }

    /// Deletes a profile: nothing more is issued under it.
    #[tracing::instrument(level = "debug", skip(self), err)]
    pub async fn delete_profile(&self, id: ProfileId) -> Result<(), Error> {
        verb!(self.delete_profile(id))
    }
}
