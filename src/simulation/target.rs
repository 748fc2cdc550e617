//! The simulated target: a target in memory behind a bad line.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::Sabotage;
use super::stage::{Stage, lock};
use crate::domain::{CertificateId, RemoteName, RemoteRef, TargetLimits};
use crate::target::memory::MemoryTarget;
use crate::target::{Bundle, Observed, SyncTarget, TargetError};

/// A node's connection to the target.
#[derive(Clone, Debug)]
pub(super) struct SimulatedTarget {
    stage: Arc<Stage>,
    inner: MemoryTarget,
    sabotage: Option<Sabotage>,
    forgotten: Arc<Mutex<BTreeSet<RemoteName>>>,
}

impl SimulatedTarget {
    pub(super) fn new(stage: Arc<Stage>, sabotage: Option<Sabotage>) -> Self {
        Self { stage, inner: MemoryTarget::default(), sabotage, forgotten: Arc::default() }
    }

    /// How often something there was changed.
    pub(super) fn changes(&self) -> usize {
        self.inner.calls().len()
    }

    /// The certificates that are there.
    pub(super) fn certificates(&self) -> Vec<CertificateId> {
        self.inner.items().into_values().filter_map(|item| item.certificate).collect()
    }

    /// Somebody takes away, or replaces, one of the things that are there.
    pub(super) fn meddle(&self) {
        let names: Vec<RemoteName> = self.inner.items().into_keys().collect();
        let Some(name) = names.get(self.stage.draw(names.len() as u64) as usize) else { return };
        self.stage.tell(format_args!("somebody meddles with {name}"));
        match self.stage.strikes(2) {
            true => self.inner.lose(name),
            false => self.inner.tamper(name),
        }
    }

    async fn call<T: Send>(&self, work: impl Future<Output = Result<T, TargetError>> + Send) -> Result<T, TargetError> {
        self.stage.hesitate().await;
        let mishap = self.stage.mishap(self.stage.rates().target);
        match mishap {
            Some(0) => return Err(TargetError::unavailable("simulated")),
            Some(1) => return Err(TargetError::unknown("simulated")),
            _ => {}
        }
        let done = work.await;
        self.stage.hesitate().await;
        match mishap {
            Some(2) => std::future::pending().await,
            Some(_) => done.and(Err(TargetError::unknown("simulated"))),
            None => done,
        }
    }
}

#[async_trait]
impl SyncTarget for SimulatedTarget {
    fn limits(&self) -> &TargetLimits {
        self.inner.limits()
    }

    async fn observe(&self, remote: &RemoteRef) -> Result<Observed, TargetError> {
        if lock(&self.forgotten).contains(&remote.name) {
            return Ok(Observed::Absent);
        }
        self.call(self.inner.observe(remote)).await
    }

    async fn deploy(
        &self,
        bundle: &Bundle,
        name: &RemoteName,
        previous: Option<&RemoteRef>,
    ) -> Result<RemoteRef, TargetError> {
        lock(&self.forgotten).remove(name);
        self.call(self.inner.deploy(bundle, name, previous)).await
    }

    async fn withdraw(&self, remote: &RemoteRef) -> Result<(), TargetError> {
        // What it forgets to do it does not see, either.
        if self.sabotage == Some(Sabotage::WithdrawalsForgotten) {
            lock(&self.forgotten).insert(remote.name.clone());
            return Ok(());
        }
        self.call(self.inner.withdraw(remote)).await
    }
}
