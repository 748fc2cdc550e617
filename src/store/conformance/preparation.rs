//! Checks of [`Store::prepare`]: idempotent, forward only.

use super::super::{Column, KindSchema, Schema, Store, StoreError};
use super::check::{Outcome, checks, create, ensure, exists};

checks!("Preparation":
    preparing_twice_is_preparing_once,
    preparing_keeps_documents,
    a_later_schema_is_taken_and_an_earlier_one_refused,
);

const fn schema(version: u32, columns: &'static [Column]) -> Schema {
    Schema { version, kinds: if columns.len() == 1 { &FIRST } else { &SECOND }, lists: &[] }
}

const ONE: &[Column] = &[Column { name: "number", path: "number" }];
const TWO: &[Column] = &[Column { name: "number", path: "number" }, Column { name: "depth", path: "a.b" }];
static FIRST: [KindSchema; 1] = [KindSchema { kind: "thing", view: "things", columns: ONE }];
static SECOND: [KindSchema; 1] = [KindSchema { kind: "thing", view: "things", columns: TWO }];

async fn preparing_twice_is_preparing_once(store: &dyn Store) -> Outcome {
    for _ in 0..3 {
        store.prepare(&schema(1, ONE)).await?;
    }
    create(store, "a").await?;
    Ok(())
}

async fn preparing_keeps_documents(store: &dyn Store) -> Outcome {
    store.prepare(&schema(1, ONE)).await?;
    create(store, "a").await?;
    store.prepare(&schema(2, TWO)).await?;
    ensure!(exists(store, "a").await?, "a document is gone after preparing again");
    Ok(())
}

async fn a_later_schema_is_taken_and_an_earlier_one_refused(store: &dyn Store) -> Outcome {
    store.prepare(&schema(1, ONE)).await?;
    store.prepare(&schema(3, TWO)).await?;
    let seen = store.prepare(&schema(2, ONE)).await;
    let refused = seen == Err(StoreError::Newer { found: 3, supported: 2 });
    ensure!(refused, "preparing version 2 over version 3 answers {seen:?}");
    Ok(())
}
