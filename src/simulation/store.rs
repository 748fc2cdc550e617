//! The simulated way to a store: calls take time, fail, or lose their answer after the work was done.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use futures_channel::oneshot;

use super::Sabotage;
use super::stage::{Stage, lock};
use crate::store::{Batch, Claim, Document, Expect, Hit, Key, Scan, Schema, Store, StoreError, Version, Write};

/// A node's connection to the store that all nodes share.
#[derive(Clone, Debug)]
pub(super) struct SimulatedStore {
    pub(super) stage: Arc<Stage>,
    pub(super) inner: Arc<dyn Store>,
    pub(super) sabotage: Option<Sabotage>,
}

enum Mishap {
    Before,
    LostUndone,
    LostDone,
    Never,
}

impl SimulatedStore {
    fn mishap(&self) -> Option<Mishap> {
        if !self.stage.is_foul() || !self.stage.strikes(self.stage.rates().store) {
            return None;
        }
        Some(match self.stage.draw(8) {
            0 => Mishap::Never,
            1..=2 => Mishap::LostUndone,
            3..=4 => Mishap::LostDone,
            _ => Mishap::Before,
        })
    }

    async fn read<T>(&self, call: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
        self.stage.hesitate().await;
        match self.mishap() {
            None => {
                let _outside = self.stage.step_outside();
                call.await
            }
            Some(Mishap::Never) => std::future::pending().await,
            Some(_) => Err(unavailable()),
        }
    }

    async fn change<T>(&self, call: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
        self.stage.hesitate().await;
        let answer = match self.mishap() {
            None => call.await,
            Some(Mishap::Before) => Err(unavailable()),
            Some(Mishap::LostUndone) => Err(unknown()),
            Some(Mishap::LostDone) => call.await.and(Err(unknown())),
            Some(Mishap::Never) => std::future::pending().await,
        };
        self.stage.hesitate().await;
        answer
    }

    /// Changes the store in an act of the world's: a node that crashes meanwhile does not take the change back.
    async fn outside<T: Send + 'static>(
        &self,
        change: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let stage = Arc::clone(&self.stage);
        stage.outside.fetch_add(1, Ordering::SeqCst);
        self.stage.enter(Box::pin(async move {
            let changed = change.await;
            stage.outside.fetch_sub(1, Ordering::SeqCst);
            // Whoever asked may have crashed.
            let _ = answer.send(changed);
        }));
        answered.await.unwrap_or_else(|_| Err(unavailable()))
    }

    async fn commit_outside(&self, batch: Batch) -> Result<Version, StoreError> {
        let (stage, inner, sabotage) = (Arc::clone(&self.stage), Arc::clone(&self.inner), self.sabotage);
        self.outside(async move {
            let batch = match sabotage {
                Some(Sabotage::VersionsIgnored) => without_fencing(&inner, batch).await,
                Some(Sabotage::DueForgotten) if stage.is_foul() && stage.strikes(4) => without_due_times(batch),
                _ => batch,
            };
            if sabotage == Some(Sabotage::CommitsForgotten) && stage.is_foul() && stage.strikes(10) {
                return Ok(Version(u64::from(u32::MAX)));
            }
            let committed = inner.commit(batch.clone()).await;
            if let Ok(version) = committed {
                let seen = lock(&stage.model).see(&batch, version, stage.now());
                stage.judge(seen);
            }
            committed
        })
        .await
    }

    async fn claim_outside(&self, claim: Claim) -> Result<Vec<Hit>, StoreError> {
        let inner = Arc::clone(&self.inner);
        self.outside(async move { inner.claim(&claim).await }).await
    }
}

/// The sabotage of the versions: every write expects what happens to be there.
async fn without_fencing(inner: &Arc<dyn Store>, batch: Batch) -> Batch {
    let keys: Vec<Key> = batch.writes.iter().map(|write| write.key().clone()).collect();
    let present = inner.get(&keys).await.unwrap_or_default();
    let mut tampered = Batch::new();
    for (write, present) in batch.writes.into_iter().zip(present) {
        match (write, present) {
            (Write::Check { .. }, _) | (Write::Delete { .. }, None) => {}
            (Write::Delete { key, .. }, Some(document)) => {
                tampered.push(Write::Delete { key, version: document.version });
            }
            (Write::Put { key, expect: Expect::Version(_), body, entries }, Some(document)) => {
                let expect = Expect::Version(document.version);
                tampered.push(Write::Put { key, expect, body, entries });
            }
            (write, _) => tampered.push(write),
        }
    }
    tampered
}

/// The sabotage of the index: nothing in the batch will ever be due.
fn without_due_times(mut batch: Batch) -> Batch {
    for write in &mut batch.writes {
        if let Write::Put { entries, .. } = write {
            entries.retain(|entry| entry.index != "due");
        }
    }
    batch
}

fn unavailable() -> StoreError {
    StoreError::Unavailable { reason: "simulated".into() }
}

fn unknown() -> StoreError {
    StoreError::Unknown { reason: "simulated".into() }
}

#[async_trait]
impl Store for SimulatedStore {
    async fn prepare(&self, schema: &Schema) -> Result<(), StoreError> {
        let _outside = self.stage.step_outside();
        self.inner.prepare(schema).await
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Document>>, StoreError> {
        self.read(self.inner.get(keys)).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<Hit>, StoreError> {
        self.read(self.inner.scan(scan)).await
    }

    async fn commit(&self, batch: Batch) -> Result<Version, StoreError> {
        self.change(self.commit_outside(batch)).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Vec<Hit>, StoreError> {
        self.change(self.claim_outside(claim.clone())).await
    }
}
