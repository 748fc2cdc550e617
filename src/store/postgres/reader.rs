//! Reads: one statement each, which sees one state.

use bytes::Bytes;
use tokio_postgres::Row;

use super::super::bounds::{lower, place, upper};
use super::super::{Document, Hit, Key, Order, Over, Scan, StoreError, Version};
use super::connections::{Connections, Parameter, bind};
use super::failure::{Failure, Turns, unreadable};
use super::text::{decode, encode};

const GET: &str = "SELECT k.number, d.version, d.body
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS k (kind, id, number)
    JOIN document AS d ON d.kind = k.kind AND d.id = k.id";

/// Reads documents by key.
pub(super) async fn get(connections: &Connections, keys: Vec<Key>) -> Result<Vec<Option<Document>>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let kinds: Vec<String> = keys.iter().map(|key| key.kind.to_string()).collect();
    let ids: Vec<String> = keys.iter().map(|key| encode(&key.id).into_owned()).collect();
    let rows = persist(connections, GET, &[bind(kinds), bind(ids)]).await?;
    let mut found: Vec<Option<Document>> = keys.iter().map(|_| None).collect();
    for row in &rows {
        let (at, version, body) = found_row(row).map_err(Failure::into_error)?;
        if let Some((slot, key)) = found.get_mut(at).zip(keys.get(at)) {
            *slot = Some(Document { key: key.clone(), version, body });
        }
    }
    Ok(found)
}

/// Reads a range of a kind or an index.
pub(super) async fn scan(connections: &Connections, scan: &Scan) -> Result<Vec<Hit>, StoreError> {
    let query = Query::of(scan);
    let rows = persist(connections, &query.sql, &query.parameters).await?;
    rows.iter().map(|row| hit(row).map_err(Failure::into_error)).collect()
}

/// A row of a scan or a claim: value, kind, id, version, body.
pub(super) fn hit(row: &Row) -> Result<Hit, Failure> {
    let read = || -> Result<Hit, tokio_postgres::Error> {
        let key = Key::new(row.try_get::<_, String>(1)?, decode(row.try_get(2)?));
        let document = Document { key, version: version(row, 3)?, body: body(row, 4)? };
        Ok(Hit { value: decode(row.try_get(0)?), document })
    };
    read().map_err(|error| unreadable(&error))
}

fn found_row(row: &Row) -> Result<(usize, Version, Bytes), Failure> {
    let read =
        || -> Result<_, tokio_postgres::Error> { Ok((row.try_get::<_, i64>(0)?, version(row, 1)?, body(row, 2)?)) };
    let (number, version, body) = read().map_err(|error| unreadable(&error))?;
    // Counted from one.
    Ok((usize::try_from(number - 1).unwrap_or(usize::MAX), version, body))
}

/// A read that met a connection that was closed meanwhile, or a server that starts, is simply made again.
async fn persist(connections: &Connections, sql: &str, parameters: &[Parameter]) -> Result<Vec<Row>, StoreError> {
    let mut turns = Turns::default();
    loop {
        match connections.query(sql, parameters).await {
            Ok(rows) => return Ok(rows),
            Err(failure) => turns.wait(failure).await?,
        }
    }
}

fn version(row: &Row, column: usize) -> Result<Version, tokio_postgres::Error> {
    row.try_get(column).map(|version: i64| Version(version.cast_unsigned()))
}

fn body(row: &Row, column: usize) -> Result<Bytes, tokio_postgres::Error> {
    row.try_get(column).map(|body: &str| Bytes::copy_from_slice(body.as_bytes()))
}

/// A query in the making. Its text has few forms, so that each connection has them all prepared.
pub(super) struct Query {
    pub(super) sql: String,
    pub(super) parameters: Vec<Parameter>,
}

impl Query {
    /// The query of a scan.
    pub(super) fn of(scan: &Scan) -> Self {
        match &scan.over {
            Over::Kind(kind) => over_kind(kind, scan),
            Over::Index(index) => over_index(index, scan),
        }
    }

    fn new(sql: &str, name: &str) -> Self {
        Self { sql: sql.to_owned(), parameters: vec![bind(name.to_owned())] }
    }

    /// Adds a condition, in which `?` stands for each value in turn.
    fn push(&mut self, condition: &str, values: &[&str]) {
        let mut values = values.iter();
        for part in condition.split_inclusive('?') {
            self.sql.push_str(part.trim_end_matches('?'));
            if let (true, Some(value)) = (part.ends_with('?'), values.next()) {
                self.parameters.push(bind(encode(value).into_owned()));
                self.sql.push_str(&format!("${}", self.parameters.len()));
            }
        }
    }

    fn finish(mut self, order: [&str; 2], scan: &Scan) -> Self {
        self.parameters.push(bind(i64::try_from(scan.limit).unwrap_or(i64::MAX)));
        let order = order[usize::from(scan.order == Order::Descending)];
        self.sql.push_str(&format!(" ORDER BY {order} LIMIT ${}", self.parameters.len()));
        self
    }
}

fn over_kind(kind: &str, scan: &Scan) -> Query {
    let mut query = Query::new("SELECT id, kind, id, version, body FROM document WHERE kind = $1", kind);
    // One bound on each side, the tighter one.
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
    query.finish(["id", "id DESC"], scan)
}

fn over_index(index: &str, scan: &Scan) -> Query {
    let sql = "SELECT e.value, e.kind, e.id, d.version, d.body
        FROM entry AS e JOIN document AS d ON d.kind = e.kind AND d.id = e.id
        WHERE e.name = (SELECT code FROM index_name WHERE name = $1)";
    let mut query = Query::new(sql, index);
    match (lower(scan), &scan.from) {
        (Some(after), _) => query.push(" AND (e.value, e.kind, e.id) > (?, ?, ?)", &place(after)),
        (None, Some(from)) => query.push(" AND e.value >= ?", &[from]),
        (None, None) => {}
    }
    match (upper(scan), &scan.to) {
        (Some(after), _) => query.push(" AND (e.value, e.kind, e.id) < (?, ?, ?)", &place(after)),
        (None, Some(to)) => query.push(" AND e.value < ?", &[to]),
        (None, None) => {}
    }
    query.finish(["e.value, e.kind, e.id", "e.value DESC, e.kind DESC, e.id DESC"], scan)
}
