//! What a person with an SQL prompt sees: one view for each kind of document, and for lists in them.

use rusqlite::{Connection, OptionalExtension};

use super::super::{Column, Schema, StoreError};
use super::failure::{Failure, corrupt};

/// Records the schema's version and makes its views, in one transaction. Refuses a schema older than the recorded one.
pub(super) fn prepare(connection: &Connection, schema: &Schema) -> Result<(), Failure> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    match prepare_inside(connection, schema) {
        Ok(()) => connection.execute_batch("COMMIT").map_err(Failure::at_commit),
        Err(failure) => {
            // If even this fails, the next `BEGIN` does too, and says why.
            let _ = connection.execute_batch("ROLLBACK");
            Err(failure)
        }
    }
}

fn prepare_inside(connection: &Connection, schema: &Schema) -> Result<(), Failure> {
    let found = recorded_version(connection)?;
    if found > schema.version {
        return Err(StoreError::Newer { found, supported: schema.version }.into());
    }
    if found < schema.version {
        connection.execute("UPDATE chancery_meta SET value = ?1 WHERE name = 'schema_version'", [schema.version])?;
    }
    for kind in schema.kinds {
        refresh(connection, kind.view, &definition(kind.view, (kind.kind, ""), "d.body", kind.columns))?;
    }
    for list in schema.lists {
        let members = format!(", json_each(iif(json_valid(d.body), d.body, NULL), {}) AS member", path(list.path));
        let of = (list.kind, &*members);
        refresh(connection, list.view, &definition(list.view, of, "member.value", list.columns))?;
    }
    Ok(())
}

fn recorded_version(connection: &Connection) -> Result<u32, Failure> {
    let sql = "SELECT value FROM chancery_meta WHERE name = 'schema_version'";
    let found: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    u32::try_from(found).map_err(|_| corrupt(format!("the schema has the impossible version {found}")))
}

fn refresh(connection: &Connection, view: &str, wanted: &str) -> Result<(), Failure> {
    match defined(connection, view)? {
        Some((what, _)) if what != "view" => {
            let reason = format!("the view {view} has the name of a {what} in the file");
            return Err(StoreError::Invalid { reason }.into());
        }
        Some((_, sql)) if sql == wanted => return Ok(()),
        Some(_) => connection.execute_batch(&format!("DROP VIEW {}", identifier(view)))?,
        None => {}
    }
    Ok(connection.execute_batch(wanted)?)
}

/// What the file has under the view's name: the sort of thing, and its definition.
fn defined(connection: &Connection, view: &str) -> rusqlite::Result<Option<(String, String)>> {
    let sql = "SELECT type, ifnull(sql, '') FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE";
    connection.query_row(sql, [view], |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

/// The view's text: a row for each document of the kind, or for each member of a list in it.
fn definition(view: &str, (kind, members): (&str, &str), value: &str, columns: &[Column]) -> String {
    let column = |column: &Column| {
        let (path, name) = (path(column.path), identifier(column.name));
        // What is no JSON must not spoil the whole view.
        format!(", CASE WHEN json_valid({value}) THEN json_extract({value}, {path}) END AS {name}")
    };
    let columns: String = columns.iter().map(column).collect();
    format!(
        "CREATE VIEW {} AS SELECT d.id, d.version{columns} FROM chancery_document AS d{members} \
         WHERE d.kind = (SELECT code FROM chancery_name WHERE name = {})",
        identifier(view),
        literal(kind)
    )
}

fn path(members: &str) -> String {
    let members: String = members.split('.').map(|member| format!(".\"{member}\"")).collect();
    literal(&format!("${members}"))
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
