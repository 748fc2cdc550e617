//! Giving the whole state as a stream, page by page.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::check::Check;
use super::error::TransferError;
use super::line::{Carried, Content, End, FORMAT, Header, NOTHING, Sum};
use super::{Place, Progress, travelling};
use crate::clock::Clock;
use crate::crypto;
use crate::engine::schema::{Entity, SCHEMA};
use crate::engine::submit::hex;
use crate::store::{Cursor, Document, Hit, Key, Over, Scan, Store, StoreError};

/// Documents of the first page of a kind, and of the largest.
const FIRST_PAGE: usize = 16;
const LARGEST_PAGE: usize = 500;
/// About as much a page should hold.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Gives the whole state of a store as a stream. See [the module](super).
#[derive(Debug)]
pub struct Export {
    store: Arc<dyn Store>,
    /// What was given so far, as who reads it will count it.
    given: Check,
    kinds: Vec<&'static str>,
    stage: Stage,
    page: usize,
    /// The sums of all keys and versions, at the first look and at the second. `None` if the first was interrupted.
    first: Option<Sum>,
    second: Sum,
}

#[derive(Debug)]
enum Stage {
    Header(Header),
    /// The kind of this number, behind this place.
    Documents(usize, Option<Cursor>),
    /// The same, once more.
    Again(usize, Option<Cursor>),
    Done,
}

impl Export {
    /// Begins an export. The clock's time is written into the stream's header.
    ///
    /// # Errors
    /// [`StoreError::Newer`], [`TransferError::Unfinished`], the store's.
    pub async fn begin(store: impl Store, clock: &dyn Clock) -> Result<Self, TransferError> {
        let header = Header { chancery_export: FORMAT, schema: SCHEMA.version, at: clock.now() };
        Self::at(Arc::new(store), Check::new(), Stage::Header(header), Some(NOTHING)).await
    }

    /// Goes on with an export that was cut off: `given` has read what there is of it.
    ///
    /// Cut the stream to [`Check::whole_octets`] first, and write what comes behind that.
    ///
    /// # Errors
    /// Those of [`begin`](Self::begin).
    pub async fn resume(store: impl Store, mut given: Check) -> Result<Self, TransferError> {
        if given.header.is_none() {
            return Err(TransferError::Foreign);
        }
        given.forget_half_a_line();
        let stage = match &given.last {
            _ if given.has_ended() => Stage::Done,
            Some(last) => {
                let number = travelling().iter().position(|kind| *kind == last.kind).unwrap_or_default();
                Stage::Documents(number, Some(Cursor { value: last.id.clone(), key: last.clone() }))
            }
            None => Stage::Documents(0, None),
        };
        Self::at(Arc::new(store), given, stage, None).await
    }

    async fn at(store: Arc<dyn Store>, given: Check, stage: Stage, first: Option<Sum>) -> Result<Self, TransferError> {
        store.prepare(&SCHEMA).await?;
        let place = Key::new(Place::KIND, Place::ID);
        if store.get(&[place]).await?.into_iter().any(|found| found.is_some()) {
            return Err(TransferError::Unfinished);
        }
        Ok(Self { store, given, kinds: travelling(), stage, page: FIRST_PAGE, first, second: NOTHING })
    }

    /// The next piece of the stream: whole lines, perhaps none; `None` after the last.
    ///
    /// # Errors
    /// The store's. Nothing was skipped: call again.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, TransferError> {
        match &self.stage {
            Stage::Header(header) => {
                let line = self.give(&Content::Header(header.clone()))?;
                self.stage = Stage::Documents(0, None);
                Ok(Some(line))
            }
            Stage::Documents(number, after) => {
                let (number, after) = (*number, after.clone());
                self.documents(number, after).await.map(Some)
            }
            Stage::Again(number, after) => {
                let (number, after) = (*number, after.clone());
                self.again(number, after).await.map(Some)
            }
            Stage::Done => Ok(None),
        }
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        let kinds = self.kinds.len();
        let done = match self.stage {
            Stage::Header(_) => 0,
            Stage::Documents(number, _) => number,
            Stage::Again(number, _) => kinds + number,
            Stage::Done => 2 * kinds,
        };
        Progress { kinds: (done, 2 * kinds), ..self.given.progress() }
    }

    async fn documents(&mut self, number: usize, after: Option<Cursor>) -> Result<Vec<u8>, TransferError> {
        let Some(hits) = self.page_of(number, after).await? else {
            if self.first.is_some() {
                self.stage = Stage::Again(0, None);
                return Ok(Vec::new());
            }
            return self.end();
        };
        let mut lines = Vec::new();
        for Hit { document, .. } in &hits {
            let body = raw(document)?;
            let (kind, id) = (Cow::Borrowed(&*document.key.kind), Cow::Borrowed(&*document.key.id));
            lines.extend(self.give(&Content::Document(Carried { kind, id, body }))?);
            self.first = self.first.map(|first| look(&first, document));
        }
        let (number, after) = self.place_behind(number, &hits);
        self.stage = Stage::Documents(number, after);
        Ok(lines)
    }

    async fn again(&mut self, number: usize, after: Option<Cursor>) -> Result<Vec<u8>, TransferError> {
        let Some(hits) = self.page_of(number, after).await? else { return self.end() };
        self.second = hits.iter().fold(self.second, |second, hit| look(&second, &hit.document));
        let (number, after) = self.place_behind(number, &hits);
        self.stage = Stage::Again(number, after);
        Ok(Vec::new())
    }

    /// A page of a kind, perhaps empty; `None` if there is no such kind.
    async fn page_of(&self, number: usize, after: Option<Cursor>) -> Result<Option<Vec<Hit>>, TransferError> {
        let Some(kind) = self.kinds.get(number) else { return Ok(None) };
        let scan = Scan { after, ..Scan::new(Over::Kind((*kind).into()), self.page) };
        Ok(Some(self.store.scan(&scan).await?))
    }

    /// Where the next page begins. Pages are as long as bodies like these allow.
    fn place_behind(&mut self, number: usize, hits: &[Hit]) -> (usize, Option<Cursor>) {
        if hits.len() < self.page {
            self.page = FIRST_PAGE;
            return (number + 1, None);
        }
        let largest = hits.iter().map(|hit| hit.document.body.len()).max().unwrap_or_default();
        self.page = (PAGE_BYTES / largest.max(1)).clamp(1, LARGEST_PAGE);
        (number, hits.last().map(Hit::cursor))
    }

    fn end(&mut self) -> Result<Vec<u8>, TransferError> {
        let header = self.given.header.as_ref().map(|(_, sum)| hex(sum)).unwrap_or_default();
        let end = End {
            header,
            documents: self.given.documents,
            kinds: self.given.kinds.clone(),
            exact: self.first == Some(self.second),
            digest: hex(&self.given.sum),
        };
        let line = self.give(&Content::End(end))?;
        self.stage = Stage::Done;
        Ok(line)
    }

    /// Makes a line, and reads it as who gets it will: nothing leaves that would be refused.
    fn give(&mut self, content: &Content<'_>) -> Result<Vec<u8>, TransferError> {
        let corrupt = |error: serde_json::Error| StoreError::Corrupt { reason: error.to_string() };
        let (line, _) = content.to_line(&self.given.sum).map_err(corrupt)?;
        self.given.push(&line)?;
        Ok(line)
    }
}

/// The body as it is, which must be one line.
fn raw(document: &Document) -> Result<&RawValue, TransferError> {
    let corrupt = |reason: String| StoreError::Corrupt { reason: format!("{}: {reason}", document.key) };
    let body: &RawValue = serde_json::from_slice(&document.body).map_err(|error| corrupt(error.to_string()))?;
    if body.get().contains(['\n', '\r']) {
        return Err(corrupt("its body is not on one line".into()).into());
    }
    Ok(body)
}

/// The sum of all keys and versions so far, and this one's.
fn look(before: &Sum, document: &Document) -> Sum {
    let Document { key, version, .. } = document;
    let parts: [&[u8]; 5] = [before, key.kind.as_bytes(), &[0], key.id.as_bytes(), &version.0.to_be_bytes()];
    crypto::sha256(&parts.concat())
}
