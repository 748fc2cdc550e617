//! A store that remembers what was written last with its index entries, so that many like it can be written without
//! signing.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chancery::store::{
    Batch, Claim, Document, Expect, Hit, IndexEntry, Key, MAX_BATCH_WRITES, Scan, Schema, Store, StoreError, Version,
    Write,
};

/// A store in which the last document of each kind can be looked up as it was put.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    pub(crate) inner: Arc<dyn Store>,
    puts: Arc<Mutex<Vec<Write>>>,
}

impl Recorder {
    pub(crate) fn new(inner: impl Store) -> Self {
        Self { inner: Arc::new(inner), puts: Arc::default() }
    }

    /// What was put since this was last asked.
    pub(crate) fn take(&self) -> Vec<Put> {
        let puts = std::mem::take(&mut *self.puts.lock().unwrap());
        puts.into_iter().filter_map(Put::of).collect()
    }

    /// Writes documents past the engine.
    pub(crate) async fn write(&self, puts: impl Iterator<Item = Put>) {
        let mut batch = Batch::new();
        for put in puts {
            batch.push(put.write(Expect::Absent));
            if batch.writes.len() == MAX_BATCH_WRITES {
                self.inner.commit(std::mem::take(&mut batch)).await.unwrap();
            }
        }
        if !batch.writes.is_empty() {
            self.inner.commit(batch).await.unwrap();
        }
    }
}

#[async_trait]
impl Store for Recorder {
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
        let kept = |write: &&Write| ["certificate", "renewal", "revocation"].contains(&write.key().kind.as_ref());
        let puts: Vec<Write> = batch.writes.iter().filter(kept).cloned().collect();
        self.puts.lock().unwrap().extend(puts);
        self.inner.commit(batch).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Vec<Hit>, StoreError> {
        self.inner.claim(claim).await
    }
}

/// A document as it was put.
#[derive(Clone, Debug)]
pub(crate) struct Put {
    pub(crate) key: Key,
    pub(crate) body: String,
    pub(crate) entries: Vec<IndexEntry>,
}

impl Put {
    fn of(write: Write) -> Option<Self> {
        let Write::Put { key, body, entries, .. } = write else { return None };
        Some(Self { key, body: String::from_utf8(body.to_vec()).unwrap(), entries })
    }

    pub(crate) fn write(self, expect: Expect) -> Write {
        Write::Put { key: self.key, expect, body: self.body.into(), entries: self.entries }
    }

    /// The same with other words in it: identifiers, names and times.
    pub(crate) fn with(&self, words: &[(&str, &str)]) -> Self {
        let other = |text: &str| words.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        let entry = |entry: &IndexEntry| IndexEntry::new(entry.index.clone(), other(&entry.value));
        Self {
            key: Key::new(self.key.kind.clone(), other(&self.key.id)),
            body: other(&self.body),
            entries: self.entries.iter().map(entry).collect(),
        }
    }
}
