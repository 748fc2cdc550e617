//! How a PostgreSQL store is reached and how long it waits.

use std::fmt;
use std::time::Duration;

use super::super::StoreError;
use super::PostgresStore;
use super::url::Address;

/// How a [`PostgresStore`] is opened.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use chancery::store::postgres::PostgresOptions;
///
/// let store = PostgresOptions::new()
///     .root_certificates(&std::fs::read_to_string("/etc/pki/database-root.pem")?)
///     .pool_size(16)
///     .statement_timeout(Duration::from_secs(20))
///     .connect("postgres://chancery:secret@db.example.com/pki?sslmode=verify-full")
///     .await?;
/// # drop(store);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresOptions {
    pub(super) schema: String,
    pub(super) application_name: String,
    pub(super) pool_size: usize,
    pub(super) connect_timeout: Duration,
    pub(super) statement_timeout: Duration,
    pub(super) lock_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) isolation: Isolation,
    pub(super) roots: Vec<String>,
    pub(super) identity: Option<(String, String)>,
}

/// What makes commits serializable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// The store's own locks, in `READ COMMITTED` transactions: every key that a batch expects something of is locked before
    /// it is looked at, in one order, until the commit. For PostgreSQL itself.
    #[default]
    Locks,
    /// The engine's `SERIALIZABLE` transactions, beside the same locks. For engines that speak PostgreSQL's protocol and
    /// whose `READ COMMITTED` or whose locks are not PostgreSQL's. On PostgreSQL it is right, too, and slower: transactions
    /// that have nothing to do with each other may have to be tried again.
    Serializable,
}

impl PostgresOptions {
    /// The schema `chancery`; 8 connections; 5 s to connect, 30 s for a statement, 10 s for a lock, 5 s between statements.
    pub fn new() -> Self {
        Self {
            schema: "chancery".into(),
            application_name: "chancery".into(),
            pool_size: 8,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(5),
            isolation: Isolation::Locks,
            roots: Vec::new(),
            identity: None,
        }
    }

    /// The PostgreSQL schema that holds the tables and views. Several stores may live in one database, in a schema each.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// How sessions are called in `pg_stat_activity`.
    pub fn application_name(mut self, name: impl Into<String>) -> Self {
        self.application_name = name.into();
        self
    }

    /// Most connections, at least two: one of them writes, the others read.
    pub fn pool_size(mut self, connections: usize) -> Self {
        self.pool_size = connections.max(2);
        self
    }

    /// How long to try to connect to one address.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long the server may work on one statement, and a caller wait for a free connection (`statement_timeout`).
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = timeout;
        self
    }

    /// How long to wait for a row that somebody else has locked, before answering [`StoreError::Unavailable`]
    /// (`lock_timeout`). Longer than [`idle_in_transaction_timeout`](Self::idle_in_transaction_timeout), or a node that
    /// stands still in the middle of a commit is an error for the others instead of a pause.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// How long a node may stand still in the middle of a commit before the server ends its session and frees what it has
    /// locked (`idle_in_transaction_session_timeout`).
    pub fn idle_in_transaction_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// What makes commits serializable.
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = isolation;
        self
    }

    /// Trusts the certificates in `pem`, and no longer the system's. May be called several times.
    pub fn root_certificates(mut self, pem: &str) -> Self {
        self.roots.push(pem.to_owned());
        self
    }

    /// Presents a certificate to the server: the chain, leaf first, and the private key (PKCS#8, SEC1 or PKCS#1), as PEM.
    pub fn client_identity(mut self, chain: &str, key: &str) -> Self {
        self.identity = Some((chain.to_owned(), key.to_owned()));
        self
    }

    /// Connects to the database at `url` and lays out the store's tables, or brings them up to date.
    ///
    /// The URL is `postgres://user:password@host:port/database?name=value`. Several hosts may be given; the one that takes
    /// writes is used. A Unix socket is a host that begins with a slash, percent-encoded. `sslmode` is one of
    ///
    /// - `verify-full`, the default for hosts on the network: TLS, and the server proves that it is the host of the URL;
    /// - `require`: the same. Encryption to a server that nobody verified would keep no secret from who stands between;
    /// - `disable`: no TLS.
    ///
    /// The store works in the tokio runtime that this is called in, and ends with it.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a URL or PEM that can not be read, or a database whose encoding is not UTF-8;
    /// [`StoreError::Unavailable`] if the server can not be reached, or refuses; [`StoreError::Newer`] if a later version of
    /// the crate laid out the tables; [`StoreError::Corrupt`] if there are tables that are not a store's.
    pub async fn connect(&self, url: &str) -> Result<PostgresStore, StoreError> {
        PostgresStore::start(Address::parse(url)?, self).await
    }
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the identity: it holds a key.
        f.debug_struct("PostgresOptions")
            .field("schema", &self.schema)
            .field("pool_size", &self.pool_size)
            .field("isolation", &self.isolation)
            .finish_non_exhaustive()
    }
}
