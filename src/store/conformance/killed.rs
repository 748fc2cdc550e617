//! Reopening after a kill: a process commits numbered batches until it is killed; what it was told must be whole.
//!
//! A store's author lets the test start itself again as the process that writes ([`write()`]); [`survives_kills`] starts
//! it, kills it at a random moment, opens the store anew and judges what is there, again and again:
//!
//! ```no_run
//! # use chancery::store::MemoryStore as MyStore;
//! use std::process::Command;
//! use chancery::store::conformance::killed;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let open = |_path: &str| MyStore::new();
//! if let Ok(path) = std::env::var("WRITE_UNTIL_KILLED") {
//!     let error = killed::write(&open(&path), |told| println!("{told}")).await;
//!     panic!("{error}");
//! }
//! let myself = std::env::current_exe()?;
//! let writer = || {
//!     let mut command = Command::new(&myself);
//!     command.env("WRITE_UNTIL_KILLED", "/tmp/my.db");
//!     command
//! };
//! killed::survives_kills(10, writer, async || open("/tmp/my.db")).await.assert_passed();
//! # Ok(())
//! # }
//! ```
//!
//! In a `#[test]` the process that writes is the test's own binary with `--exact the_name_of_a_test --nocapture`.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::Duration;

use futures_util::future::select_all;

use super::super::{Expect, Hit, IndexEntry, Key, Over, Scan, Store, StoreError, Version, Write};
use super::check::{Outcome, Seen, body, commit, ensure, give_way, number};
use super::report::Report;
use crate::store::sequence::Sequence;

const WRITERS: u64 = 3;
/// Documents of a batch, beside the head.
const PARTS: usize = 5;
/// Batches that stay; older ones are deleted, each by the batch that many later.
const KEPT: u64 = 8;
const HEAD: &str = "killed_head";
const PART: &str = "killed_part";
const INDEX: &str = "killed";

/// A batch that was answered with success: what the process that writes prints, a line each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Acknowledged {
    /// Which of the writers, from 0.
    pub writer: u64,
    /// Which of its batches, from 1.
    pub batch: u64,
    /// The version that the commit answered.
    pub version: Version,
}

impl fmt::Display for Acknowledged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "acknowledged {} {} {}", self.writer, self.batch, self.version.0)
    }
}

impl FromStr for Acknowledged {
    type Err = NotAcknowledged;

    fn from_str(line: &str) -> Result<Self, NotAcknowledged> {
        // A test's harness may have begun the line.
        let (_, numbers) = line.split_once("acknowledged ").ok_or(NotAcknowledged)?;
        let numbers: Result<Vec<u64>, _> = numbers.split(' ').map(str::parse).collect();
        match numbers.as_deref() {
            Ok([writer, batch, version]) => Ok(Self { writer: *writer, batch: *batch, version: Version(*version) }),
            _ => Err(NotAcknowledged),
        }
    }
}

/// A line that tells of no batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the line tells of no batch")]
pub struct NotAcknowledged;

/// Commits numbered batches until the process is killed, several writers at a time, and tells of each that was answered.
/// It goes on where the batches in the store end. What it gives is the error of the first call that failed.
pub async fn write(store: &dyn Store, acknowledge: impl Fn(Acknowledged)) -> StoreError {
    let writers = (0..WRITERS).map(|writer| Box::pin(write_as(store, writer, &acknowledge)));
    match select_all(writers).await {
        (Err(error), _, _) => error,
        (Ok(never), _, _) => match never {},
    }
}

enum Never {}

async fn write_as(store: &dyn Store, writer: u64, acknowledge: &impl Fn(Acknowledged)) -> Result<Never, StoreError> {
    let found = store.get(&[Key::new(HEAD, writer.to_string())]).await?.pop().flatten();
    let last = found.as_ref().map_or(0, |head| number(head).unwrap_or(0));
    let mut head = found.map_or(Expect::Absent, |head| Expect::Version(head.version));
    for batch in last + 1.. {
        let mut writes = vec![put(HEAD, writer.to_string(), head, batch)];
        writes.extend((0..PARTS).map(|part| put(PART, part_id(writer, batch, part), Expect::Absent, batch)));
        let old = batch.saturating_sub(KEPT);
        let keys: Vec<Key> = (0..PARTS).map(|part| Key::new(PART, part_id(writer, old, part))).collect();
        let old = store.get(&keys).await?.into_iter().flatten();
        writes.extend(old.map(|document| Write::Delete { key: document.key, version: document.version }));
        let version = commit(store, writes).await?;
        head = Expect::Version(version);
        acknowledge(Acknowledged { writer, batch, version });
        // The other writers' turn, also where a store never waits.
        give_way().await;
    }
    Err(StoreError::Invalid { reason: "there are no more numbers".into() })
}

fn part_id(writer: u64, batch: u64, part: usize) -> String {
    format!("{writer}/{batch:012}/{part}")
}

fn put(kind: &'static str, id: String, expect: Expect, number: u64) -> Write {
    let entries = vec![IndexEntry::new(INDEX, format!("{kind}/{id}"))];
    Write::Put { key: Key::new(kind, id), expect, body: body(number), entries }
}

/// Starts the process that [writes](write()) and kills it, `rounds` times, and judges each time what is there.
///
/// `writer` makes the command; its standard output must be the lines of [`Acknowledged`]. `open` opens a store on the same
/// data, after the process has ended. Blocks while the process runs: some milliseconds each time.
///
/// The report names a clause and what was seen, as that of [`run`](super::run) does.
pub async fn survives_kills<S: Store>(rounds: u64, writer: impl Fn() -> Command, open: impl AsyncFn() -> S) -> Report {
    let mut report = Report::default();
    let mut judge = Judge::default();
    for round in 1..=rounds {
        let killed = kill_once(&mut writer(), &mut Sequence::new(round));
        let outcome = match killed {
            Ok(told) => judge.judge(&open().await, &told).await,
            Err(seen) => Err(seen),
        };
        report.add("Durability", &format!("what_was_answered_is_whole_after_kill_{round}"), outcome);
    }
    report
}

/// Lets the process acknowledge some batches and a few milliseconds more, and kills it. Gives all that it acknowledged.
fn kill_once(command: &mut Command, chance: &mut Sequence) -> Result<Vec<Acknowledged>, Seen> {
    let failed = |error: std::io::Error| Seen(format!("the process that writes can not be run: {error}"));
    let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().map_err(failed)?;
    let (batches, micros) = (1 + chance.next() % 40, chance.next() % 4000);
    let told = listen(&mut child, usize::try_from(batches).unwrap_or(1), Duration::from_micros(micros));
    // It may have died on its own; that shows in what it told.
    let _ = child.kill();
    let status = child.wait().map_err(failed)?;
    let told = told.map_err(failed)?;
    ensure!(told.len() as u64 >= batches, "the process that writes ended after {} batches: {status}", told.len());
    Ok(told)
}

fn listen(child: &mut Child, enough: usize, longer: Duration) -> std::io::Result<Vec<Acknowledged>> {
    let Some(output) = child.stdout.take() else { return Ok(Vec::new()) };
    let mut output = BufReader::new(output);
    let mut told = Vec::new();
    let mut line = String::new();
    while output.read_line(&mut line)? > 0 {
        // The last line may have been cut off.
        told.extend(line.strip_suffix('\n').and_then(|line| line.parse::<Acknowledged>().ok()));
        line.clear();
        if told.len() == enough {
            std::thread::sleep(longer);
            child.kill()?;
        }
    }
    Ok(told)
}

/// What the last look found.
#[derive(Debug, Default)]
struct Judge {
    /// How many batches there were of each writer.
    heads: [u64; WRITERS as usize],
    /// The version of the judge's own document.
    note: Option<Version>,
}

impl Judge {
    async fn judge(&mut self, store: &dyn Store, told: &[Acknowledged]) -> Outcome {
        let mut greatest = Version(0);
        for writer in 0..WRITERS {
            let last = told.iter().rev().find(|told| told.writer == writer);
            greatest = greatest.max(self.judge_writer(store, writer, last).await?);
        }
        let expect = self.note.map_or(Expect::Absent, Expect::Version);
        let next = commit(store, vec![put("killed_note", "note".to_owned(), expect, 0)]).await?;
        self.note = Some(next);
        ensure!(next > greatest, "after the kill {next:?} follows {greatest:?}");
        Ok(())
    }

    /// Gives the greatest version that the writer's documents carry.
    async fn judge_writer(
        &mut self,
        store: &dyn Store,
        writer: u64,
        last: Option<&Acknowledged>,
    ) -> Result<Version, Seen> {
        let known = &mut self.heads[writer as usize];
        let answered = last.map_or(*known, |last| last.batch);
        let document = store.get(&[Key::new(HEAD, writer.to_string())]).await?.pop().flatten();
        let head = document.as_ref().map_or(Ok(0), number)?;
        ensure!(
            head >= answered,
            "batch {answered} of writer {writer} was answered, and the last that is there is {head}"
        );
        ensure!(head <= answered + 1, "batch {head} of writer {writer} is there, and only {answered} were answered");
        *known = head;
        let version = document.map_or(Version(0), |document| document.version);
        if let Some(last) = last.filter(|last| last.batch == head) {
            ensure!(version == last.version, "{last} was answered, and its document carries {version:?}");
        }
        judge_parts(store, writer, head, version).await?;
        Ok(version)
    }
}

/// The last batches must be there to the last document, each with one version, and no other.
async fn judge_parts(store: &dyn Store, writer: u64, head: u64, version: Version) -> Outcome {
    let mut later = version;
    for batch in ((head + 1).saturating_sub(KEPT).max(1)..=head).rev() {
        let found = parts(store, Over::Kind(PART.into()), &format!("{writer}/{batch:012}/")).await?;
        let count = found.len();
        ensure!(count == PARTS, "of the {PARTS} documents of batch {batch} of writer {writer}, {count} are there");
        let versions: Vec<Version> = found.iter().map(|hit| hit.document.version).collect();
        let first = versions[0];
        ensure!(versions.iter().all(|each| *each == first), "batch {batch} of writer {writer} carries {versions:?}");
        let follows = if batch == head { first == version } else { first < later };
        ensure!(follows, "batch {batch} of writer {writer} carries {first:?}, and what followed it {later:?}");
        later = first;
    }
    let all = parts(store, Over::Kind(PART.into()), &format!("{writer}/")).await?;
    let expected = usize::try_from(head.min(KEPT)).unwrap_or(0) * PARTS;
    ensure!(all.len() == expected, "writer {writer} left {} documents where {expected} belong", all.len());
    let entries = parts(store, Over::Index(INDEX.into()), &format!("{PART}/{writer}/")).await?;
    let alike = entries.iter().map(|hit| &hit.document).eq(all.iter().map(|hit| &hit.document));
    ensure!(alike, "the index shows {} documents of writer {writer}, the kind {}", entries.len(), all.len());
    Ok(())
}

/// What stands under values that begin with `prefix`, which ends with a slash.
async fn parts(store: &dyn Store, over: Over, prefix: &str) -> Result<Vec<Hit>, Seen> {
    // What follows the slash in ASCII.
    let end = format!("{}0", prefix.trim_end_matches('/'));
    Ok(store.scan(&Scan { from: Some(prefix.to_owned()), to: Some(end), ..Scan::new(over, 1000) }).await?)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures_util::FutureExt;

    use super::super::super::{Batch, MemoryStore};
    use super::*;

    /// What a store holds after some batches, and what was told of them.
    async fn written() -> (MemoryStore, Vec<Acknowledged>) {
        let (store, told) = (MemoryStore::new(), RefCell::new(Vec::new()));
        let never = std::panic::AssertUnwindSafe(write(&store, |each| {
            told.borrow_mut().push(each);
            assert!(told.borrow().len() < 40, "enough");
        }));
        assert!(never.catch_unwind().await.is_err(), "only a kill ends it");
        let told = told.into_inner();
        (store, told)
    }

    async fn delete(store: &MemoryStore, kind: &'static str, id: String) {
        let key = Key::new(kind, id);
        let version = store.get(std::slice::from_ref(&key)).await.unwrap()[0].clone().unwrap().version;
        store.commit(Batch { writes: vec![Write::Delete { key, version }] }).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_whole_passes_and_lines_can_be_read_back() {
        let (store, told) = written().await;
        Judge::default().judge(&store, &told).await.unwrap();
        for each in told {
            assert_eq!(format!("test it ... {each}").parse(), Ok(each));
        }
        assert_eq!("acknowledged 1 2".parse::<Acknowledged>(), Err(NotAcknowledged));
    }

    #[tokio::test]
    async fn what_is_lost_or_half_there_is_seen() {
        let judge =
            async |store: &MemoryStore, told: &[Acknowledged]| Judge::default().judge(store, told).await.unwrap_err().0;
        let (store, mut told) = written().await;
        let last = *told.last().unwrap();
        told.push(Acknowledged { batch: last.batch + 1, ..last });
        assert!(judge(&store, &told).await.contains("was answered, and the last that is there is"));
        told.truncate(3);
        assert!(judge(&store, &told).await.contains("and only"), "batches that nobody began");

        let (store, told) = written().await;
        let last = told.last().unwrap();
        delete(&store, PART, part_id(last.writer, last.batch, 2)).await;
        assert!(judge(&store, &told).await.contains("4 are there"));

        let (store, told) = written().await;
        delete(&store, HEAD, "1".to_owned()).await;
        assert!(judge(&store, &told).await.contains("the last that is there is 0"));
    }
}
