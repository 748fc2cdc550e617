//! The pool: connections with the store's settings, and a limit to every wait.

use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Error, NoTls, Row};

use super::super::StoreError;
use super::PostgresOptions;
use super::failure::{Failure, unavailable};
use super::tls::MakeTls;
use super::url::Address;

/// How much longer than the server may take its answer may be under way.
const GRACE: Duration = Duration::from_secs(5);

/// The connections of a store.
#[derive(Debug)]
pub(super) struct Connections {
    pool: Pool,
    patience: Duration,
}

impl Connections {
    /// A pool that connects when it must.
    pub(super) fn new(address: Address, options: &PostgresOptions) -> Result<Self, StoreError> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let config = address.config(options);
        let manager = match config.get_ssl_mode() {
            SslMode::Disable => Manager::from_config(config, NoTls, recycling),
            _ => Manager::from_config(config, MakeTls::new(options)?, recycling),
        };
        let (settings, hints) = (settings(options), HINTS);
        let pool = Pool::builder(manager)
            .max_size(options.pool_size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(options.statement_timeout))
            .create_timeout(Some(options.connect_timeout + GRACE))
            .post_create(Hook::async_fn(move |client, _| {
                let settings = settings.clone();
                Box::pin(async move {
                    client.batch_execute(&settings).await.map_err(HookError::Backend)?;
                    // What an engine does not know of these, it does not need.
                    let _ = client.batch_execute(hints).await;
                    Ok(())
                })
            }))
            .build();
        let pool = pool.map_err(|error| StoreError::Invalid { reason: error.to_string() })?;
        Ok(Self { pool, patience: options.statement_timeout + GRACE })
    }

    /// A connection that works, as far as can be told without asking it.
    pub(super) async fn get(&self) -> Result<Object, Failure> {
        Ok(self.pool.get().await?)
    }

    /// Runs one statement on some connection.
    pub(super) async fn query(&self, sql: &str, parameters: &[Parameter]) -> Result<Vec<Row>, Failure> {
        let client = self.get().await?;
        let answered = self.within(async {
            let statement = client.prepare_cached(sql).await?;
            let parameters: Vec<_> = parameters.iter().map(|each| &**each as _).collect();
            client.query(&statement, &parameters).await
        });
        match answered.await {
            Some(answer) => Ok(answer?),
            None => {
                discard(client);
                Err(unavailable("the server does not answer"))
            }
        }
    }

    /// Waits for an answer of the server, but not for ever: `None` if none came.
    pub(super) async fn within<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Option<Result<T, Error>> {
        tokio::time::timeout(self.patience, work).await.ok()
    }
}

/// A value bound to a statement.
pub(super) type Parameter = Box<dyn tokio_postgres::types::ToSql + Sync + Send>;

/// Binds a value.
pub(super) fn bind(value: impl tokio_postgres::types::ToSql + Sync + Send + 'static) -> Parameter {
    Box::new(value)
}

/// Closes a connection of which nobody knows the state.
pub(super) fn discard(client: Object) {
    drop(Object::take(client));
}

fn settings(options: &PostgresOptions) -> String {
    let milliseconds = |limit: Duration| limit.as_millis();
    format!(
        "SET search_path = {}; SET statement_timeout = {}; SET lock_timeout = {}; \
         SET idle_in_transaction_session_timeout = {}",
        super::layout::identifier(&options.schema),
        milliseconds(options.statement_timeout),
        milliseconds(options.lock_timeout),
        milliseconds(options.idle_timeout),
    )
}

/// What keeps PostgreSQL from plans that read more than they answer, whatever its statistics say, and a commit that was
/// answered from being lost where somebody turned that off.
const HINTS: &str = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; \
    SET enable_hashjoin = off; SET enable_mergejoin = off; SET plan_cache_mode = force_generic_plan; SET jit = off; \
    SET max_parallel_workers_per_gather = 0; \
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";
