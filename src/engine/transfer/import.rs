//! Taking a stream into an empty store, in batches that each tell how far they reach.

use std::sync::Arc;

use super::check::{Arrived, Check};
use super::error::TransferError;
use super::{Place, Progress, Summary};
use crate::engine::schema::{Entity, SCHEMA};
use crate::engine::submit::hex;
use crate::store::{Batch, Expect, Key, MAX_BATCH_WRITES, Over, Scan, Store, StoreError, Version, Write};

/// As much a batch should hold: of documents, beside the one that tells how far it reaches, and of octets.
const BATCH: usize = MAX_BATCH_WRITES / 2;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Takes a stream into an empty store, or goes on with one that was cut off. See [the module](super).
///
/// Nothing of a line is written before the line was found to be whole and in its place.
#[derive(Debug)]
pub struct Import {
    store: Arc<dyn Store>,
    check: Check,
    batch: Batch,
    octets: usize,
    most: usize,
    /// How far an earlier import came, until the stream has come as far.
    known: Option<Place>,
    /// The version of the document that tells how far this one has come.
    version: Option<Version>,
}

impl Import {
    /// Begins to fill an empty store, or goes on where an earlier import was cut off: feed it the same stream, from its
    /// beginning.
    ///
    /// # Errors
    /// [`TransferError::NotEmpty`], [`StoreError::Newer`], the store's.
    pub async fn begin(store: impl Store) -> Result<Self, TransferError> {
        let store: Arc<dyn Store> = Arc::new(store);
        store.prepare(&SCHEMA).await?;
        let found = store.get(&[Key::new(Place::KIND, Place::ID)]).await?.pop().flatten();
        let (known, version) = match found {
            Some(document) => {
                let corrupt = |error: serde_json::Error| StoreError::Corrupt { reason: error.to_string() };
                (Some(serde_json::from_slice(&document.body).map_err(corrupt)?), Some(document.version))
            }
            None => {
                refuse_documents(store.as_ref()).await?;
                (None, None)
            }
        };
        Ok(Self { store, check: Check::new(), batch: Batch::new(), octets: 0, most: BATCH, known, version })
    }

    /// Writes at most so many documents in a batch, 1 to 500; what is beyond is cut. 500 if nothing is said.
    pub fn batches_of(mut self, documents: usize) -> Self {
        self.most = documents.clamp(1, BATCH);
        self
    }

    /// Takes the next piece, of any size, and writes what fills a batch.
    ///
    /// # Errors
    /// Whatever is wrong with the stream, and the store's. What was written stays; begin a new import to go on.
    pub async fn push(&mut self, mut piece: &[u8]) -> Result<(), TransferError> {
        while let Some(arrived) = self.check.next(&mut piece)? {
            if self.is_written()? {
                continue;
            }
            self.octets += arrived.body.len();
            self.batch.push(write(arrived));
            if self.batch.writes.len() >= self.most || self.octets >= BATCH_BYTES {
                self.write_part().await?;
            }
        }
        Ok(())
    }

    /// Writes what is left, and tells what was taken.
    ///
    /// # Errors
    /// [`TransferError::Truncated`], and those of [`push`](Self::push).
    pub async fn finish(mut self) -> Result<Summary, TransferError> {
        let summary = self.check.clone().finish()?;
        if let Some(known) = &self.known {
            return Err(TransferError::OtherStream { line: known.line });
        }
        if let Some(version) = self.version {
            self.batch.push(Write::Delete { key: Key::new(Place::KIND, Place::ID), version });
        }
        self.store.commit(self.batch).await?;
        Ok(summary)
    }

    /// How far it has come, what was written by an earlier import included.
    pub fn progress(&self) -> Progress {
        self.check.progress()
    }

    /// Whether an earlier import wrote the document that was read last.
    fn is_written(&mut self) -> Result<bool, TransferError> {
        let Some(known) = &self.known else { return Ok(false) };
        if self.check.line == known.line {
            if hex(&self.check.sum) != known.sum {
                return Err(TransferError::OtherStream { line: known.line });
            }
            self.known = None;
        }
        Ok(true)
    }

    async fn write_part(&mut self) -> Result<(), TransferError> {
        let place = Place { line: self.check.line, sum: hex(&self.check.sum) };
        let unreadable = |error: serde_json::Error| StoreError::Invalid { reason: error.to_string() };
        let body = serde_json::to_vec(&place).map_err(unreadable)?.into();
        let expect = self.version.map_or(Expect::Absent, Expect::Version);
        self.batch.push(Write::Put { key: place.key(), expect, body, entries: place.entries() });
        self.version = Some(self.store.commit(std::mem::take(&mut self.batch)).await?);
        self.octets = 0;
        tracing::debug!(line = place.line, "a part of an import was written");
        Ok(())
    }
}

fn write(arrived: Arrived) -> Write {
    let Arrived { key, body, entries } = arrived;
    Write::Put { key, expect: Expect::Absent, body, entries }
}

async fn refuse_documents(store: &dyn Store) -> Result<(), TransferError> {
    for kind in SCHEMA.kinds {
        let first = store.scan(&Scan::new(Over::Kind(kind.kind.into()), 1)).await?;
        if let Some(hit) = first.into_iter().next() {
            return Err(TransferError::NotEmpty { key: hit.document.key });
        }
    }
    Ok(())
}
