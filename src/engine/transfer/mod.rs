//! The whole state as a stream of JSON Lines: backup, and the move from any store to any other.
//!
//! [`Export`] gives the stream in pieces, [`Import`] takes it in pieces, and [`Check`] reads one without a store. Where the
//! pieces come from and go to (a file, an object store, a connection) is the host's business; the pieces may be of any size,
//! and neither end holds more of the stream than a page.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use chancery::clock::SystemClock;
//! use chancery::engine::transfer::{Export, Import};
//! use chancery::store::MemoryStore;
//!
//! # use chancery::{domain::{Actor, IssuerSpec}, engine::Engine, sealer::AeadSealer};
//! let (old, new) = (MemoryStore::new(), MemoryStore::new());
//! # let alice = Actor::user("alice")?;
//! # let builder = Engine::builder().store(old.clone()).sealer(AeadSealer::new(&[7; 32]));
//! # let engine = builder.administrator(alice.principal().clone()).build().await?;
//! # engine.acting_as(alice).create_root(IssuerSpec::new("root".parse()?, "Example Root")).await?;
//! let mut export = Export::begin(old, &SystemClock).await?;
//! let mut import = Import::begin(new).await?;
//! while let Some(piece) = export.next().await? {
//!     import.push(&piece).await?;
//! }
//! let summary = import.finish().await?;
//! assert!(summary.exact && summary.kinds["issuer"] == 1);
//! # Ok(())
//! # }
//! ```
//!
//! # What travels
//!
//! Every document but signed OCSP answers, which are good for one state of one store and are signed anew. Index entries are
//! derived from the bodies, so that nothing waits under the lease of a worker of the old store. What is sealed stays sealed:
//! **the new store is of no use without the sealing key of the old one**, nor without the CA keys that are not in the store.
//! Versions are given anew.
//!
//! An export reads page by page while others write. That of a store at which nobody writes is an exact copy, and says so:
//! the export looks at every version once more at the end, and [`Summary::exact`] tells that at the moment between the two
//! looks the state was exactly what the stream says. Otherwise documents are from different moments, and what refers to
//! another may miss it: stop the workers and the verbs first, at least for the export that is to be the last before a move.
//!
//! # The form
//!
//! One JSON object to a line: a header, the documents in the order of kind and id, and an end with counts. Each line begins
//! with `sum`, the SHA-256 of the one before and of all that follows it on its own line: a line that was changed, lost, moved
//! or added is found when it is read, before anything of it is written. The last document's is the [digest](Summary::digest)
//! of the whole: equal for equal states, whatever the store and the time.
//!
//! # When it is interrupted
//!
//! An export goes on [behind the last whole line](Export::resume); it is then never `exact`. An import that was cut off is
//! fed the same stream from its beginning, and goes on where it was: how far it came is in the store, in the commit of what
//! it wrote. Until it is finished no engine opens that store.

mod check;
mod error;
mod export;
mod import;
mod line;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use check::Check;
pub use error::TransferError;
pub use export::Export;
pub use import::Import;
pub use line::{FORMAT, MAX_LINE_BYTES};

use super::context::Context;
use super::error::Error;
use super::schema::{Entity, OcspAnswer, SCHEMA};

/// What a whole stream holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// When the export began, by the clock that it was given.
    pub at: OffsetDateTime,
    /// The version of the schema that the documents are of.
    pub schema: u32,
    /// How many documents there are.
    pub documents: u64,
    /// How many of each kind that there are any of.
    pub kinds: BTreeMap<String, u64>,
    /// Whether the documents are the state of one moment: nothing changed during the export.
    pub exact: bool,
    /// What the documents are known by: hex. Two exports of equal states have the same, whenever and wherever they were made.
    pub digest: String,
}

/// How far an export, an import or a check has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Documents so far.
    pub documents: u64,
    /// Octets so far, of whole lines.
    pub octets: u64,
    /// Kinds of documents that are done, and how many there are. An export looks at each twice.
    pub kinds: (usize, usize),
}

/// How far an import has come: kept in the store until it is finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct Place {
    /// The last line that was written, with its sum.
    line: u64,
    sum: String,
}

impl Place {
    /// The only one.
    pub(in crate::engine) const ID: &'static str = "import";
}

impl Entity for Place {
    const KIND: &'static str = "transfer";

    fn document_id(&self) -> String {
        Self::ID.to_owned()
    }
}

impl Context {
    /// An import that was begun must be finished before anything else is done.
    pub(in crate::engine) async fn refuse_half_an_import(&self) -> Result<(), Error> {
        match self.find::<Place>(Place::ID).await? {
            Some(_) => Err(Error::ImportUnfinished),
            None => Ok(()),
        }
    }
}

/// The kinds that travel, in the order in which they do.
fn travelling() -> Vec<&'static str> {
    let stays = |kind: &&str| [OcspAnswer::KIND, Place::KIND].contains(kind);
    let mut kinds: Vec<&str> = SCHEMA.kinds.iter().map(|kind| kind.kind).filter(|kind| !stays(kind)).collect();
    kinds.sort_unstable();
    kinds
}
