//! Judges the batches of a group one after the other, and finds what is to be written for those that won.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::{Batch, Expect, IndexEntry, Key, StoreError, Version, Write};
use super::text::encode;

/// Where a document is: its kind, and its id as the database has it.
pub(super) type Place = (String, String);

/// One entry: the number of the index's name, and the value as the database has it.
pub(super) type Pair = (i32, String);

/// A document's row, as far as judging and replacing it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) version: Version,
    pub(super) entries: BTreeSet<Pair>,
}

/// How a key is to be locked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lock {
    /// Somebody wants to write there; otherwise it is enough that nobody else does.
    pub(super) is_written: bool,
    /// Somebody expects nothing to be there, so that there may be no row to lock.
    pub(super) is_absent: bool,
}

/// A document to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Put<'b> {
    pub(super) place: Place,
    pub(super) version: Version,
    pub(super) entries: BTreeSet<Pair>,
    pub(super) body: &'b str,
}

/// What is to be written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes<'b> {
    pub(super) inserted: Vec<Put<'b>>,
    pub(super) updated: Vec<Put<'b>>,
    pub(super) deleted: Vec<Place>,
    pub(super) added: Vec<(Pair, Place)>,
    pub(super) dropped: Vec<(Pair, Place)>,
}

impl Changes<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.inserted.is_empty() && self.updated.is_empty() && self.deleted.is_empty()
    }
}

/// The place of a key.
pub(super) fn place(key: &Key) -> Place {
    (key.kind.to_string(), encode(&key.id).into_owned())
}

/// What a group must lock, in the order in which everybody locks.
pub(super) fn locks(batches: &[&Batch]) -> BTreeMap<Place, Lock> {
    let mut locks: BTreeMap<Place, Lock> = BTreeMap::new();
    for write in batches.iter().flat_map(|batch| &batch.writes) {
        let lock = locks.entry(place(write.key())).or_default();
        lock.is_written |= !matches!(write, Write::Check { .. });
        lock.is_absent |= write.expect() == Expect::Absent;
    }
    locks
}

/// The group's judge: knows what was found, and what the batches before made of it.
pub(super) struct Judge<'b> {
    found: BTreeMap<Place, Row>,
    now: HashMap<Place, Now<'b>>,
    codes: &'b HashMap<String, i32>,
}

/// What became of a key within the group.
enum Now<'b> {
    Gone,
    Put(Version, &'b [u8], &'b [IndexEntry]),
}

impl<'b> Judge<'b> {
    pub(super) fn new(found: BTreeMap<Place, Row>, codes: &'b HashMap<String, i32>) -> Self {
        Self { found, now: HashMap::new(), codes }
    }

    /// Judges a batch, which gets `version` if all that it expects holds.
    pub(super) fn judge(&mut self, batch: &'b Batch, version: Version) -> Result<Version, StoreError> {
        if let Some(write) = batch.writes.iter().find(|write| !self.holds(write)) {
            return Err(StoreError::Conflict { key: write.key().clone() });
        }
        for write in &batch.writes {
            let now = match write {
                Write::Put { body, entries, .. } => Now::Put(version, body, entries),
                Write::Delete { .. } => Now::Gone,
                Write::Check { .. } => continue,
            };
            self.now.insert(place(write.key()), now);
        }
        Ok(version)
    }

    fn holds(&self, write: &Write) -> bool {
        let place = place(write.key());
        let version = match self.now.get(&place) {
            Some(Now::Gone) => None,
            Some(Now::Put(version, ..)) => Some(*version),
            None => self.found.get(&place).map(|row| row.version),
        };
        match write.expect() {
            Expect::Absent => version.is_none(),
            Expect::Version(expected) => version == Some(expected),
        }
    }

    /// What is to be written for the batches that won, in the order of keys.
    pub(super) fn into_changes(mut self) -> Changes<'b> {
        let mut changes = Changes::default();
        let now: BTreeMap<Place, Now<'b>> = std::mem::take(&mut self.now).into_iter().collect();
        for (place, now) in now {
            let old = self.found.remove(&place);
            match (now, old) {
                (Now::Gone, None) => {}
                (Now::Gone, Some(old)) => {
                    changes.dropped.extend(old.entries.into_iter().map(|pair| (pair, place.clone())));
                    changes.deleted.push(place);
                }
                (Now::Put(version, body, entries), old) => {
                    let put = Put { version, entries: self.pairs(entries), body: text(body), place };
                    changes.put(put, old);
                }
            }
        }
        changes
    }

    fn pairs(&self, entries: &[IndexEntry]) -> BTreeSet<Pair> {
        let pair = |entry: &IndexEntry| {
            // Every name of the group was numbered before.
            self.codes.get(&*entry.index).map(|code| (*code, encode(&entry.value).into_owned()))
        };
        entries.iter().filter_map(pair).collect()
    }
}

impl<'b> Changes<'b> {
    /// Only what differs is written: most entries of a document outlive its versions.
    fn put(&mut self, put: Put<'b>, old: Option<Row>) {
        let before = old.as_ref().map(|row| &row.entries);
        let is_new = |pair: &&Pair| before.is_none_or(|before| !before.contains(*pair));
        self.added.extend(put.entries.iter().filter(is_new).map(|pair| (pair.clone(), put.place.clone())));
        match old {
            None => self.inserted.push(put),
            Some(old) => {
                let gone = old.entries.difference(&put.entries).map(|pair| (pair.clone(), put.place.clone()));
                self.dropped.extend(gone);
                self.updated.push(put);
            }
        }
    }
}

/// A body, which was judged to be text when it came in.
fn text(body: &[u8]) -> &str {
    std::str::from_utf8(body).unwrap_or_default()
}
