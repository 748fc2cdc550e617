//! An engine with two targets in memory, and certificates that renew and are revoked as a test wants.
#![allow(dead_code, reason = "each test uses its part")]

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery::clock::ManualClock;
use chancery::domain::{
    CertificateId, CertificateRecord, CertificateState, Deployment, Metadata, RemoteName, Selection, SyncRecord,
    SyncSpec,
};
use chancery::engine::{DueReport, Engine, SyncHealth};
use chancery::store::faulty::FaultyStore;
use chancery::store::{Batch, Expect, IndexEntry, Key, Store, Write};
use chancery::target::memory::MemoryTarget;
use chancery::x509::RevocationReason;
use time::Duration;

use crate::support::stores::{Watched, store};
use crate::support::{START, World, Yielding, bodies, builder, events, slug};

pub(crate) type Faulty = Arc<FaultyStore<Watched>>;

pub(crate) struct Scene {
    pub(crate) store: Faulty,
    pub(crate) target: MemoryTarget,
    pub(crate) other: MemoryTarget,
    pub(crate) world: World,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(MemoryTarget::default()).await
    }

    pub(crate) async fn with(target: MemoryTarget) -> Self {
        let store: Faulty = Arc::new(FaultyStore::new(store()));
        let (clock, other) = (Arc::new(ManualClock::new(START)), MemoryTarget::default());
        let builder = builder(Arc::clone(&store), &clock, 1)
            .target(slug("edge"), target.clone())
            .target(slug("other"), other.clone());
        Self { store, target, other, world: World::of(builder, clock).await }
    }

    /// Another process with the same target.
    pub(crate) async fn worker(&self, seed: u64) -> Engine {
        let store = Yielding(Arc::clone(&self.store));
        builder(store, &self.world.clock, seed).target(slug("edge"), self.target.clone()).build().await.unwrap()
    }

    pub(crate) fn spec(&self) -> SyncSpec {
        SyncSpec::new(slug("edge"), slug("edge"), Selection::profile(self.world.profile.id))
    }

    pub(crate) async fn save(&self, spec: SyncSpec) -> SyncRecord {
        self.world.session("alice").save_sync(self.world.application.id, spec).await.unwrap()
    }

    /// Due work until nothing more is due at this moment.
    pub(crate) async fn work(&self) -> DueReport {
        let mut last = DueReport::default();
        for _ in 0..40 {
            let report = self.world.engine.run_due(1000).await.unwrap();
            if report.total() == 0 && self.pending().await == 0 {
                return last;
            }
            last = report;
        }
        last
    }

    pub(crate) async fn pending(&self) -> usize {
        let store = self.store.inner();
        bodies(store, "sync_task").await.len()
    }

    /// Lets time pass, with due work on the way.
    pub(crate) async fn pass(&self, steps: usize, step: Duration) {
        for _ in 0..steps {
            self.world.clock.advance(step);
            self.work().await;
        }
    }

    pub(crate) async fn deployments(&self, sync: &SyncRecord) -> Vec<Deployment> {
        self.world.session("audra").deployments(sync.id, None).await.unwrap().items
    }

    pub(crate) async fn health(&self, sync: &SyncRecord) -> SyncHealth {
        self.world.session("audra").sync(sync.id).await.unwrap().health
    }

    pub(crate) async fn issue(&self, name: &str) -> CertificateRecord {
        self.world.issue(name).await.record
    }

    /// A certificate in place of another, as a renewal leaves both.
    pub(crate) async fn renew(&self, earlier: &CertificateRecord, name: &str) -> CertificateRecord {
        let next = self.issue(name).await;
        let (id, lineage, replaces) = (next.id, earlier.lineage, earlier.id);
        self.patch(earlier.id, move |record| record.replaced_by = Some(id)).await;
        self.patch(id, move |record| (record.lineage, record.replaces) = (lineage, Some(replaces))).await
    }

    pub(crate) async fn revoke(&self, id: CertificateId) {
        let at = START;
        let revoked = CertificateState::Revoked { reason: RevocationReason::KeyCompromise, at };
        self.patch(id, move |record| record.state = revoked).await;
        self.touch(id).await;
    }

    /// Lets an event tell of a certificate.
    pub(crate) async fn touch(&self, id: CertificateId) {
        let metadata = self.record(id).await.metadata;
        self.world.session("otto").tag_certificate(id, metadata).await.unwrap();
    }

    pub(crate) async fn tag(&self, id: CertificateId, tags: &[(&str, &str)]) {
        let tags: BTreeMap<_, _> = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.world.session("otto").tag_certificate(id, Metadata::try_from(tags).unwrap()).await.unwrap();
    }

    pub(crate) async fn record(&self, id: CertificateId) -> CertificateRecord {
        self.world.session("alice").certificate(id).await.unwrap()
    }

    pub(crate) async fn patch(
        &self,
        id: CertificateId,
        edit: impl FnOnce(&mut CertificateRecord),
    ) -> CertificateRecord {
        let store = self.store.inner();
        let key = Key::new("certificate", id.to_string());
        let found = store.get(std::slice::from_ref(&key)).await.unwrap().remove(0).unwrap();
        let mut record: CertificateRecord = serde_json::from_slice(&found.body).unwrap();
        edit(&mut record);
        let end = record.validity.not_after();
        let end = end.format(&time::format_description::well_known::Rfc3339).unwrap();
        let application = format!("{}|{end}", self.world.application.id);
        let entries = vec![IndexEntry::new("certificate.application", application)];
        let body = serde_json::to_vec(&record).unwrap().into();
        let expect = Expect::Version(found.version);
        store.commit(Batch { writes: vec![Write::Put { key, expect, body, entries }] }).await.unwrap();
        record
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.target.items().keys().map(|name| name.as_str().to_owned()).collect()
    }

    pub(crate) async fn told(&self, event: &str) -> usize {
        events(self.store.inner()).await.iter().filter(|each| *each == event).count()
    }
}

pub(crate) fn named(text: &str) -> RemoteName {
    text.parse().unwrap()
}
