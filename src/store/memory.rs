//! The reference store: everything in memory, gone with the process.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Batch, Document, Expect, Hit, IndexEntry, Key, Order, Over, Scan, Schema, Store, StoreError, Version, Write,
};

/// Keeps documents in memory: for tests, for caches, and as the model that other stores are compared with.
///
/// Clones share the same data. Nothing survives the process. No call ever waits: one lock is held for the few
/// microseconds that a call takes.
#[derive(Clone, Default)]
pub struct MemoryStore {
    state: Arc<RwLock<State>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    // A call that panicked while it held the lock has changed nothing: all that can fail precedes the first change.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.read();
        f.debug_struct("MemoryStore")
            .field("documents", &state.documents.len())
            .field("last_version", &state.last_version)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn prepare(&self, schema: &Schema) -> Result<(), StoreError> {
        let mut state = self.write();
        if state.schema_version > schema.version {
            return Err(StoreError::Newer { found: state.schema_version, supported: schema.version });
        }
        state.schema_version = schema.version;
        Ok(())
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Document>>, StoreError> {
        let state = self.read();
        Ok(keys.iter().map(|key| state.documents.get(key).map(|stored| stored.document(key))).collect())
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<Hit>, StoreError> {
        scan.validate()?;
        let state = self.read();
        Ok(match &scan.over {
            Over::Kind(kind) => state.scan_kind(kind, scan),
            Over::Index(index) => state.scan_index(index, scan),
        })
    }

    async fn commit(&self, batch: Batch) -> Result<Version, StoreError> {
        batch.validate()?;
        let mut state = self.write();
        state.judge(&batch)?;
        Ok(state.apply(batch))
    }
}

#[derive(Default)]
struct State {
    documents: HashMap<Arc<Key>, Stored>,
    keys: BTreeSet<Arc<Key>>,
    indexes: HashMap<Cow<'static, str>, BTreeSet<Entry>>,
    last_version: u64,
    schema_version: u32,
}

struct Stored {
    version: Version,
    body: Bytes,
    entries: Vec<IndexEntry>,
}

impl Stored {
    fn document(&self, key: &Key) -> Document {
        Document { key: key.clone(), version: self.version, body: self.body.clone() }
    }
}

/// The derived order is the contract's: value, then kind, then id.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    value: Box<str>,
    key: Arc<Key>,
}

impl Entry {
    fn new(value: &str, key: &Arc<Key>) -> Self {
        Self { value: value.into(), key: Arc::clone(key) }
    }

    /// Sorts before every real entry of `value`, because no kind is empty.
    fn before(value: &str) -> Self {
        Self { value: value.into(), key: Arc::new(Key::new("", "")) }
    }
}

impl State {
    fn judge(&self, batch: &Batch) -> Result<(), StoreError> {
        match batch.writes.iter().find(|write| !self.holds(write)) {
            Some(write) => Err(StoreError::Conflict { key: write.key().clone() }),
            None => Ok(()),
        }
    }

    fn holds(&self, write: &Write) -> bool {
        let found = self.documents.get(write.key()).map(|stored| stored.version);
        match write.expect() {
            Expect::Absent => found.is_none(),
            Expect::Version(version) => found == Some(version),
        }
    }

    fn apply(&mut self, batch: Batch) -> Version {
        self.last_version += 1;
        let version = Version(self.last_version);
        for write in batch.writes {
            match write {
                Write::Put { key, body, entries, .. } => self.put(key, Stored { version, body, entries }),
                Write::Delete { key, .. } => self.delete(&key),
                Write::Check { .. } => {}
            }
        }
        version
    }

    fn put(&mut self, key: Key, stored: Stored) {
        let key = match self.documents.remove_entry(&key) {
            Some((key, old)) => {
                self.drop_entries(&key, &old.entries);
                key
            }
            None => {
                let key = Arc::new(key);
                self.keys.insert(Arc::clone(&key));
                key
            }
        };
        for entry in &stored.entries {
            self.index(&entry.index).insert(Entry::new(&entry.value, &key));
        }
        self.documents.insert(key, stored);
    }

    fn delete(&mut self, key: &Key) {
        if let Some((key, old)) = self.documents.remove_entry(key) {
            self.drop_entries(&key, &old.entries);
            self.keys.remove(&key);
        }
    }

    fn drop_entries(&mut self, key: &Arc<Key>, entries: &[IndexEntry]) {
        for entry in entries {
            self.index(&entry.index).remove(&Entry::new(&entry.value, key));
        }
    }

    fn index(&mut self, name: &Cow<'static, str>) -> &mut BTreeSet<Entry> {
        // Not `entry`, which would copy an owned name at every call.
        if !self.indexes.contains_key(name) {
            self.indexes.insert(name.clone(), BTreeSet::new());
        }
        self.indexes.entry(name.clone()).or_default()
    }

    fn scan_kind(&self, kind: &str, scan: &Scan) -> Vec<Hit> {
        let place = |id: &str| Arc::new(Key::new(kind.to_owned(), id));
        let mut bounds = Bounds::of(scan, place, |cursor| place(&cursor.value));
        if matches!(bounds.upper, Bound::Unbounded) {
            // The first possible name behind `kind` ends the kind.
            bounds.upper = Bound::Excluded(Arc::new(Key::new(format!("{kind}\0"), "")));
        }
        if matches!(bounds.lower, Bound::Unbounded) {
            bounds.lower = Bound::Included(place(""));
        }
        let hit = |key: &Arc<Key>| self.hit(&key.id, key);
        bounds.collect(&self.keys, scan, hit)
    }

    fn scan_index(&self, index: &str, scan: &Scan) -> Vec<Hit> {
        let Some(entries) = self.indexes.get(index) else { return Vec::new() };
        let bounds = Bounds::of(scan, Entry::before, |cursor| Entry {
            value: cursor.value.as_str().into(),
            key: Arc::new(cursor.key.clone()),
        });
        bounds.collect(entries, scan, |entry| self.hit(&entry.value, &entry.key))
    }

    fn hit(&self, value: &str, key: &Key) -> Option<Hit> {
        let stored = self.documents.get(key)?;
        Some(Hit { value: value.to_owned(), document: stored.document(key) })
    }
}

/// The stretch of an ordered set that a scan may still visit.
struct Bounds<T> {
    lower: Bound<T>,
    upper: Bound<T>,
}

impl<T: Ord> Bounds<T> {
    fn of(scan: &Scan, place: impl Fn(&str) -> T, behind: impl Fn(&super::Cursor) -> T) -> Self {
        let mut lower = scan.from.as_deref().map_or(Bound::Unbounded, |value| Bound::Included(place(value)));
        let mut upper = scan.to.as_deref().map_or(Bound::Unbounded, |value| Bound::Excluded(place(value)));
        if let Some(cursor) = &scan.after {
            let after = behind(cursor);
            match scan.order {
                Order::Ascending if reaches(&lower, |bound| *bound <= after) => lower = Bound::Excluded(after),
                Order::Descending if reaches(&upper, |bound| *bound >= after) => upper = Bound::Excluded(after),
                Order::Ascending | Order::Descending => {}
            }
        }
        Self { lower, upper }
    }

    fn collect(self, set: &BTreeSet<T>, scan: &Scan, hit: impl Fn(&T) -> Option<Hit>) -> Vec<Hit> {
        if self.is_empty() {
            return Vec::new();
        }
        let range = set.range((self.lower, self.upper));
        match scan.order {
            Order::Ascending => range.filter_map(hit).take(scan.limit).collect(),
            Order::Descending => range.rev().filter_map(hit).take(scan.limit).collect(),
        }
    }

    // `BTreeSet::range` panics on a range that runs backwards.
    fn is_empty(&self) -> bool {
        match (&self.lower, &self.upper) {
            (Bound::Included(low) | Bound::Excluded(low), Bound::Included(high) | Bound::Excluded(high)) => low >= high,
            _ => false,
        }
    }
}

fn reaches<T>(bound: &Bound<T>, weaker: impl Fn(&T) -> bool) -> bool {
    match bound {
        Bound::Included(value) | Bound::Excluded(value) => weaker(value),
        Bound::Unbounded => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(id: &str, entries: Vec<IndexEntry>) -> Write {
        Write::Put { key: Key::new("k", id.to_owned()), expect: Expect::Absent, body: "{}".into(), entries }
    }

    #[tokio::test]
    async fn clones_share_the_data_and_debug_hides_it() {
        let store = MemoryStore::new();
        let other = store.clone();
        store.commit(Batch { writes: vec![put("secret", vec![])] }).await.unwrap();
        assert!(other.get(&[Key::new("k", "secret")]).await.unwrap()[0].is_some());
        assert_eq!(format!("{other:?}"), "MemoryStore { documents: 1, last_version: 1, .. }");
    }

    #[tokio::test]
    async fn a_kind_that_is_a_prefix_of_another_is_scanned_alone() {
        let store = MemoryStore::new();
        let long = Write::Put {
            key: Key::new("kind", "b"),
            expect: Expect::Absent,
            body: "{}".into(),
            entries: vec![IndexEntry::new("kind", "x")],
        };
        store.commit(Batch { writes: vec![put("a", vec![]), long] }).await.unwrap();
        for order in [Order::Ascending, Order::Descending] {
            let hits = store.scan(&Scan { order, ..Scan::new(Over::Kind("k".into()), 10) }).await.unwrap();
            assert_eq!(hits.iter().map(|hit| hit.value.as_str()).collect::<Vec<_>>(), ["a"]);
        }
    }

    #[tokio::test]
    async fn a_range_that_runs_backwards_is_empty() {
        let store = MemoryStore::new();
        store.commit(Batch { writes: vec![put("a", vec![IndexEntry::new("i", "m")])] }).await.unwrap();
        for over in [Over::Kind("k".into()), Over::Index("i".into())] {
            let scan = Scan { from: Some("z".into()), to: Some("b".into()), ..Scan::new(over, 10) };
            assert!(store.scan(&scan).await.unwrap().is_empty());
        }
    }
}
