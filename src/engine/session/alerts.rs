//! Verbs on alerts, their notifications, and the audit trail.

use time::OffsetDateTime;

use super::Session;
use crate::domain::{Alert, AlertId, AlertSpec, ApplicationId, AuditHead, AuditReport, CertificateRecord, Event};
use crate::engine::alerts::ChannelTest;
use crate::engine::error::Error;
use crate::engine::query::{Page, PageToken};
use crate::engine::schema::Notification;

/// Alerts. Those of an Application are made by its Admins, and seen by all its members; those of the product, which are
/// given `None` for an Application, are for product administrators and tell of all Applications.
impl Session {
    /// Makes an alert, or changes the one of its name. Needs `pki-alerts.create`, or `pki-alerts.edit`.
    ///
    /// Secrets of channels are sealed and never shown again; each saving must bring them along. An alert on expiration tells at
    /// once of what ends within its lead already, unless only its channels, name or description are changed.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every fault, also for a channel that the engine was given no notifier for, and for more than
    /// 100 alerts; [`Error::Seal`] for a secret without a sealer.
    #[tracing::instrument(level = "debug", skip_all, fields(name = %spec.name), err(level = "debug"))]
    pub async fn save_alert(&self, application: Option<ApplicationId>, spec: AlertSpec) -> Result<Alert, Error> {
        verb!(self.save_alert(application, spec))
    }

    /// Deletes an alert. What it has not told yet is not told. Needs `pki-alerts.delete`.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn delete_alert(&self, id: AlertId) -> Result<(), Error> {
        verb!(self.delete_alert(id))
    }

    /// An alert, its secrets hidden. Needs `pki-alerts.read`.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn alert(&self, id: AlertId) -> Result<Alert, Error> {
        verb!(self.alert(id))
    }

    /// One page of the alerts of an Application, or of the product, by name. Needs `pki-alerts.read`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that is not one of this list's.
    #[tracing::instrument(level = "debug", skip(self, after), err(level = "debug"))]
    pub async fn alerts(
        &self,
        application: Option<ApplicationId>,
        after: Option<&PageToken>,
    ) -> Result<Page<Alert>, Error> {
        verb!(self.alerts(application, after))
    }

    /// One page of the certificates that an alert would tell of if it were made now: for an alert on time those within its
    /// lead, for any other those that its filters let pass. Needs `pki-alerts.read`. Pages may be short before the last.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that is not one of this list's.
    #[tracing::instrument(level = "debug", skip_all, err(level = "debug"))]
    pub async fn preview_alert(
        &self,
        application: Option<ApplicationId>,
        spec: &AlertSpec,
        after: Option<&PageToken>,
    ) -> Result<Page<CertificateRecord>, Error> {
        verb!(self.preview_alert(application, (spec, after)))
    }

    /// Sends a test through every channel of an alert, once, and says what came of each. Needs `pki-alerts.edit`.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn test_alert(&self, id: AlertId) -> Result<Vec<ChannelTest>, Error> {
        verb!(self.test_alert(id))
    }

    /// One page of an alert's notifications, the latest first, with how they stand. Needs `pki-alerts.read`. 100 a page.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that is not one of this list's.
    #[tracing::instrument(level = "debug", skip(self, after), err(level = "debug"))]
    pub async fn notifications(&self, id: AlertId, after: Option<&PageToken>) -> Result<Page<Notification>, Error> {
        verb!(self.notifications(id, after))
    }
}

/// The audit trail: for product administrators.
impl Session {
    /// One page of the events of the whole product, the latest first, 100 a page.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that is not one of this list's.
    #[tracing::instrument(level = "debug", skip_all, err(level = "debug"))]
    pub async fn all_events(&self, after: Option<&PageToken>) -> Result<Page<Event>, Error> {
        verb!(self.all_events(after))
    }

    /// The last block of the audit chain, as [`Engine::audit_head`](crate::engine::Engine::audit_head) gives it to the host.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn audit_head(&self) -> Result<Option<AuditHead>, Error> {
        verb!(self.see_audit_head())
    }

    /// Walks the audit chain from the block number `from` (1 for all of it) and reports whatever was changed, removed, added
    /// or reordered. With the head that was kept elsewhere it also finds a chain that was cut short or written anew.
    ///
    /// Reads every event, page by page, and tells of its progress by `tracing`. It may run while others work.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn verify_audit(&self, from: u64, known: Option<AuditHead>) -> Result<AuditReport, Error> {
        verb!(self.verify_audit(from, known))
    }

    /// Removes at most about `limit` events of blocks that were sealed before an instant, the oldest first, and says how
    /// many. Their digests stay, and the trail tells of it. Events that a notification tells of wait until it is gone.
    ///
    /// # Errors
    /// [`Error::Contended`] if somebody else sealed or pruned; what was removed before stays so. Call again.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn prune_audit(&self, before: OffsetDateTime, limit: usize) -> Result<usize, Error> {
        verb!(self.prune_audit(before, limit))
    }
}
