//! How a sync is doing.

use serde::{Deserialize, Serialize};

use crate::domain::{Actor, CertificateId, Deployment, SyncId, SyncRecord};
use crate::engine::context::Context;
use crate::engine::error::Error;
use crate::engine::query::{Page, PageToken};
use crate::engine::schema::{DEPLOYMENT_CERTIFICATE, DEPLOYMENT_STATE, Entity, SyncWalk};
use crate::store::{MAX_SCAN_LIMIT, Over, Scan};

/// A sync with what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncStatus {
    /// The sync.
    pub sync: SyncRecord,
    /// How its deployments are doing, all together.
    pub health: SyncHealth,
    /// How many there are of each state.
    pub deployments: DeploymentCounts,
}

/// How a sync is doing: as its worst deployment does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SyncHealth {
    /// Something is still to be done that has not failed.
    Running,
    /// Everything is delivered and was seen there, and nothing is left there that is to go.
    Succeeded,
    /// Something failed, or can not go on.
    Failed,
}

/// How many deployments there are in each state; 1000 stands for a thousand or more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentCounts {
    /// To be delivered.
    pub waiting: usize,
    /// Delivered, and seen there.
    pub deployed: usize,
    /// Failed, and tried again.
    pub failing: usize,
    /// To be removed.
    pub withdrawing: usize,
    /// Waiting for people.
    pub parked: usize,
}

impl Context {
    /// A sync with its counts.
    pub(in crate::engine) async fn sync(&self, actor: &Actor, id: SyncId) -> Result<SyncStatus, Error> {
        let sync = self.readable_sync(actor, id, crate::domain::Action::SyncsRead).await?.value;
        let deployments = DeploymentCounts {
            waiting: self.count(id, "waiting").await?,
            deployed: self.count(id, "deployed").await?,
            failing: self.count(id, "failing").await?,
            withdrawing: self.count(id, "withdrawing").await?,
            parked: self.count(id, "parked").await?,
        };
        let is_walking = self.find::<SyncWalk>(&id.to_string()).await?.is_some();
        let health = match deployments {
            DeploymentCounts { failing: 1.., .. } | DeploymentCounts { parked: 1.., .. } => SyncHealth::Failed,
            DeploymentCounts { waiting: 0, withdrawing: 0, .. } if !is_walking => SyncHealth::Succeeded,
            _ => SyncHealth::Running,
        };
        Ok(SyncStatus { sync, health, deployments })
    }

    /// One page of a sync's deployments.
    pub(in crate::engine) async fn deployments(
        &self,
        actor: &Actor,
        id: SyncId,
        after: Option<&PageToken>,
    ) -> Result<Page<Deployment>, Error> {
        self.readable_sync(actor, id, crate::domain::Action::SyncsRead).await?;
        let mut scan = deployments_of(id, 100);
        scan.after = after.map(PageToken::cursor).transpose()?;
        self.page(&scan).await
    }

    /// The deployments that want a certificate.
    pub(in crate::engine) async fn certificate_deployments(
        &self,
        actor: &Actor,
        id: CertificateId,
    ) -> Result<Vec<Deployment>, Error> {
        self.readable(actor, id, crate::domain::Action::SyncsRead).await?;
        let mut scan = Scan::new(Over::Index(DEPLOYMENT_CERTIFICATE.into()), 100);
        scan.from = Some(id.to_string());
        scan.to = Some(format!("{id}\u{1}"));
        Ok(self.page(&scan).await?.items)
    }

    async fn count(&self, id: SyncId, state: &str) -> Result<usize, Error> {
        let mut scan = Scan::new(Over::Index(DEPLOYMENT_STATE.into()), MAX_SCAN_LIMIT);
        scan.from = Some(format!("{id}|{state}"));
        scan.to = Some(format!("{id}|{state}\u{1}"));
        Ok(self.store.scan(&scan).await?.len())
    }
}

/// The deployments of a sync, by lineage.
pub(super) fn deployments_of(sync: SyncId, limit: usize) -> Scan {
    let mut scan = Scan::new(Over::Kind(Deployment::KIND.into()), limit);
    scan.from = Some(format!("{sync}/"));
    // The character behind `/`.
    scan.to = Some(format!("{sync}0"));
    scan
}
