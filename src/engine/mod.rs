//! The verbs: load, judge, commit, act.
//!
//! An [`Engine`] holds the ports. Everything is done in somebody's name: [`Engine::acting_as`] gives a [`Session`], and
//! the permission matrix is asked on every verb. The engine spawns nothing and holds no transaction; drop a future and
//! the verb has happened entirely, or not at all, or left a request that [`Engine::run_due`] goes on with.
//!
//! Begin with [`Engine::builder`]; issue with [`Session::submit`]; read [a request's walk](crate::manual::request_walk).

pub mod acme;
mod alerts;
mod approvals;
mod audit;
mod authorize;
mod builder;
mod cache;
mod catalog;
mod context;
mod deploy;
mod due;
mod endings;
mod error;
mod housekeeping;
mod impact;
mod inventory;
mod issue;
mod issuers;
mod once;
mod outcome;
mod query;
mod renewal;
mod revocation;
mod schema;
mod session;
mod settings;
mod submit;
mod tokens;
pub mod transfer;
mod worker;

use std::sync::Arc;

pub use alerts::ChannelTest;
pub use approvals::{ApprovalRequest, RequestQuery, RequestSummary};
pub use builder::EngineBuilder;
use context::Context;
pub use deploy::{DeploymentCounts, SyncHealth, SyncStatus};
pub use due::DueReport;
pub use endings::{Endings, MOST_ENDINGS};
pub use error::{Error, IssuerFault};
pub use housekeeping::Retention;
pub use impact::ImpactWalk;
pub use inventory::{Import, ImportOutcome};
pub use outcome::{Chain, Issued, Outcome, Pending, PendingReason, Refusal, Root, SubjectKey};
pub use query::{CertificateQuery, NameQuery, Page, PageToken};
pub use renewal::RenewalView;
pub use revocation::{Crl, OcspReply};
pub use schema::{Notification, NotificationChannel, PolicyRecord};
pub use session::Session;
pub use worker::Worker;

use crate::domain::{Actor, ApplicationId, AuditHead, IssuerId, ProfileId, Slug};

/// Certificate lifecycle management over a host's own store, keys and destinations. Cheap to clone.
///
/// Make one for each process and store, and a [`Session`] for each caller. Who holds the engine can act as anybody: hand
/// sessions to request handlers, not the engine.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use chancery::domain::{Actor, IssuerSpec};
/// use chancery::engine::Engine;
/// use chancery::sealer::AeadSealer;
///
/// let alice = Actor::user("alice")?;
/// let engine = Engine::builder()
///     .sealer(AeadSealer::new(&[7; 32])) // in earnest: 32 random octets from a secret manager
///     .administrator(alice.principal().clone())
///     .build()
///     .await?;
/// let root = engine.acting_as(alice).create_root(IssuerSpec::new("root".parse()?, "Example Root")).await?;
/// assert_eq!(root.name.as_str(), "root");
///
/// // From a timer of the host's, in any number of processes:
/// let report = engine.run_due(100).await?;
/// assert_eq!((report.sealed, report.total()), (2, 2), "two events of the new issuer");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Engine {
    context: Arc<Context>,
}

impl Engine {
    /// Begins to put an engine together.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// The verbs, done in the name of `actor`. The host vouches that it is them, and for their groups: nothing is
    /// authenticated here. Costs nothing; make one for each request.
    pub fn acting_as(&self, actor: Actor) -> Session {
        Session::new(Arc::clone(&self.context), actor)
    }

    /// The last block of the audit chain, to be kept where who can write the store can not: with it,
    /// [`Session::verify_audit`] finds also a chain that was cut short or written anew. `None` before the first block.
    ///
    /// # Errors
    /// The store.
    pub async fn audit_head(&self) -> Result<Option<AuditHead>, Error> {
        self.context.audit_head().await
    }

    /// Seals new events into the audit chain, and does at most `limit` items that are due (1 to 1000; what is beyond is cut):
    /// requests whose signing was cut off, renewals, revocation lists, deployments, alerts, notifications, and records that
    /// have expired. The longest overdue come first; of renewals, those whose certificates end first. Any number of workers
    /// may call it on one store.
    ///
    /// If the report's [`total`](DueReport::total) is `limit`, more may be due: call again.
    ///
    /// # Errors
    /// The store, the signer's absence, or the source of randomness. What was done before stays done.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn run_due(&self, limit: usize) -> Result<DueReport, Error> {
        let report = self.context.run_due(limit).await?;
        metrics::counter!("chancery_due_items_total").increment(report.total() as u64);
        Ok(report)
    }

    /// A round of a [`Worker`]; the queues that it leaves are for [`work_beside`](Self::work_beside).
    async fn round(&self, limit: usize) -> Result<due::Round, Error> {
        let round = self.context.round(limit).await?;
        metrics::counter!("chancery_due_items_total").increment(round.report.total() as u64);
        Ok(round)
    }

    /// Does one of the queues that a round left.
    async fn work_beside(&self, queue: Vec<crate::store::Hit>) -> Result<(), Error> {
        let mut report = DueReport::default();
        let worked = self.context.work_through(vec![queue], &mut report).await;
        metrics::counter!("chancery_due_items_total").increment(report.total() as u64);
        worked
    }

    /// How long until something is due: zero if something is, `None` if nothing is planned.
    ///
    /// # Errors
    /// The store's.
    pub async fn until_next_due(&self) -> Result<Option<std::time::Duration>, Error> {
        self.context.until_next_due().await
    }

    /// The verbs of ACME clients at the attachment of `profile` to `application`. Whether there is one, and ACME is enabled on it, is seen
    /// when a verb is called.
    pub fn acme(&self, application: ApplicationId, profile: ProfileId) -> acme::AcmeServer {
        acme::AcmeServer::new(Arc::clone(&self.context), application, profile)
    }

    /// Who presents a token that [`Session::create_token`] made; `None` if it is none, was revoked, or has ended. The actor
    /// reaches no further than the token does.
    ///
    /// # Errors
    /// The store.
    #[tracing::instrument(level = "debug", skip_all, err(level = "debug"))]
    pub async fn bearer(&self, token: &str) -> Result<Option<Actor>, Error> {
        self.context.bearer(token).await
    }

    /// Ready once a verb of this engine, or of a clone, has made something due at once.
    fn due_now(&self) -> event_listener::EventListener {
        self.context.due_now.listen()
    }

    /// What the engine's clock shows.
    #[cfg(any(feature = "acme", feature = "api", feature = "status"))]
    pub(crate) fn now(&self) -> time::OffsetDateTime {
        self.context.now()
    }

    /// Random octets that tell one thing from another, and guard nothing.
    #[cfg(any(feature = "acme", feature = "api"))]
    pub(crate) fn distinct(&self) -> [u8; 12] {
        let mut octets = [0; 12];
        let _ = self.context.entropy.fill(&mut octets);
        octets
    }

    /// Octets that nobody can guess.
    #[cfg(feature = "console")]
    pub(crate) fn unguessable<const N: usize>(&self) -> Result<[u8; N], Error> {
        let mut octets = [0; N];
        self.context.entropy.fill(&mut octets)?;
        Ok(octets)
    }

    /// Seals something for a client to keep, as the sealer seals private keys.
    #[cfg(feature = "console")]
    pub(crate) async fn seal(&self, secret: &crate::sealer::Secret, bound_to: &str) -> Result<Vec<u8>, Error> {
        Ok(self.context.sealer.seal(secret, bound_to, self.unguessable()?).await?)
    }

    /// Opens what a client kept.
    #[cfg(feature = "console")]
    pub(crate) async fn unseal(&self, envelope: &[u8], bound_to: &str) -> Result<crate::sealer::Secret, Error> {
        Ok(self.context.sealer.open(envelope, bound_to).await?)
    }

    /// A length of time, a tenth longer at most.
    fn jittered(&self, time: std::time::Duration) -> std::time::Duration {
        let mut octet = [0];
        // Without randomness there is no jitter; verbs that need it for more will say so.
        let _ = self.context.entropy.fill(&mut octet);
        time + time / 10 * u32::from(octet[0]) / 255
    }

    /// The id of the issuer called `name`, which certificates tell in their URLs; `None` if there is none. It is public, so no
    /// session is asked for.
    ///
    /// # Errors
    /// The store.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn issuer_id(&self, name: &Slug) -> Result<Option<IssuerId>, Error> {
        self.context.issuer_id(name).await
    }

    /// The CRL of an issuer's shard as it was last published; `None` before the first one. Shards are numbered from 0, and an
    /// issuer has one unless its settings say more.
    ///
    /// It is public, so no session is asked for. Due work publishes it after a revocation and before nextUpdate.
    ///
    /// # Errors
    /// The store.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn crl(&self, issuer: IssuerId, shard: u32) -> Result<Option<Crl>, Error> {
        self.context.crl(issuer, shard).await
    }

    /// Answers an OCSP request (RFC 6960): DER in, DER out, media types `application/ocsp-request` and `-response`.
    ///
    /// It is public, so no session is asked for. There is always an answer: what can not be read, is not known here, or can
    /// not be signed now is told by the status of the response.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn ocsp(&self, request: &[u8]) -> OcspReply {
        self.context.ocsp(request).await
    }

    /// An issuer's own certificate, DER, as a caIssuers URL serves it (RFC 5280 section 4.2.2.1); `None` for one that is
    /// unknown or has none yet. It is public, so no session is asked for.
    ///
    /// # Errors
    /// The store.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn issuer_certificate(&self, issuer: IssuerId) -> Result<Option<Vec<u8>>, Error> {
        self.context.issuer_certificate(issuer).await
    }
}
