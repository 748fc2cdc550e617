//! The course of a simulated world: it is set up, things go wrong for a while, and then everything must come right.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use time::Duration;

use super::failure::{Breach, Failure, Invariant, Summary, Verdict};
use super::model::FairTime;
use super::moves::{Caller, Visit};
use super::notifier::SimulatedNotifier;
use super::office::{Desk, Office, Surroundings, session};
use super::scheduler::{Owner, Scheduler};
use super::signer::SimulatedSigner;
use super::stage::{Act, Stage, lock};
use super::store::SimulatedStore;
use super::target::SimulatedTarget;
use super::verifier::SimulatedVerifier;
use super::{START, Simulation};
use crate::engine::{Engine, Error};
use crate::entropy::SeededEntropy;
use crate::sealer::AeadSealer;
use crate::signer::{SoftwareSigner, SoftwareSignerError};
use crate::store::Store;
use crate::x509::{CertificateList, KeyAlgorithm};

/// How many steps the setting up and the end may take before something is said to hang.
const PATIENCE: u64 = 200_000;
/// How long the world goes on after things have stopped going wrong.
const CONVALESCENCE: Duration = Duration::days(4);

/// The longest pause of a worker.
const LONGEST_PAUSE: std::time::Duration = std::time::Duration::from_secs(3600);

type Building = Pin<Box<dyn Future<Output = Result<Engine, Error>> + Send>>;

type Attendance = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// An engine that runs, or is being started.
type Seat = Arc<Mutex<Option<Engine>>>;

pub(super) struct World {
    plan: Simulation,
    stage: Arc<Stage>,
    store: Arc<dyn Store>,
    target: SimulatedTarget,
    scheduler: Scheduler,
    seats: Vec<Seat>,
    office: Arc<Mutex<Option<Office>>>,
    caller: Arc<Mutex<Caller>>,
    summary: Summary,
}

impl World {
    pub(super) fn new(plan: Simulation, store: Arc<dyn Store>) -> Self {
        let stage = Arc::new(Stage::new(plan.seed, START, plan.rates));
        Self {
            plan,
            scheduler: Scheduler::new(Arc::clone(&stage)),
            target: SimulatedTarget::new(Arc::clone(&stage), plan.sabotage),
            stage,
            store,
            seats: (0..plan.engines).map(|_| Seat::default()).collect(),
            office: Arc::default(),
            caller: Arc::default(),
            summary: Summary::default(),
        }
    }

    pub(super) fn run(mut self) -> Result<Summary, Failure> {
        let key =
            SoftwareSigner::generate(KeyAlgorithm::P256).map_err(|error: SoftwareSignerError| self.hangs(error))?;
        let key = Arc::new(key);
        self.set_up(&key)?;
        self.stage.turn_foul();
        for _ in 0..self.plan.moves {
            self.make_a_move(&key)?;
        }
        self.stage.turn_fair();
        self.come_right(&key)?;
        Ok(self.summary)
    }

    /// The first node makes issuer, policy, profile and Application, while nothing goes wrong.
    fn set_up(&mut self, key: &Arc<SoftwareSigner>) -> Result<(), Failure> {
        let mut build = self.builder(key);
        let (office, stage) = (Arc::clone(&self.office), Arc::clone(&self.stage));
        self.scheduler.spawn(
            Owner::World,
            Box::pin(async move {
                let opened = async { Office::open(&build().await?).await };
                match opened.await {
                    Ok(opened) => *lock(&office) = Some(opened),
                    Err(error) => {
                        let what = format_args!("the world could not be set up: {error}");
                        stage.judge(Err(Invariant::Course.broken(what)));
                    }
                }
            }),
        );
        self.step_until("setting up", |world| lock(&world.office).is_some())?;
        (0..self.seats.len()).for_each(|node| self.start(node, key));
        self.step_until("starting", |world| world.seats.iter().all(|seat| lock(seat).is_some()))
    }

    /// Callers, fate or time make a move, and what follows of it goes on for a while.
    fn make_a_move(&mut self, key: &Arc<SoftwareSigner>) -> Result<(), Failure> {
        match self.stage.draw(10) {
            0 => self.leap(Duration::MINUTE, 240),
            1 => self.leap(Duration::HOUR, 36),
            2 if self.stage.strikes(3) => {
                let until = self.stage.now() + Duration::HOUR * self.small(30);
                self.stage.tell(format_args!("the signer is away until {until}"));
                lock(&self.stage.model).send_signer_away(until);
            }
            3 if self.stage.strikes(3) => self.target.meddle(),
            _ => (0..=self.stage.draw(3)).for_each(|_| self.call()),
        }
        for _ in 0..self.stage.draw(120) {
            self.step()?;
            if self.stage.strikes(self.plan.rates.crash) {
                self.crash(self.stage.draw(self.seats.len() as u64) as usize, key);
            }
        }
        Ok(())
    }

    fn leap(&self, unit: Duration, bound: u64) {
        let by = unit * self.small(bound);
        self.stage.tell(format_args!("{by} pass"));
        self.stage.leap(by);
    }

    fn small(&self, bound: u64) -> i32 {
        i32::try_from(self.stage.draw(bound)).unwrap_or(1)
    }

    /// A caller turns to a node.
    fn call(&mut self) {
        let node = self.stage.draw(self.seats.len() as u64) as usize;
        let Some(desk) = self.desk(node) else { return };
        let visit = Visit { caller: Arc::clone(&self.caller), desk, stage: Arc::clone(&self.stage) };
        self.scheduler.spawn(Owner::Node(node), visit.act());
    }

    fn desk(&self, node: usize) -> Option<Desk> {
        lock(&self.seats[node]).clone().zip(lock(&self.office).clone())
    }

    fn crash(&mut self, node: usize, key: &Arc<SoftwareSigner>) {
        self.stage.tell(format_args!("node {node} crashes, with {} acts under way", self.scheduler.busy(node)));
        self.scheduler.crash(node);
        *lock(&self.seats[node]) = None;
        self.summary.crashes += 1;
        self.start(node, key);
    }

    /// Starts a node: an engine, and its worker. One that can not start, because the store fails, is started again.
    fn start(&mut self, node: usize, key: &Arc<SoftwareSigner>) {
        let mut build = self.builder(key);
        let (seat, stage) = (Arc::clone(&self.seats[node]), Arc::clone(&self.stage));
        let act: Act = Box::pin(async move {
            let engine = loop {
                match build().await {
                    Ok(engine) => break engine,
                    Err(error) => stage.tell(format_args!("node {node} does not start: {error}")),
                }
                stage.nap(Duration::seconds(30)).await;
            };
            *lock(&seat) = Some(engine.clone());
            let sleep = |length: std::time::Duration| {
                let stage = Arc::clone(&stage);
                async move { stage.nap(length.try_into().unwrap_or(Duration::MAX)).await }
            };
            let worker = engine.worker(sleep).limit(20).longest_pause(LONGEST_PAUSE);
            worker.run(std::future::pending()).await;
        });
        self.scheduler.spawn(Owner::Node(node), act);
    }

    /// What builds engines over the shared store, each with its own randomness.
    fn builder(&mut self, key: &Arc<SoftwareSigner>) -> impl FnMut() -> Building + Send + use<> {
        let stage = Arc::clone(&self.stage);
        let store =
            SimulatedStore { stage: Arc::clone(&stage), inner: Arc::clone(&self.store), sabotage: self.plan.sabotage };
        let around = Surroundings {
            signer: SimulatedSigner { stage: Arc::clone(&stage), key: Arc::clone(key) },
            notifier: SimulatedNotifier { stage: Arc::clone(&stage), sabotage: self.plan.sabotage },
            target: self.target.clone(),
            verifier: SimulatedVerifier { stage: Arc::clone(&stage) },
        };
        move || {
            let builder = Engine::builder().store(store.clone()).clock(Arc::clone(&stage.clock));
            let builder = builder.sealer(AeadSealer::new(&[7; 32])).entropy(SeededEntropy::new(stage.draw(u64::MAX)));
            let around = around.clone();
            Box::pin(async move { Office::equip(builder, around)?.build().await })
        }
    }

    /// Nothing goes wrong any more: whatever was begun comes to its end, in time.
    fn come_right(&mut self, key: &Arc<SoftwareSigner>) -> Result<(), Failure> {
        self.stage.tell("nothing goes wrong any more");
        lock(&self.stage.model).send_signer_away(self.stage.now());
        // What hangs at a port that never answers ends with its process.
        (0..self.seats.len()).for_each(|node| self.crash(node, key));
        self.step_until("starting again", |world| world.seats.iter().all(|seat| lock(seat).is_some()))?;
        let from = self.stage.now();
        lock(&self.stage.model).begin_fair_time(from);
        self.attend("putting things right", |desk, _| {
            Box::pin(async move { desk.1.restore(&desk.0).await.map_err(late) })
        })?;
        self.step_until("coming right", |world| world.stage.now() >= from + CONVALESCENCE)?;
        let fair = FairTime { from, until: self.stage.now() };
        let end = lock(&self.stage.model).judge_end(fair);
        self.stage.judge(end);
        self.judge_target(fair);
        self.attend("the last look", |desk, visit| Box::pin(last_look(desk, visit)))?;
        let (crashes, steps, deployed) = (self.summary.crashes, self.summary.steps, self.target.changes());
        self.summary = Summary { crashes, steps, deployed, ..lock(&self.stage.model).summary() };
        Ok(())
    }

    fn judge_target(&self, fair: FairTime) {
        let Some(office) = lock(&self.office).clone() else { return };
        let judged = lock(&self.stage.model).judge_target(office.web, &self.target.certificates(), fair);
        self.stage.judge(judged);
    }

    /// Somebody turns to the first node, and is waited for.
    fn attend(&mut self, what: &str, act: impl FnOnce(Desk, Visit) -> Attendance) -> Result<(), Failure> {
        let Some(desk) = self.desk(0) else { return Err(self.hangs("no engine runs at the end")) };
        let (stage, over) = (Arc::clone(&self.stage), Arc::new(Mutex::new(false)));
        let visit = Visit { caller: Arc::clone(&self.caller), desk: desk.clone(), stage: Arc::clone(&stage) };
        let (act, done) = (act(desk, visit), Arc::clone(&over));
        self.scheduler.spawn(
            Owner::World,
            Box::pin(async move {
                stage.judge(act.await);
                *lock(&done) = true;
            }),
        );
        self.step_until(what, |_| *lock(&over))
    }

    fn step_until(&mut self, what: &str, is_over: impl Fn(&Self) -> bool) -> Result<(), Failure> {
        let patience = self.summary.steps + PATIENCE;
        while !is_over(self) {
            if self.summary.steps > patience || !self.step()? {
                return Err(self.hangs(format_args!("{what} does not come to an end")));
            }
        }
        Ok(())
    }

    /// One step; what broke an invariant in it ends the world.
    fn step(&mut self) -> Result<bool, Failure> {
        self.summary.steps += 1;
        let goes_on = self.scheduler.step();
        let breach = lock(&self.stage.model).first_breach().cloned();
        breach.map_or(Ok(goes_on), |breach| Err(self.failure(breach)))
    }

    fn hangs(&self, what: impl std::fmt::Display) -> Failure {
        self.failure(Invariant::Course.broken(what))
    }

    fn failure(&self, Breach { invariant, what }: Breach) -> Failure {
        Failure { seed: self.plan.seed, invariant, breach: what, story: self.stage.story() }
    }
}

/// What only the engine can tell in the end: that whoever asks again is answered, that the chain verifies, and the lists.
async fn last_look((engine, office): Desk, visit: Visit) -> Verdict {
    let open = std::mem::take(&mut lock(&visit.caller).open);
    for ask in open {
        visit.submit(&ask).await.map_err(late)?;
    }
    let report = session(&engine, "root").map_err(late)?.verify_audit(1, None).await.map_err(late)?;
    Invariant::Trail.holds(report.is_sound(), || format!("the chain does not verify: {:?}", report.faults))?;
    for issuer in office.issuers {
        let list = engine.crl(issuer, 0).await.map_err(late)?.map(|list| CertificateList::from_der(&list.der));
        let list = list.transpose().map_err(|error| Invariant::RevocationList.broken(error))?;
        lock(&visit.stage.model).judge_list(issuer, list.as_ref())?;
    }
    Ok(())
}

/// An error where nothing goes wrong any more.
fn late(error: Error) -> Breach {
    Invariant::Course.broken(format_args!("when nothing goes wrong: {error}"))
}
