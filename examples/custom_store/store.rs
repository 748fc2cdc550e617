//! A complete store on redb, an embedded key-value engine in pure Rust: five calls, three tables, one thread that writes.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Included};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use async_trait::async_trait;
use bytes::Bytes;
use chancery::store::{
    Batch, Claim, Cursor, Document, Expect, Hit, IndexEntry, Key, Order, Over, Scan, Schema, Store, StoreError,
    Version, Write,
};
use redb::{Database, Error, ReadOnlyTable, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction};
use tokio::sync::oneshot;

/// Kind and id lead to the version, the body and the entries, which must be found again when the document is replaced.
const DOCUMENTS: TableDefinition<Id, Row> = TableDefinition::new("documents");
/// Index, value, kind and id: this order of the parts is the order of the contract, and redb compares strings by bytes.
const ENTRIES: TableDefinition<Place, ()> = TableDefinition::new("entries");
/// The last version that was given, and the version of the schema.
const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("numbers");

type Id = (&'static str, &'static str);
type Place = (&'static str, &'static str, &'static str, &'static str);
type Row = (u64, &'static [u8], Vec<(&'static str, &'static str)>);

/// A store in one redb file. It is open once for each process: share it as an `Arc`.
#[derive(Debug)]
pub(crate) struct RedbStore {
    database: Arc<Database>,
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
            Ok(Box::new(move |fate| drop(answer.send(fate.and(outcome)))))
        });
        let stopped = || StoreError::Unavailable { reason: "the writer has stopped".into() };
        self.jobs.as_ref().ok_or_else(stopped)?.send(job).map_err(|_| stopped())?;
        answered.await.unwrap_or_else(|_| Err(StoreError::Unknown { reason: "the writer gave up".into() }))
    }

    /// Reads from one state of the data, on a thread that may block.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&ReadOnlyTable<Id, Row>, &ReadOnlyTable<Place, ()>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = Arc::clone(&self.database);
        let read = move || {
            let state = database.begin_read()?;
            work(&state.open_table(DOCUMENTS)?, &state.open_table(ENTRIES)?)
        };
        let done = tokio::task::spawn_blocking(read).await;
        done.map_err(|error| StoreError::Unavailable { reason: error.to_string() })?.map_err(before_commit)
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        self.jobs = None; // A closed channel is what ends the writer.
        // Only when the writer is gone is the file closed, and may be opened again.
        self.writer.take().map(JoinHandle::join);
    }
}

#[async_trait]
impl Store for RedbStore {
    async fn prepare(&self, schema: &Schema) -> Result<(), StoreError> {
        let version = schema.version;
        self.write(move |tables| tables.prepare(version)).await
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Document>>, StoreError> {
        let keys = keys.to_vec();
        self.read(move |documents, _| keys.iter().map(|key| document(documents, key)).collect()).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<Hit>, StoreError> {
        scan.validate()?;
        let scan = scan.clone();
        self.read(move |documents, entries| {
            let hit = |(value, key): (String, Key)| {
                Ok(Hit { value, document: document(documents, &key)?.ok_or_else(|| dangling(&key))? })
            };
            range(entries, &scan)?.take(scan.limit).map(|place| hit(place?)).collect()
        })
        .await
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
        // Not more, so that a queue that never empties gets answers.
        let group = std::iter::once(first).chain(jobs.try_iter()).take(256);
        let mut replies = Vec::new();
        let fate = write_group(database, group, &mut replies);
        replies.into_iter().for_each(|reply| reply(fate.clone()));
    }
}

fn write_group(db: &Database, group: impl Iterator<Item = Job>, replies: &mut Vec<Reply>) -> Result<(), StoreError> {
    let transaction = db.begin_write().map_err(|error| before_commit(error.into()))?;
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
    documents: Table<'t, Id, Row>,
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

    fn prepare(&mut self, supported: u32) -> Result<Result<(), StoreError>, Error> {
        let found = u32::try_from(self.number("schema")?).unwrap_or(u32::MAX);
        if found > supported {
            return Ok(Err(StoreError::Newer { found, supported }));
        }
        self.numbers.insert("schema", u64::from(supported))?;
        Ok(Ok(()))
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
            let found = document(&self.documents, write.key())?;
            if found.map_or(Expect::Absent, |found| Expect::Version(found.version)) != write.expect() {
                return Ok(Err(StoreError::Conflict { key: write.key().clone() }));
            }
        }
        let version = self.next_version()?;
        for write in batch.writes {
            match write {
                Write::Put { key, body, mut entries, .. } => {
                    entries.push(IndexEntry::new(kind_index(&key.kind), &*key.id));
                    self.put(&Document { key, version, body }, &entries)?;
                }
                Write::Delete { key, .. } => drop(self.remove(&key)?),
                Write::Check { .. } => {}
            }
        }
        Ok(Ok(version))
    }

    /// The first that wait, each once. One transaction writes at a time, so that two claims never meet.
    fn claim(&mut self, claim: &Claim) -> Result<Vec<Hit>, Error> {
        let waiting = Scan { to: Some(claim.to.clone()), ..Scan::new(Over::Index(claim.index.clone()), claim.limit) };
        let mut met = BTreeSet::new();
        let mut is_new = |(_, key): &(String, Key)| met.insert(key.clone());
        let taken = range(&self.entries, &waiting)?.filter(|place| place.as_ref().map_or(true, &mut is_new));
        let taken: Vec<_> = taken.take(claim.limit).collect::<Result<_, _>>()?;
        let version = self.next_version()?;
        let lease = |(value, key): (String, Key)| {
            let (body, mut entries) = self.remove(&key)?.ok_or_else(|| dangling(&key))?;
            entries.retain(|entry| !claim.takes(entry));
            entries.push(claim.lease.clone());
            let document = Document { key, version, body };
            self.put(&document, &entries)?;
            Ok(Hit { value, document })
        };
        taken.into_iter().map(lease).collect()
    }

    fn put(&mut self, document: &Document, entries: &[IndexEntry]) -> Result<(), Error> {
        let Document { key, version, body } = document;
        self.remove(key)?;
        let kept = entries.iter().map(|entry| (&*entry.index, &*entry.value)).collect();
        self.documents.insert((&*key.kind, &*key.id), (version.0, &**body, kept))?;
        for IndexEntry { index, value } in entries {
            self.entries.insert((&**index, &**value, &*key.kind, &*key.id), ())?;
        }
        Ok(())
    }

    /// Removes a document with its entries, and gives what is needed to put it back.
    fn remove(&mut self, key: &Key) -> Result<Option<(Bytes, Vec<IndexEntry>)>, Error> {
        let Some(row) = self.documents.remove((&*key.kind, &*key.id))? else { return Ok(None) };
        let (_, body, entries) = row.value();
        let entry = |(index, value): (&str, &str)| IndexEntry::new(index.to_owned(), value);
        let entries: Vec<IndexEntry> = entries.into_iter().map(entry).collect();
        for IndexEntry { index, value } in &entries {
            self.entries.remove((&**index, &**value, &*key.kind, &*key.id))?;
        }
        Ok(Some((Bytes::copy_from_slice(body), entries)))
    }
}

fn document(documents: &impl ReadableTable<Id, Row>, key: &Key) -> Result<Option<Document>, Error> {
    let found = documents.get((&*key.kind, &*key.id))?;
    Ok(found.map(|row| {
        let (version, body, _) = row.value();
        Document { key: key.clone(), version: Version(version), body: Bytes::copy_from_slice(body) }
    }))
}

/// The index in which documents of a kind stand under their ids. It has a space in its name, as no other index can.
fn kind_index(kind: &str) -> String {
    format!("kind {kind}")
}

/// The places of a scan, in its order: each a value and a key.
fn range<'t, T: ReadableTable<Place, ()>>(
    entries: &'t T,
    scan: &Scan,
) -> Result<impl Iterator<Item = Result<(String, Key), Error>> + use<'t, T>, Error> {
    let index = match &scan.over {
        Over::Kind(kind) => kind_index(kind),
        Over::Index(index) => index.to_string(),
    };
    // No word has the octet zero in it: this is behind all values of the index, and before the next index.
    let next = format!("{index}\0");
    let from = (&*index, scan.from.as_deref().unwrap_or_default(), "", "");
    let to = scan.to.as_deref().map_or((&*next, "", "", ""), |to| (&*index, to, "", ""));
    let after = scan.after.as_ref().map(|Cursor { value, key }| (&*index, &**value, &*key.kind, &*key.id));
    let upwards = scan.order == Order::Ascending;
    let lower = after.filter(|after| upwards && *after >= from).map_or(Included(from), Excluded);
    let upper = after.filter(|after| !upwards && *after < to).unwrap_or(to);
    let mut places = entries.range((lower, Excluded(upper)))?;
    let step = move || if upwards { places.next() } else { places.next_back() };
    Ok(std::iter::from_fn(step).map(|place| {
        let (place, _) = place?;
        let (_, value, kind, id) = place.value();
        Ok((value.to_owned(), Key::new(kind.to_owned(), id)))
    }))
}

fn dangling(key: &Key) -> Error {
    Error::Corrupted(format!("an entry leads to {key}, which is not there"))
}
