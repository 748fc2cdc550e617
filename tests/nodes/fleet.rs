//! Several worker processes on one store, a fleet that is due, and what goes wrong meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery::clock::{Clock, ManualClock, SystemClock};
use chancery::engine::{Engine, Outcome};
use chancery::store::{MAX_SCAN_LIMIT, Over, Scan, Store};
use futures_util::{StreamExt, stream};

use crate::audit;
use crate::chance::Chance;
use crate::office::{BEFORE, BEGIN, ENROLLED, LEASE, Office, Orders};
use crate::process::{Ears, Process};

/// How many callers enrol the fleet.
const CALLERS: usize = 64;
/// When all must be renewed at the latest.
const PATIENCE: Duration = Duration::from_secs(300);
/// How many certificates the proof is about, unless the environment says fewer.
const FLEET: usize = 10_000;

/// How often a worker is paused at most until it is caught while it has something to lose.
const PAUSES: usize = 10;

/// What happens to the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Kill,
    Pause,
    Restart,
}

/// Where the nodes work.
struct Place<'p> {
    orders: Orders,
    workers: usize,
    certificates: usize,
    kills: usize,
    restarts: usize,
    restart: Box<dyn FnMut() + 'p>,
}

/// Two workers on one SQLite file.
pub(crate) fn two_on_one_file() {
    let folder = tempfile::tempdir().unwrap();
    show(Place {
        orders: Orders::over_file(&folder.path().join("nodes.db")),
        workers: 2,
        certificates: size(),
        kills: 6,
        restarts: 0,
        restart: Box::new(|| unreachable!("a file has no server")),
    });
}

/// Four workers on one PostgreSQL, which crashes once.
#[cfg(feature = "postgres")]
pub(crate) fn four_on_one_server() {
    let Some(cluster) = crate::postgres::Cluster::start() else { return };
    show(Place {
        orders: Orders::new(cluster.fresh()),
        workers: 4,
        certificates: size(),
        kills: 12,
        restarts: 1,
        restart: Box::new(|| cluster.restart("immediate")),
    });
}

fn size() -> usize {
    std::env::var("NODES_CERTIFICATES").map_or(FLEET, |size| size.parse().unwrap())
}

fn show(mut place: Place<'_>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let certificates = place.certificates;
    let begun = Instant::now();
    let store = runtime.block_on(enrol(&place.orders, certificates));
    println!("  {certificates} certificates enrolled in {:.0?}", begun.elapsed());
    place.orders.begun = Some(SystemClock.now().unix_timestamp_nanos());
    let begun = Instant::now();
    let mut nodes = Nodes::start(&place);
    let mut plan = nodes.draw(&place);
    while !nodes.is_paused_enough(certificates) || !runtime.block_on(is_done(&store)) {
        assert!(begun.elapsed() < PATIENCE, "not all are renewed: {}", nodes.summary());
        nodes.must_live();
        nodes.listen(Duration::from_millis(300));
        while plan.last().is_some_and(|(at, _)| *at <= nodes.renewed()) {
            if let Some((_, act)) = plan.pop() {
                nodes.act(act, &mut place.restart);
            }
        }
    }
    println!("  renewed in {:.0?}: {}", begun.elapsed(), nodes.summary());
    assert!(plan.is_empty(), "{plan:?} never happened");
    let signed = nodes.end();
    runtime.block_on(async {
        let engine = engine(&place.orders, &store, time::Duration::days(1)).await;
        audit::each_is_renewed_once(&engine, certificates).await;
        audit::nothing_is_lost(&engine, &store, &signed).await;
    });
}

async fn engine(orders: &Orders, store: &Arc<dyn Store>, after: time::Duration) -> Engine {
    let clock = ManualClock::new(BEGIN + after);
    orders.builder(Arc::clone(store), false).clock(clock).build().await.unwrap()
}

/// Issues the fleet through the engine.
async fn enrol(orders: &Orders, certificates: usize) -> Arc<dyn Store> {
    let store = orders.open().await.unwrap();
    let engine = engine(orders, &store, ENROLLED - BEGIN).await;
    let office = Arc::new(Office::found(&engine).await);
    let issue = |at: usize| {
        let office = Arc::clone(&office);
        let issue = async move {
            let ask = office.enrollment(at, &format!("host-{at}.example.com"));
            let Outcome::Issued(_) = office.session.submit(&ask).await.unwrap() else { panic!("{at} is not issued") };
        };
        async { tokio::spawn(issue).await.unwrap() }
    };
    stream::iter(0..certificates).map(issue).buffer_unordered(CALLERS).collect::<()>().await;
    store
}

/// Whether nothing of the fleet is due or leased any more, and all events are sealed.
async fn is_done(store: &Arc<dyn Store>) -> bool {
    let first = |index: &'static str, limit| {
        let mut scan = Scan::new(Over::Index(index.into()), limit);
        scan.to = Some(BEFORE.to_owned());
        async move { store.scan(&scan).await.ok() }
    };
    let is_empty = |hits: Option<Vec<_>>| hits.is_some_and(|hits: Vec<_>| hits.is_empty());
    let any = |index: &'static str| async move { store.scan(&Scan::new(Over::Index(index.into()), 1)).await.ok() };
    is_empty(any("renewal.ready").await)
        && is_empty(first("renewal.due", 1).await)
        && first("due", MAX_SCAN_LIMIT)
            .await
            .is_some_and(|hits| hits.iter().all(|hit| hit.document.key.kind != "request"))
        && is_empty(any("event.unsealed").await)
}

/// The worker processes and what is known of them.
struct Nodes {
    orders: Orders,
    ears: Ears,
    chance: Chance,
    nodes: Vec<Node>,
    started: usize,
    signed: BTreeSet<String>,
    counts: Counts,
    /// What each worker renewed and lost to others.
    each: BTreeMap<usize, [usize; 2]>,
    /// How rounds failed.
    errors: BTreeSet<String>,
    paused: Option<Pause>,
    /// How often a worker was paused, and what those that were lost to others.
    pauses: usize,
    lost: usize,
}

struct Node {
    number: usize,
    process: Process,
}

/// A pause that is wanted or under way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pause {
    Wanted,
    Until {
        number: usize,
        end: Instant,
    },
    /// It goes on, and has not yet said how its round ended.
    Woken {
        number: usize,
    },
}

/// What all workers said.
#[derive(Default)]
struct Counts {
    renewed: usize,
    taken: usize,
    items: usize,
    errors: usize,
    kills: usize,
    restarts: usize,
}

impl Nodes {
    fn start(place: &Place<'_>) -> Self {
        let mut nodes = Self {
            orders: place.orders.clone(),
            ears: Ears::new(),
            chance: Chance::new(),
            nodes: Vec::new(),
            started: 0,
            signed: BTreeSet::new(),
            counts: Counts::default(),
            each: BTreeMap::new(),
            errors: BTreeSet::new(),
            paused: None,
            pauses: 0,
            lost: 0,
        };
        (0..place.workers).for_each(|_| nodes.start_one());
        nodes
    }

    fn start_one(&mut self) {
        let number = self.started;
        self.started += 1;
        let process = Process::start("worker", &self.orders, number, &self.ears);
        self.nodes.push(Node { number, process });
    }

    /// Nobody ends but by our hand.
    fn must_live(&mut self) {
        for node in &mut self.nodes {
            assert!(node.process.lives(), "worker {} ended by itself", node.number);
        }
    }

    /// After how many renewals what happens, the first at the end.
    fn draw(&mut self, place: &Place<'_>) -> Vec<(usize, Act)> {
        let acts = [vec![Act::Kill; place.kills], vec![Act::Restart; place.restarts], vec![Act::Pause]].concat();
        let mut drawn: Vec<(usize, Act)> = Vec::new();
        for act in acts {
            // A pause takes the whole lease: others are to go on meanwhile.
            let share = if act == Act::Pause { self.chance.within(5, 40) } else { self.chance.within(3, 80) };
            drawn.push((place.certificates * usize::try_from(share).unwrap() / 100, act));
        }
        drawn.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        drawn
    }

    fn renewed(&self) -> usize {
        self.counts.renewed
    }

    /// Somebody must have lost what it had in hand. Of a smaller fleet than the proof's nothing may be left to catch anybody with once a
    /// pause is over: there one pause is enough.
    fn is_paused_enough(&self, certificates: usize) -> bool {
        let is_small = certificates < FLEET;
        self.paused.is_none() || (is_small && self.paused == Some(Pause::Wanted) && self.pauses > 0)
    }

    fn act(&mut self, act: Act, restart: &mut dyn FnMut()) {
        std::thread::sleep(self.chance.millis(0, 200));
        match act {
            Act::Kill => self.kill_one(),
            Act::Pause => self.paused = Some(Pause::Wanted),
            Act::Restart => {
                restart();
                self.counts.restarts += 1;
            }
        }
    }

    fn kill_one(&mut self) {
        let spared = match self.paused {
            Some(Pause::Until { number, .. } | Pause::Woken { number }) => Some(number),
            _ => None,
        };
        let killable: Vec<usize> = (0..self.nodes.len()).filter(|at| Some(self.nodes[*at].number) != spared).collect();
        let at = self.chance.one_of(&killable);
        self.nodes.remove(at).process.kill();
        self.counts.kills += 1;
        self.start_one();
    }

    /// Takes in what the workers say for a while, and pauses and wakes the one whose turn it is.
    fn listen(&mut self, patience: Duration) {
        let end = Instant::now() + patience;
        while let Some((number, line)) = self.ears.hear(end.saturating_duration_since(Instant::now())) {
            self.take(number, &line);
        }
        if let Some(Pause::Until { number, end }) = self.paused
            && end <= Instant::now()
        {
            self.node(number).process.go_on();
            self.paused = Some(Pause::Woken { number });
        }
    }

    fn take(&mut self, number: usize, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["end", renewed, taken, items] => {
                let [renewed, taken, items] = [renewed, taken, items].map(|count| count.parse().unwrap());
                self.counts.renewed += renewed;
                self.counts.taken += taken;
                self.counts.items += items;
                let each = self.each.entry(number).or_default();
                *each = [each[0] + renewed, each[1] + taken];
                self.ended(number, taken);
            }
            ["signed", serial] => {
                self.signed.insert(serial.to_owned());
                self.is_at_work(number);
            }
            _ => {
                self.counts.errors += 1;
                if self.errors.insert(line.to_owned()) {
                    println!("  worker {number}: {line}");
                }
                self.ended(number, 0);
            }
        }
    }

    /// A worker that asks for a signature is amid a round: it is caught there, with the rest of the round in its hands, if one is to
    /// be paused.
    fn is_at_work(&mut self, number: usize) {
        if self.paused != Some(Pause::Wanted) || self.nodes.iter().all(|node| node.number != number) {
            return;
        }
        self.node(number).process.stop();
        self.pauses += 1;
        let end = Instant::now() + LEASE + self.chance.millis(1000, 3000);
        self.paused = Some(Pause::Until { number, end });
    }

    /// Who was paused must have lost what it had in hand. If it had nothing, or the only file was locked by it, it or another is
    /// paused once more.
    fn ended(&mut self, number: usize, taken: usize) {
        if self.paused == Some(Pause::Woken { number }) {
            self.lost += taken;
            assert!(self.lost > 0 || self.pauses < PAUSES, "{PAUSES} workers were paused, and none lost its lease");
            self.paused = (self.lost == 0).then_some(Pause::Wanted);
        }
    }

    fn node(&self, number: usize) -> &Node {
        self.nodes.iter().find(|node| node.number == number).unwrap()
    }

    fn summary(&self) -> String {
        let Counts { renewed, taken, items, errors, kills, restarts } = self.counts;
        format!(
            "{renewed} told of, {taken} of {items} items lost to others ({:.1} %), {errors} rounds failed; {kills} kills, \
             {} pauses that lost {}, {restarts} restarts",
            100.0 * taken as f64 / items.max(1) as f64,
            self.pauses,
            self.lost,
        )
    }

    /// Ends all, and tells which serial numbers were signed for.
    fn end(mut self) -> BTreeSet<String> {
        for node in &mut self.nodes {
            node.process.kill();
        }
        self.listen(Duration::ZERO);
        for (number, [renewed, taken]) in &self.each {
            println!("  worker {number}: {renewed} renewed, {taken} taken by others");
        }
        self.signed
    }
}
