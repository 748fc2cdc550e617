//! The reference store: everything in memory, gone with the process.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use bytes::Bytes;
use foldhash::HashMap;

use super::{
    Batch, Claim, Cursor, Document, Expect, Hit, IndexEntry, Key, Order, Over, Scan, Schema, Store, StoreError,
    Version, Write,
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
        Ok(self.read().scan(scan))
    }

    async fn commit(&self, batch: Batch) -> Result<Version, StoreError> {
        batch.validate()?;
        let mut state = self.write();
        state.judge(&batch)?;
        Ok(state.apply(batch))
    }

    async fn claim(&self, claim: &Claim) -> Result<Vec<Hit>, StoreError> {
        claim.validate()?;
        Ok(self.write().claim(claim))
    }
}

#[derive(Default)]
struct State {
    documents: HashMap<Arc<Key>, Stored>,
    kinds: Sets,
    indexes: Sets,
    last_version: u64,
    schema_version: u32,
}

type Sets = HashMap<Cow<'static, str>, BTreeSet<Place>>;

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

/// Where a document stands in an ordered set. The order is the contract's: value, then kind, then id.
struct Place {
    /// The first octets of the value, so that most comparisons need not follow a pointer.
    head: u128,
    /// `None` in the set of a kind, whose documents stand under their ids.
    value: Option<Box<str>>,
    key: Arc<Key>,
}

impl Place {
    fn under(value: &str, key: &Arc<Key>) -> Self {
        Self { head: head(value), value: Some(value.into()), key: Arc::clone(key) }
    }

    fn under_id(key: &Arc<Key>) -> Self {
        Self { head: head(&key.id), value: None, key: Arc::clone(key) }
    }

    /// Sorts before every document that stands under `value`, because no kind is empty.
    fn before(value: &str) -> Self {
        Self::under(value, &Arc::new(Key::new("", "")))
    }

    fn of_cursor(cursor: &Cursor) -> Self {
        Self::under(&cursor.value, &Arc::new(cursor.key.clone()))
    }

    fn value(&self) -> &str {
        self.value.as_deref().unwrap_or(&self.key.id)
    }
}

/// The first octets as a number that sorts as they do. Equal heads decide nothing.
fn head(value: &str) -> u128 {
    let mut octets = [0; 16];
    let length = value.len().min(octets.len());
    octets[..length].copy_from_slice(&value.as_bytes()[..length]);
    u128::from_be_bytes(octets)
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        self.head.cmp(&other.head).then_with(|| (self.value(), &self.key).cmp(&(other.value(), &other.key)))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Place {}

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

    fn claim(&mut self, claim: &Claim) -> Vec<Hit> {
        let waiting = self.waiting(claim);
        if waiting.is_empty() {
            return Vec::new();
        }
        self.last_version += 1;
        let version = Version(self.last_version);
        waiting.into_iter().filter_map(|(value, key)| self.lease(claim, version, value, &key)).collect()
    }

    fn waiting(&self, claim: &Claim) -> Vec<(String, Arc<Key>)> {
        let mut met = HashSet::new();
        let places = self.indexes.get(&claim.index).into_iter().flatten();
        places
            .take_while(|place| place.value() < claim.to.as_str())
            .filter(|place| met.insert(&place.key))
            .take(claim.limit)
            .map(|place| (place.value().to_owned(), Arc::clone(&place.key)))
            .collect()
    }

    fn lease(&mut self, claim: &Claim, version: Version, value: String, key: &Arc<Key>) -> Option<Hit> {
        let stored = self.documents.get_mut(key)?;
        stored.version = version;
        let (taken, mut kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut stored.entries).into_iter().partition(|entry| claim.takes(entry));
        kept.push(claim.lease.clone());
        stored.entries = kept;
        let document = stored.document(key);
        self.drop_entries(key, &taken);
        set(&mut self.indexes, claim.lease.index.clone()).insert(Place::under(&claim.lease.value, key));
        Some(Hit { value, document })
    }

    fn put(&mut self, key: Key, stored: Stored) {
        let key = match self.documents.remove_entry(&key) {
            Some((key, old)) => {
                self.drop_entries(&key, &old.entries);
                key
            }
            None => {
                let key = Arc::new(key);
                set(&mut self.kinds, key.kind.clone()).insert(Place::under_id(&key));
                key
            }
        };
        for entry in &stored.entries {
            set(&mut self.indexes, entry.index.clone()).insert(Place::under(&entry.value, &key));
        }
        self.documents.insert(key, stored);
    }

    fn delete(&mut self, key: &Key) {
        if let Some((key, old)) = self.documents.remove_entry(key) {
            self.drop_entries(&key, &old.entries);
            set(&mut self.kinds, key.kind.clone()).remove(&Place::under_id(&key));
        }
    }

    fn drop_entries(&mut self, key: &Arc<Key>, entries: &[IndexEntry]) {
        for entry in entries {
            set(&mut self.indexes, entry.index.clone()).remove(&Place::under(&entry.value, key));
        }
    }

    fn scan(&self, scan: &Scan) -> Vec<Hit> {
        let found = match &scan.over {
            Over::Kind(kind) => self.kinds.get(kind),
            Over::Index(index) => self.indexes.get(index),
        };
        let range = found.zip(range(scan)).map(|(places, range)| places.range(range));
        let places = range.into_iter().flatten();
        let hit = |place: &Place| self.hit(place);
        match scan.order {
            Order::Ascending => places.filter_map(hit).take(scan.limit).collect(),
            Order::Descending => places.rev().filter_map(hit).take(scan.limit).collect(),
        }
    }

    fn hit(&self, place: &Place) -> Option<Hit> {
        let stored = self.documents.get(&place.key)?;
        Some(Hit { value: place.value().to_owned(), document: stored.document(&place.key) })
    }
}

fn set<'s>(sets: &'s mut Sets, name: Cow<'static, str>) -> &'s mut BTreeSet<Place> {
    sets.entry(name).or_default()
}

type Range = (Bound<Place>, Bound<Place>);

/// The stretch of a set that a scan may still visit; `None` if there is none, on which `BTreeSet::range` would panic.
fn range(scan: &Scan) -> Option<Range> {
    let mut lower = scan.from.as_deref().map(|value| Bound::Included(Place::before(value)));
    let mut upper = scan.to.as_deref().map(Place::before);
    if let Some(after) = scan.after.as_ref().map(Place::of_cursor) {
        match scan.order {
            Order::Ascending if is_below(lower.as_ref(), &after) => lower = Some(Bound::Excluded(after)),
            Order::Descending if upper.as_ref().is_none_or(|upper| *upper > after) => upper = Some(after),
            Order::Ascending | Order::Descending => {}
        }
    }
    match (&lower, &upper) {
        (Some(_), Some(upper)) if !is_below(lower.as_ref(), upper) => None,
        _ => Some((lower.unwrap_or(Bound::Unbounded), upper.map_or(Bound::Unbounded, Bound::Excluded))),
    }
}

fn is_below(lower: Option<&Bound<Place>>, place: &Place) -> bool {
    match lower {
        Some(Bound::Included(lower) | Bound::Excluded(lower)) => lower < place,
        Some(Bound::Unbounded) | None => true,
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
