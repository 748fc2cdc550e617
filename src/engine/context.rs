//! What every verb needs: the ports, fresh values, and typed reading and writing.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use event_listener::Event as Wake;
use time::OffsetDateTime;

use super::cache::Cache;
use super::error::Error;
use super::housekeeping::Retention;
use super::schema::{Claim, Entity, SealedKey, index, sortable};
use crate::challenge::ChallengeVerifier;
use crate::clock::Clock;
use crate::domain::{
    Actor, Application, ApplicationId, CertificateId, ChannelKind, DestinationRules, Event, EventId, EventKind, Octets,
    Principal,
};
use crate::entropy::{Entropy, EntropyError};
use crate::notify::Notifier;
use crate::sealer::{Sealer, Secret};
use crate::signer::Signer;
use crate::store::{Batch, Document, Expect, Hit, IndexEntry, Key, Scan, Store, StoreError, Version, Write};
use crate::target::SyncTarget;
use crate::x509::BlockedKeys;

/// The ports and settings of an engine.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) store: Arc<dyn Store>,
    pub(super) sealer: Arc<dyn Sealer>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) notifiers: BTreeMap<ChannelKind, Arc<dyn Notifier>>,
    pub(super) destinations: DestinationRules,
    pub(super) signers: BTreeMap<String, Arc<dyn Signer>>,
    pub(super) targets: BTreeMap<String, Arc<dyn SyncTarget>>,
    pub(super) verifier: Option<Arc<dyn ChallengeVerifier>>,
    pub(super) administrators: Vec<Principal>,
    pub(super) blocked_keys: BlockedKeys,
    pub(super) retention: Retention,
    pub(super) cache: Cache,
    /// Tells the workers of this process that somebody has made something due at once.
    pub(super) due_now: Wake,
}

/// A value with the version of its document.
#[derive(Clone, Debug)]
pub(super) struct Versioned<T> {
    pub(super) value: T,
    pub(super) version: Version,
}

impl Context {
    pub(super) fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// The value under an id, if there is one.
    pub(super) async fn find<T: Entity>(&self, id: &str) -> Result<Option<Versioned<T>>, Error> {
        let mut found = self.store.get(&[Key::new(T::KIND, id)]).await?;
        match found.pop().flatten() {
            Some(document) => {
                Ok(Some(Versioned { value: decode(&document.key, &document.body)?, version: document.version }))
            }
            None => Ok(None),
        }
    }

    /// The value under an id.
    pub(super) async fn load<T: Entity>(&self, id: &str) -> Result<Versioned<T>, Error> {
        self.find(id).await?.ok_or_else(|| Error::not_found(T::KIND, id))
    }

    /// The id that a unique name stands for.
    pub(super) async fn resolve<I: std::str::FromStr>(&self, kind: &'static str, name: &str) -> Result<I, Error> {
        let claim = Claim::name(kind, name, String::new());
        let claimed = self.find::<Claim>(&claim.document_id()).await?;
        let owner = claimed.and_then(|claim| claim.value.owner.parse().ok());
        owner.ok_or_else(|| Error::not_found(kind, name))
    }

    /// Every hit of a scan, page by page.
    pub(super) async fn scan_all(&self, mut scan: Scan) -> Result<Vec<Hit>, Error> {
        let mut all = Vec::new();
        loop {
            let hits = self.store.scan(&scan).await?;
            let is_last = hits.len() < scan.limit;
            scan.after = hits.last().map(Hit::cursor);
            all.extend(hits);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// Seals a certificate's private key, bound to the document that keeps it.
    pub(super) async fn seal_key(
        &self,
        certificate: CertificateId,
        key: &Secret,
        change: &mut Change<'_>,
    ) -> Result<(), Error> {
        let mut sealed = SealedKey { certificate: certificate.to_string(), envelope: Octets(Vec::new()) };
        let bound_to = sealed.key().to_string();
        sealed.envelope = Octets(self.sealer.seal(key, &bound_to, change.random.take()?).await?);
        change.create(&sealed)
    }

    /// The Application under an id, by way of its document.
    pub(super) async fn application(&self, id: ApplicationId) -> Result<Versioned<Application>, Error> {
        self.load(&id.to_string()).await
    }

    /// A new change by the engine itself, as of now.
    pub(super) fn change_by_engine(&self) -> Result<Change<'_>, Error> {
        self.change(&ENGINE, self.now())
    }

    /// A new change by `actor`, as of `now`.
    pub(super) fn change<'a>(&'a self, actor: &'a Actor, now: OffsetDateTime) -> Result<Change<'a>, Error> {
        Ok(Change {
            context: self,
            actor,
            now,
            random: Random::new(self.entropy.as_ref())?,
            batch: Batch::new(),
            scratch: Vec::with_capacity(4096),
        })
    }
}

/// In whose name due work acts when nobody asked.
static ENGINE: LazyLock<Actor> = LazyLock::new(Actor::engine);

pub(super) fn decode<T: Entity>(key: &Key, body: &[u8]) -> Result<T, Error> {
    let corrupt = |error: serde_json::Error| StoreError::Corrupt { reason: format!("{key}: {error}") };
    Ok(serde_json::from_slice(body).map_err(corrupt)?)
}

/// Random octets, drawn in pieces that last for most changes.
#[derive(Debug)]
pub(super) struct Random<'a> {
    source: &'a dyn Entropy,
    octets: [u8; Random::LEN],
    taken: usize,
}

impl<'a> Random<'a> {
    const LEN: usize = 160;

    fn new(source: &'a dyn Entropy) -> Result<Self, EntropyError> {
        let mut random = Self { source, octets: [0; Self::LEN], taken: 0 };
        source.fill(&mut random.octets)?;
        Ok(random)
    }

    /// The next `N` octets, at most 160.
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], EntropyError> {
        if self.taken + N > Self::LEN {
            self.source.fill(&mut self.octets)?;
            self.taken = 0;
        }
        let mut taken = [0; N];
        taken.copy_from_slice(&self.octets[self.taken..self.taken + N]);
        self.taken += N;
        Ok(taken)
    }
}

/// Writes that will be committed together, with the events that tell of them.
pub(super) struct Change<'a> {
    context: &'a Context,
    actor: &'a Actor,
    pub(super) now: OffsetDateTime,
    pub(super) random: Random<'a>,
    batch: Batch,
    scratch: Vec<u8>,
}

impl Change<'_> {
    /// Stores a new value; somebody else's under the same id is a conflict.
    pub(super) fn create<T: Entity>(&mut self, value: &T) -> Result<(), Error> {
        self.put(value, Expect::Absent)
    }

    /// Replaces a value that still has the version it was read with.
    pub(super) fn update<T: Entity>(&mut self, value: &T, version: Version) -> Result<(), Error> {
        self.put(value, Expect::Version(version))
    }

    /// Deletes a value that still has the version it was read with.
    pub(super) fn delete<T: Entity>(&mut self, value: &T, version: Version) {
        self.batch.push(Write::Delete { key: value.key(), version });
    }

    /// Deletes a document, whatever it says, that is still as it was read.
    pub(super) fn remove(&mut self, document: &Document) {
        self.batch.push(Write::Delete { key: document.key.clone(), version: document.version });
    }

    /// Demands that a value, on which the change was decided, is still the one that was read.
    pub(super) fn check(&mut self, key: Key, version: Version) {
        self.batch.push(Write::Check { key, expect: Expect::Version(version) });
    }

    /// Who makes the change.
    pub(super) fn requester(&self) -> &Principal {
        self.actor.principal()
    }

    /// Tells what happened.
    pub(super) fn event(&mut self, application: Option<ApplicationId>, kind: EventKind) -> Result<(), Error> {
        self.told(application, kind).map(drop)
    }

    /// Tells what happened, and gives the event's id.
    pub(super) fn told(&mut self, application: Option<ApplicationId>, kind: EventKind) -> Result<EventId, Error> {
        let id = EventId::new(self.now, self.random.take()?);
        let actor = self.actor.principal().clone();
        self.create(&Event { id, at: self.now, actor, application, kind, sealed: None })?;
        Ok(id)
    }

    /// How many writes it holds by now; a store takes [`MAX_BATCH_WRITES`](crate::store::MAX_BATCH_WRITES).
    pub(super) fn writes(&self) -> usize {
        self.batch.writes.len()
    }

    /// Applies everything or nothing.
    pub(super) async fn commit(self) -> Result<Version, Error> {
        // What due work itself leaves behind is found by the next round, in its time: no item can make a worker spin.
        let wakes = !std::ptr::eq(self.actor, &*ENGINE) && self.is_due_at_once();
        let version = self.context.store.commit(self.batch).await?;
        if wakes {
            self.context.due_now.notify(usize::MAX);
        }
        Ok(version)
    }

    fn is_due_at_once(&self) -> bool {
        let now = sortable(self.now);
        let is_due = |entry: &IndexEntry| entry.index == index::DUE && *entry.value <= *now;
        self.batch.writes.iter().any(|write| matches!(write, Write::Put { entries, .. } if entries.iter().any(is_due)))
    }

    fn put<T: Entity>(&mut self, value: &T, expect: Expect) -> Result<(), Error> {
        let entries: Vec<IndexEntry> = value.entries();
        // One buffer for all documents of the change: it grows once.
        self.scratch.clear();
        serde_json::to_writer(&mut self.scratch, value).map_err(Error::encoding)?;
        let body = Bytes::copy_from_slice(&self.scratch);
        self.batch.push(Write::Put { key: value.key(), expect, body, entries });
        Ok(())
    }
}
