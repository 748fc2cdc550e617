//! The reader threads: a few connections that answer reads, so that no future ever waits for the disk.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use futures_channel::oneshot;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::super::bounds::{lower, place, upper};
use super::super::{Document, Hit, Key, Order, Over, Scan, StoreError, Version};
use super::failure::{self, Failure};
use super::{SqliteOptions, file, join, spawn};

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// The pool: one queue, some threads. Dropping it waits for the threads to end.
pub(super) struct Readers {
    // `None` only while dropping: a closed queue is what ends the threads.
    queue: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// Opens the connections and starts the threads.
    pub(super) fn start(path: &Path, options: &SqliteOptions) -> Result<Self, StoreError> {
        let (queue, jobs) = mpsc::channel::<Job>();
        let jobs = Arc::new(Mutex::new(jobs));
        let mut readers = Self { queue: Some(queue), threads: Vec::new() };
        for _ in 0..options.readers {
            let connection = file::open_reader(path, options).map_err(Failure::into_error)?;
            let jobs = Arc::clone(&jobs);
            readers.threads.push(spawn("chancery-sqlite-reader", move || run(&connection, &jobs))?);
        }
        Ok(readers)
    }

    /// Has a thread do `work`, and waits for its answer.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            if !answer.is_canceled() {
                // Whoever stopped listening does not mind.
                let _ = answer.send(work(connection).map_err(Failure::into_error));
            }
        });
        let queue = self.queue.as_ref().ok_or_else(failure::stopped)?;
        queue.send(job).map_err(|mpsc::SendError(_)| failure::stopped())?;
        answered.await.unwrap_or_else(|oneshot::Canceled| Err(failure::stopped()))
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue = None;
        self.threads.drain(..).for_each(join);
    }
}

fn run(connection: &Connection, jobs: &Mutex<Receiver<Job>>) {
    loop {
        // The lock is held while waiting, never while working: the others wait for the lock instead of the queue.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        job(connection);
    }
}

/// Reads documents by key, all from one state.
pub(super) fn get(connection: &Connection, keys: Vec<Key>) -> Result<Vec<Option<Document>>, Failure> {
    let transaction = connection.unchecked_transaction()?;
    let mut find = transaction.prepare_cached(
        "SELECT version, body FROM chancery_document
         WHERE kind = (SELECT code FROM chancery_name WHERE name = ?1) AND id = ?2",
    )?;
    let mut read = |key: Key| {
        let found = find.query_row([&*key.kind, &key.id], |row| Ok((version(row, 0)?, body(row, 1)?))).optional()?;
        Ok(found.map(|(version, body)| Document { key, version, body }))
    };
    keys.into_iter().map(&mut read).collect()
}

/// Reads a range of a kind or an index.
pub(super) fn scan(connection: &Connection, scan: &Scan) -> Result<Vec<Hit>, Failure> {
    let query = match &scan.over {
        Over::Kind(kind) => over_kind(kind, scan),
        Over::Index(index) => over_index(index, scan),
    };
    let mut statement = connection.prepare_cached(&query.sql)?;
    let hits = statement.query_map(params_from_iter(query.values), hit)?;
    Ok(hits.collect::<Result<_, _>>()?)
}

/// A query in the making. Its text has few forms, so that the cache of prepared statements holds them all.
struct Query {
    sql: String,
    values: Vec<Value>,
}

impl Query {
    fn push(&mut self, sql: &str, values: &[&str]) {
        self.sql.push_str(sql);
        self.values.extend(values.iter().map(|value| Value::Text((*value).to_owned())));
    }

    fn finish(mut self, order: &[&str; 2], scan: &Scan) -> Self {
        self.sql.push_str(order[usize::from(scan.order == Order::Descending)]);
        self.sql.push_str(" LIMIT ?");
        self.values.push(Value::Integer(i64::try_from(scan.limit).unwrap_or(i64::MAX)));
        self
    }
}

fn over_kind(kind: &str, scan: &Scan) -> Query {
    let sql = "SELECT id, name, id, version, body FROM chancery_document JOIN chancery_name ON code = kind
               WHERE kind = (SELECT code FROM chancery_name WHERE name = ?)";
    let mut query = Query { sql: sql.into(), values: vec![Value::Text(kind.to_owned())] };
    // One bound on each side: with two, SQLite may seek by the weaker and read all between them.
    match (lower(scan), &scan.from) {
        (Some(after), _) => query.push(" AND id > ?", &[&after.value]),
        (None, Some(from)) => query.push(" AND id >= ?", &[from]),
        (None, None) => {}
    }
    match (upper(scan), &scan.to) {
        (Some(after), _) => query.push(" AND id < ?", &[&after.value]),
        (None, Some(to)) => query.push(" AND id < ?", &[to]),
        (None, None) => {}
    }
    query.finish(&[" ORDER BY id", " ORDER BY id DESC"], scan)
}

fn over_index(index: &str, scan: &Scan) -> Query {
    let sql = "SELECT entry.value, entry.kind, entry.id, version, body
               FROM chancery_entry AS entry JOIN chancery_document ON number = document
               WHERE name = (SELECT code FROM chancery_name WHERE name = ?)";
    let mut query = Query { sql: sql.into(), values: vec![Value::Text(index.to_owned())] };
    match (lower(scan), &scan.from) {
        (Some(after), _) => query.push(" AND (value, entry.kind, entry.id) > (?, ?, ?)", &place(after)),
        (None, Some(from)) => query.push(" AND value >= ?", &[from]),
        (None, None) => {}
    }
    match (upper(scan), &scan.to) {
        (Some(after), _) => query.push(" AND (value, entry.kind, entry.id) < (?, ?, ?)", &place(after)),
        (None, Some(to)) => query.push(" AND value < ?", &[to]),
        (None, None) => {}
    }
    let ascending = " ORDER BY value, entry.kind, entry.id";
    query.finish(&[ascending, " ORDER BY value DESC, entry.kind DESC, entry.id DESC"], scan)
}

fn hit(row: &Row<'_>) -> rusqlite::Result<Hit> {
    let key = Key::new(row.get::<_, String>(1)?, row.get::<_, String>(2)?);
    Ok(Hit { value: row.get(0)?, document: Document { key, version: version(row, 3)?, body: body(row, 4)? } })
}

fn version(row: &Row<'_>, column: usize) -> rusqlite::Result<Version> {
    row.get(column).map(|version: i64| Version(version.cast_unsigned()))
}

fn body(row: &Row<'_>, column: usize) -> rusqlite::Result<Bytes> {
    Ok(Bytes::copy_from_slice(row.get_ref(column)?.as_bytes()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Cursor;

    /// A page deep in an index must be found by seeking, and no page may be sorted.
    #[test]
    fn every_form_of_scan_seeks() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        let connection = file::open_writer(&path, &SqliteOptions::new()).unwrap();
        for order in [Order::Ascending, Order::Descending] {
            for (from, to, after) in (0..8).map(|bits| (bits & 1 > 0, bits & 2 > 0, bits & 4 > 0)) {
                let bound = |given: bool, value: &str| given.then(|| value.to_owned());
                let after = after.then(|| Cursor { value: "m".into(), key: Key::new("k", "m") });
                let over = Over::Kind("k".into());
                let scan = Scan { over, from: bound(from, "a"), to: bound(to, "z"), after, order, limit: 10 };
                let bounded = from || to || scan.after.is_some();
                assert_seeks(&connection, over_kind("k", &scan), ("chancery_document", bounded.then_some("id")));
                assert_seeks(&connection, over_index("i", &scan), ("entry", bounded.then_some("value")));
            }
        }
    }

    fn assert_seeks(connection: &Connection, query: Query, (table, bound): (&str, Option<&str>)) {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", query.sql)).unwrap();
        let steps = statement.query_map(params_from_iter(query.values), |row| row.get::<_, String>(3)).unwrap();
        let plan: Vec<String> = steps.map(Result::unwrap).collect();
        let seeks = |step: &String| {
            step.starts_with(&format!("SEARCH {table} "))
                && bound.is_none_or(|by| {
                    step.contains(&format!("{by}>"))
                        || step.contains(&format!("{by}<"))
                        || step.contains(&format!("{by},"))
                })
        };
        assert!(plan.iter().any(seeks) && !plan.iter().any(|step| step.contains("B-TREE")), "{}: {plan:?}", query.sql);
    }
}
