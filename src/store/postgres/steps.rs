//! Statements that are sent together: what they say, what is bound to them, and in which order.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::task::Poll;

use futures_util::future::{MaybeDone, maybe_done};
use tokio_postgres::{Error, Row};

use super::connections::{Parameter, bind};
use super::failure::{Failure, corrupt};
use super::judge::{Changes, Lock, Pair, Place, Put};

/// Bodies of one statement, in bytes: the server takes a message of up to a gigabyte, and needs memory for it.
const MAX_STATEMENT_BYTES: usize = 16 * 1024 * 1024;

const RELEASE: &str = "DELETE FROM reservation AS r USING unnest($1::text[], $2::text[]) AS k (kind, id)
    WHERE r.kind = k.kind AND r.id = k.id";
const DELETE: &str = "DELETE FROM document AS d USING unnest($1::text[], $2::text[]) AS k (kind, id)
    WHERE d.kind = k.kind AND d.id = k.id";
const UPDATE: &str = "UPDATE document AS d SET version = k.version, entries = k.entries, body = k.body
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[]) AS k (kind, id, version, entries, body)
    WHERE d.kind = k.kind AND d.id = k.id";
const INSERT: &str = "INSERT INTO document (kind, id, version, entries, body)
    SELECT kind, id, version, entries, body
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[]) AS k (kind, id, version, entries, body)";
const DROP_ENTRIES: &str = "DELETE FROM entry AS e
    USING unnest($1::integer[], $2::text[], $3::text[], $4::text[]) AS k (name, value, kind, id)
    WHERE e.name = k.name AND e.value = k.value AND e.kind = k.kind AND e.id = k.id";
const ADD_ENTRIES: &str = "INSERT INTO entry (name, value, kind, id)
    SELECT name, value, kind, id
    FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[]) AS k (name, value, kind, id)";

/// A statement under way.
pub(super) type Sent<'s> = Pin<Box<dyn Future<Output = Result<Vec<Row>, Error>> + Send + 's>>;

/// Begins each piece of work in turn, without waiting for the one before, and waits for all. What already failed when the
/// next was to begin ends the row: the answers are then fewer.
pub(super) async fn in_order(work: Vec<Sent<'_>>) -> Vec<Result<Vec<Row>, Error>> {
    let mut work: Vec<MaybeDone<Sent<'_>>> = work.into_iter().map(maybe_done).collect();
    let mut begun = 0;
    std::future::poll_fn(|context| {
        let mut is_done = true;
        for at in 0..work.len() {
            if at >= begun && at > 0 && matches!(work[at - 1], MaybeDone::Done(Err(_))) {
                work.truncate(at);
                break;
            }
            begun = begun.max(at + 1);
            is_done &= Pin::new(&mut work[at]).poll(context).is_ready();
        }
        if is_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    work.iter_mut().filter_map(|each| Pin::new(each).take_output()).collect()
}

/// Whether a statement is sent as it is, without being prepared.
pub(super) fn is_plain(sql: &str) -> bool {
    sql.starts_with("BEGIN") || sql == "COMMIT"
}

/// Statements with what is bound to them, to be sent together.
#[derive(Default)]
pub(super) struct Steps(pub(super) Vec<(String, Vec<Parameter>)>);

impl Steps {
    /// Adds a statement.
    pub(super) fn push(&mut self, sql: &str, parameters: Vec<Parameter>) {
        self.0.push((sql.to_owned(), parameters));
    }

    /// Adds all that is to be written, and frees what was locked without a row.
    pub(super) fn write(&mut self, changes: Changes<'_>, locks: &BTreeMap<Place, Lock>) {
        let reserved: Vec<&Place> = locks.iter().filter(|(_, lock)| lock.is_absent).map(|(place, _)| place).collect();
        if !reserved.is_empty() {
            self.push(RELEASE, places(reserved));
        }
        if !changes.dropped.is_empty() {
            self.push(DROP_ENTRIES, entries(changes.dropped));
        }
        if !changes.deleted.is_empty() {
            self.push(DELETE, places(&changes.deleted));
        }
        portions(changes.updated).for_each(|portion| self.push(UPDATE, documents(portion)));
        portions(changes.inserted).for_each(|portion| self.push(INSERT, documents(portion)));
        if !changes.added.is_empty() {
            self.push(ADD_ENTRIES, entries(changes.added));
        }
    }
}

/// Documents in portions that one statement can carry.
fn portions(puts: Vec<Put<'_>>) -> impl Iterator<Item = Vec<Put<'_>>> {
    let mut puts = puts.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut portion = vec![puts.next()?];
        let mut bytes = portion[0].body.len();
        while let Some(put) = puts.next_if(|put| bytes + put.body.len() <= MAX_STATEMENT_BYTES) {
            bytes += put.body.len();
            portion.push(put);
        }
        Some(portion)
    })
}

/// The columns of keys.
pub(super) fn places<'p>(places: impl IntoIterator<Item = &'p Place>) -> Vec<Parameter> {
    let (kinds, ids): (Vec<String>, Vec<String>) = places.into_iter().cloned().unzip();
    vec![bind(kinds), bind(ids)]
}

fn documents(puts: Vec<Put<'_>>) -> Vec<Parameter> {
    let mut columns = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for Put { place: (kind, id), version, entries, body } in puts {
        columns.0.push(kind);
        columns.1.push(id);
        columns.2.push(version.0.cast_signed());
        columns.3.push(remembered(&entries));
        columns.4.push(body.to_owned());
    }
    vec![bind(columns.0), bind(columns.1), bind(columns.2), bind(columns.3), bind(columns.4)]
}

fn entries(entries: Vec<(Pair, Place)>) -> Vec<Parameter> {
    let mut columns = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((name, value), (kind, id)) in entries {
        columns.0.push(name);
        columns.1.push(value);
        columns.2.push(kind);
        columns.3.push(id);
    }
    vec![bind(columns.0), bind(columns.1), bind(columns.2), bind(columns.3)]
}

/// A document's own memory of its entries.
fn remembered(entries: &BTreeSet<Pair>) -> Option<String> {
    (!entries.is_empty()).then(|| serde_json::Value::from_iter(entries.iter().map(pair)).to_string())
}

fn pair((name, value): &Pair) -> serde_json::Value {
    serde_json::Value::from(vec![serde_json::Value::from(*name), serde_json::Value::from(value.as_str())])
}

/// What [`remembered`] made, read back.
pub(super) fn recalled(entries: Option<&str>) -> Result<BTreeSet<Pair>, Failure> {
    let Some(entries) = entries else { return Ok(BTreeSet::new()) };
    serde_json::from_str(entries).map_err(|error| corrupt(format!("the entries of a document: {error}")))
}
