//! A complete store on redb, an embedded key-value engine in pure Rust: five calls, two tables, one thread that writes.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Included};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use async_trait::async_trait;
use bytes::Bytes;
use chancery::store::{
    Batch, Claim, Cursor, Document, Expect, Hit, IndexEntry, Key, Order, Over, Scan, Schema, Store, StoreError, Version,
    Write,
};
use redb::{Database, Error, ReadOnlyTable, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction};
use tokio::sync::oneshot;

/// Kind and id lead to the version, the body and the entries, which must be found again when the document is replaced.
const DOCUMENTS: TableDefinition<(&str, &str), Row> = TableDefinition::new("documents");
/// Index, value, kind and id: this order of the parts is the order of the contract, and redb compares strings by bytes.
const ENTRIES: TableDefinition<Place, ()> = TableDefinition::new("entries");
/// The last version that was given, and the version of the schema.
const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("numbers");
/// Most calls that share a transaction, so that a full queue still gets answers.
const MAX_GROUP: usize = 256;

type Place = (&'static str, &'static str, &'static str, &'static str);
type Row = (u64, &'static [u8], Vec<(&'static str, &'static str)>);

/// A store in one redb file. It is open once for each process: share it as an `Arc`.
#[derive(Debug)]
pub(crate) struct RedbStore {
    database: Arc<Database>,
    // `None` only while dropping: a closed channel is what ends the writer.
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

/// Work for the writer: done within a transaction, and answered when its fate is known.
type Job = Box<dyn FnOnce(&mut Tables<'_>) -> Result<Reply, Error> + Send>;
type Reply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

impl RedbStore {
    /// Opens the file, creating it if there is none, and starts the thread that writes.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let database = Arc::new(Database::create(path)?);
        let transaction = database.begin_write()?;
        drop(Tables::open(&transaction)?);
        transaction.commit()?;
        let ((jobs, waiting), writing) = (mpsc::channel(), Arc::clone(&database));
        let writer = thread::spawn(move || write_groups(&writing, &waiting));
        Ok(Self { database, jobs: Some(jobs), writer: Some(writer) })
    }

    /// Lets the writer do something. What `work` refuses must not have written anything: others share the transaction.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tables<'_>) -> Result<Result<T, StoreError>, Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |tables| {
            let outcome = work(tables)?;
            // Whoever stopped listening does not mind.
            Ok(Box::new(move |fate| drop(answer.send(fate.and(outcome)))))
        });
        let stopped = || StoreError::Unavailable { reason: "the writer has stopped".into() };
        self.jobs.as_ref().ok_or_else(stopped)?.send(job).map_err(|_| stopped())?;
        answered.await.unwrap_or_else(|_| Err(StoreError::Unknown { reason: "the writer gave up".into() }))
    }

    /// Reads from one state of the data, on a thread that may block.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Snapshot) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = Arc::clone(&self.database);
        let read = move || work(&Snapshot::of(&database)?);
        let done = tokio::task::spawn_blocking(read).await;
        done.map_err(|error| StoreError::Unavailable { reason: error.to_string() })?.map_err(before_commit)
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        self.jobs = None;
        // Only when the writer is gone is the file closed, and may be opened again.
        self.writer.take().map(JoinHandle::join);
    }
}

#[async_trait]
impl Store for RedbStore {
    async fn prepare(&self, schema: &Schema) -> Result<(), StoreError> {
        let supported = schema.version;
        let work = move |tables: &mut Tables<'_>| {
            let found = u32::try_from(tables.number("schema")?).unwrap_or(u32::MAX);
            if found > supported {
                return Ok(Err(StoreError::Newer { found, supported }));
            }
            tables.numbers.insert("schema", u64::from(supported))?;
            Ok(Ok(()))
        };
        self.write(work).await
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Document>>, StoreError> {
        let keys = keys.to_vec();
        self.read(move |snapshot| keys.iter().map(|key| document(&snapshot.documents, key)).collect()).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<Hit>, StoreError> {
        scan.validate()?;
        let scan = scan.clone();
        self.read(move |snapshot| snapshot.scan(&scan)).await
    }

    async fn commit(&self, batch: Batch) -> Result<Version, StoreError> {
        batch.validate()?;
        self.write(move |tables| tables.commit(batch)).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Vec<Hit>, StoreError> {
        claim.validate()?;
        let claim = claim.clone();
        self.write(move |tables| tables.claim(&claim).map(Ok)).await
    }
}

/// Takes all calls that wait into one transaction, and answers them after its one fsync.
fn write_groups(database: &Database, jobs: &mpsc::Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let mut replies = Vec::new();
        let group = std::iter::once(first).chain(jobs.try_iter()).take(MAX_GROUP);
        let fate = write_group(database, group, &mut replies);
        replies.into_iter().for_each(|reply| reply(fate.clone()));
    }
}

fn write_group(
    database: &Database,
    group: impl Iterator<Item = Job>,
    replies: &mut Vec<Reply>,
) -> Result<(), StoreError> {
    let transaction = database.begin_write().map_err(|error| before_commit(error.into()))?;
    let mut tables = Tables::open(&transaction).map_err(before_commit)?;
    for job in group {
        // An error of the database, unlike a conflict, may have left a part: the whole group is given up.
        replies.push(job(&mut tables).map_err(before_commit)?);
    }
    drop(tables);
    // An error of the commit itself proves nothing: the data may be there when the file is opened again.
    transaction.commit().map_err(|error| StoreError::Unknown { reason: error.to_string() })
}

fn before_commit(error: Error) -> StoreError {
    match error {
        Error::Corrupted(reason) => StoreError::Corrupt { reason },
        other => StoreError::Unavailable { reason: other.to_string() },
    }
}

/// The tables within the one transaction that writes. Whatever is judged here stays so until the commit.
struct Tables<'t> {
    documents: Table<'t, (&'static str, &'static str), Row>,
    entries: Table<'t, Place, ()>,
    numbers: Table<'t, &'static str, u64>,
}

impl<'t> Tables<'t> {
    fn open(transaction: &'t WriteTransaction) -> Result<Self, Error> {
        Ok(Self {
            documents: transaction.open_table(DOCUMENTS)?,
            entries: transaction.open_table(ENTRIES)?,
            numbers: transaction.open_table(NUMBERS)?,
        })
    }

    fn number(&self, name: &str) -> Result<u64, Error> {
        Ok(self.numbers.get(name)?.map_or(0, |number| number.value()))
    }

    /// The next version: greater than any before, of whatever document, so that it also counts across deletions.
    fn next_version(&mut self) -> Result<Version, Error> {
        let next = self.number("version")? + 1;
        self.numbers.insert("version", next)?;
        Ok(Version(next))
    }

    /// First all expectations, on the state before the batch; only then the first change.
    fn commit(&mut self, batch: Batch) -> Result<Result<Version, StoreError>, Error> {
        for write in &batch.writes {
            let found = document(&self.documents, write.key())?.map(|document| document.version);
            let holds = match write.expect() {
                Expect::Absent => found.is_none(),
                Expect::Version(version) => found == Some(version),
            };
            if !holds {
                return Ok(Err(StoreError::Conflict { key: write.key().clone() }));
            }
        }
        let version = self.next_version()?;
        for write in batch.writes {
            match write {
                Write::Put { key, body, entries, .. } => self.put(&Document { key, version, body }, &entries)?,
                Write::Delete { key, .. } => drop(self.remove(&key)?),
                Write::Check { .. } => {}
            }
        }
        Ok(Ok(version))
    }

    /// The first that wait, each once. One transaction writes at a time, so that two claims never meet.
    fn claim(&mut self, claim: &Claim) -> Result<Vec<Hit>, Error> {
        let waiting = Scan { to: claim.to.clone(), ..Scan::new(Over::Index(claim.index.clone()), claim.limit) };
        let (mut seen, mut taken) = (BTreeSet::new(), Vec::new());
        for place in range(&self.entries, &waiting)? {
            let (value, key) = place?;
            if taken.len() < claim.limit && seen.insert(key.clone()) {
                taken.push((value, key));
            }
        }
        let version = self.next_version()?;
        taken.into_iter().map(|(value, key)| Ok(Hit { value, document: self.lease(&key, version, claim)? })).collect()
    }

    /// Gives a document a new version, and the lease in place of the entries under which it waited.
    fn lease(&mut self, key: &Key, version: Version, claim: &Claim) -> Result<Document, Error> {
        let (body, mut entries) = self.remove(key)?.ok_or_else(|| dangling(key))?;
        let waits = |value: &str| claim.to.as_deref().is_none_or(|to| value < to);
        entries.retain(|entry| entry.index != claim.index || !waits(&entry.value));
        entries.push(claim.lease.clone());
        let document = Document { key: key.clone(), version, body };
        self.put(&document, &entries)?;
        Ok(document)
    }

    fn put(&mut self, document: &Document, entries: &[IndexEntry]) -> Result<(), Error> {
        let Document { key, version, body } = document;
        self.remove(key)?;
        let kept = entries.iter().map(|entry| (&*entry.index, &*entry.value)).collect();
        self.documents.insert((&*key.kind, &*key.id), (version.0, &**body, kept))?;
        for (index, value) in places_of(key, entries) {
            self.entries.insert((&*index, value, &*key.kind, &*key.id), ())?;
        }
        Ok(())
    }

    /// Removes a document with its entries, and gives what is needed to put it back.
    fn remove(&mut self, key: &Key) -> Result<Option<(Bytes, Vec<IndexEntry>)>, Error> {
        let Some(row) = self.documents.remove((&*key.kind, &*key.id))? else { return Ok(None) };
        let (_, body, entries) = row.value();
        let entry = |(index, value): (&str, &str)| IndexEntry::new(index.to_owned(), value);
        let entries: Vec<IndexEntry> = entries.into_iter().map(entry).collect();
        for (index, value) in places_of(key, &entries) {
            self.entries.remove((&*index, value, &*key.kind, &*key.id))?;
        }
        Ok(Some((Bytes::copy_from_slice(body), entries)))
    }
}

/// The tables as they were after some commit: later ones do not show.
struct Snapshot {
    documents: ReadOnlyTable<(&'static str, &'static str), Row>,
    entries: ReadOnlyTable<Place, ()>,
}

impl Snapshot {
    fn of(database: &Database) -> Result<Self, Error> {
        let transaction = database.begin_read()?;
        Ok(Self { documents: transaction.open_table(DOCUMENTS)?, entries: transaction.open_table(ENTRIES)? })
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<Hit>, Error> {
        let hit = |(value, key): (String, Key)| {
            let document = document(&self.documents, &key)?.ok_or_else(|| dangling(&key))?;
            Ok(Hit { value, document })
        };
        range(&self.entries, scan)?.take(scan.limit).map(|place| hit(place?)).collect()
    }
}

fn document(
    documents: &impl ReadableTable<(&'static str, &'static str), Row>,
    key: &Key,
) -> Result<Option<Document>, Error> {
    let found = documents.get((&*key.kind, &*key.id))?;
    Ok(found.map(|row| {
        let (version, body, _) = row.value();
        Document { key: key.clone(), version: Version(version), body: Bytes::copy_from_slice(body) }
    }))
}

/// Where a document stands: once under its id among its kind, which is an index like any other, and once for each entry.
fn places_of<'e>(key: &'e Key, entries: &'e [IndexEntry]) -> impl Iterator<Item = (Cow<'e, str>, &'e str)> {
    let kind = (Cow::Owned(kind_index(&key.kind)), &*key.id);
    std::iter::once(kind).chain(entries.iter().map(|entry| (Cow::Borrowed(&*entry.index), &*entry.value)))
}

/// The index of a kind. Its name has a space in it, so that nobody else's can be the same.
fn kind_index(kind: &str) -> String {
    format!("kind {kind}")
}

/// The places of a scan, in its order: each a value and a key.
fn range<'t>(
    entries: &'t impl ReadableTable<Place, ()>,
    scan: &Scan,
) -> Result<impl Iterator<Item = Result<(String, Key), Error>> + use<'t>, Error> {
    let index = match &scan.over {
        Over::Kind(kind) => kind_index(kind),
        Over::Index(index) => index.to_string(),
    };
    // No word has the octet zero in it: this is behind all values of the index, and before the next index.
    let next = format!("{index}\0");
    let mut lower = Included((&*index, scan.from.as_deref().unwrap_or_default(), "", ""));
    let mut upper = Excluded(scan.to.as_deref().map_or((&*next, "", "", ""), |to| (&*index, to, "", "")));
    if let Some(Cursor { value, key }) = &scan.after {
        let place = (&*index, &**value, &*key.kind, &*key.id);
        match (scan.order, &lower, &upper) {
            (Order::Ascending, Included(from), _) if *from <= place => lower = Excluded(place),
            (Order::Descending, _, Excluded(to)) if place < *to => upper = Excluded(place),
            _ => {}
        }
    }
    let mut places = entries.range((lower, upper))?;
    let order = scan.order;
    let step = move || if order == Order::Ascending { places.next() } else { places.next_back() };
    Ok(std::iter::from_fn(step).map(|place| {
        let (place, _) = place?;
        let (_, value, kind, id) = place.value();
        Ok((value.to_owned(), Key::new(kind.to_owned(), id)))
    }))
}

fn dangling(key: &Key) -> Error {
    Error::Corrupted(format!("an entry leads to {key}, which is not there"))
}
