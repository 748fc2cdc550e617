//! One transaction for a group of changes: lock and look, judge, write and commit, in two round trips.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use deadpool_postgres::Object;
use tokio_postgres::{Error, Row};

use super::super::{Batch, Claim, Hit, StoreError, Version, Write};
use super::claims;
use super::connections::{Connections, bind, discard};
use super::failure::{Failure, corrupt, unavailable, unreadable};
use super::judge::{self, Changes, Judge, Lock, Place};
use super::names::Names;
use super::reader;
use super::steps::{Sent, Steps, in_order, is_plain, places, recalled};

const RESERVE: &str =
    "INSERT INTO reservation (kind, id) SELECT kind, id FROM unnest($1::text[], $2::text[]) AS k (kind, id)";
// Row after row, in the order of the keys, which is everybody's: no two wait for each other. Who only checks shares.
const LOCK: &str = "SELECT k.number, coalesce(w.version, c.version), w.entries
    FROM unnest($1::text[], $2::text[], $3::boolean[]) WITH ORDINALITY AS k (kind, id, is_written, number)
    LEFT JOIN LATERAL (
        SELECT version, entries FROM document WHERE kind = k.kind AND id = k.id AND k.is_written FOR UPDATE
    ) AS w ON true
    LEFT JOIN LATERAL (
        SELECT version FROM document WHERE kind = k.kind AND id = k.id AND NOT k.is_written FOR SHARE
    ) AS c ON true
    WHERE coalesce(w.version, c.version) IS NOT NULL";
const DRAW: &str = "SELECT nextval('versions')";

/// What a transaction does: batches first, then claims.
#[derive(Default)]
pub(super) struct Work<'w> {
    pub(super) batches: Vec<&'w Batch>,
    pub(super) claims: Vec<&'w Claim>,
}

/// What became of it, in the same order.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) batches: Vec<Result<Version, StoreError>>,
    pub(super) claims: Vec<Vec<Hit>>,
}

/// Where the work is done.
pub(super) struct Room<'r> {
    pub(super) connections: &'r Connections,
    pub(super) names: &'r Names,
    /// The statement that begins a transaction.
    pub(super) begin: &'r str,
}

impl Room<'_> {
    /// Does the work in one transaction. Nothing was written if this fails, unless it is [`Failure::Unknown`].
    pub(super) async fn transact(&self, work: &Work<'_>) -> Result<Outcome, Failure> {
        let codes = self.names.codes(self.connections, &names(work)).await?;
        let client = self.connections.get().await?;
        let done = Transaction { room: self, client: &client, codes: &codes }.run(work).await;
        if done.is_err() && !self.is_rolled_back(&client).await {
            discard(client);
        }
        done
    }

    async fn is_rolled_back(&self, client: &Object) -> bool {
        matches!(self.connections.within(client.batch_execute("ROLLBACK")).await, Some(Ok(())))
    }
}

/// Every index that the work names.
fn names<'w>(work: &Work<'w>) -> BTreeSet<&'w str> {
    let of_write = |write: &'w Write| match write {
        Write::Put { entries, .. } => entries.as_slice(),
        Write::Delete { .. } | Write::Check { .. } => &[],
    };
    let of_batches = work.batches.iter().flat_map(|batch| &batch.writes).flat_map(of_write).map(|entry| &*entry.index);
    let of_claims = work.claims.iter().flat_map(|claim| [&*claim.index, &*claim.lease.index]);
    of_batches.chain(of_claims).collect()
}

struct Transaction<'t> {
    room: &'t Room<'t>,
    client: &'t Object,
    codes: &'t HashMap<String, i32>,
}

impl Transaction<'_> {
    async fn run(&self, work: &Work<'_>) -> Result<Outcome, Failure> {
        let locks = judge::locks(&work.batches);
        let mut outcome = Outcome::default();
        let mut steps = Steps::default();
        let changes = if locks.is_empty() {
            // Batches without a write expect nothing.
            outcome.batches = work.batches.iter().map(|_| Ok(Version(0))).collect();
            steps.push(self.room.begin, Vec::new());
            Changes::default()
        } else {
            let (found, first) = self.lock(&locks).await?;
            let mut judge = Judge::new(found, self.codes);
            for (batch, number) in work.batches.iter().zip(0..) {
                outcome.batches.push(judge.judge(batch, Version(first.0 + number)));
            }
            judge.into_changes()
        };
        if changes.is_empty() && work.claims.is_empty() {
            return self.end(outcome).await;
        }
        steps.write(changes, &locks);
        let first_claim = steps.0.len();
        for claim in &work.claims {
            steps.push(claims::SQL, claims::parameters(claim, self.codes)?);
        }
        let rows = self.commit(steps).await?;
        outcome.claims = rows[first_claim..first_claim + work.claims.len()]
            .iter()
            .map(|rows| taken(rows))
            .collect::<Result<_, _>>()?;
        Ok(outcome)
    }

    /// Nothing is to be written: what was judged was so while the locks were held.
    async fn end(&self, outcome: Outcome) -> Result<Outcome, Failure> {
        match self.room.connections.within(self.client.batch_execute("ROLLBACK")).await {
            Some(ended) => Ok(ended.map(|()| outcome)?),
            None => Err(unavailable("the server does not answer")),
        }
    }

    /// Locks every key, and says what is there, and the first version that may be given. The versions are drawn when all
    /// locks are held, so that they are greater than what anybody wrote to these keys before.
    async fn lock(&self, locks: &BTreeMap<Place, Lock>) -> Result<(BTreeMap<Place, judge::Row>, Version), Failure> {
        let mut steps = Steps::default();
        steps.push(self.room.begin, Vec::new());
        let absent: Vec<&Place> = locks.iter().filter(|(_, lock)| lock.is_absent).map(|(place, _)| place).collect();
        if !absent.is_empty() {
            steps.push(RESERVE, places(absent));
        }
        let mut parameters = places(locks.keys());
        parameters.push(bind(locks.values().map(|lock| lock.is_written).collect::<Vec<_>>()));
        steps.push(LOCK, parameters);
        steps.push(DRAW, Vec::new());
        let prepared = self.prepare(&steps).await?;
        let answers = self.send(&steps, &prepared).await.ok_or_else(|| unavailable("the server does not answer"))?;
        let mut rows = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
        let (drawn, found) = (rows.pop().unwrap_or_default(), rows.pop().unwrap_or_default());
        let first =
            drawn.first().map(|row| row.try_get::<_, i64>(0)).transpose().map_err(|error| unreadable(&error))?;
        let first = first.ok_or_else(|| corrupt("no version was drawn"))?;
        Ok((read(&found, locks)?, Version(first.cast_unsigned())))
    }

    /// Sends all that is to be written and `COMMIT` at once. If the server refuses any of it, it rolls back by itself.
    async fn commit(&self, mut steps: Steps) -> Result<Vec<Vec<Row>>, Failure> {
        steps.push("COMMIT", Vec::new());
        let prepared = self.prepare(&steps).await?;
        let silent = || Failure::Unknown("the server does not answer a commit".into());
        let mut answers = self.send(&steps, &prepared).await.ok_or_else(silent)?;
        let committed = if answers.len() == steps.0.len() { answers.pop() } else { None };
        let mut rows = Vec::with_capacity(answers.len());
        for answer in answers {
            match answer {
                Ok(answer) => rows.push(answer),
                // The connection's word, and the commit may have been taken from it.
                Err(error) if error.code().is_none() && committed.is_some() => {
                    return Err(Failure::Unknown(super::failure::describe(&error)));
                }
                // The server's word: the transaction failed, and `COMMIT`, if it was sent at all, rolled it back.
                Err(error) => return Err(error.into()),
            }
        }
        match committed {
            Some(Ok(_)) => Ok(rows),
            Some(Err(error)) => Err(Failure::at_commit(&error)),
            None => Err(Failure::Again("the connection is closed".into())),
        }
    }

    /// Statements are prepared before they are sent together, each once for each connection.
    async fn prepare(&self, steps: &Steps) -> Result<Vec<Option<tokio_postgres::Statement>>, Failure> {
        let mut prepared = Vec::with_capacity(steps.0.len());
        for (sql, _) in &steps.0 {
            prepared.push(if is_plain(sql) { None } else { Some(self.client.prepare_cached(sql).await?) });
        }
        Ok(prepared)
    }

    /// Sends the steps one behind the other, without waiting between them. `None` if no answer came in time.
    async fn send(
        &self,
        steps: &Steps,
        prepared: &[Option<tokio_postgres::Statement>],
    ) -> Option<Vec<Result<Vec<Row>, Error>>> {
        let sent = steps.0.iter().zip(prepared).map(|((sql, parameters), statement)| -> Sent<'_> {
            let parameters: Vec<_> = parameters.iter().map(|each| &**each as _).collect();
            Box::pin(async move {
                match statement {
                    Some(statement) => self.client.query(statement, &parameters).await,
                    None => self.client.batch_execute(sql).await.map(|()| Vec::new()),
                }
            })
        });
        let all = in_order(sent.collect());
        self.room.connections.within(async { Ok(all.await) }).await?.ok()
    }
}

/// What the locked rows say.
fn read(rows: &[Row], locks: &BTreeMap<Place, Lock>) -> Result<BTreeMap<Place, judge::Row>, Failure> {
    let places: Vec<&Place> = locks.keys().collect();
    let mut found = BTreeMap::new();
    for row in rows {
        let fields =
            || -> Result<(i64, i64, Option<String>), Error> { Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)) };
        let (number, version, entries) = fields().map_err(|error| unreadable(&error))?;
        // Counted from one.
        let place = usize::try_from(number - 1).ok().and_then(|at| places.get(at));
        let place = place.ok_or_else(|| corrupt("a row that nobody asked for"))?;
        let entries = recalled(entries.as_deref())?;
        found.insert((*place).clone(), judge::Row { version: Version(version.cast_unsigned()), entries });
    }
    Ok(found)
}

/// The hits of a claim, in the order of the index.
fn taken(rows: &[Row]) -> Result<Vec<Hit>, Failure> {
    let mut hits = rows.iter().map(reader::hit).collect::<Result<Vec<_>, _>>()?;
    hits.sort_by(|left, right| (&left.value, &left.document.key).cmp(&(&right.value, &right.document.key)));
    Ok(hits)
}
