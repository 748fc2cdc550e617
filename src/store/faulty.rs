//! A store that fails on command, so that tests can see what a caller does then.

use std::future::{Future, pending};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::sequence::Sequence;
use super::{Batch, Claim, Document, Hit, Key, Scan, Schema, Store, StoreError, Version};

/// Passes every call to the store within, but for those that a script or a seed makes fail.
///
/// Calls are counted for each [`Verb`] from 1, since the store was made. Calls that are refused because the store
/// has [crashed](Fault::CrashBefore) are not counted.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), chancery::store::StoreError> {
/// use chancery::store::faulty::{Fault, FaultyStore, Verb};
/// use chancery::store::{Batch, MemoryStore, Store};
///
/// let store = FaultyStore::new(MemoryStore::new());
/// store.inject(Verb::Commit, 2, Fault::CrashAfter);
/// store.commit(Batch::new()).await?;
/// assert!(store.commit(Batch::new()).await.is_err());
/// assert!(store.has_crashed());
/// store.revive();
/// store.commit(Batch::new()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FaultyStore<S> {
    inner: S,
    plan: Mutex<Plan>,
}

/// A call of the [`Store`] port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verb {
    /// [`Store::prepare`].
    Prepare,
    /// [`Store::get`].
    Get,
    /// [`Store::scan`].
    Scan,
    /// [`Store::commit`].
    Commit,
    /// [`Store::claim`].
    Claim,
}

/// What goes wrong with one call.
///
/// Only a commit can answer [`StoreError::Conflict`], and only a commit or claim [`StoreError::Unknown`]; other calls
/// answer [`StoreError::Unavailable`] instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// Does nothing and answers [`StoreError::Unavailable`].
    Unavailable,
    /// Does nothing and answers [`StoreError::Conflict`] at the batch's first key.
    Conflict,
    /// Does nothing and answers [`StoreError::Unknown`].
    UnknownUndone,
    /// Does what was asked and answers [`StoreError::Unknown`].
    UnknownDone,
    /// Does nothing and answers [`StoreError::Unknown`]; every later call fails until [`FaultyStore::revive`].
    CrashBefore,
    /// Does what was asked and answers [`StoreError::Unknown`]; every later call fails until [`FaultyStore::revive`].
    CrashAfter,
    /// Does nothing and never answers.
    HangBefore,
    /// Does what was asked and never answers.
    HangAfter,
}

impl<S: Store> FaultyStore<S> {
    /// A store that works until a fault is [injected](Self::inject).
    pub fn new(inner: S) -> Self {
        Self { inner, plan: Mutex::new(Plan::default()) }
    }

    /// A store whose calls fail now and then: each with a chance of one in `one_in`, with one of `faults`, always
    /// the same for the same `seed` and order of calls. With `one_in` 0, or without faults, it never fails.
    pub fn seeded(inner: S, seed: u64, one_in: u64, faults: &[Fault]) -> Self {
        let chance = Chance { sequence: Sequence::new(seed), one_in, faults: faults.to_vec() };
        Self { inner, plan: Mutex::new(Plan { chance: Some(chance), ..Plan::default() }) }
    }

    /// Makes the `nth` call of `verb` fail with `fault`. The first call is number 1.
    pub fn inject(&self, verb: Verb, nth: u64, fault: Fault) {
        self.plan().script.push((verb, nth, fault));
    }

    /// How many calls of `verb` were made, those included that failed or hang.
    pub fn calls(&self, verb: Verb) -> u64 {
        self.plan().calls[verb as usize]
    }

    /// Whether the store has crashed and was not revived yet.
    pub fn has_crashed(&self) -> bool {
        self.plan().crashed
    }

    /// Ends a crash, as a restart would: calls reach the store within again.
    pub fn revive(&self) {
        self.plan().crashed = false;
    }

    /// The store within, which never fails on command.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn meet<T>(
        &self,
        verb: Verb,
        first: Option<Key>,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let Some(fault) = self.plan().arrive(verb)? else { return call.await };
        if fault.is_done() {
            // Whatever the store within answers is lost: that is the fault.
            let _ = call.await;
        }
        match fault {
            Fault::HangBefore | Fault::HangAfter => pending().await,
            Fault::CrashBefore | Fault::CrashAfter => self.plan().crashed = true,
            _ => {}
        }
        Err(fault.answer(verb, first))
    }
}

#[async_trait]
impl<S: Store> Store for FaultyStore<S> {
    async fn prepare(&self, schema: &Schema) -> Result<(), StoreError> {
        self.meet(Verb::Prepare, None, self.inner.prepare(schema)).await
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Document>>, StoreError> {
        self.meet(Verb::Get, None, self.inner.get(keys)).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<Hit>, StoreError> {
        self.meet(Verb::Scan, None, self.inner.scan(scan)).await
    }

    async fn commit(&self, batch: Batch) -> Result<Version, StoreError> {
        let first = batch.writes.first().map(|write| write.key().clone());
        self.meet(Verb::Commit, first, self.inner.commit(batch)).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Vec<Hit>, StoreError> {
        self.meet(Verb::Claim, None, self.inner.claim(claim)).await
    }
}

#[derive(Debug, Default)]
struct Plan {
    calls: [u64; 5],
    script: Vec<(Verb, u64, Fault)>,
    chance: Option<Chance>,
    crashed: bool,
}

#[derive(Debug)]
struct Chance {
    sequence: Sequence,
    one_in: u64,
    faults: Vec<Fault>,
}

impl Plan {
    fn arrive(&mut self, verb: Verb) -> Result<Option<Fault>, StoreError> {
        if self.crashed {
            return Err(unavailable());
        }
        self.calls[verb as usize] += 1;
        let nth = self.calls[verb as usize];
        let scripted = self.script.iter().find(|(of, at, _)| *of == verb && *at == nth).map(|(_, _, fault)| *fault);
        Ok(scripted.or_else(|| self.chance.as_mut()?.draw()))
    }
}

impl Chance {
    fn draw(&mut self) -> Option<Fault> {
        let (strikes, which) = (self.sequence.next(), self.sequence.next());
        if strikes.checked_rem(self.one_in)? != 0 {
            return None;
        }
        let which = which.checked_rem(self.faults.len() as u64)?;
        self.faults.get(usize::try_from(which).ok()?).copied()
    }
}

impl Fault {
    fn is_done(self) -> bool {
        matches!(self, Fault::UnknownDone | Fault::CrashAfter | Fault::HangAfter)
    }

    fn answer(self, verb: Verb, first: Option<Key>) -> StoreError {
        match (verb, self, first) {
            (Verb::Commit, Fault::Conflict, Some(key)) => StoreError::Conflict { key },
            (_, Fault::Unavailable | Fault::Conflict, _) => unavailable(),
            (Verb::Commit | Verb::Claim, _, _) => StoreError::Unknown { reason: "a fault was injected".into() },
            (_, _, _) => unavailable(),
        }
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable { reason: "a fault was injected".into() }
}

#[cfg(test)]
mod tests {
    use super::super::{Expect, MemoryStore, Write};
    use super::*;

    fn batch(id: &str) -> Batch {
        let key = Key::new("k", id);
        Batch { writes: vec![Write::Put { key, expect: Expect::Absent, body: "{}".into(), entries: vec![] }] }
    }

    async fn exists(store: &FaultyStore<MemoryStore>, id: &str) -> bool {
        store.inner().get(&[Key::new("k", id)]).await.unwrap()[0].is_some()
    }

    #[tokio::test]
    async fn each_fault_does_and_answers_what_it_says() {
        use StoreError::{Conflict, Unavailable, Unknown};
        for (fault, done) in [
            (Fault::Unavailable, false),
            (Fault::Conflict, false),
            (Fault::UnknownUndone, false),
            (Fault::UnknownDone, true),
            (Fault::CrashBefore, false),
            (Fault::CrashAfter, true),
        ] {
            let store = FaultyStore::new(MemoryStore::new());
            store.inject(Verb::Commit, 1, fault);
            let error = store.commit(batch("a")).await.unwrap_err();
            let right = match fault {
                Fault::Unavailable => matches!(error, Unavailable { .. }),
                Fault::Conflict => error == Conflict { key: Key::new("k", "a") },
                _ => matches!(error, Unknown { .. }),
            };
            assert!(right, "{fault:?} answers {error}");
            assert_eq!(exists(&store, "a").await, done, "{fault:?}");
        }
    }

    #[tokio::test]
    async fn a_crash_lasts_until_the_revival_and_calls_meanwhile_do_not_count() {
        let store = FaultyStore::new(MemoryStore::new());
        store.inject(Verb::Commit, 2, Fault::CrashAfter);
        store.commit(batch("a")).await.unwrap();
        store.commit(batch("b")).await.unwrap_err();
        assert!(store.get(&[]).await.is_err() && store.commit(batch("c")).await.is_err());
        store.revive();
        store.commit(batch("d")).await.unwrap();
        assert!(exists(&store, "b").await && !exists(&store, "c").await);
        assert_eq!((store.calls(Verb::Commit), store.calls(Verb::Get)), (3, 0));
    }

    #[test]
    fn a_hanging_call_never_answers() {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let store = FaultyStore::new(MemoryStore::new());
        store.inject(Verb::Commit, 1, Fault::HangAfter);
        let mut commit = store.commit(batch("a"));
        assert!(commit.as_mut().poll(&mut context).is_pending());
        assert!(commit.as_mut().poll(&mut context).is_pending());
    }

    #[tokio::test]
    async fn a_seed_always_strikes_the_same_calls() {
        let mut runs = Vec::new();
        for seed in [7, 7, 8] {
            let store = FaultyStore::seeded(MemoryStore::new(), seed, 3, &[Fault::Unavailable]);
            let mut struck = Vec::new();
            for _ in 0..100 {
                struck.push(store.get(&[]).await.is_err());
            }
            runs.push(struck);
        }
        assert_eq!(runs[0], runs[1]);
        assert_ne!(runs[0], runs[2]);
        assert!((15..55).contains(&runs[0].iter().filter(|struck| **struck).count()));
    }
}
