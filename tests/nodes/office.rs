//! The office that all processes share: where it stands, what time it is, its issuers and what it enrols.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use chancery::clock::{Clock, SystemClock};
use chancery::domain::{
    Actor, ApiSettings, Application, ApplicationSpec, AutoRenewal, Enrollment, IssuerSpec, Methods, Preset, ProfileId,
    Slug, Span,
};
use chancery::engine::{Engine, EngineBuilder, Session};
use chancery::sealer::AeadSealer;
use chancery::signer::{Locality, SignError, Signer, SoftwareSigner};
use chancery::store::sqlite::SqliteStore;
use chancery::store::{Store, StoreError};
use chancery::x509::{KeyAlgorithm, PublicKey, Serial, SignatureAlgorithm};
use serde::{Deserialize, Serialize};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

/// When the fleet is enrolled: certificates of 47 days that renew from 15 days before their end on.
pub(crate) const ENROLLED: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);
/// When the nodes begin to work: all that was enrolled is due, and no successor will be.
pub(crate) const BEGIN: OffsetDateTime = datetime!(2027-01-01 12:00 UTC);
/// What is due before then is the fleet's, or a retry.
pub(crate) const BEFORE: &str = "2027-01-11T12:00:00Z";
/// How fast time passes for the nodes: leases of five minutes last five seconds.
pub(crate) const SPEED: i32 = 60;
/// How long the longest lease of due work lasts, as the nodes are watched.
pub(crate) const LEASE: std::time::Duration = std::time::Duration::from_secs(5);

const ROOT: &str = "office";
/// The issuer whose key is in this process, and the one whose key is not.
const ISSUERS: [&str; 2] = ["near", "far"];

/// What a process is told when it is started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Orders {
    /// `sqlite:` and the path of the file, or the URL of a PostgreSQL database.
    pub(crate) store: String,
    /// The key of the issuer that is far, hex PKCS#8.
    pub(crate) key: String,
    /// By the system's clock, in nanoseconds since 1970, when the nodes began; `None` for the system's time.
    pub(crate) begun: Option<i128>,
    /// What its certificates are called after.
    pub(crate) name: String,
}

impl Orders {
    pub(crate) fn new(store: String) -> Self {
        let key = SoftwareSigner::generate(KeyAlgorithm::P256).unwrap().to_pkcs8_der().unwrap();
        let key = key.expose().iter().map(|octet| format!("{octet:02x}")).collect();
        Self { store, key, begun: None, name: String::new() }
    }

    pub(crate) fn over_file(path: &Path) -> Self {
        Self::new(format!("sqlite:{}", path.display()))
    }

    pub(crate) async fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        match self.store.split_once(':') {
            Some(("sqlite", path)) => Ok(Arc::new(SqliteStore::open(path)?)),
            #[cfg(feature = "postgres")]
            Some(("postgres", _)) => {
                Ok(Arc::new(chancery::store::postgres::PostgresStore::connect(&self.store).await?))
            }
            _ => panic!("no store is called {}", self.store),
        }
    }

    fn signer(&self, tells: bool) -> FarSigner {
        let octet = |at: usize| u8::from_str_radix(&self.key[at..at + 2], 16).unwrap();
        let der: Vec<u8> = (0..self.key.len()).step_by(2).map(octet).collect();
        FarSigner { key: SoftwareSigner::from_pkcs8_der(&der).unwrap(), tells }
    }

    /// The parts of an engine on the orders' store and clock; `tells` says that it prints what the far issuer signs.
    pub(crate) fn builder(&self, store: impl Store, tells: bool) -> EngineBuilder {
        let builder = Engine::builder()
            .store(store)
            .sealer(AeadSealer::new(&[7; 32]))
            .administrator(actor().principal().clone())
            .signer(slug(ISSUERS[1]), self.signer(tells));
        match self.begun {
            Some(begun) => {
                builder.clock(FastClock { begun: OffsetDateTime::from_unix_timestamp_nanos(begun).unwrap() })
            }
            None => builder,
        }
    }
}

pub(crate) fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

fn actor() -> Actor {
    Actor::user(ROOT).unwrap()
}

pub(crate) fn session(engine: &Engine) -> Session {
    engine.acting_as(actor())
}

/// The profiles under the two issuers, and the Application that asks.
pub(crate) struct Office {
    pub(crate) session: Session,
    pub(crate) application: Application,
    pub(crate) near: ProfileId,
    pub(crate) far: ProfileId,
}

impl Office {
    pub(crate) async fn found(engine: &Engine) -> Self {
        let session = session(engine);
        session.save_policy(Preset::TlsServer.policy(slug("web"))).await.unwrap();
        let renewal = ApiSettings { auto_renew: Some(AutoRenewal::before(Span::days(15))) };
        let methods = Methods { api: Some(renewal), ..Methods::default() };
        let mut spec = ApplicationSpec::new(slug("fleet"));
        for issuer in ISSUERS {
            session.create_root(IssuerSpec::new(slug(issuer), issuer)).await.unwrap();
            let mut profile = Preset::TlsServer.profile(slug(issuer), slug(issuer), slug("web"));
            profile.defaults.ttl = Some(Span::days(47));
            session.save_profile(profile).await.unwrap();
            spec = spec.attach(slug(issuer), methods.clone());
        }
        session.create_application(spec).await.unwrap();
        Self::enter(engine).await
    }

    /// The office as somebody else founded it.
    pub(crate) async fn enter(engine: &Engine) -> Self {
        let session = session(engine);
        let application = session.application_named(&slug("fleet")).await.unwrap();
        let near = session.profile_named(&slug(ISSUERS[0])).await.unwrap().id;
        let far = session.profile_named(&slug(ISSUERS[1])).await.unwrap().id;
        Self { session, application, near, far }
    }

    /// What is asked for the `at`th name: every tenth of the issuer that is far.
    pub(crate) fn enrollment(&self, at: usize, name: &str) -> Enrollment {
        let profile = if at.is_multiple_of(10) { self.far } else { self.near };
        Enrollment::managed(self.application.id, profile).dns(name).key_algorithm(KeyAlgorithm::P256)
    }
}

/// A clock that all nodes share, and that is fast.
#[derive(Debug)]
struct FastClock {
    begun: OffsetDateTime,
}

impl Clock for FastClock {
    fn now(&self) -> OffsetDateTime {
        BEGIN + (SystemClock.now() - self.begun).max(Duration::ZERO) * SPEED
    }
}

/// A key outside of the process, as far as the engine knows: what is signed is recorded before, and may be lost after.
#[derive(Debug)]
struct FarSigner {
    key: SoftwareSigner,
    tells: bool,
}

#[async_trait]
impl Signer for FarSigner {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn algorithms(&self) -> &[SignatureAlgorithm] {
        self.key.algorithms()
    }

    fn locality(&self) -> Locality {
        Locality::Remote
    }

    async fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        if let Some(serial) = serial_of(message).filter(|_| self.tells) {
            println!("signed {serial}");
        }
        let signature = self.key.sign(algorithm, message).await;
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        signature
    }
}

/// The serial number of a TBSCertificate (RFC 5280 section 4.1); `None` for what is none.
fn serial_of(tbs: &[u8]) -> Option<Serial> {
    const VERSION_3: [u8; 5] = [0xa0, 3, 2, 1, 2];
    let begin = 2 + usize::from(tbs.get(1)?.checked_sub(0x80).unwrap_or_default());
    let [2, length, rest @ ..] = tbs.get(begin..)?.strip_prefix(&VERSION_3)? else { return None };
    Serial::from_octets(rest.get(..usize::from(*length))?).ok()
}
