//! What a person with an SQL prompt sees: one view for each kind of document.

use rusqlite::{Connection, OptionalExtension};

use super::super::{KindSchema, Schema, StoreError};
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
    schema.kinds.iter().try_for_each(|kind| refresh(connection, kind))
}

fn recorded_version(connection: &Connection) -> Result<u32, Failure> {
    let sql = "SELECT value FROM chancery_meta WHERE name = 'schema_version'";
    let found: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    u32::try_from(found).map_err(|_| corrupt(format!("the schema has the impossible version {found}")))
}

fn refresh(connection: &Connection, kind: &KindSchema) -> Result<(), Failure> {
    let wanted = definition(kind);
    match defined(connection, kind.view)? {
        Some((what, _)) if what != "view" => {
            let reason = format!("the view {} has the name of a {what} in the file", kind.view);
            return Err(StoreError::Invalid { reason }.into());
        }
        Some((_, sql)) if sql == wanted => return Ok(()),
        Some(_) => connection.execute_batch(&format!("DROP VIEW {}", identifier(kind.view)))?,
        None => {}
    }
    Ok(connection.execute_batch(&wanted)?)
}

/// What the file has under the view's name: the sort of thing, and its definition.
fn defined(connection: &Connection, view: &str) -> rusqlite::Result<Option<(String, String)>> {
    let sql = "SELECT type, ifnull(sql, '') FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE";
    connection.query_row(sql, [view], |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

fn definition(kind: &KindSchema) -> String {
    let column = |column: &super::super::Column| {
        let path: String = column.path.split('.').map(|member| format!(".\"{member}\"")).collect();
        // A body that is no JSON must not spoil the whole view.
        format!(
            ", CASE WHEN json_valid(body) THEN json_extract(body, {}) END AS {}",
            literal(&format!("${path}")),
            identifier(column.name)
        )
    };
    let columns: String = kind.columns.iter().map(column).collect();
    format!(
        "CREATE VIEW {} AS SELECT id, version{columns} FROM chancery_document \
         WHERE kind = (SELECT code FROM chancery_name WHERE name = {})",
        identifier(kind.view),
        literal(kind.kind)
    )
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
