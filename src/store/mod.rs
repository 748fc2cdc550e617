//! The store port: where documents are kept, and what every implementation promises.
//!
//! A store keeps *documents*: a [`Key`], a [`Version`], a JSON body and *index entries*. It knows nothing
//! of certificates. Everything the engine needs is five calls: [`Store::prepare`], [`Store::get`],
//! [`Store::scan`], [`Store::commit`] and [`Store::claim`]. There is no transaction object: a [`Batch`] carries its own
//! expectations and is applied whole or not at all.
//!
//! Uniqueness is an [`Expect::Absent`] on a document whose id *is* the unique name. Optimistic reading is a
//! [`Write::Check`] on each document that a decision was based on. Work is a document in an index of due times, which
//! workers take by a [`Claim`].
//!
//! [`MemoryStore`] is here always, `sqlite::SqliteStore` with the feature `sqlite`,
//! `postgres::PostgresStore` with the feature `postgres`. To write your own, see
//! [writing a store](crate::manual::stores).

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod bounds;
mod error;
mod limits;
mod memory;
mod schema;

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "conformance")]
pub mod faulty;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "conformance")]
pub(crate) mod sequence;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use error::StoreError;
pub use memory::MemoryStore;
pub use schema::{Column, KindSchema, ListSchema, Schema};

/// Longest id or index value that a store must take, in bytes.
pub const MAX_KEY_BYTES: usize = 1024;
/// Longest name of a kind or an index that a store must take, in bytes.
pub const MAX_NAME_BYTES: usize = 64;
/// Largest document body that a store must take, in bytes.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Most writes that a store must take in one batch.
pub const MAX_BATCH_WRITES: usize = 1000;
/// Most hits that one scan may ask for.
pub const MAX_SCAN_LIMIT: usize = 1000;

/// Keeps documents durably and applies batches atomically.
///
/// # Contract
///
/// Every clause is a named check of the conformance kit (feature `conformance`).
///
/// - **Atomicity.** [`commit`](Store::commit) applies all writes of a batch or none. No reader ever sees a part.
/// - **Expectations.** All expectations of a batch are judged against the state just before it. If one does not
///   hold, nothing is written and the answer is [`StoreError::Conflict`] naming the first such key.
/// - **Versions.** A commit returns the version that every document it wrote now carries. It is greater than any
///   version the same key ever had, also across deletion, so that a stale version can serve as a fencing token.
/// - **Isolation.** Commits are serializable. One [`get`](Store::get) or one [`scan`](Store::scan) sees one state.
/// - **Read your writes.** Once `commit` has answered, every later read through any handle on the same data sees it.
/// - **Durability.** Once `commit` has answered, a crash of the process or machine does not undo it (a store that
///   lives in memory says so in its name).
/// - **Index entries.** A document's entries are replaced as a whole when it is put, and vanish when it is deleted.
///   Two documents may hold equal entries; equal entries of one document count once. Order is that of the bytes of the value, then of the kind, then of the id.
/// - **Scans.** Hits come in order, within the bounds, strictly behind `after`. Pages that each continue after the
///   last hit neither repeat nor miss a document that stays where it is, also while others come and go.
/// - **Claims.** [`claim`](Store::claim) takes the first documents that stand below [`Claim::to`], in the order of the index,
///   each once, and puts [`Claim::lease`] in the place of the entries that it was found by. Body and other entries stay, the
///   version is new: whoever holds an older one loses. Two claims, however concurrent, never both take a document, unless it
///   came to stand below `to` again meanwhile. A claim may pass over what another call has in hand at this moment, and
///   nothing else.
/// - **Cancellation.** A `commit` or `claim` whose future is dropped has happened entirely or not at all.
/// - **Errors.** [`StoreError::Unavailable`] means that nothing was written; [`StoreError::Unknown`] that the batch
///   may or may not have been applied, and the caller must read to find out.
/// - **Sizes.** Ids and index values up to [`MAX_KEY_BYTES`], bodies up to [`MAX_BODY_BYTES`] and batches up to
///   [`MAX_BATCH_WRITES`] are taken; anything larger is refused with [`StoreError::Invalid`], never cut. Kinds and
///   index names are ASCII words of up to [`MAX_NAME_BYTES`]. [`Batch::validate`] and [`Scan::validate`] judge all
///   of this, so that an implementation need not.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// Makes the store ready for `schema`: creates what is missing, migrates what is older.
    ///
    /// Idempotent, and safe when several processes call it at once. Refuses data written under a newer
    /// [`Schema::version`] with [`StoreError::Newer`]. SQL stores create one readable view for each kind.
    ///
    /// # Errors
    /// [`StoreError::Newer`], [`StoreError::Unavailable`], [`StoreError::Corrupt`] for data that is not a store's.
    async fn prepare(&self, schema: &Schema) -> Result<(), StoreError>;

    /// Reads documents by key, in the order asked for; `None` where there is no such document.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Document>>, StoreError>;

    /// Reads a range, in order, at most [`Scan::limit`] hits. Continue with [`Scan::after`] the last hit.
    ///
    /// # Errors
    /// [`StoreError::Invalid`], [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    async fn scan(&self, scan: &Scan) -> Result<Vec<Hit>, StoreError>;

    /// Applies a batch: all or nothing. What a batch without a put or delete answers has no meaning beyond success.
    ///
    /// # Errors
    /// [`StoreError::Conflict`], [`StoreError::Invalid`], [`StoreError::Unavailable`]: nothing was written.
    /// [`StoreError::Unknown`]: it may have been.
    async fn commit(&self, batch: Batch) -> Result<Version, StoreError>;

    /// Takes documents that wait in an index, for some time: one atomic, durable and serializable step.
    ///
    /// Each hit carries the value that the document was found under, and the document with its new version, which is the
    /// fencing token of whoever works on it. Nobody need return what was taken: a document that is not written meanwhile
    /// waits under the lease, and is found again when that has passed.
    ///
    /// # Errors
    /// [`StoreError::Invalid`], [`StoreError::Unavailable`]: nothing was taken. [`StoreError::Unknown`]: it may have been,
    /// and then waits for the lease to pass. [`StoreError::Corrupt`].
    async fn claim(&self, claim: &Claim) -> Result<Vec<Hit>, StoreError>;
}

/// Whatever points to a store is one, so that hosts can share it as an `Arc<dyn Store>`.
#[async_trait]
impl<S: Store + ?Sized> Store for Arc<S> {
    async fn prepare(&self, schema: &Schema) -> Result<(), StoreError> {
        (**self).prepare(schema).await
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Document>>, StoreError> {
        (**self).get(keys).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<Hit>, StoreError> {
        (**self).scan(scan).await
    }

    async fn commit(&self, batch: Batch) -> Result<Version, StoreError> {
        (**self).commit(batch).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Vec<Hit>, StoreError> {
        (**self).claim(claim).await
    }
}

/// What a document is called: its kind and its id within the kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The kind of document: a short ASCII word such as `certificate`.
    pub kind: Cow<'static, str>,
    /// The id within the kind, at most [`MAX_KEY_BYTES`] bytes of UTF-8.
    pub id: String,
}

impl Key {
    /// A key of `kind` with `id`.
    pub fn new(kind: impl Into<Cow<'static, str>>, id: impl Into<String>) -> Self {
        Self { kind: kind.into(), id: id.into() }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

/// A document's version: grows with each write of the same key and is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

/// A stored document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What it is called.
    pub key: Key,
    /// The version that the last write gave it.
    pub version: Version,
    /// The body: UTF-8 JSON text.
    pub body: Bytes,
}

/// One entry of a document in a named index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexEntry {
    /// The index's name: a short ASCII word.
    pub index: Cow<'static, str>,
    /// The value that it sorts under, at most [`MAX_KEY_BYTES`] bytes of UTF-8.
    pub value: String,
}

impl IndexEntry {
    /// An entry in `index` under `value`.
    pub fn new(index: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        Self { index: index.into(), value: value.into() }
    }
}

/// What a write expects of the state before its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// There is no document under the key.
    Absent,
    /// The document exists and carries exactly this version.
    Version(Version),
}

/// One write of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Stores a document, replacing its body and its index entries.
    Put {
        /// The document's key.
        key: Key,
        /// What must hold before.
        expect: Expect,
        /// The new body: UTF-8 JSON text.
        body: Bytes,
        /// The new index entries; the old ones vanish.
        entries: Vec<IndexEntry>,
    },
    /// Deletes a document with its index entries.
    Delete {
        /// The document's key.
        key: Key,
        /// The version it must have.
        version: Version,
    },
    /// Writes nothing, but lets the batch fail unless the expectation holds.
    Check {
        /// The document's key.
        key: Key,
        /// What must hold.
        expect: Expect,
    },
}

impl Write {
    /// The key that this write is about.
    pub fn key(&self) -> &Key {
        match self {
            Write::Put { key, .. } | Write::Delete { key, .. } | Write::Check { key, .. } => key,
        }
    }

    /// What this write expects of the state before its batch.
    pub fn expect(&self) -> Expect {
        match self {
            Write::Put { expect, .. } | Write::Check { expect, .. } => *expect,
            Write::Delete { version, .. } => Expect::Version(*version),
        }
    }
}

/// Writes that are applied together or not at all. No key may be put or deleted twice in one batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The writes; their order has no meaning.
    pub writes: Vec<Write>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a write.
    pub fn push(&mut self, write: Write) {
        self.writes.push(write);
    }
}

/// What a scan runs over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// All documents of a kind, ordered by id.
    Kind(Cow<'static, str>),
    /// The entries of an index, ordered by value, then kind, then id.
    Index(Cow<'static, str>),
}

/// Which way a scan runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Smallest first.
    #[default]
    Ascending,
    /// Largest first.
    Descending,
}

/// A place in a scan: continue strictly behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The value of the last hit (for [`Over::Kind`], its id).
    pub value: String,
    /// The key of the last hit.
    pub key: Key,
}

/// A range to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// What it runs over.
    pub over: Over,
    /// The smallest value, inclusive; `None` from the first.
    pub from: Option<String>,
    /// The bound of the values, exclusive; `None` to the last.
    pub to: Option<String>,
    /// Continue strictly behind this place.
    pub after: Option<Cursor>,
    /// Which way.
    pub order: Order,
    /// Most hits, 1 to [`MAX_SCAN_LIMIT`].
    pub limit: usize,
}

impl Scan {
    /// A scan over everything in `over`, ascending, of at most `limit` hits.
    pub fn new(over: Over, limit: usize) -> Self {
        Self { over, from: None, to: None, after: None, order: Order::Ascending, limit }
    }
}

/// What to take of an index, and where it waits meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The index in which documents wait.
    pub index: Cow<'static, str>,
    /// The bound of the values, exclusive.
    pub to: String,
    /// What a document's entries in `index` below `to` are replaced by: where it is found again if nobody writes it
    /// meanwhile. In the same index, its value is not below `to`.
    pub lease: IndexEntry,
    /// Most documents, 1 to [`MAX_SCAN_LIMIT`].
    pub limit: usize,
}

impl Claim {
    /// Whether the claim takes documents by this entry.
    pub fn takes(&self, entry: &IndexEntry) -> bool {
        entry.index == self.index && entry.value < self.to
    }
}

/// One hit of a scan or a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The value it was found under (for [`Over::Kind`], its id).
    pub value: String,
    /// The document.
    pub document: Document,
}

impl Hit {
    /// The place of this hit, for [`Scan::after`].
    pub fn cursor(&self) -> Cursor {
        Cursor { value: self.value.clone(), key: self.document.key.clone() }
    }
}
