//! What a person with an SQL prompt sees: one view for each kind of document, and for lists in them.

use super::super::{Column, Schema, StoreError};
use super::connections::{Connections, bind, discard};
use super::failure::{Failure, Turns, corrupt, unreadable};
use super::layout::{identifier, literal};

/// Records the schema's version and makes its views, in one transaction. Refuses a schema older than the recorded one.
pub(super) async fn prepare(connections: &Connections, schema: &Schema) -> Result<(), StoreError> {
    let mut turns = Turns::default();
    loop {
        match try_to(connections, schema).await {
            Ok(()) => return Ok(()),
            Err(failure) => turns.wait(failure).await?,
        }
    }
}

async fn try_to(connections: &Connections, schema: &Schema) -> Result<(), Failure> {
    let recorded = recorded(connections).await?;
    let found = version(&recorded)?;
    if found > schema.version {
        return Err(StoreError::Newer { found, supported: schema.version }.into());
    }
    let wanted = wanted(schema);
    let is_done = |view: &View| recorded.iter().any(|(name, value)| *name == view.row() && *value == view.definition);
    // A role that may not create views can still prepare what is prepared.
    if found == schema.version && wanted.iter().all(is_done) {
        return Ok(());
    }
    refuse_tables(connections, &wanted).await?;
    let client = connections.get().await?;
    let done = client.batch_execute(&script(schema.version, found, &wanted)).await;
    if done.is_err() {
        // The transaction is still open, and nobody else is to meet it.
        discard(client);
    }
    done.map_err(|error| match error.code().map(|code| code.code()) {
        // Somebody else was first, and the versions are to be compared again.
        Some("22012" | "42P07" | "42P01") => Failure::Again(super::failure::describe(&error)),
        _ => error.into(),
    })
}

/// What `meta` says of the schema: its version, and the definition of each view.
async fn recorded(connections: &Connections) -> Result<Vec<(String, String)>, Failure> {
    let rows = connections.query("SELECT name, value FROM meta", &[]).await?;
    let pairs: Result<_, tokio_postgres::Error> =
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect();
    pairs.map_err(|error| unreadable(&error))
}

fn version(recorded: &[(String, String)]) -> Result<u32, Failure> {
    let found = recorded.iter().find(|(name, _)| name == "schema").and_then(|(_, value)| value.parse().ok());
    found.ok_or_else(|| corrupt("the store does not know its schema's version"))
}

/// A view as it is to be.
struct View {
    name: &'static str,
    definition: String,
}

impl View {
    /// The name of the row of `meta` that tells of it: the server would tell of it in its own words.
    fn row(&self) -> String {
        format!("view {}", self.name)
    }
}

fn wanted(schema: &Schema) -> Vec<View> {
    let kinds = schema.kinds.iter().map(|kind| {
        let definition = definition(kind.view, (kind.kind, ""), "j.body", kind.columns);
        View { name: kind.view, definition }
    });
    let lists = schema.lists.iter().map(|list| {
        let list_at = format!("j.body #> {}", path(list.path));
        let members = format!(
            " CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof({list_at}) WHEN 'array' THEN {list_at} END) \
             AS member (value)"
        );
        View { name: list.view, definition: definition(list.view, (list.kind, &members), "member.value", list.columns) }
    });
    kinds.chain(lists).collect()
}

/// All in one transaction, under a lock on the version's row: whoever comes second finds another version there, divides
/// by zero and looks again, or makes the same views again.
fn script(version: u32, found: u32, wanted: &[View]) -> String {
    let mut sql = format!(
        "BEGIN; SELECT 1 / count(*) FROM (SELECT 1 FROM meta WHERE name = 'schema' AND value = '{found}' FOR UPDATE) AS \
         mine; UPDATE meta SET value = '{version}' WHERE name = 'schema';"
    );
    for view in wanted {
        let (row, value, definition) = (literal(&view.row()), literal(&view.definition), &view.definition);
        sql.push_str(&format!(
            "DROP VIEW IF EXISTS {}; {definition}; DELETE FROM meta WHERE name = {row}; INSERT INTO meta VALUES ({row}, {value});",
            identifier(view.name)
        ));
    }
    sql + "COMMIT"
}

async fn refuse_tables(connections: &Connections, wanted: &[View]) -> Result<(), Failure> {
    let views: Vec<String> = wanted.iter().map(|view| view.name.to_owned()).collect();
    let sql = "SELECT table_name::text FROM information_schema.tables
               WHERE table_schema = current_schema() AND table_type <> 'VIEW' AND table_name::text = ANY($1::text[])";
    match connections.query(sql, &[bind(views)]).await?.first() {
        Some(row) => {
            let table: String = row.try_get(0).map_err(|error| unreadable(&error))?;
            Err(StoreError::Invalid { reason: format!("the view {table} has the name of a table") }.into())
        }
        None => Ok(()),
    }
}

/// The view's text: a row for each document of the kind, or for each member of a list in it.
fn definition(view: &str, (kind, members): (&str, &str), value: &str, columns: &[Column]) -> String {
    let column = |column: &Column| format!(", {value} #>> {} AS {}", path(column.path), identifier(column.name));
    let columns: String = columns.iter().map(column).collect();
    // `jsonb` refuses the escape of NUL, which would spoil the whole view. `OFFSET 0` has each body read once.
    format!(
        "CREATE VIEW {} AS SELECT d.id, d.version{columns} FROM document AS d CROSS JOIN LATERAL \
         (SELECT replace(d.body, '\\u0000', '\\ufffd')::jsonb AS body OFFSET 0) AS j{members} WHERE d.kind = {}",
        identifier(view),
        literal(kind)
    )
}

fn path(members: &str) -> String {
    let members: Vec<String> = members.split('.').map(literal).collect();
    format!("ARRAY[{}]", members.join(", "))
}
