//! The PostgreSQL store on a real server: the kit, and what only this store promises.
#![cfg(all(feature = "postgres", feature = "conformance"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "../support/postgres.rs"]
mod cluster;
#[path = "../support/engine.rs"]
mod support;

mod claims;
mod conformance;
mod engine;
mod faults;
mod layout;
mod plans;
mod tls;

use std::sync::atomic::{AtomicU32, Ordering};

use chancery::store::postgres::{PostgresOptions, PostgresStore};
use chancery::store::{Batch, Expect, IndexEntry, Key, Write};
use cluster::Cluster;

/// A place for one store: a schema of its own in a database.
#[derive(Clone, Debug)]
struct Place {
    url: String,
    schema: String,
}

impl Place {
    /// A new one in the database at `url`.
    fn new(url: &str) -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        Self { url: url.to_owned(), schema: format!("place {}", LAST.fetch_add(1, Ordering::Relaxed)) }
    }

    fn options(&self) -> PostgresOptions {
        PostgresOptions::new().schema(&self.schema)
    }

    async fn open(&self) -> PostgresStore {
        self.options().connect(&self.url).await.unwrap()
    }
}

fn key(id: &str) -> Key {
    Key::new("thing", id)
}

/// A batch that puts one document, which stands in the index `due` under its id.
fn put(id: &str, expect: Expect) -> Batch {
    let body = format!("{{\"name\":\"{id}\",\"content\":{{\"subject\":\"CN={id}\"}}}}").into();
    Batch { writes: vec![Write::Put { key: key(id), expect, body, entries: vec![IndexEntry::new("due", id)] }] }
}
