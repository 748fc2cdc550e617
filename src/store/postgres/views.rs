//! What a person with an SQL prompt sees: one view for each kind of document.

use super::super::{Column, KindSchema, Schema, StoreError};
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
    let is_done = |(name, value): &(String, String)| recorded.iter().any(|(n, v)| n == name && v == value);
    // A role that may not create views can still prepare what is prepared.
    if found == schema.version && wanted.iter().all(is_done) {
        return Ok(());
    }
    refuse_tables(connections, schema).await?;
    let client = connections.get().await?;
    let done = client.batch_execute(&script(schema, found, &wanted)).await;
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

/// The rows of `meta` that tell of the views: the server would tell of them in its own words.
fn wanted(schema: &Schema) -> Vec<(String, String)> {
    schema.kinds.iter().map(|kind| (format!("view {}", kind.view), definition(kind))).collect()
}

/// All in one transaction, under a lock on the version's row: whoever comes second finds another version there, divides
/// by zero and looks again, or makes the same views again.
fn script(schema: &Schema, found: u32, wanted: &[(String, String)]) -> String {
    let mut sql = format!(
        "BEGIN; SELECT 1 / count(*) FROM (SELECT 1 FROM meta WHERE name = 'schema' AND value = '{found}' FOR UPDATE) AS \
         mine; UPDATE meta SET value = '{}' WHERE name = 'schema';",
        schema.version
    );
    for (kind, (name, definition)) in schema.kinds.iter().zip(wanted) {
        let (name, value) = (literal(name), literal(definition));
        sql.push_str(&format!(
            "DROP VIEW IF EXISTS {}; {definition}; DELETE FROM meta WHERE name = {name}; INSERT INTO meta VALUES ({name}, {value});",
            identifier(kind.view)
        ));
    }
    sql + "COMMIT"
}

async fn refuse_tables(connections: &Connections, schema: &Schema) -> Result<(), Failure> {
    let views: Vec<String> = schema.kinds.iter().map(|kind| kind.view.to_owned()).collect();
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

fn definition(kind: &KindSchema) -> String {
    let column = |column: &Column| {
        let path: Vec<String> = column.path.split('.').map(literal).collect();
        format!(", j.body #>> ARRAY[{}] AS {}", path.join(", "), identifier(column.name))
    };
    let columns: String = kind.columns.iter().map(column).collect();
    // `jsonb` refuses the escape of NUL, which would spoil the whole view. `OFFSET 0` has each body read once.
    format!(
        "CREATE VIEW {} AS SELECT d.id, d.version{columns} FROM document AS d CROSS JOIN LATERAL \
         (SELECT replace(d.body, '\\u0000', '\\ufffd')::jsonb AS body OFFSET 0) AS j WHERE d.kind = {}",
        identifier(kind.view),
        literal(kind.kind)
    )
}
