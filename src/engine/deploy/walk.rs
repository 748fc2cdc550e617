//! Walks over what a sync is about, a page at a time, so that nothing scans an inventory in one go.

use time::Duration;

use super::follow_up::wish_for;
use super::status::deployments_of;
use crate::domain::{ApplicationId, CertificateId, CertificateRecord, Deployment, SyncRecord, SyncState};
use crate::engine::context::{Change, Context, Versioned, decode};
use crate::engine::due::{Work, item};
use crate::engine::error::Error;
use crate::engine::schema::{SyncWalk, WalkStage, index, sortable, tag_entry};
use crate::store::{Hit, Over, Scan};

/// How many are looked at in one step.
const PAGE: usize = 50;
/// How often it is looked whether anything is left of a deleted sync.
const REMAINS: Duration = Duration::minutes(1);

impl Context {
    /// One step of a walk.
    pub(in crate::engine) async fn sync_walk_due(&self, hit: &Hit) -> Result<Work, Error> {
        let walk: SyncWalk = item(hit)?;
        let version = hit.document.version;
        let mut change = self.change_by_engine()?;
        let Some(sync) = self.find::<SyncRecord>(&walk.sync.to_string()).await? else {
            change.delete(&walk, version);
            change.commit().await?;
            return Ok(Work::Nothing);
        };
        let next = match walk.stage {
            WalkStage::Certificates => self.walk_certificates(&sync.value, walk.clone(), &mut change).await?,
            WalkStage::Deployments => self.walk_deployments(&sync.value, walk.clone(), &mut change).await?,
            WalkStage::Remains => self.walk_remains(&sync, walk.clone(), &mut change).await?,
        };
        match next {
            Some(next) => change.update(&next, version)?,
            None => change.delete(&walk, version),
        }
        change.commit().await?;
        Ok(if walk.stage == WalkStage::Remains { Work::Nothing } else { Work::Planned })
    }

    async fn walk_certificates(
        &self,
        sync: &SyncRecord,
        walk: SyncWalk,
        change: &mut Change<'_>,
    ) -> Result<Option<SyncWalk>, Error> {
        if !sync.spec.select.names_none() {
            return self.walk_named(sync, walk, change).await;
        }
        let mut scan = certificates(sync, sync.application, change.now);
        scan.after = walk.cursor();
        let hits = self.store.scan(&scan).await?;
        let mut seen: Vec<CertificateId> = Vec::new();
        for hit in &hits {
            let record: CertificateRecord = decode(&hit.document.key, &hit.document.body)?;
            let is_new = !seen.contains(&record.lineage);
            if is_new && sync.spec.select.matches(&record) {
                seen.push(record.lineage);
                self.reconsider(sync, &record, change).await?;
            }
        }
        Ok(match hits.last() {
            Some(last) if hits.len() == PAGE => Some(walk.behind(last.cursor())),
            _ => Some(SyncWalk::new(sync.id, WalkStage::Deployments, change.now)),
        })
    }

    /// The certificates and lineages that a sync names, a page of the list at a time.
    async fn walk_named(
        &self,
        sync: &SyncRecord,
        walk: SyncWalk,
        change: &mut Change<'_>,
    ) -> Result<Option<SyncWalk>, Error> {
        let select = &sync.spec.select;
        let from: usize = walk.after.as_ref().and_then(|(place, _, _)| place.parse().ok()).unwrap_or_default();
        let named = select.certificates.iter().chain(&select.lineages);
        let page: Vec<CertificateId> = named.skip(from).take(PAGE).copied().collect();
        let mut seen: Vec<CertificateId> = Vec::new();
        for id in &page {
            let record = self.find::<CertificateRecord>(&id.to_string()).await?.map(|record| record.value);
            let own = record.filter(|record| record.application == Some(sync.application));
            if let Some(record) = own.filter(|record| !seen.contains(&record.lineage)) {
                seen.push(record.lineage);
                self.reconsider(sync, &record, change).await?;
            }
        }
        if page.len() < PAGE {
            return Ok(Some(SyncWalk::new(sync.id, WalkStage::Deployments, change.now)));
        }
        let after = Some(((from + PAGE).to_string(), String::new(), String::new()));
        Ok(Some(SyncWalk { after, ..walk }))
    }

    /// The deployments that there are: which are wanted no more, and all of them due, parked or not.
    async fn walk_deployments(
        &self,
        sync: &SyncRecord,
        walk: SyncWalk,
        change: &mut Change<'_>,
    ) -> Result<Option<SyncWalk>, Error> {
        let mut scan = deployments_of(sync.id, PAGE);
        scan.after = walk.cursor();
        let hits = self.store.scan(&scan).await?;
        for hit in &hits {
            let deployment: Deployment = decode(&hit.document.key, &hit.document.body)?;
            let record = match deployment.wanted {
                Some(wanted) => self.find::<CertificateRecord>(&wanted.to_string()).await?,
                None => None,
            };
            let record = record.map(|record| record.value);
            let (wish, _) = self.wish(sync, record.as_ref(), change.now).await?;
            let woken = deployment.clone().wake(change.now);
            let existing = Versioned { value: woken, version: hit.document.version };
            wake_with(sync, (deployment, existing), wish, change)?;
        }
        Ok(match hits.last() {
            Some(last) if hits.len() == PAGE => Some(walk.behind(last.cursor())),
            _ if sync.state == SyncState::Deleted => Some(SyncWalk::new(sync.id, WalkStage::Remains, change.now)),
            _ => None,
        })
    }

    /// Waits until nothing is left of a deleted sync, and then forgets it.
    async fn walk_remains(
        &self,
        sync: &Versioned<SyncRecord>,
        walk: SyncWalk,
        change: &mut Change<'_>,
    ) -> Result<Option<SyncWalk>, Error> {
        if self.store.scan(&deployments_of(sync.value.id, 1)).await?.is_empty() {
            change.delete(&sync.value, sync.version);
            return Ok(None);
        }
        Ok(Some(SyncWalk { due: change.now + REMAINS, ..walk }))
    }
}

/// Writes a deployment that is due now and wants what the sync wants.
fn wake_with(
    sync: &SyncRecord,
    (before, woken): (Deployment, Versioned<Deployment>),
    wish: crate::domain::Wish,
    change: &mut Change<'_>,
) -> Result<(), Error> {
    let after = match wish {
        crate::domain::Wish::Have(_) | crate::domain::Wish::Withdraw => woken.value.wish(wish, change.now),
        // What was left where it is needs no look; what is given up is woken, and let go by due work.
        crate::domain::Wish::Leave => {
            let existing = Versioned { value: before.clone(), version: woken.version };
            return wish_for(sync, (before.lineage, Some(existing)), wish, change);
        }
        crate::domain::Wish::GiveUp => woken.value,
    };
    if after == before { Ok(()) } else { change.update(&after, woken.version) }
}

/// The certificates among which a sync's are, those that expire first first: by a tag if it asks for one.
fn certificates(sync: &SyncRecord, application: ApplicationId, now: time::OffsetDateTime) -> Scan {
    let (index, prefix) = match sync.spec.select.tags.first_key_value() {
        Some((key, value)) => (index::CERTIFICATE_APPLICATION_TAG, format!("{application}|{}|", tag_entry(key, value))),
        None => (index::CERTIFICATE_APPLICATION, format!("{application}|")),
    };
    let mut scan = Scan::new(Over::Index(index.into()), PAGE);
    scan.from = Some(format!("{prefix}{}", sortable(now)));
    scan.to = Some(format!("{prefix}~"));
    scan
}
