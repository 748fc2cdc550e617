//! Reading a stream piece by piece: every line must follow from the one before.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use bytes::Bytes;

use super::error::TransferError;
use super::line::{Carried, Content, End, FORMAT, Header, MAX_LINE_BYTES, NOTHING, Sum};
use super::{Progress, Summary, travelling};
use crate::engine::schema::{SCHEMA, derive};
use crate::engine::submit::hex;
use crate::store::{IndexEntry, Key};

/// Checks a stream without a store: that it is whole, and that every document can be read by this version of the crate.
///
/// It also tells how much of a stream that was cut off is whole, so that [`Export::resume`](super::Export::resume) can go on.
///
/// ```
/// use chancery::engine::transfer::{Check, TransferError};
///
/// let mut check = Check::new();
/// let refused = check.push(b"something else\n");
/// assert_eq!(refused, Err(TransferError::Foreign));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Check {
    /// A line of which the rest is still to come.
    partial: Vec<u8>,
    /// Whole lines.
    pub(super) line: u64,
    octets: u64,
    pub(super) header: Option<(Header, Sum)>,
    /// The sum of the last document.
    pub(super) sum: Sum,
    pub(super) last: Option<Key>,
    pub(super) documents: u64,
    pub(super) kinds: BTreeMap<String, u64>,
    end: Option<End>,
}

/// A document of a stream, with what its store needs.
pub(super) struct Arrived {
    pub(super) key: Key,
    pub(super) body: Bytes,
    pub(super) entries: Vec<IndexEntry>,
}

impl Check {
    /// A check of which nothing was read yet.
    pub fn new() -> Self {
        Self { sum: NOTHING, ..Self::default() }
    }

    /// Reads the next piece, of any size. After an error the stream is not to be read on.
    ///
    /// # Errors
    /// The first line that is not as it should be.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), TransferError> {
        while self.next(&mut piece)?.is_some() {}
        Ok(())
    }

    /// Ends the stream, and tells what it holds.
    ///
    /// # Errors
    /// [`TransferError::Truncated`], if the stream has not ended.
    pub fn finish(self) -> Result<Summary, TransferError> {
        let truncated = TransferError::Truncated { line: self.line + 1 };
        match (self.header, self.end) {
            (Some((header, _)), Some(end)) if self.partial.is_empty() => Ok(Summary {
                at: header.at,
                schema: header.schema,
                documents: end.documents,
                kinds: end.kinds,
                exact: end.exact,
                digest: end.digest,
            }),
            _ => Err(truncated),
        }
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        let kinds = travelling();
        let done = match (&self.end, &self.last) {
            (Some(_), _) => kinds.len(),
            (None, last) => last.as_ref().map_or(0, |last| kinds.iter().filter(|kind| ***kind < *last.kind).count()),
        };
        Progress { documents: self.documents, octets: self.octets, kinds: (done, kinds.len()) }
    }

    /// How long the part is that is whole lines: what is behind it in a stream that was cut off is to be cut away.
    pub fn whole_octets(&self) -> u64 {
        self.octets
    }

    /// Whether the end of the stream was read.
    pub fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Forgets the line that was cut off.
    pub(super) fn forget_half_a_line(&mut self) {
        self.partial.clear();
    }

    /// The next document in `piece`, of which it takes what it reads.
    pub(super) fn next(&mut self, piece: &mut &[u8]) -> Result<Option<Arrived>, TransferError> {
        while let Some(end) = piece.iter().position(|octet| *octet == b'\n') {
            let (text, rest) = piece.split_at(end);
            *piece = &rest[1..];
            let arrived = if self.partial.is_empty() {
                self.read(text)?
            } else {
                self.hold(text)?;
                let text = std::mem::take(&mut self.partial);
                self.read(&text)?
            };
            if arrived.is_some() {
                return Ok(arrived);
            }
        }
        self.hold(std::mem::take(piece))?;
        Ok(None)
    }

    fn hold(&mut self, text: &[u8]) -> Result<(), TransferError> {
        if self.partial.len() + text.len() > MAX_LINE_BYTES {
            return Err(TransferError::TooLong { line: self.line + 1 });
        }
        self.partial.extend_from_slice(text);
        Ok(())
    }

    fn read(&mut self, text: &[u8]) -> Result<Option<Arrived>, TransferError> {
        let line = self.line + 1;
        if self.end.is_some() {
            return Err(TransferError::BehindTheEnd { line });
        }
        if text.len() > MAX_LINE_BYTES {
            return Err(TransferError::TooLong { line });
        }
        let (content, sum) = Content::read(text, line, &self.sum)?;
        let arrived = match (content, &self.header) {
            (Content::Header(header), None) => {
                judge_header(&header)?;
                self.header = Some((header, sum));
                None
            }
            (Content::Document(carried), Some(_)) => {
                let arrived = self.judge_document(line, &carried)?;
                self.sum = sum;
                Some(arrived)
            }
            (Content::End(end), Some((_, header))) => {
                self.judge_end(line, &end, header)?;
                self.end = Some(end);
                None
            }
            (_, None) => return Err(TransferError::Foreign),
            (Content::Header(_), Some(_)) => return Err(malformed(line, "another header")),
        };
        (self.line, self.octets) = (line, self.octets + text.len() as u64 + 1);
        Ok(arrived)
    }

    fn judge_document(&mut self, line: u64, carried: &Carried<'_>) -> Result<Arrived, TransferError> {
        let known = travelling().into_iter().find(|kind| *kind == carried.kind);
        let kind = known.ok_or_else(|| malformed(line, &format!("{:?} is no kind that travels", carried.kind)))?;
        let key = Key::new(kind, &*carried.id);
        if self.last.as_ref().is_some_and(|last| last.cmp(&key) != Ordering::Less) {
            return Err(malformed(line, "it is not in the order of kind and id"));
        }
        let body = carried.body.get().as_bytes();
        let unreadable = |reason: String| TransferError::Unreadable { line, key: key.clone(), reason };
        let derived = match derive(kind, body) {
            Some(derived) => derived.map_err(|error| unreadable(error.to_string()))?,
            None => return Err(malformed(line, "no kind")),
        };
        if derived.id != key.id {
            return Err(unreadable(format!("its body says that it is {:?}", derived.id)));
        }
        self.last = Some(key.clone());
        self.documents += 1;
        *self.kinds.entry(kind.to_owned()).or_default() += 1;
        Ok(Arrived { key, body: Bytes::copy_from_slice(body), entries: derived.entries })
    }

    fn judge_end(&self, line: u64, end: &End, header: &Sum) -> Result<(), TransferError> {
        let told = (end.documents, &end.kinds, &*end.digest, &*end.header);
        if told != (self.documents, &self.kinds, &*hex(&self.sum), &*hex(header)) {
            return Err(malformed(line, "it ends another export than the one that it follows"));
        }
        Ok(())
    }
}

fn judge_header(header: &Header) -> Result<(), TransferError> {
    for (what, found, supported) in
        [("format", header.chancery_export, FORMAT), ("schema", header.schema, SCHEMA.version)]
    {
        if found > supported {
            return Err(TransferError::Newer { what, found, supported });
        }
    }
    Ok(())
}

fn malformed(line: u64, reason: &str) -> TransferError {
    TransferError::Malformed { line, reason: reason.to_owned() }
}
