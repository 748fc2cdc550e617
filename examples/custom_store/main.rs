//! A store of one's own: on redb, in one file beside this one, proved by the conformance kit and by kills.
//!
//! `cargo run --example custom_store --features conformance`

mod store;

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use chancery::domain::{Actor, ApplicationSpec, Enrollment, IssuerSpec, Methods, Preset};
use chancery::engine::{Engine, Outcome};
use chancery::sealer::AeadSealer;
use chancery::store::conformance::{self, killed};
use store::RedbStore;
use tempfile::TempDir;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How often the process that writes is killed.
const KILLS: u64 = 10;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    // This program starts itself again, as the process that is killed.
    if let Some(path) = std::env::var_os("WRITE_UNTIL_KILLED") {
        let error = killed::write(&RedbStore::open(Path::new(&path))?, |told| println!("{told}")).await;
        return Err(error.into());
    }
    println!("the conformance kit over the store on redb:");
    let report = conformance::run_durable(async || Place::new(), async |place: &Place| place.open()).await;
    println!("{report}\n");
    report.assert_passed();
    let directory = TempDir::new()?;
    let path = directory.path().join("killed.redb");
    let report = killed::survives_kills(KILLS, || myself(&path), async || open(&path)).await;
    println!("a process that commits batches is killed:\n{report}\n");
    report.assert_passed();
    issue(open(&directory.path().join("chancery.redb"))).await
}

fn open(path: &Path) -> RedbStore {
    RedbStore::open(path).expect("a file in a temporary directory")
}

fn myself(path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the path of this program"));
    command.env("WRITE_UNTIL_KILLED", path);
    command
}

/// A place for data. redb opens a file once, so that handles of the same process share it.
struct Place {
    directory: TempDir,
    store: Mutex<Weak<RedbStore>>,
}

impl Place {
    fn new() -> Self {
        Self { directory: TempDir::new().expect("a temporary directory"), store: Mutex::default() }
    }

    fn open(&self) -> Arc<RedbStore> {
        let mut held = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        held.upgrade().unwrap_or_else(|| {
            let store = Arc::new(open(&self.directory.path().join("chancery.redb")));
            *held = Arc::downgrade(&store);
            store
        })
    }
}

/// The engine neither knows nor asks what it stands on.
async fn issue(store: RedbStore) -> Result<()> {
    let alice = Actor::user("alice")?;
    let engine = Engine::builder()
        .store(store)
        .sealer(AeadSealer::new(&[7; 32])) // in earnest: 32 random octets from a secret manager
        .administrator(alice.principal().clone())
        .build()
        .await?;
    let session = engine.acting_as(alice);
    session.create_root(IssuerSpec::new("root".parse()?, "Example Root")).await?;
    session.save_policy(Preset::TlsServer.policy("web".parse()?)).await?;
    let profile =
        session.save_profile(Preset::TlsServer.profile("web".parse()?, "root".parse()?, "web".parse()?)).await?;
    let application = ApplicationSpec::new("payments".parse()?).attach("web".parse()?, Methods::api());
    let application = session.create_application(application).await?;
    let enrollment = Enrollment::managed(application.id, profile.id).dns("api.example.com");
    match session.submit(&enrollment).await? {
        Outcome::Issued(issued) => println!("issued {} over it", issued.record.id),
        other => return Err(format!("not issued: {other:?}").into()),
    }
    let report = engine.run_due(100).await?;
    println!("due work done: {report:?}");
    Ok(())
}
