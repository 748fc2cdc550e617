//! A target in memory that fails on command, so that tests can see what arrives and what happens when it does not.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{Bundle, Observed, SyncTarget, TargetError};
use crate::domain::{CertificateId, KeyNeed, NameRules, RemoteName, RemoteRef, TargetLimits, Withdrawal};

/// Keeps certificates in memory. Clones share what is in it.
///
/// ```
/// use chancery::target::memory::MemoryTarget;
/// let target = MemoryTarget::default();
/// assert!(target.items().is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct MemoryTarget {
    limits: Arc<TargetLimits>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    items: BTreeMap<RemoteName, Item>,
    moods: VecDeque<Mood>,
    mood: Option<Mood>,
    calls: Vec<Call>,
    made: u64,
}

/// Something in a [`MemoryTarget`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The identity that the target gave it: kept while it is replaced in place.
    pub id: String,
    /// The certificate's id in the inventory; `None` for what somebody else put there.
    pub certificate: Option<CertificateId>,
    /// SHA-256 over the certificate's DER.
    pub fingerprint: [u8; 32],
    /// How many certificates are above it.
    pub above: usize,
    /// Whether a key came along.
    pub has_key: bool,
}

/// A call that changed something, or might have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// [`SyncTarget::deploy`] that changed what is at a name.
    Deploy(RemoteName, CertificateId),
    /// [`SyncTarget::withdraw`] that removed something.
    Withdraw(RemoteName),
}

/// How a [`MemoryTarget`] answers one call of [`SyncTarget::deploy`] or [`SyncTarget::withdraw`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mood {
    /// Does what is asked.
    Obliges,
    /// Does nothing and answers [`TargetError::Unavailable`].
    Unavailable,
    /// The same, and wants to be left alone for ten minutes.
    Busy,
    /// Does nothing and answers [`TargetError::Unknown`].
    UnknownUndone,
    /// Does what is asked and answers [`TargetError::Unknown`].
    UnknownDone,
    /// Does nothing and answers [`TargetError::Refused`].
    Refuses,
    /// Does nothing and says that it did.
    Lies,
    /// Does nothing and never answers.
    HangsUndone,
    /// Does what is asked and never answers.
    HangsDone,
}

impl Default for MemoryTarget {
    /// One that takes names of 128 letters, digits, `-`, `_` and `.`, and certificates with or without keys.
    fn default() -> Self {
        let names = NameRules::new(128, "-_.");
        Self::with(TargetLimits { key: KeyNeed::Accepted, ..TargetLimits::new(names) })
    }
}

impl MemoryTarget {
    /// One with these limits.
    pub fn with(limits: TargetLimits) -> Self {
        Self { limits: Arc::new(limits), state: Arc::default() }
    }

    /// All that is in it.
    pub fn items(&self) -> BTreeMap<RemoteName, Item> {
        self.state().items.clone()
    }

    /// Every call that changed something, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// Answers the next calls so, and then as it usually does.
    pub fn will(&self, moods: impl IntoIterator<Item = Mood>) {
        self.state().moods.extend(moods);
    }

    /// Answers every call so from now on; well again with [`Mood::Obliges`].
    pub fn stays(&self, mood: Mood) {
        self.state().mood = Some(mood);
    }

    /// Puts something there that is not the target's own.
    pub fn plant(&self, name: RemoteName) {
        let item = Item { id: "foreign".into(), certificate: None, fingerprint: [0; 32], above: 0, has_key: false };
        self.state().items.insert(name, item);
    }

    /// Takes something away behind everybody's back.
    pub fn lose(&self, name: &RemoteName) {
        self.state().items.remove(name);
    }

    /// Replaces what is at a name by something else, behind everybody's back.
    pub fn tamper(&self, name: &RemoteName) {
        if let Some(item) = self.state().items.get_mut(name) {
            item.fingerprint = [0xff; 32];
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer<T>(
        &self,
        lie: T,
        act: impl FnOnce(&mut State) -> Result<T, TargetError> + Send,
    ) -> Result<T, TargetError>
    where
        T: Send,
    {
        let mood = {
            let mut state = self.state();
            state.moods.pop_front().or(state.mood).unwrap_or(Mood::Obliges)
        };
        let told = "as told";
        match mood {
            Mood::Obliges => act(&mut self.state()),
            Mood::Unavailable => Err(TargetError::unavailable(told)),
            Mood::Busy => {
                Err(TargetError::Unavailable { reason: told.into(), retry_after: Some(Duration::from_secs(600)) })
            }
            Mood::UnknownUndone => Err(TargetError::unknown(told)),
            Mood::UnknownDone => {
                act(&mut self.state())?;
                Err(TargetError::unknown(told))
            }
            Mood::Refuses => Err(TargetError::refused(told)),
            Mood::Lies => Ok(lie),
            Mood::HangsUndone => std::future::pending().await,
            Mood::HangsDone => {
                act(&mut self.state())?;
                std::future::pending().await
            }
        }
    }

    fn fits(&self, bundle: &Bundle, name: &RemoteName) -> Result<(), TargetError> {
        self.limits.names.check(name).map_err(|error| TargetError::refused(error.to_string()))?;
        if self.limits.key == KeyNeed::Required && bundle.key.is_none() {
            return Err(TargetError::refused("there is no private key"));
        }
        Ok(())
    }
}

#[async_trait]
impl SyncTarget for MemoryTarget {
    fn limits(&self) -> &TargetLimits {
        &self.limits
    }

    async fn observe(&self, remote: &RemoteRef) -> Result<Observed, TargetError> {
        Ok(match self.state().items.get(&remote.name) {
            None => Observed::Absent,
            Some(Item { certificate: None, .. }) => Observed::Foreign { reason: "planted".into() },
            Some(item) => Observed::Present { fingerprint: item.fingerprint },
        })
    }

    async fn deploy(
        &self,
        bundle: &Bundle,
        name: &RemoteName,
        previous: Option<&RemoteRef>,
    ) -> Result<RemoteRef, TargetError> {
        self.fits(bundle, name)?;
        let lie = previous.cloned().unwrap_or_else(|| RemoteRef::named(name.clone()));
        self.answer(lie, |state| state.put(bundle, name)).await
    }

    async fn withdraw(&self, remote: &RemoteRef) -> Result<(), TargetError> {
        if self.limits.withdrawal == Withdrawal::Impossible {
            return Err(TargetError::refused("nothing can be removed"));
        }
        self.answer((), |state| state.take(&remote.name)).await
    }
}

impl State {
    fn put(&mut self, bundle: &Bundle, name: &RemoteName) -> Result<RemoteRef, TargetError> {
        let earlier = self.items.get(name);
        if earlier.is_some_and(|item| item.certificate.is_none()) {
            return Err(TargetError::refused("something else is there"));
        }
        let fresh = format!("item-{}", self.made + 1);
        let item = Item {
            id: earlier.map_or(fresh, |item| item.id.clone()),
            certificate: Some(bundle.certificate),
            fingerprint: *bundle.leaf.fingerprint(),
            above: bundle.chain.len(),
            has_key: bundle.key.is_some(),
        };
        let remote = RemoteRef { name: name.clone(), id: Some(item.id.clone()) };
        if earlier != Some(&item) {
            self.made += 1;
            self.calls.push(Call::Deploy(name.clone(), bundle.certificate));
            self.items.insert(name.clone(), item);
        }
        Ok(remote)
    }

    fn take(&mut self, name: &RemoteName) -> Result<(), TargetError> {
        match self.items.get(name) {
            None => return Ok(()),
            Some(Item { certificate: None, .. }) => return Err(TargetError::refused("something else is there")),
            Some(_) => {}
        }
        self.items.remove(name);
        self.calls.push(Call::Withdraw(name.clone()));
        Ok(())
    }
}
