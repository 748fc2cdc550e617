//! The office of the example: engine, people, rules, an Application, and where its certificates go.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chancery::clock::ManualClock;
use chancery::domain::policy::ValueRules;
use chancery::domain::{
    Actor, AlertOn, AlertSpec, Application, ApplicationId, ApplicationSpec, AutoRenewal, CertificateId,
    CertificateRecord, Channel, ChannelKind, Confidential, DestinationRules, Enrollment, IssuerId, IssuerSpec,
    Loopback, Methods, Preset, ProfileId, Role, Selection, Span, SyncSpec, read_json,
};
use chancery::engine::{CertificateQuery, Engine, Retention, Session};
use chancery::notify::{HttpClient, HttpSettings, PrivateAddresses, WebhookNotifier};
use chancery::sealer::AeadSealer;
use chancery::target::directory::{DirectoryOptions, DirectoryTarget, Layout};
use chancery::x509::{KeyAlgorithm, SanKind};
use time::OffsetDateTime;
use time::macros::datetime;

use crate::Result;
use crate::receiver::Receiver;

/// A Monday.
pub(crate) const START: OffsetDateTime = datetime!(2027-01-04 08:00 UTC);
/// When certificates renew: in the last third of their life, in office hours.
pub(crate) const RENEWAL: &str = r#"{
    "when": "2/3",
    "window": { "zone": "Europe/Berlin", "open": [ { "days": ["tue", "wed", "thu"], "from": "09:00", "to": "16:00" } ] }
}"#;
/// Names that two people must want.
const GUARD: &str = r#"{
    "name": "money", "description": "names that take money",
    "conditions": { "sans": { "dns_name": ["pay.example.com"] } },
    "steps": [ { "name": "second pair of eyes", "required": 1, "approvers": ["user:otto", "user:bob"] } ],
    "max_age": "3d"
}"#;
const SECRET: &str = "a secret that the receiver knows";

/// The office, open.
pub(crate) struct Office {
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<ManualClock>,
    /// The administrator, who is an Admin of the Application.
    pub(crate) alice: Session,
    /// An Auditor, who approves.
    pub(crate) bob: Session,
    /// An Operator, who asks.
    pub(crate) otto: Session,
    pub(crate) root: IssuerId,
    pub(crate) application: ApplicationId,
    profile: ProfileId,
    pub(crate) receiver: Receiver,
    pub(crate) out: PathBuf,
    edge: PathBuf,
}

impl Office {
    pub(crate) async fn open(out: &Path) -> Result<Self> {
        let clock = Arc::new(ManualClock::new(START));
        let receiver = Receiver::open(SECRET, Arc::clone(&clock)).await?;
        let edge = out.join("edge");
        fs::create_dir_all(&edge)?;
        let engine = engine(&clock, &edge).await?;
        let alice = engine.acting_as(Actor::user("alice")?);

        let mut issuer = IssuerSpec::new("root".parse()?, "Example Root");
        issuer.urls.crl = vec!["http://crl.example.com/root.crl".into()];
        let root = alice.create_root(issuer).await?.id;
        let profile = rules(&alice).await?;
        let application = application(&alice).await?.id;
        alice.save_approval_policy(application, read_json(GUARD)?).await?;
        let mut sync = SyncSpec::new("edge".parse()?, "edge".parse()?, Selection::profile(profile));
        sync.name_template = "{common_name}-{short_id}".parse()?;
        alice.save_sync(application, sync).await?;
        for (name, on) in [("renewed", AlertOn::Renewal), ("revoked", AlertOn::Revocation)] {
            let secret = Some(Confidential::new(SECRET));
            let alert = AlertSpec::new(name.parse()?, on).channel(Channel::Webhook { url: receiver.url(), secret });
            alice.save_alert(Some(application), alert).await?;
        }

        let (bob, otto) = (engine.acting_as(Actor::user("bob")?), engine.acting_as(Actor::user("otto")?));
        let out = out.to_owned();
        Ok(Self { engine, clock, alice, bob, otto, root, application, profile, receiver, out, edge })
    }

    /// An ask for a certificate of a name.
    pub(crate) fn ask(&self, name: &str) -> Enrollment {
        Enrollment::managed(self.application, self.profile).common_name(name).dns(name)
    }

    /// Every certificate of the Application, by its beginning.
    pub(crate) async fn certificates(&self) -> Result<Vec<CertificateRecord>> {
        let query =
            CertificateQuery { application: Some(self.application), page_size: 1000, ..CertificateQuery::default() };
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = self.alice.certificates(&query, after.as_ref()).await?;
            found.extend(page.items);
            after = page.next;
            if after.is_none() {
                found.sort_by_key(|record: &CertificateRecord| record.created_at);
                return Ok(found);
            }
        }
    }

    /// The folder of a certificate's lineage in the directory: named after its first certificate, whatever is in it now.
    pub(crate) fn folder(&self, name: &str, lineage: CertificateId) -> PathBuf {
        let short = lineage.to_string().trim_start_matches("cert-").to_owned();
        self.edge.join(format!("{name}-{short}"))
    }

    /// Whether the directory holds exactly this certificate, with a key.
    pub(crate) fn is_delivered(&self, record: &CertificateRecord) -> Result<bool> {
        let folder = self.folder(record.subject.common_name().unwrap_or_default(), record.lineage);
        let certificate = fs::read_to_string(folder.join("cert.pem")).unwrap_or_default();
        Ok(certificate == record.certificate()?.pem() && folder.join("privkey.pem").exists())
    }
}

async fn engine(clock: &Arc<ManualClock>, edge: &Path) -> Result<Engine> {
    // The receiver is on this machine; in earnest messages go to addresses of the public internet, by https, alone.
    let private_addresses = PrivateAddresses::Allowed;
    let http = HttpClient::new(&HttpSettings { private_addresses, ..HttpSettings::default() })?;
    let webhooks = WebhookNotifier::new(http).clock(Arc::clone(clock));
    let engine = Engine::builder()
        .clock(Arc::clone(clock))
        .sealer(AeadSealer::new(&[7; 32])) // in earnest: 32 random octets from a secret manager
        .administrator("user:alice".parse()?)
        .target("edge".parse()?, DirectoryTarget::open(edge, DirectoryOptions::new(Layout::PemFiles))?)
        .notifier(ChannelKind::Webhook, webhooks)
        .destinations(DestinationRules { loopback: Loopback::Accepted, ..DestinationRules::default() })
        .retention(Retention { certificates: None, ..Retention::default() }) // for the picture
        .build()
        .await?;
    Ok(engine)
}

/// What may be issued, and with which defaults.
async fn rules(alice: &Session) -> Result<ProfileId> {
    let mut policy = Preset::TlsServer.policy("web".parse()?);
    policy.sans = Some([(SanKind::DnsName, ValueRules::allow(["*.example.com"]))].into());
    policy.algorithms.key = Some(vec![KeyAlgorithm::P256, KeyAlgorithm::P384]);
    policy.validity.max = Some(Span::days(45));
    alice.save_policy(policy).await?;
    let mut profile = Preset::TlsServer.profile("web".parse()?, "root".parse()?, "web".parse()?);
    profile.defaults.ttl = Some(Span::days(30));
    profile.auto_renew = Some(AutoRenewal::On(serde_json::from_str(RENEWAL)?));
    Ok(alice.save_profile(profile).await?.id)
}

async fn application(alice: &Session) -> Result<Application> {
    let spec = ApplicationSpec::new("shop".parse()?)
        .attach("web".parse()?, Methods::api())
        .member("user:otto".parse()?, Role::Operator)
        .member("user:bob".parse()?, Role::Auditor);
    Ok(alice.create_application(spec).await?)
}
