//! Verbs on syncs.

use super::Session;
use crate::domain::{ApplicationId, CertificateId, Deployment, SyncId, SyncRecord, SyncSpec};
use crate::engine::deploy::SyncStatus;
use crate::engine::error::Error;
use crate::engine::query::{Page, PageToken};

/// Syncs. None of these verbs waits for a target: what they ask for is done by [`Engine::run_due`](crate::engine::Engine::run_due).
impl Session {
    /// Makes a sync, or changes the one of its name in the Application. Needs `pki-syncs.create` or `pki-syncs.edit`.
    ///
    /// What is run after a delivery belongs to the target, which the host hands over: `pki-syncs.set-post-sync-command`
    /// guards nothing here.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every fault, also of the names that the template makes against what the target takes;
    /// [`Error::NotFound`] for a target that the host did not hand over; [`Error::InUse`] if another sync is sure to want the
    /// same names there.
    #[tracing::instrument(level = "debug", skip_all, fields(%application, name = %spec.name), err(level = "debug"))]
    pub async fn save_sync(&self, application: ApplicationId, spec: SyncSpec) -> Result<SyncRecord, Error> {
        verb!(self.save_sync(application, spec))
    }

    /// Deletes a sync: what it brought to its target is removed, or left there, as the sync says. Its name is free at once;
    /// by its id it is seen until nothing of it is left. Needs `pki-syncs.delete`.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn delete_sync(&self, id: SyncId) -> Result<(), Error> {
        verb!(self.delete_sync(id))
    }

    /// One page of an Application's syncs, those included that are deleted and not gone. Needs `pki-syncs.list`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that is not one of this list's.
    #[tracing::instrument(level = "debug", skip(self, after), err(level = "debug"))]
    pub async fn syncs(
        &self,
        application: ApplicationId,
        after: Option<&PageToken>,
    ) -> Result<Page<SyncRecord>, Error> {
        verb!(self.syncs(application, after))
    }

    /// A sync and how it is doing. Needs `pki-syncs.read`.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn sync(&self, id: SyncId) -> Result<SyncStatus, Error> {
        verb!(self.sync(id))
    }

    /// One page of a sync's deployments, 100 a page, by lineage. Needs `pki-syncs.read`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that is not one of this list's.
    #[tracing::instrument(level = "debug", skip(self, after), err(level = "debug"))]
    pub async fn deployments(&self, id: SyncId, after: Option<&PageToken>) -> Result<Page<Deployment>, Error> {
        verb!(self.deployments(id, after))
    }

    /// Makes everything of a sync due at once: what waits, what failed, what is parked, and what is there is looked at.
    /// Needs `pki-syncs.sync-certificates`.
    ///
    /// # Errors
    /// [`Error::Contended`] if somebody else changed the sync.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn sync_now(&self, id: SyncId) -> Result<(), Error> {
        verb!(self.sync_now(id))
    }

    /// Takes a certificate, with all of its lineage, out of a sync: it is detached, and joins those that the sync excepts.
    /// Needs `pki-syncs.remove-certificates`.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a certificate that is not the Application's; [`Error::Invalid`] if too many are excepted;
    /// [`Error::Contended`] if somebody else changed the sync.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn remove_certificate(&self, id: SyncId, certificate: CertificateId) -> Result<SyncRecord, Error> {
        verb!(self.remove_certificate(id, certificate))
    }

    /// The deployments that want a certificate, 100 at most. Needs `pki-syncs.read`.
    ///
    /// # Errors
    /// [`Error::NotFound`] also for a certificate that the actor may not see.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn certificate_deployments(&self, id: CertificateId) -> Result<Vec<Deployment>, Error> {
        verb!(self.certificate_deployments(id))
    }
}
