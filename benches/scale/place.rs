//! The stores that are measured: how one is opened anew, and how much of the disk it takes.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use chancery::store::Store;
#[cfg(feature = "postgres")]
use chancery::store::postgres::PostgresStore;
use chancery::store::sqlite::SqliteStore;
use tempfile::TempDir;

#[cfg(feature = "postgres")]
use crate::postgres::Cluster;

/// A quarter of a small machine's memory, and a log that a load of minutes does not fill: the defaults are for a machine
/// of the last century.
#[cfg(feature = "postgres")]
const SETTINGS: &str = "shared_buffers = '2GB'\nmax_wal_size = '16GB'\ncheckpoint_timeout = '30min'";

/// A kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
}

/// A store that begins empty and goes when this is dropped.
pub(crate) enum Site {
    Sqlite(TempDir),
    #[cfg(feature = "postgres")]
    Postgres(Box<Cluster>, String),
}

impl Place {
    /// All that are built in.
    pub(crate) const ALL: &[Self] = &[
        Self::Sqlite,
        #[cfg(feature = "postgres")]
        Self::Postgres,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            #[cfg(feature = "postgres")]
            Self::Postgres => "postgres",
        }
    }

    /// How many times as many durable issues many callers are to get done as one.
    pub(crate) fn target_of_callers(self) -> f64 {
        match self {
            Self::Sqlite => 8.0,
            #[cfg(feature = "postgres")]
            Self::Postgres => 4.0,
        }
    }

    /// A new file, or a server with a new database.
    pub(crate) fn found(self) -> Site {
        match self {
            Self::Sqlite => Site::Sqlite(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()),
            #[cfg(feature = "postgres")]
            Self::Postgres => {
                let cluster = Cluster::start_with(SETTINGS, None);
                let cluster = cluster.expect("PostgreSQL is not installed: leave it out with --stores");
                let database = cluster.fresh_name();
                Site::Postgres(Box::new(cluster), database)
            }
        }
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|place| place.name() == name);
        known.copied().ok_or_else(|| format!("no store is called {name}"))
    }
}

impl Site {
    /// The store as another node opens it.
    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(folder) => Arc::new(SqliteStore::open(file(folder.path())).unwrap()),
            #[cfg(feature = "postgres")]
            Self::Postgres(cluster, database) => {
                Arc::new(PostgresStore::connect(&cluster.url(database)).await.unwrap())
            }
        }
    }

    /// Bytes on disk, of a server its tables with their indexes; at rest: the log is written back, and what a server
    /// tidies up by itself within minutes is tidied up.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Sqlite(folder) => {
                let connection = rusqlite::Connection::open(file(folder.path())).unwrap();
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
                std::fs::metadata(file(folder.path())).unwrap().len()
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(cluster, database) => {
                cluster.sql(database, "VACUUM ANALYZE");
                cluster.sql(database, "CHECKPOINT");
                let sizes = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class
                             WHERE relkind = 'r' AND relnamespace = 'chancery'::regnamespace";
                cluster.sql(database, sizes).trim().parse().unwrap()
            }
        }
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("scale.db")
}
