//! The comparison with the memory store: the same calls must have the same answers.

use std::collections::HashMap;

use bytes::Bytes;

use super::super::{
    Batch, Claim, Cursor, Document, Expect, Hit, IndexEntry, Key, MemoryStore, Order, Over, Scan, Store, StoreError,
    Version, Write,
};

/// Runs the calls that `octets` spell on `store`, which must be empty, and on a [`MemoryStore`], and compares every
/// answer. Any octets spell some calls, so that a fuzzer can feed it; running out of them ends the run.
///
/// The numbers of versions may differ between the stores: what is compared is which writes they belong to.
///
/// # Errors
///
/// The first difference, in words.
pub async fn differential(octets: &[u8], store: &dyn Store) -> Result<(), String> {
    let mut run = Run {
        tape: Tape { octets },
        model: MemoryStore::new(),
        store,
        versions: HashMap::new(),
        last: HashMap::new(),
        greatest: 0,
    };
    while !run.tape.octets.is_empty() {
        match run.tape.below(9) {
            0 => run.get().await?,
            1..=3 => run.scan().await?,
            8 => run.claim().await?,
            _ => run.commit().await?,
        }
    }
    Ok(())
}

struct Run<'r> {
    tape: Tape<'r>,
    model: MemoryStore,
    store: &'r dyn Store,
    /// Which version of the store belongs to which of the model, for each document.
    versions: HashMap<(Key, Version), Version>,
    last: HashMap<Key, Version>,
    greatest: u64,
}

impl Run<'_> {
    async fn get(&mut self) -> Result<(), String> {
        let keys: Vec<Key> = (0..self.tape.below(4)).map(|_| self.tape.key()).collect();
        let (expected, seen) = (self.model.get(&keys).await, self.store.get(&keys).await);
        let expected = expected.map(|found| self.translate_all(found));
        same(&format!("get {keys:?}"), &expected, &seen)
    }

    async fn scan(&mut self) -> Result<(), String> {
        let scan = self.tape.scan();
        let (expected, seen) = (self.model.scan(&scan).await, self.store.scan(&scan).await);
        let translate = |hit: Hit| Hit { document: self.translate(hit.document), ..hit };
        let expected = expected.map(|hits| hits.into_iter().map(translate).collect::<Vec<_>>());
        same(&format!("{scan:?}"), &expected, &seen)
    }

    async fn claim(&mut self) -> Result<(), String> {
        let claim = self.tape.claim();
        let (expected, seen) = (self.model.claim(&claim).await, self.store.claim(&claim).await);
        if let (Ok(expected), Ok(seen)) = (&expected, &seen) {
            for (expected, seen) in expected.iter().zip(seen) {
                self.note(&expected.document.key, expected.document.version, seen.document.version)?;
            }
        }
        let translate = |hit: Hit| Hit { document: self.translate(hit.document), ..hit };
        let expected = expected.map(|hits| hits.into_iter().map(translate).collect::<Vec<_>>());
        same(&format!("{claim:?}"), &expected, &seen)
    }

    async fn commit(&mut self) -> Result<(), String> {
        let (mut for_model, mut for_store) = (Batch::new(), Batch::new());
        for _ in 0..self.tape.below(4) {
            let write = self.draw().await?;
            for_store.push(self.translate_write(&write));
            for_model.push(write);
        }
        let call = format!("commit {for_store:?}");
        let (expected, seen) = (self.model.commit(for_model).await, self.store.commit(for_store.clone()).await);
        match (expected, seen) {
            (Ok(expected), Ok(seen)) => {
                let written = for_store.writes.iter().filter(|write| !matches!(write, Write::Check { .. }));
                written.map(Write::key).try_for_each(|key| self.note(key, expected, seen))
            }
            (expected, seen) => same(&call, &expected.map(drop), &seen.map(drop)),
        }
    }

    /// Remembers that two versions belong to the same write of a document.
    fn note(&mut self, key: &Key, expected: Version, seen: Version) -> Result<(), String> {
        let last = self.last.insert(key.clone(), seen);
        if last.is_some_and(|last| last >= seen) {
            return Err(format!("{key} is given {seen:?} after {last:?}"));
        }
        self.versions.insert((key.clone(), expected), seen);
        self.greatest = self.greatest.max(expected.0);
        Ok(())
    }

    async fn draw(&mut self) -> Result<Write, String> {
        let key = self.tape.key();
        let found = self.model.get(std::slice::from_ref(&key)).await.map_err(|error| error.to_string())?;
        let current = found.into_iter().flatten().next().map(|document| document.version);
        let expect = match (self.tape.below(8), current) {
            (0, _) => Expect::Absent,
            (1, _) => Expect::Version(Version(u64::from(self.tape.below(255)) % (self.greatest + 1))),
            (_, Some(version)) => Expect::Version(version),
            (_, None) => Expect::Absent,
        };
        Ok(match (self.tape.below(6), expect) {
            (0, Expect::Version(version)) => Write::Delete { key, version },
            (1, _) => Write::Check { key, expect },
            _ => Write::Put { key, expect, body: self.tape.body(), entries: self.tape.entries() },
        })
    }

    fn translate_write(&self, write: &Write) -> Write {
        let mut write = write.clone();
        match &mut write {
            Write::Put { key, expect: Expect::Version(version), .. }
            | Write::Check { key, expect: Expect::Version(version) }
            | Write::Delete { key, version } => *version = self.translate_version(key, *version),
            Write::Put { .. } | Write::Check { .. } => {}
        }
        write
    }

    /// A version that was never answered stays one: no store counts from the end.
    fn translate_version(&self, key: &Key, version: Version) -> Version {
        self.versions.get(&(key.clone(), version)).copied().unwrap_or(Version(u64::MAX - version.0))
    }

    fn translate(&self, document: Document) -> Document {
        Document { version: self.translate_version(&document.key, document.version), ..document }
    }

    fn translate_all(&self, found: Vec<Option<Document>>) -> Vec<Option<Document>> {
        found.into_iter().map(|document| document.map(|document| self.translate(document))).collect()
    }
}

fn same<T: PartialEq + std::fmt::Debug>(
    call: &str,
    expected: &Result<T, StoreError>,
    seen: &Result<T, StoreError>,
) -> Result<(), String> {
    let alike = match (expected, seen) {
        // The words of an error are the store's own.
        (Err(StoreError::Invalid { .. }), Err(StoreError::Invalid { .. })) => true,
        (expected, seen) => expected == seen,
    };
    if alike { Ok(()) } else { Err(format!("{call}: the memory store answers {expected:?}, this store {seen:?}")) }
}

const KINDS: [&str; 3] = ["thing", "thin", "zebra"];
const INDEXES: [&str; 2] = ["place", "due"];
const VALUES: [&str; 8] = ["", "1", "10", "2", "a", "aa", "é", "😀"];

/// Octets that are read off one by one, each a choice; zeros follow the last.
struct Tape<'t> {
    octets: &'t [u8],
}

impl Tape<'_> {
    fn below(&mut self, bound: u8) -> u8 {
        let Some((first, rest)) = self.octets.split_first() else { return 0 };
        self.octets = rest;
        first % bound
    }

    fn one_of(&mut self, words: &[&'static str]) -> &'static str {
        words[usize::from(self.below(u8::try_from(words.len()).unwrap_or(u8::MAX)))]
    }

    fn key(&mut self) -> Key {
        Key::new(self.one_of(&KINDS), self.one_of(&VALUES))
    }

    fn body(&mut self) -> Bytes {
        super::check::body(u64::from(self.below(255)))
    }

    fn entries(&mut self) -> Vec<IndexEntry> {
        (0..self.below(4)).map(|_| IndexEntry::new(self.one_of(&INDEXES), self.one_of(&VALUES))).collect()
    }

    fn bound(&mut self) -> Option<String> {
        (self.below(3) == 0).then(|| self.one_of(&VALUES).to_owned())
    }

    fn claim(&mut self) -> Claim {
        let index = self.one_of(&INDEXES);
        let lease = IndexEntry::new(self.one_of(&INDEXES), self.one_of(&VALUES));
        Claim { index: index.into(), to: self.one_of(&VALUES).to_owned(), lease, limit: usize::from(self.below(6)) }
    }

    fn scan(&mut self) -> Scan {
        let over_kind = self.below(3) == 0;
        let over = match over_kind {
            true => Over::Kind(self.one_of(&KINDS).into()),
            false => Over::Index(self.one_of(&INDEXES).into()),
        };
        let order = if self.below(2) == 0 { Order::Ascending } else { Order::Descending };
        let (from, to) = (self.bound(), self.bound());
        let after = self.bound().map(|value| match &over {
            // A cursor comes from a hit, and the hit of a kind is found under its id.
            Over::Kind(kind) => Cursor { key: Key::new(kind.clone(), value.clone()), value },
            Over::Index(_) => Cursor { value, key: self.key() },
        });
        Scan { over, from, to, after, order, limit: usize::from(self.below(20)) }
    }
}
