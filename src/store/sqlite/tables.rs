//! The statements that judge and apply a batch, or take what waits, inside a transaction.

use std::collections::{HashMap, HashSet};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Statement, ToSql, params};

use super::super::{Batch, Claim, Document, Expect, Hit, IndexEntry, Key, Version, Write};
use super::failure::{Failure, corrupt};

/// The prepared statements of the writer's connection, and the names that it has met.
pub(super) struct Tables<'c> {
    find: Statement<'c>,
    insert: Statement<'c>,
    update: Statement<'c>,
    delete: Statement<'c>,
    add_entry: Statement<'c>,
    drop_entry: Statement<'c>,
    waiting: Statement<'c>,
    renew: Statement<'c>,
    find_name: Statement<'c>,
    add_name: Statement<'c>,
    last_version: Statement<'c>,
    set_last_version: Statement<'c>,
    names: HashMap<String, i64>,
}

/// A document's row, as far as judging and replacing it needs.
struct Row {
    number: i64,
    version: Version,
    entries: Option<String>,
}

/// A document that waits: as its taker sees it, and its row.
struct Waiting {
    hit: Hit,
    row: Row,
}

impl Waiting {
    fn read(row: &rusqlite::Row<'_>) -> Result<Self, Failure> {
        let version = Version(row.get::<_, i64>(4)?.cast_unsigned());
        let key = Key::new(row.get::<_, String>(1)?, row.get::<_, String>(2)?);
        let document = Document { key, version, body: row.get::<_, String>(6)?.into() };
        let hit = Hit { value: row.get(0)?, document };
        Ok(Self { hit, row: Row { number: row.get(3)?, version, entries: row.get(5)? } })
    }
}

/// One entry of a document: the number of the index's name, and the value.
type Pair<S> = (i64, S);

impl<'c> Tables<'c> {
    /// Prepares every statement.
    pub(super) fn new(connection: &'c Connection) -> Result<Self, Failure> {
        let prepare = |sql| connection.prepare(sql);
        Ok(Self {
            find: prepare("SELECT number, version, entries FROM chancery_document WHERE kind = ?1 AND id = ?2")?,
            insert: prepare(
                "INSERT INTO chancery_document (kind, id, version, entries, body) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?,
            update: prepare("UPDATE chancery_document SET version = ?2, entries = ?3, body = ?4 WHERE number = ?1")?,
            delete: prepare("DELETE FROM chancery_document WHERE number = ?1")?,
            add_entry: prepare("INSERT INTO chancery_entry VALUES (?1, ?2, ?3, ?4, ?5)")?,
            drop_entry: prepare("DELETE FROM chancery_entry WHERE name = ?1 AND value = ?2 AND kind = ?3 AND id = ?4")?,
            waiting: prepare(
                "SELECT entry.value, entry.kind, entry.id, number, version, entries, body
                 FROM chancery_entry AS entry JOIN chancery_document ON number = document
                 WHERE name = ?1 AND value < ?2 ORDER BY value, entry.kind, entry.id",
            )?,
            renew: prepare("UPDATE chancery_document SET version = ?2, entries = ?3 WHERE number = ?1")?,
            find_name: prepare("SELECT code FROM chancery_name WHERE name = ?1")?,
            add_name: prepare("INSERT INTO chancery_name (name) VALUES (?1)")?,
            last_version: prepare("SELECT value FROM chancery_meta WHERE name = 'last_version'")?,
            set_last_version: prepare("UPDATE chancery_meta SET value = ?1 WHERE name = 'last_version'")?,
            names: HashMap::new(),
        })
    }

    /// The greatest version that any document ever had.
    pub(super) fn last_version(&mut self) -> Result<Version, Failure> {
        let last: i64 = self.last_version.query_row([], |row| row.get(0))?;
        Ok(Version(last.cast_unsigned()))
    }

    /// Remembers the greatest version.
    pub(super) fn set_last_version(&mut self, version: Version) -> Result<(), Failure> {
        self.set_last_version.execute([number(version)])?;
        Ok(())
    }

    /// Judges `batch` and, if all it expects holds, applies it under `version`. Otherwise writes nothing and gives
    /// the first key whose expectation does not hold.
    pub(super) fn apply(&mut self, batch: &Batch, version: Version) -> Result<Result<(), Key>, Failure> {
        let mut rows = Vec::with_capacity(batch.writes.len());
        for write in &batch.writes {
            let row = self.find(write.key())?;
            if !holds(write.expect(), row.as_ref()) {
                return Ok(Err(write.key().clone()));
            }
            rows.push(row);
        }
        for (write, row) in batch.writes.iter().zip(rows) {
            self.write(write, row, version)?;
        }
        Ok(Ok(()))
    }

    /// Takes what waits, under `version`.
    pub(super) fn claim(&mut self, claim: &Claim, version: Version) -> Result<Vec<Hit>, Failure> {
        let (index, lease) = (self.code(&claim.index)?, self.code(&claim.lease.index)?);
        let waiting = self.waiting(index, claim)?;
        let mut hits = Vec::with_capacity(waiting.len());
        for Waiting { mut hit, row } in waiting {
            let old = decode(row.entries.as_deref())?;
            let takes = |(name, value): &Pair<&str>| *name == index && *value < claim.to.as_str();
            let mut pairs: Vec<Pair<&str>> = old.iter().map(|(name, value)| (*name, value.as_str())).collect();
            pairs.retain(|pair| !takes(pair));
            pairs.push((lease, claim.lease.value.as_str()));
            pairs.sort_unstable();
            pairs.dedup();
            self.renew.execute(params![row.number, number(version), encode(&pairs)?])?;
            self.replace_entries(&hit.document.key, &row, &pairs)?;
            hit.document.version = version;
            hits.push(hit);
        }
        Ok(hits)
    }

    /// The first documents that wait, each once.
    fn waiting(&mut self, index: i64, claim: &Claim) -> Result<Vec<Waiting>, Failure> {
        let mut rows = self.waiting.query(params![index, claim.to])?;
        let (mut waiting, mut met) = (Vec::new(), HashSet::new());
        while waiting.len() < claim.limit
            && let Some(row) = rows.next()?
        {
            if met.insert(row.get::<_, i64>(3)?) {
                waiting.push(Waiting::read(row)?);
            }
        }
        Ok(waiting)
    }

    /// Forgets the names that were met, because the transaction that numbered them was rolled back.
    pub(super) fn forget_names(&mut self) {
        self.names.clear();
    }

    fn find(&mut self, key: &Key) -> Result<Option<Row>, Failure> {
        let kind = self.code(&key.kind)?;
        let found = self.find.query_row(params![kind, key.id], |row| {
            Ok(Row {
                number: row.get(0)?,
                version: Version(row.get::<_, i64>(1)?.cast_unsigned()),
                entries: row.get(2)?,
            })
        });
        Ok(found.optional()?)
    }

    fn write(&mut self, write: &Write, row: Option<Row>, version: Version) -> Result<(), Failure> {
        match (write, row) {
            (Write::Put { key, body, entries, .. }, None) => self.insert(key, body, entries, version),
            (Write::Put { key, body, entries, .. }, Some(row)) => {
                let pairs = self.pairs(entries)?;
                self.update.execute(params![row.number, number(version), encode(&pairs)?, Text(body)])?;
                self.replace_entries(key, &row, &pairs)
            }
            (Write::Delete { key, .. }, Some(row)) => {
                self.delete.execute([row.number])?;
                self.replace_entries(key, &row, &[])
            }
            (Write::Delete { .. }, None) | (Write::Check { .. }, _) => Ok(()),
        }
    }

    fn insert(&mut self, key: &Key, body: &[u8], entries: &[IndexEntry], version: Version) -> Result<(), Failure> {
        let kind = self.code(&key.kind)?;
        let pairs = self.pairs(entries)?;
        let number = self.insert.insert(params![kind, key.id, number(version), encode(&pairs)?, Text(body)])?;
        pairs.iter().try_for_each(|pair| self.add_entry(key, pair, number))
    }

    /// Writes only what differs: most entries of a document outlive its versions.
    fn replace_entries(&mut self, key: &Key, row: &Row, new: &[Pair<&str>]) -> Result<(), Failure> {
        let old = decode(row.entries.as_deref())?;
        let old: Vec<Pair<&str>> = old.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for (name, value) in old.iter().filter(|pair| new.binary_search(pair).is_err()) {
            self.drop_entry.execute(params![name, value, key.kind, key.id])?;
        }
        let mut added = new.iter().filter(|pair| old.binary_search(pair).is_err());
        added.try_for_each(|pair| self.add_entry(key, pair, row.number))
    }

    fn add_entry(&mut self, key: &Key, (name, value): &Pair<&str>, document: i64) -> Result<(), Failure> {
        self.add_entry.execute(params![name, value, key.kind, key.id, document])?;
        Ok(())
    }

    /// The entries in the order in which they are remembered, each once.
    fn pairs<'e>(&mut self, entries: &'e [IndexEntry]) -> Result<Vec<Pair<&'e str>>, Failure> {
        let pair = |entry: &'e IndexEntry| Ok((self.code(&entry.index)?, entry.value.as_str()));
        let mut pairs = entries.iter().map(pair).collect::<Result<Vec<_>, Failure>>()?;
        pairs.sort_unstable();
        pairs.dedup();
        Ok(pairs)
    }

    /// The number of a name, given now if it has none.
    fn code(&mut self, name: &str) -> Result<i64, Failure> {
        if let Some(code) = self.names.get(name) {
            return Ok(*code);
        }
        let code = match self.find_name.query_row([name], |row| row.get(0)).optional()? {
            Some(code) => code,
            None => self.add_name.insert([name])?,
        };
        self.names.insert(name.to_owned(), code);
        Ok(code)
    }
}

/// A body, bound as text without being looked at again.
struct Text<'b>(&'b [u8]);

impl ToSql for Text<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0)))
    }
}

/// SQLite's integers are signed; the counter starts at 0 and never gets as far as that matters.
fn number(version: Version) -> i64 {
    version.0.cast_signed()
}

fn holds(expect: Expect, row: Option<&Row>) -> bool {
    match (expect, row) {
        (Expect::Absent, None) => true,
        (Expect::Version(version), Some(row)) => row.version == version,
        (Expect::Absent, Some(_)) | (Expect::Version(_), None) => false,
    }
}

fn encode(pairs: &[Pair<&str>]) -> Result<Option<String>, Failure> {
    if pairs.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(pairs).map(Some).map_err(|error| corrupt(error.to_string()))
}

fn decode(entries: Option<&str>) -> Result<Vec<Pair<String>>, Failure> {
    let Some(entries) = entries else { return Ok(Vec::new()) };
    serde_json::from_str(entries).map_err(|error| corrupt(format!("the entries of a document: {error}")))
}
