//! A store that joins the commits of many callers into one, so that a fleet is issued in minutes: what is written is what
//! the engine wrote.

use std::sync::Arc;

use async_trait::async_trait;
use chancery::store::{Batch, Claim, Document, Hit, Key, MAX_BATCH_WRITES, Scan, Schema, Store, StoreError, Version};
use tokio::sync::{mpsc, oneshot};

type Job = (Batch, oneshot::Sender<Result<Version, StoreError>>);

/// Joins commits. If any of them loses, all are told so: for callers who do not compete.
#[derive(Clone, Debug)]
pub(crate) struct Grouped {
    inner: Arc<dyn Store>,
    jobs: mpsc::UnboundedSender<Job>,
}

impl Grouped {
    /// Over a store; needs a tokio runtime.
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        let (jobs, waiting) = mpsc::unbounded_channel();
        tokio::spawn(work(Arc::clone(&inner), waiting));
        Self { inner, jobs }
    }
}

async fn work(store: Arc<dyn Store>, mut waiting: mpsc::UnboundedReceiver<Job>) {
    let mut next = None;
    while let Some((mut batch, answer)) = match next.take() {
        Some(job) => Some(job),
        None => waiting.recv().await,
    } {
        let mut answers = vec![answer];
        while let Ok((other, answer)) = waiting.try_recv() {
            if batch.writes.len() + other.writes.len() > MAX_BATCH_WRITES {
                next = Some((other, answer));
                break;
            }
            batch.writes.extend(other.writes);
            answers.push(answer);
        }
        let answered = store.commit(batch).await;
        for answer in answers {
            // Whoever stopped listening does not mind.
            let _ = answer.send(answered.clone());
        }
    }
}

#[async_trait]
impl Store for Grouped {
    async fn prepare(&self, schema: &Schema) -> Result<(), StoreError> {
        self.inner.prepare(schema).await
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Document>>, StoreError> {
        self.inner.get(keys).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<Hit>, StoreError> {
        self.inner.scan(scan).await
    }

    async fn commit(&self, batch: Batch) -> Result<Version, StoreError> {
        let (answer, answered) = oneshot::channel();
        let gone = || StoreError::Unavailable { reason: "nobody joins commits any more".into() };
        self.jobs.send((batch, answer)).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    async fn claim(&self, claim: &Claim) -> Result<Vec<Hit>, StoreError> {
        self.inner.claim(claim).await
    }
}
