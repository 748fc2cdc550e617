//! The conformance kit of targets on our own targets, and on targets that are broken on purpose.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "support/engine.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use chancery::domain::{KeyNeed, NameRules, RemoteName, RemoteRef, TargetLimits};
use chancery::sealer::Secret;
use chancery::store::MemoryStore;
use chancery::target::memory::MemoryTarget;
use chancery::target::{Bundle, Observed, SyncTarget, TargetError, conformance};
use support::World;

async fn bundles() -> [Bundle; 2] {
    let world = World::over(MemoryStore::new()).await;
    let mut made = Vec::new();
    for name in ["one.example.com", "two.example.com"] {
        let issued = world.issue(name).await;
        let key = issued.private_key.as_ref().unwrap().pkcs8_der().expose().to_vec();
        made.push(Bundle {
            certificate: issued.record.id,
            leaf: issued.certificate().clone(),
            chain: vec![issued.chain.root().unwrap().clone()],
            key: Some(Secret::new(key)),
            tags: issued.record.metadata.clone(),
        });
    }
    made.try_into().unwrap()
}

fn strict() -> MemoryTarget {
    MemoryTarget::with(TargetLimits { key: KeyNeed::Required, ..TargetLimits::new(NameRules::new(64, "-_.")) })
}

#[tokio::test]
async fn the_target_in_memory_keeps_the_contract() {
    let bundles = bundles().await;
    for _ in 0..2 {
        conformance::assert_passed(&conformance::run(&strict(), &bundles).await);
        conformance::assert_passed(&conformance::run(&MemoryTarget::default(), &bundles).await);
    }
    let shared: Arc<dyn SyncTarget> = Arc::new(strict());
    conformance::assert_passed(&conformance::run(&shared, &bundles).await);
}

#[cfg(all(unix, feature = "directory"))]
#[tokio::test]
async fn the_directory_keeps_the_contract() {
    use chancery::target::directory::{DirectoryOptions, DirectoryTarget, Layout};
    let bundles = bundles().await;
    // PKCS#12 differs in what is in the file alone, and takes seconds to hash a password; `tests/directory.rs` reads one.
    for layout in [Layout::PemFiles, Layout::PemCombined] {
        let base = tempfile::tempdir().unwrap();
        let target = DirectoryTarget::open(base.path(), DirectoryOptions::new(layout)).unwrap();
        conformance::assert_passed(&conformance::run(&target, &bundles).await);
        conformance::assert_passed(&conformance::run(&target, &bundles).await);
        assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 0, "the kit leaves nothing, nor does the target");
        let shared: Arc<dyn SyncTarget> = Arc::new(target);
        conformance::assert_passed(&conformance::run(&shared, &bundles).await);
    }
}

/// How a target is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    SeesNothing,
    SeesThings,
    ForgetsToReplace,
    NewIdentity,
    NeedsTheId,
    OneNameForAll,
    TakesAnyName,
    TakesNoKey,
    KeepsWhatIsWithdrawn,
    WithdrawsOnce,
    NeverAgain,
    DiesWhenDropped,
}

#[derive(Debug)]
struct Broken {
    within: MemoryTarget,
    how: Break,
    withdrawn: AtomicBool,
    dead: Arc<AtomicBool>,
}

/// Kills the target unless it is told that the call came to its end.
struct Fuse(Arc<AtomicBool>, bool);

impl Drop for Fuse {
    fn drop(&mut self) {
        self.0.fetch_or(!self.1, Ordering::SeqCst);
    }
}

impl Broken {
    fn new(how: Break) -> Self {
        let within = if how == Break::TakesNoKey { MemoryTarget::default() } else { strict() };
        Self { within, how, withdrawn: AtomicBool::new(false), dead: Arc::default() }
    }

    fn strict(&self) -> &'static TargetLimits {
        static STRICT: std::sync::OnceLock<TargetLimits> = std::sync::OnceLock::new();
        STRICT.get_or_init(|| strict().limits().clone())
    }
}

#[async_trait]
impl SyncTarget for Broken {
    fn limits(&self) -> &TargetLimits {
        self.strict()
    }

    async fn observe(&self, remote: &RemoteRef) -> Result<Observed, TargetError> {
        match self.how {
            Break::SeesNothing => Ok(Observed::Absent),
            Break::SeesThings => match self.within.observe(remote).await? {
                Observed::Absent => Ok(Observed::Present { fingerprint: [1; 32] }),
                seen => Ok(seen),
            },
            Break::NeedsTheId if remote.id.is_none() => Ok(Observed::Absent),
            Break::OneNameForAll => self.within.observe(&RemoteRef::named("all".parse().unwrap())).await,
            _ => self.within.observe(remote).await,
        }
    }

    async fn deploy(
        &self,
        bundle: &Bundle,
        name: &RemoteName,
        previous: Option<&RemoteRef>,
    ) -> Result<RemoteRef, TargetError> {
        let there = self.within.items().get(name).map(|item| item.id.clone());
        match self.how {
            Break::ForgetsToReplace if there.is_some() => Ok(RemoteRef { name: name.clone(), id: there }),
            Break::NewIdentity => {
                let made = self.within.deploy(bundle, name, previous).await?;
                Ok(RemoteRef { id: Some(format!("{:?}", bundle.certificate)), ..made })
            }
            Break::OneNameForAll => {
                let made = self.within.deploy(bundle, &"all".parse().unwrap(), previous).await?;
                Ok(RemoteRef { name: name.clone(), ..made })
            }
            Break::TakesAnyName if self.limits().names.check(name).is_err() => Ok(RemoteRef::named(name.clone())),
            Break::NeverAgain if self.withdrawn.load(Ordering::SeqCst) => Err(TargetError::refused("never again")),
            Break::DiesWhenDropped if self.dead.load(Ordering::SeqCst) => Err(TargetError::unavailable("dead")),
            Break::DiesWhenDropped => {
                let mut fuse = Fuse(Arc::clone(&self.dead), false);
                tokio::task::yield_now().await;
                fuse.1 = true;
                self.within.deploy(bundle, name, previous).await
            }
            _ => self.within.deploy(bundle, name, previous).await,
        }
    }

    async fn withdraw(&self, remote: &RemoteRef) -> Result<(), TargetError> {
        let was_there = self.within.items().contains_key(&remote.name);
        self.withdrawn.store(true, Ordering::SeqCst);
        match self.how {
            Break::KeepsWhatIsWithdrawn => Ok(()),
            Break::WithdrawsOnce if !was_there => Err(TargetError::refused("there is no such thing")),
            Break::NeedsTheId if remote.id.is_none() => Ok(()),
            _ => self.within.withdraw(remote).await,
        }
    }
}

#[tokio::test]
async fn the_kit_catches_every_broken_target_at_the_right_clause() {
    let bundles = bundles().await;
    let cases = [
        (Break::SeesNothing, "what was deployed is observed"),
        (Break::SeesThings, "what was never deployed is absent"),
        (Break::ForgetsToReplace, "what replaces keeps the identity"),
        (Break::NewIdentity, "what replaces keeps the identity"),
        (Break::NeedsTheId, "what was deployed is observed"),
        (Break::OneNameForAll, "names are apart"),
        (Break::TakesAnyName, "names beyond the limits are refused"),
        (Break::TakesNoKey, "a missing key is refused where one is required"),
        (Break::KeepsWhatIsWithdrawn, "what was withdrawn is absent"),
        (Break::WithdrawsOnce, "withdrawing may be repeated"),
        (Break::NeverAgain, "what was withdrawn may come again"),
        (Break::DiesWhenDropped, "a dropped call leaves the target usable"),
    ];
    for (how, clause) in cases {
        let findings = conformance::run(&Broken::new(how), &bundles).await;
        let failed: Vec<_> = findings.iter().filter(|each| each.failure.is_some()).map(|each| each.clause).collect();
        assert!(failed.contains(&clause), "{how:?} breaks {clause}; found: {failed:?}");
        let passed = std::panic::catch_unwind(|| conformance::assert_passed(&findings));
        assert!(passed.is_err(), "{how:?}");
    }
}
