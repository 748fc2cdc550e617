//! How syncs, deployments and what guards them become documents.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Entity, index, sortable};
use crate::domain::{ApplicationId, CertificateId, Deployment, EventId, RemoteName, Slug, SyncId, SyncRecord};
use crate::store::{Cursor, IndexEntry, Key};

/// Syncs by Application: the Application's id.
pub(in crate::engine) const SYNC_APPLICATION: &str = "sync.application";
/// Deployments by sync and state: `sync-…|failing`.
pub(in crate::engine) const DEPLOYMENT_STATE: &str = "deployment.state";
/// Deployments by the certificate that they want: its id.
pub(in crate::engine) const DEPLOYMENT_CERTIFICATE: &str = "deployment.certificate";

impl Entity for SyncRecord {
    const KIND: &'static str = "sync";

    fn document_id(&self) -> String {
        self.id.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(SYNC_APPLICATION, self.application.to_string())]
    }
}

impl Entity for Deployment {
    const KIND: &'static str = "deployment";

    fn document_id(&self) -> String {
        deployment_id(self.sync, self.lineage)
    }

    fn entries(&self) -> Vec<IndexEntry> {
        let mut entries = vec![IndexEntry::new(DEPLOYMENT_STATE, format!("{}|{}", self.sync, self.state.as_str()))];
        entries.extend(self.wanted.map(|wanted| IndexEntry::new(DEPLOYMENT_CERTIFICATE, wanted.to_string())));
        // An entry counts once, however often it is given.
        let needed = self.wanted.into_iter().chain(self.places.iter().map(|place| place.certificate));
        entries.extend(needed.map(|id| IndexEntry::new(index::CERTIFICATE_NEEDED, id.to_string())));
        entries.extend(self.due().map(|due| IndexEntry::new(index::DUE, sortable(due))));
        entries
    }
}

/// A sync and a lineage: there is one deployment of both.
pub(in crate::engine) fn deployment_id(sync: SyncId, lineage: CertificateId) -> String {
    format!("{sync}/{lineage}")
}

/// Whose a name at a target is. It is kept until the target was seen without it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct RemoteClaim {
    pub(in crate::engine) target: Slug,
    pub(in crate::engine) name: RemoteName,
    /// The deployment's document.
    pub(in crate::engine) owner: String,
}

impl RemoteClaim {
    /// What the ids of all claims at a target begin with.
    pub(in crate::engine) fn prefix(target: &Slug) -> String {
        format!("{target}/")
    }

    /// Names that differ by case alone are one: to many targets they are.
    pub(in crate::engine) fn id(target: &Slug, name: &RemoteName) -> String {
        format!("{}{}", Self::prefix(target), name.as_str().to_ascii_lowercase())
    }
}

impl Entity for RemoteClaim {
    const KIND: &'static str = "remote_name";

    fn document_id(&self) -> String {
        Self::id(&self.target, &self.name)
    }
}

/// Until when a target is one worker's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct TargetLease {
    pub(in crate::engine) target: Slug,
    /// Free from this instant on: whoever held it is taken to be gone, or the target wants to be left alone no longer.
    #[serde(with = "time::serde::rfc3339")]
    pub(in crate::engine) until: OffsetDateTime,
}

impl Entity for TargetLease {
    const KIND: &'static str = "target_lease";

    fn document_id(&self) -> String {
        self.target.to_string()
    }
}

/// A walk over what a sync is about, after it was saved or deleted or is to run anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct SyncWalk {
    pub(in crate::engine) sync: SyncId,
    pub(in crate::engine) stage: WalkStage,
    /// Where it goes on: value, kind and id of the last hit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::engine) after: Option<(String, String, String)>,
    #[serde(with = "time::serde::rfc3339")]
    pub(in crate::engine) due: OffsetDateTime,
}

/// What a walk is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::engine) enum WalkStage {
    /// The Application's certificates: which are wanted?
    Certificates,
    /// The sync's deployments: which are wanted no more? All become due.
    Deployments,
    /// What is left of a deleted sync.
    Remains,
}

impl SyncWalk {
    pub(in crate::engine) fn new(sync: SyncId, stage: WalkStage, due: OffsetDateTime) -> Self {
        Self { sync, stage, after: None, due }
    }

    pub(in crate::engine) fn cursor(&self) -> Option<Cursor> {
        let (value, kind, id) = self.after.clone()?;
        Some(Cursor { value, key: Key::new(kind, id) })
    }

    /// Goes on behind a hit.
    pub(in crate::engine) fn behind(mut self, cursor: Cursor) -> Self {
        self.after = Some((cursor.value, cursor.key.kind.into_owned(), cursor.key.id));
        self
    }
}

impl Entity for SyncWalk {
    const KIND: &'static str = "sync_walk";

    fn document_id(&self) -> String {
        self.sync.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(index::DUE, sortable(self.due))]
    }
}

/// What an event asks of an Application's syncs: one for each event, so that none counts twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct SyncTask {
    pub(in crate::engine) event: EventId,
    pub(in crate::engine) application: ApplicationId,
    pub(in crate::engine) certificate: CertificateId,
    #[serde(with = "time::serde::rfc3339")]
    pub(in crate::engine) due: OffsetDateTime,
}

impl Entity for SyncTask {
    const KIND: &'static str = "sync_task";

    fn document_id(&self) -> String {
        self.event.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(index::DUE, sortable(self.due))]
    }
}
