//! The server's own certificate: issued, renewed and delivered by the crate as any other, to a target that is this process.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum_server::tls_rustls::RustlsConfig;
use chancery::domain::policy::ValueRules;
use chancery::domain::{
    Application, ApplicationSpec, CertificateRecord, CertificateStatus, Enrollment, Member, Methods, NameRules,
    PolicySpec, Preset, Principal, ProfileSpec, RemoteName, RemoteRef, Role, Selection, Slug, SyncSpec, TargetLimits,
};
use chancery::engine::{CertificateQuery, Outcome, Root, Session};
use chancery::target::{Bundle, Observed, SyncTarget, TargetError};
use chancery::x509::{RevocationReason, SanKind};
use sha2::{Digest, Sha256};

use crate::Result;
use crate::apply::{self, Applied, found};
use crate::configuration::{Configuration, Tls};
use crate::data::{self, Data};
use crate::fault::{Fault, of_engine};
use crate::office::Office;

/// What the server calls its own policy, profile, Application, sync and target.
pub(crate) const OWN: &str = "chancery-server";

/// The tag that tells which names and which length a certificate was asked for.
const TAG: &str = "listener";

/// How long the first certificate may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sees to it that there is a certificate as declared, and that the listener has it.
pub(crate) async fn certify(
    office: &Office,
    tls: &Tls,
    configuration: &Configuration,
    data: &Data,
) -> Applied<Vec<String>> {
    let (session, said) = (&office.session, |error| of_engine("tls", error));
    let mut changes = Vec::new();
    changes.extend(apply::policy(session, &policy(tls).map_err(failed)?).await.map_err(said)?);
    let no_issuer = |error| of_engine("tls.issuer", error);
    changes.extend(apply::profile(session, &profile(tls).map_err(failed)?).await.map_err(no_issuer)?);
    let own = application(session, &configuration.administrators).await.map_err(failed)?;
    let (record, issued) = current(session, &own, tls).await.map_err(failed)?;
    changes.extend(issued.then(|| format!("certificate for {} issued", tls.names.join(", "))));
    deliver(office, &own, tls).await.map_err(failed)?;
    let chain = session.chain(record.id).await.map_err(said)?;
    let root = chain.root().or(chain.certificates(Root::Include).last()).map(|root| root.pem()).unwrap_or_default();
    data::write(&data.root(), root.as_bytes(), 0o644).map_err(failed)?;
    Ok(changes)
}

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> Vec<Fault> {
    vec![Fault::new("tls", error)]
}

fn own() -> Result<Slug> {
    Ok(OWN.parse()?)
}

/// Names as they are in the file, and no others.
fn policy(tls: &Tls) -> Result<PolicySpec> {
    let mut sans: BTreeMap<SanKind, Vec<String>> = BTreeMap::new();
    for name in &tls.names {
        sans.entry(kind_of(name)).or_default().push(name.clone());
    }
    let mut policy = Preset::TlsServer.policy(own()?);
    policy.description = "The server's own certificate".to_owned();
    policy.subject = Some(Default::default());
    policy.sans = Some(sans.into_iter().map(|(kind, names)| (kind, ValueRules::allow(names))).collect());
    // A certificate of another length is another certificate; see the tag.
    policy.validity.max = None;
    Ok(policy)
}

fn profile(tls: &Tls) -> Result<ProfileSpec> {
    let mut profile = Preset::TlsServer.profile(own()?, tls.issuer.clone(), own()?);
    profile.description = "The server's own certificate".to_owned();
    profile.defaults.ttl = Some(tls.ttl);
    profile.backdate = None;
    profile.auto_renew = Some(serde_json::from_str("\"2/3\"")?);
    Ok(profile)
}

fn kind_of(name: &str) -> SanKind {
    if name.parse::<IpAddr>().is_ok() { SanKind::IpAddress } else { SanKind::DnsName }
}

/// The server's own Application, in which administrators are Admins: they may renew its certificate by hand.
async fn application(session: &Session, administrators: &[Principal]) -> Result<Application> {
    let application = match found(session.application_named(&own()?).await)? {
        Some(application) => application,
        None => {
            let spec = ApplicationSpec::new(own()?).attach(own()?, Methods::api());
            session.create_application(spec).await?
        }
    };
    for principal in administrators {
        let member = Member { principal: principal.clone(), role: Role::Admin };
        if !application.members.contains(&member) {
            session.set_member(application.id, member).await?;
        }
    }
    Ok(application)
}

fn tag_of(tls: &Tls) -> String {
    let text = format!("{}\n{}", tls.names.join("\n"), tls.ttl);
    Sha256::digest(text).iter().take(8).fold(String::new(), |mut hex, octet| {
        let _ = write!(hex, "{octet:02x}");
        hex
    })
}

/// The certificate that is asked for, and whether it had to be issued. Those for other names are given up.
async fn current(session: &Session, own: &Application, tls: &Tls) -> Result<(CertificateRecord, bool)> {
    let query = CertificateQuery {
        application: Some(own.id),
        status: Some(CertificateStatus::Active),
        page_size: 1000,
        ..CertificateQuery::default()
    };
    let (tag, mut fitting) = (tag_of(tls), Vec::new());
    for record in session.certificates(&query, None).await?.items {
        match record.metadata.get(TAG) == Some(&tag) {
            true => fitting.push(record),
            // Else it would renew itself for ever.
            false => drop(session.revoke(record.id, RevocationReason::Superseded).await?),
        }
    }
    if let Some(record) = fitting.pop() {
        return Ok((record, false));
    }
    let profile = own.attachments.first().ok_or("the server's own profile is not attached")?.profile;
    let ask = tls.names.iter().fold(Enrollment::managed(own.id, profile), |ask, name| ask.san(kind_of(name), name));
    match session.submit(&ask.tag(TAG, &tag)).await? {
        Outcome::Issued(issued) => Ok((issued.record.clone(), true)),
        other => Err(format!("the server's own certificate is not issued: {other:?}").into()),
    }
}

/// Lets due work bring the certificate here. What is here is gone with each process, so that each start asks again.
async fn deliver(office: &Office, own_application: &Application, tls: &Tls) -> Result<()> {
    let sync = SyncSpec::new(own()?, own()?, Selection::tag(TAG, &tag_of(tls)));
    let sync = office.session.save_sync(own_application.id, sync).await?;
    office.session.sync_now(sync.id).await?;
    let begun = Instant::now();
    while office.listener.config().is_none() {
        if begun.elapsed() > PATIENCE {
            let status = office.session.sync(sync.id).await?;
            return Err(format!("the certificate does not arrive: {status:?}").into());
        }
        let report = office.engine.run_due(100).await?;
        if report.total() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

/// A target that is this process: what arrives is what TLS shows from the next connection on.
#[derive(Clone, Debug)]
pub(crate) struct Listener(Arc<Inner>);

struct Inner {
    limits: TargetLimits,
    config: OnceLock<RustlsConfig>,
    present: Mutex<Option<(RemoteName, [u8; 32])>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Listener {
    pub(crate) fn new() -> Self {
        // A call takes no time, and the lease of one that a crash cut off should be over soon.
        let limits =
            TargetLimits { longest_call: Duration::from_secs(1), ..TargetLimits::new(NameRules::new(128, "-_.")) };
        Self(Arc::new(Inner { limits, config: OnceLock::new(), present: Mutex::default() }))
    }

    /// What TLS is to use, once a certificate has arrived.
    pub(crate) fn config(&self) -> Option<RustlsConfig> {
        self.0.config.get().cloned()
    }

    fn present(&self) -> MutexGuard<'_, Option<(RemoteName, [u8; 32])>> {
        self.0.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SyncTarget for Listener {
    fn limits(&self) -> &TargetLimits {
        &self.0.limits
    }

    async fn observe(&self, remote: &RemoteRef) -> std::result::Result<Observed, TargetError> {
        Ok(match &*self.present() {
            Some((name, fingerprint)) if *name == remote.name => Observed::Present { fingerprint: *fingerprint },
            _ => Observed::Absent,
        })
    }

    async fn deploy(
        &self,
        bundle: &Bundle,
        name: &RemoteName,
        _: Option<&RemoteRef>,
    ) -> std::result::Result<RemoteRef, TargetError> {
        let key = bundle.key.as_ref().ok_or_else(|| TargetError::refused("TLS needs the key"))?.expose().to_vec();
        let chain = std::iter::once(&bundle.leaf).chain(&bundle.chain).map(|each| each.der().to_vec()).collect();
        let refused = |error: std::io::Error| TargetError::refused(error.to_string());
        match self.0.config.get() {
            Some(config) => config.reload_from_der(chain, key).await.map_err(refused)?,
            None => {
                let config = RustlsConfig::from_der(chain, key).await.map_err(refused)?;
                self.0.config.get_or_init(|| config);
            }
        }
        *self.present() = Some((name.clone(), *bundle.leaf.fingerprint()));
        tracing::info!(certificate = %bundle.certificate, "TLS shows a new certificate");
        Ok(RemoteRef::named(name.clone()))
    }

    /// A listener without a certificate is of no use: it goes on with what it has until another arrives.
    async fn withdraw(&self, remote: &RemoteRef) -> std::result::Result<(), TargetError> {
        self.present().take_if(|(name, _)| *name == remote.name);
        Ok(())
    }
}
