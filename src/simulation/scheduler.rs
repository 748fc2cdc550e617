//! Who goes next: one act at a time, chosen by chance, and time moves on only when all wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::stage::{Act, Stage};

/// How long, at most, until it is looked again whether a store has answered; and how many times.
const PAUSE: Duration = Duration::from_millis(50);
const PATIENCE: usize = 1200;

/// Whose act it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The world's own: no crash ends it.
    World,
    /// A node's: gone when the node crashes.
    Node(usize),
}

struct Task {
    owner: Owner,
    act: Act,
    bell: Arc<Bell>,
}

/// Rings when a task can go on.
#[derive(Debug)]
struct Bell {
    has_rung: AtomicBool,
    scheduler: std::thread::Thread,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.has_rung.store(true, Ordering::SeqCst);
        self.scheduler.unpark();
    }
}

/// Polls acts one at a time, in an order that the seed decides.
pub(super) struct Scheduler {
    stage: Arc<Stage>,
    tasks: Vec<Task>,
}

impl Scheduler {
    pub(super) fn new(stage: Arc<Stage>) -> Self {
        Self { stage, tasks: Vec::new() }
    }

    pub(super) fn spawn(&mut self, owner: Owner, act: Act) {
        let bell = Bell { has_rung: AtomicBool::new(true), scheduler: std::thread::current() };
        self.tasks.push(Task { owner, act, bell: Arc::new(bell) });
    }

    /// Drops everything that a node was doing, wherever it waits.
    pub(super) fn crash(&mut self, node: usize) {
        self.tasks.retain(|task| task.owner != Owner::Node(node));
    }

    /// How many acts of a node are under way.
    pub(super) fn busy(&self, node: usize) -> usize {
        self.tasks.iter().filter(|task| task.owner == Owner::Node(node)).count()
    }

    /// Lets one act go on, or time move; false if nothing can happen any more.
    pub(super) fn step(&mut self) -> bool {
        for act in self.stage.take_entrances() {
            self.spawn(Owner::World, act);
        }
        let ready = self.ready();
        if ready.is_empty() {
            return self.stage.move_on();
        }
        let chosen = ready[self.stage.draw(ready.len() as u64) as usize];
        self.poll(chosen);
        true
    }

    /// Who can go on. None if all wait for virtual time to pass; a store that takes real time is waited for, as if it took none, so
    /// that as much happens in a world over it as over any other.
    fn ready(&self) -> Vec<usize> {
        let mut ready = Vec::new();
        for _ in 0..PATIENCE {
            ready.extend((0..self.tasks.len()).filter(|at| self.is_ready(*at)));
            if !ready.is_empty() || self.stage.outside.load(Ordering::SeqCst) == 0 {
                break;
            }
            std::thread::park_timeout(PAUSE);
        }
        ready
    }

    fn is_ready(&self, at: usize) -> bool {
        self.tasks[at].bell.has_rung.load(Ordering::SeqCst)
    }

    fn poll(&mut self, at: usize) {
        let task = &mut self.tasks[at];
        task.bell.has_rung.store(false, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&task.bell));
        if let Poll::Ready(()) = task.act.as_mut().poll(&mut Context::from_waker(&waker)) {
            self.tasks.swap_remove(at);
        }
    }
}
