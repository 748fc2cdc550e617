//! A line of the stream: its form, and the sum that binds it to those before.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::error::TransferError;
use crate::crypto;
use crate::engine::submit::hex;
use crate::store::{MAX_BODY_BYTES, MAX_KEY_BYTES};

/// The version of the form of the stream.
pub const FORMAT: u32 = 1;
/// Longest line, without its end: the largest body, the longest id (each octet may need six), and what is around them.
pub const MAX_LINE_BYTES: usize = MAX_BODY_BYTES + 6 * MAX_KEY_BYTES + 1024;

/// A SHA-256.
pub(super) type Sum = [u8; 32];

/// Stands before the first document, so that the documents' sums do not depend on the header.
pub(super) const NOTHING: Sum = [0; 32];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    /// The version of the form.
    pub(super) chancery_export: u32,
    pub(super) schema: u32,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) at: OffsetDateTime,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Carried<'l> {
    #[serde(borrow)]
    pub(super) kind: Cow<'l, str>,
    #[serde(borrow)]
    pub(super) id: Cow<'l, str>,
    #[serde(borrow)]
    pub(super) body: &'l RawValue,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    /// The sum of the header, which the documents' do not cover.
    pub(super) header: String,
    pub(super) documents: u64,
    pub(super) kinds: BTreeMap<String, u64>,
    pub(super) exact: bool,
    pub(super) digest: String,
}

/// What a line says.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Content<'l> {
    Header(Header),
    Document(Carried<'l>),
    End(End),
}

const OPENING: &[u8] = b"{\"sum\":\"";
/// What stands between the sum and the content.
const BETWEEN: &[u8] = b"\",";
const START: usize = OPENING.len() + 2 * size_of::<Sum>() + BETWEEN.len();

impl<'l> Content<'l> {
    /// The line, with its end, and its sum.
    pub(super) fn to_line(&self, before: &Sum) -> serde_json::Result<(Vec<u8>, Sum)> {
        let content = serde_json::to_vec(self)?;
        // The sum and the content are one object: the content gives its own braces up.
        let rest = &content[1..];
        let sum = sum_of(before, rest);
        let line = [OPENING, hex(&sum).as_bytes(), BETWEEN, rest, b"\n"].concat();
        Ok((line, sum))
    }

    /// Reads line number `line`, without its end, which must follow what has the sum `before`.
    pub(super) fn read(text: &'l [u8], line: u64, before: &Sum) -> Result<(Self, Sum), TransferError> {
        let damaged = || if line == 1 { TransferError::Foreign } else { TransferError::Damaged { line } };
        let rest = text.get(START..).ok_or_else(damaged)?;
        let sum = sum_of(before, rest);
        if text[..START] != *[OPENING, hex(&sum).as_bytes(), BETWEEN].concat() {
            return Err(damaged());
        }
        let malformed = |error: serde_json::Error| TransferError::Malformed { line, reason: error.to_string() };
        let parts: Line<'l> = serde_json::from_slice(text).map_err(malformed)?;
        let content = match parts {
            Line { header: Some(header), document: None, end: None, .. } => Self::Header(header),
            Line { header: None, document: Some(document), end: None, .. } => Self::Document(document),
            Line { header: None, document: None, end: Some(end), .. } => Self::End(end),
            _ => return Err(TransferError::Malformed { line, reason: "it is not one thing".into() }),
        };
        Ok((content, sum))
    }
}

/// The object that a line is. An enum would have to hold the whole body twice to look for its variant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'l> {
    #[serde(rename = "sum")]
    _sum: &'l str,
    header: Option<Header>,
    #[serde(borrow)]
    document: Option<Carried<'l>>,
    end: Option<End>,
}

fn sum_of(before: &Sum, rest: &[u8]) -> Sum {
    crypto::sha256(&[before, rest].concat())
}
