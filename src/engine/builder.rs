//! Putting an engine together from its ports.

use std::collections::BTreeMap;
use std::sync::Arc;

use event_listener::Event as Wake;

use super::Engine;
use super::cache::Cache;
use super::context::Context;
use super::error::Error;
use super::housekeeping::Retention;
use super::schema::SCHEMA;
use crate::challenge::ChallengeVerifier;
use crate::clock::{Clock, SystemClock};
use crate::domain::{ChannelKind, DestinationRules, Principal, Slug};
use crate::entropy::{Entropy, OsEntropy};
use crate::notify::Notifier;
use crate::sealer::{RefusingSealer, Sealer};
use crate::signer::Signer;
use crate::store::{MemoryStore, Store};
use crate::target::SyncTarget;
use crate::x509::BlockedKeys;

/// Puts an [`Engine`] together. What is not given: a store in memory, the system's clock and randomness, a sealer that
/// refuses, no signers, no notifiers, no administrators, and the keys that RFCs publish as blocked.
///
/// A CA key that the host holds is handed over under its issuer's name, before the issuer is made and at every start:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use chancery::domain::{Actor, IssuerKey, IssuerSpec};
/// use chancery::engine::Engine;
/// use chancery::signer::SoftwareSigner;
/// use chancery::x509::KeyAlgorithm;
///
/// let alice = Actor::user("alice")?;
/// let engine = Engine::builder()
///     .signer("root".parse()?, SoftwareSigner::generate(KeyAlgorithm::P256)?)
///     .administrator(alice.principal().clone())
///     .build()
///     .await?;
/// let root = engine.acting_as(alice).create_root(IssuerSpec::new("root".parse()?, "Example Root")).await?;
/// assert_eq!(root.key, IssuerKey::Signer, "nothing of the key is stored");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct EngineBuilder {
    store: Option<Arc<dyn Store>>,
    sealer: Arc<dyn Sealer>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    notifiers: BTreeMap<ChannelKind, Arc<dyn Notifier>>,
    destinations: DestinationRules,
    signers: BTreeMap<String, Arc<dyn Signer>>,
    targets: BTreeMap<String, Arc<dyn SyncTarget>>,
    verifier: Option<Arc<dyn ChallengeVerifier>>,
    administrators: Vec<Principal>,
    blocked_keys: BlockedKeys,
    retention: Retention,
}

impl Default for EngineBuilder {
    fn default() -> Self {
        Self {
            store: None,
            sealer: Arc::new(RefusingSealer),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
            notifiers: BTreeMap::new(),
            destinations: DestinationRules::default(),
            signers: BTreeMap::new(),
            targets: BTreeMap::new(),
            verifier: None,
            administrators: Vec::new(),
            blocked_keys: BlockedKeys::published(),
            retention: Retention::default(),
        }
    }
}

impl EngineBuilder {
    /// Where everything is kept.
    /// Without one, a [`MemoryStore`]: gone with the process. To keep a handle, pass an `Arc`.
    #[must_use]
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// What seals private keys at rest.
    /// Without one, keys are refused, never stored in the clear.
    #[must_use]
    pub fn sealer(mut self, sealer: impl Sealer) -> Self {
        self.sealer = Arc::new(sealer);
        self
    }

    /// What tells the time.
    /// Without one, the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where random octets come from.
    /// Without one, the operating system's generator. Keys are drawn
    /// by the cryptographic library and not from here.
    #[must_use]
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.entropy = Arc::new(entropy);
        self
    }

    /// The signer that holds the key of the issuer called `name`.
    /// It must be handed over
    /// at every start; a second one under the same name replaces the first.
    #[must_use]
    pub fn signer(mut self, name: Slug, signer: impl Signer) -> Self {
        self.signers.insert(name.into(), Arc::new(signer));
        self
    }

    /// What delivers to the channels of a kind.
    /// Alerts can only have channels that have a notifier; a second one of the same kind replaces the first.
    #[must_use]
    pub fn notifier(mut self, kind: ChannelKind, notifier: impl Notifier) -> Self {
        self.notifiers.insert(kind, Arc::new(notifier));
        self
    }

    /// Which addresses the channels of alerts may name.
    /// Without it https only, and Slack at its own host.
    #[must_use]
    pub fn destinations(mut self, rules: DestinationRules) -> Self {
        self.destinations = rules;
        self
    }

    /// The target that syncs call `name`.
    /// It must be handed over at every start, in every process that runs due
    /// work: what is to go to a target that a process does not have waits for one that does. With it come its credentials
    /// and whatever it runs afterwards, which nobody can set through a sync.
    #[must_use]
    pub fn target(mut self, name: Slug, target: impl SyncTarget) -> Self {
        self.targets.insert(name.into(), Arc::new(target));
        self
    }

    /// What looks whether ACME clients control what they name.
    /// Without one in any process that runs due work,
    /// proofs wait; attachments that ask for none need none.
    #[must_use]
    pub fn challenge_verifier(mut self, verifier: impl ChallengeVerifier) -> Self {
        self.verifier = Some(Arc::new(verifier));
        self
    }

    /// A user, machine or group that administers the product.
    /// May be called again for more; they are not stored.
    #[must_use]
    pub fn administrator(mut self, principal: Principal) -> Self {
        self.administrators.push(principal);
        self
    }

    /// Further keys that are never certified.
    /// Those that RFC 9500 and RFC 8410 publish are blocked already.
    #[must_use]
    pub fn block_keys(mut self, keys: &BlockedKeys) -> Self {
        self.blocked_keys.extend(keys);
        self
    }

    /// How long what is over is kept.
    /// Without it, the default of [`Retention`].
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Prepares the store and checks every issuer in it.
    ///
    /// # Errors
    /// [`Error::Store`] for a store that is not ready or holds data of a newer version. [`Error::Issuer`] for an issuer whose
    /// signer is missing or holds another key than its certificate, and [`Error::Seal`] for one whose key does not open: the
    /// engine does not start on a changed CA. [`Error::Invalid`] for a retention that keeps nothing.
    pub async fn build(self) -> Result<Engine, Error> {
        let faults = self.retention.faults();
        if !faults.is_empty() {
            return Err(Error::Invalid { faults });
        }
        let store = self.store.unwrap_or_else(|| Arc::new(MemoryStore::new()));
        store.prepare(&SCHEMA).await?;
        let context = Context {
            store,
            sealer: self.sealer,
            clock: self.clock,
            entropy: self.entropy,
            notifiers: self.notifiers,
            destinations: self.destinations,
            signers: self.signers,
            targets: self.targets,
            verifier: self.verifier,
            administrators: self.administrators,
            blocked_keys: self.blocked_keys,
            retention: self.retention,
            cache: Cache::default(),
            due_now: Wake::new(),
        };
        context.refuse_half_an_import().await?;
        context.verify_issuers().await?;
        Ok(Engine { context: Arc::new(context) })
    }
}
