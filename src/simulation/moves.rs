//! What callers do in a simulated world, what they are promised, and their last look at it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use time::Duration;

use super::signer::SimulatedSigner;
use super::stage::{Act, Stage, lock};
use crate::domain::{
    Actor, Application, ApplicationSpec, CertificateId, Enrollment, IssuerSpec, Metadata, Methods, PolicySpec, Preset,
    Profile, Role, Slug, Span,
};
use crate::engine::{Engine, EngineBuilder, Error, Outcome, Session};
use crate::x509::InvalidValue;

/// The people and settings of the world.
#[derive(Clone, Debug)]
pub(super) struct Office {
    application: Application,
    profile: Profile,
}

/// What callers remember.
#[derive(Debug, Default)]
pub(super) struct Caller {
    /// Asks whose answer may not have come.
    open: Vec<Enrollment>,
    certificates: Vec<CertificateId>,
    asked: u64,
}

type Desk = (Engine, Office);

fn slug(text: &str) -> Result<Slug, Error> {
    text.parse().map_err(fault)
}

fn fault(error: InvalidValue) -> Error {
    Error::Invalid { faults: vec![("simulation".into(), error)] }
}

fn user(name: &str) -> Result<Actor, Error> {
    Actor::user(name).map_err(fault)
}

/// The policy as it is at first, and as it is at times.
fn policy(longest: Span) -> Result<PolicySpec, Error> {
    let mut policy = Preset::TlsServer.policy(slug("web")?);
    policy.validity.max = Some(longest);
    Ok(policy)
}

const LONGEST: Span = Span::days(10);
const SHORTER: Span = Span::days(4);

impl Office {
    /// The administrator whom the world knows.
    pub(super) fn staff(builder: EngineBuilder) -> EngineBuilder {
        match user("root") {
            Ok(root) => builder.administrator(root.principal().clone()),
            Err(_) => builder,
        }
    }

    pub(super) fn with_issuer(builder: EngineBuilder, signer: SimulatedSigner) -> Result<EngineBuilder, Error> {
        Ok(builder.signer(slug("root")?, signer))
    }

    /// Makes issuer, policy, profile and Application.
    pub(super) async fn open(engine: &Engine) -> Result<Self, Error> {
        let root = engine.acting_as(user("root")?);
        root.create_root(IssuerSpec::new(slug("root")?, "Simulated Root")).await?;
        root.save_policy(policy(LONGEST)?).await?;
        let mut spec = Preset::TlsServer.profile(slug("web")?, slug("root")?, slug("web")?);
        spec.defaults.ttl = Some(Span::days(2));
        let profile = root.save_profile(spec).await?;
        let spec = ApplicationSpec::new(slug("payments")?)
            .attach(slug("web")?, Methods::api())
            .member(user("otto")?.principal().clone(), Role::Operator)
            .member(user("alice")?.principal().clone(), Role::Admin);
        Ok(Self { application: root.create_application(spec).await?, profile })
    }
}

impl Caller {
    /// A caller turns to an engine with something that chance decides.
    pub(super) fn act(this: &Arc<Mutex<Self>>, desk: Desk, stage: &Arc<Stage>) -> Act {
        let (caller, stage) = (Arc::clone(this), Arc::clone(stage));
        Box::pin(async move {
            let done = match stage.draw(10) {
                0..=5 => Self::ask(&caller, &desk, &stage).await,
                6..=7 => Self::ask_again(&caller, &desk, &stage).await,
                8 => Self::change_policy(&desk, &stage).await,
                _ => Self::tag(&caller, &desk, &stage).await,
            };
            if let Err(error) = done {
                stage.tell(format_args!("a caller is told: {error}"));
            }
        })
    }

    /// Asks for a certificate, under an idempotency key, so that it is safe to ask again.
    async fn ask(this: &Mutex<Self>, desk: &Desk, stage: &Stage) -> Result<(), Error> {
        let enrollment = {
            let mut caller = lock(this);
            caller.asked += 1;
            let name = format!("host-{}.example.com", caller.asked);
            let days = u16::try_from(1 + stage.draw(9)).unwrap_or(1);
            let ask = Enrollment::managed(desk.1.application.id, desk.1.profile.id).dns(&name).ttl(Span::days(days));
            let ask = ask.idempotency_key(&name);
            caller.open.push(ask.clone());
            ask
        };
        Self::submit(this, desk, stage, &enrollment).await
    }

    /// Asks again for what may not have been answered.
    async fn ask_again(this: &Mutex<Self>, desk: &Desk, stage: &Stage) -> Result<(), Error> {
        let enrollment = {
            let caller = lock(this);
            let at = stage.draw(caller.open.len() as u64) as usize;
            caller.open.get(at).cloned()
        };
        match enrollment {
            Some(enrollment) => Self::submit(this, desk, stage, &enrollment).await,
            None => Ok(()),
        }
    }

    async fn submit(this: &Mutex<Self>, desk: &Desk, stage: &Stage, ask: &Enrollment) -> Result<(), Error> {
        let outcome = session(desk, "otto")?.submit(ask).await?;
        let name = ask.idempotency_key.as_deref().unwrap_or_default();
        match outcome {
            Outcome::Issued(issued) => {
                stage.tell(format_args!("{name} has {}", issued.record.id));
                stage.judge(lock(&stage.model).promise(&issued.record));
                let mut caller = lock(this);
                caller.open.retain(|open| open.idempotency_key != ask.idempotency_key);
                caller.certificates.push(issued.record.id);
            }
            Outcome::Pending(pending) => stage.tell(format_args!("{name} waits as {}", pending.id)),
            Outcome::Refused(refusal) => {
                stage.tell(format_args!("{name} is refused: {refusal}"));
                lock(this).open.retain(|open| open.idempotency_key != ask.idempotency_key);
            }
        }
        Ok(())
    }

    async fn change_policy(desk: &Desk, stage: &Stage) -> Result<(), Error> {
        let longest = if stage.strikes(2) { LONGEST } else { SHORTER };
        let saved = session(desk, "root")?.save_policy(policy(longest)?).await?;
        stage.tell(format_args!("policy revision {} allows {longest}", saved.revision));
        Ok(())
    }

    async fn tag(this: &Mutex<Self>, desk: &Desk, stage: &Stage) -> Result<(), Error> {
        let Some(id) = Self::any(this, stage) else { return Ok(()) };
        let tags = BTreeMap::from([("move".to_owned(), stage.draw(100).to_string())]);
        let metadata = Metadata::try_from(tags).unwrap_or_default();
        session(desk, "otto")?.tag_certificate(id, metadata).await.map(drop)
    }

    fn any(this: &Mutex<Self>, stage: &Stage) -> Option<CertificateId> {
        let caller = lock(this);
        let at = stage.draw(caller.certificates.len() as u64) as usize;
        caller.certificates.get(at).copied()
    }

    /// What must hold when nothing has gone wrong for a while.
    pub(super) async fn last_look(this: &Mutex<Self>, desk: Desk, stage: &Stage) -> Result<(), String> {
        let open: Vec<Enrollment> = std::mem::take(&mut lock(this).open);
        for ask in open {
            Self::submit(this, &desk, stage, &ask).await.map_err(|error| format!("at the end: {error}"))?;
        }
        stage.leap(Duration::ZERO);
        Ok(())
    }
}

fn session(desk: &Desk, name: &str) -> Result<Session, Error> {
    Ok(desk.0.acting_as(user(name)?))
}
