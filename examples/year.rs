//! A year in the life of a fleet, by a clock that is turned: certificates of 47 days renew by themselves, through a CA
//! that is away for three days and a policy that refuses a tenth of them for a while. What is over goes two days later.
//!
//! `cargo run --release --example year --features simulation -- --certificates 100000`

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use chancery::clock::{Clock, ManualClock};
use chancery::domain::{
    Actor, ApiSettings, Application, ApplicationSpec, AutoRenewal, CertificateRecord, Enrollment, IssuerSpec, Methods,
    PolicySpec, Preset, Profile, Slug, Span,
};
use chancery::engine::{CertificateQuery, Engine, Outcome, Retention, Session};
use chancery::sealer::AeadSealer;
use chancery::signer::{Locality, SignError, Signer, SoftwareSigner};
use chancery::store::{Hit, MemoryStore, Over, Scan, Store};
use chancery::x509::{KeyAlgorithm, PublicKey, SignatureAlgorithm};
use indicatif::{ProgressBar, ProgressStyle};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: year [--certificates N] [--days N] [--arrival N]

  --certificates N   the size of the fleet, 2000 if not given
  --days N           how long, 365 if not given
  --arrival N        over how many days the fleet is enrolled, 34 if not given; 1 makes it renew in waves";

const START: OffsetDateTime = datetime!(2027-01-01 0:00 UTC);
/// How often due work is done.
const TICK: Duration = Duration::minutes(15);
/// The days on which the CA is away.
const OUTAGE: std::ops::Range<i64> = 100..103;
/// The days on which the policy of a tenth of the fleet refuses what it has permitted.
const BLOCKADE: std::ops::Range<i64> = 200..206;
/// How many days after either belong to catching up.
const CATCH_UP: i64 = 3;
/// From then on every day has its share of renewals: the first are due 32 days after the first are issued, and the spread of
/// each is five days.
const SETTLED: i64 = 40;
/// What is counted in the store.
const KINDS: [&str; 8] =
    ["certificate", "private_key", "serial", "request", "renewal", "event", "audit_block", "notification"];
const APPLICATIONS: usize = 5;

/// A CA key that can be away.
#[derive(Debug)]
struct Absent {
    key: SoftwareSigner,
    is_away: Arc<AtomicBool>,
}

#[async_trait]
impl Signer for Absent {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn algorithms(&self) -> &[SignatureAlgorithm] {
        self.key.algorithms()
    }

    fn locality(&self) -> Locality {
        Locality::InProcess
    }

    async fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> std::result::Result<Vec<u8>, SignError> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err(SignError::Unavailable { reason: "the CA is away".into() });
        }
        self.key.sign(algorithm, message).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(asked) = read_arguments(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(asked).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What was asked for.
struct Asked {
    certificates: usize,
    days: i64,
    arrival: i64,
}

fn read_arguments(mut words: impl Iterator<Item = String>) -> Option<Asked> {
    let mut asked = Asked { certificates: 2000, days: 365, arrival: 34 };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--certificates" => asked.certificates = words.next()?.parse().ok()?,
            "--days" => asked.days = words.next()?.parse().ok()?,
            "--arrival" => asked.arrival = words.next()?.parse().ok().filter(|days| *days > 0)?,
            _ => return None,
        }
    }
    Some(asked)
}

/// The office, and what was counted in it.
struct Year {
    engine: Engine,
    session: Session,
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    is_away: Arc<AtomicBool>,
    asked: Asked,
    profiles: [Profile; 2],
    applications: Vec<Application>,
    enrolled: usize,
    /// Renewals of each hour.
    hours: Vec<usize>,
    lost: usize,
}

async fn run(asked: Asked) -> Result<()> {
    let (mut year, begun) = (Year::begin(asked).await?, Instant::now());
    let days = year.asked.days;
    let bar = ProgressBar::new(days.unsigned_abs()).with_style(style());
    for day in 0..days {
        year.turn_fortune(day).await?;
        for hour in 0..24 {
            year.enroll(day * 24 + hour).await?;
            year.hour().await?;
        }
        if day == days / 2 {
            bar.suspend(|| println!("half-way: memory {}", memory()));
            let kept = year.kept().await?;
            bar.suspend(|| println!("half-way: kept {kept}"));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    println!("at the end: memory {}", memory());
    println!("at the end: kept {}", year.kept().await?);
    println!("wall time: {:.0?}", begun.elapsed());
    year.report().await
}

/// What the system says of this process: now, and at most.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |name: &str| status.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()));
    let kilobytes = |name| line(name).unwrap_or_else(|| "unknown".to_owned());
    format!("{}, at most {}", kilobytes("VmRSS:"), kilobytes("VmHWM:"))
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:40} day {pos} of {len}, {eta} to go")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Year {
    /// Issuer, policies and Applications.
    async fn begin(asked: Asked) -> Result<Self> {
        let (clock, is_away) = (Arc::new(ManualClock::new(START)), Arc::new(AtomicBool::new(false)));
        let key = Absent { key: SoftwareSigner::generate(KeyAlgorithm::P256)?, is_away: Arc::clone(&is_away) };
        let actor = Actor::user("year")?;
        let short = Some(Span::days(2));
        let store = Arc::new(MemoryStore::new());
        let engine = Engine::builder()
            .store(Arc::clone(&store))
            .clock(Arc::clone(&clock))
            .sealer(AeadSealer::new(&[7; 32]))
            .signer("root".parse()?, key)
            .administrator(actor.principal().clone())
            .retention(Retention { certificates: short, requests: short, events: short })
            .build()
            .await?;
        let session = engine.acting_as(actor);
        session.create_root(IssuerSpec::new("root".parse()?, "The Year's Root")).await?;
        let profiles = [profile(&session, "web").await?, profile(&session, "legacy").await?];
        let mut applications = Vec::new();
        for at in 0..APPLICATIONS {
            applications.push(application(&session, &format!("team-{at}"), &profiles).await?);
        }
        let (enrolled, hours, lost) = (0, Vec::new(), 0);
        Ok(Self { engine, session, store, clock, is_away, asked, profiles, applications, enrolled, hours, lost })
    }

    /// Issues what arrives in an hour, each tenth under the profile that will be refused for a while.
    async fn enroll(&mut self, hour: i64) -> Result<()> {
        let hours = self.asked.arrival * 24;
        let until = self.asked.certificates * usize::try_from((hour + 1).min(hours))? / usize::try_from(hours)?;
        for at in self.enrolled..until {
            let profile = &self.profiles[usize::from(at % 10 == 0)];
            let ask = Enrollment::managed(self.applications[at % APPLICATIONS].id, profile.id);
            let ask = ask.dns(&format!("host-{at}.example.com")).key_algorithm(KeyAlgorithm::P256);
            let Outcome::Issued(_) = self.session.submit(&ask).await? else { return Err("not issued".into()) };
        }
        self.enrolled = until;
        Ok(())
    }

    /// What fate has for this day.
    async fn turn_fortune(&self, day: i64) -> Result<()> {
        self.is_away.store(OUTAGE.contains(&day), Ordering::Relaxed);
        if day == BLOCKADE.start {
            self.session.save_policy(policy("legacy", Span::days(30))?).await?;
        }
        if day == BLOCKADE.end {
            self.session.save_policy(policy("legacy", Span::days(47))?).await?;
        }
        Ok(())
    }

    /// An hour of due work.
    async fn hour(&mut self) -> Result<()> {
        let mut renewed = 0;
        let begun = self.clock.now();
        while self.clock.now() < begun + Duration::HOUR {
            self.clock.advance(TICK);
            loop {
                let report = self.engine.run_due(1000).await?;
                renewed += report.renewed;
                if report.done() == 0 {
                    break;
                }
            }
        }
        self.hours.push(renewed);
        self.look_for_losses(begun).await
    }

    /// Whatever ended in the last hour must have a successor.
    async fn look_for_losses(&mut self, since: OffsetDateTime) -> Result<()> {
        let range = (Some(since), Some(self.clock.now()));
        let query = CertificateQuery {
            ends_from: range.0,
            ends_before: range.1,
            page_size: 1000,
            ..CertificateQuery::default()
        };
        let ended = self.all(&query).await?;
        self.lost += ended.iter().filter(|record| record.replaced_by.is_none()).count();
        Ok(())
    }

    /// How many documents there are.
    async fn kept(&self) -> Result<String> {
        let mut counts = Vec::new();
        for kind in KINDS {
            let mut scan = Scan::new(Over::Kind(kind.into()), 1000);
            let mut count = 0;
            loop {
                let hits = self.store.scan(&scan).await?;
                count += hits.len();
                scan.after = hits.last().map(Hit::cursor);
                if hits.len() < scan.limit {
                    break;
                }
            }
            counts.push(format!("{count} {kind}"));
        }
        Ok(counts.join(", "))
    }

    async fn all(&self, query: &CertificateQuery) -> Result<Vec<CertificateRecord>> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = self.session.certificates(query, after.as_ref()).await?;
            found.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok(found);
            }
        }
    }

    async fn report(&self) -> Result<()> {
        let valid =
            CertificateQuery { ends_from: Some(self.clock.now()), page_size: 1000, ..CertificateQuery::default() };
        let valid = self.all(&valid).await?;
        let newest = valid.iter().filter(|record| record.replaced_by.is_none() && record.profile.is_some()).count();
        let renewals: usize = self.hours.iter().sum();
        println!("{}", picture(&self.hours, self.asked.days));
        println!("{} certificates, {renewals} renewals in {} days", self.enrolled, self.asked.days);
        println!("ended without a successor: {}", self.lost);
        println!("newest of their lineage:   {newest}");
        let usual = |(at, hour): (usize, &usize)| (!is_unusual(at as i64 / 24)).then_some(*hour);
        let usual: Vec<usize> = self.hours.iter().enumerate().filter_map(usual).collect();
        let mean = usual.iter().sum::<usize>() as f64 / usual.len().max(1) as f64;
        let (at, peak) = self.peak();
        println!(
            "renewals in a usual hour: mean {mean:.1}, most {peak} (day {}), ratio {:.2}",
            at / 24,
            peak as f64 / mean
        );
        if self.lost > 0 || newest != self.enrolled {
            return Err("certificates were lost or doubled".into());
        }
        Ok(())
    }

    /// The usual hour with the most renewals.
    fn peak(&self) -> (usize, usize) {
        let usual = self.hours.iter().copied().enumerate().filter(|(at, _)| !is_unusual(*at as i64 / 24));
        usual.max_by_key(|(_, renewed)| *renewed).unwrap_or_default()
    }
}

async fn profile(session: &Session, name: &str) -> Result<Profile> {
    session.save_policy(policy(name, Span::days(47))?).await?;
    let name: Slug = name.parse()?;
    let mut spec = Preset::TlsServer.profile(name.clone(), "root".parse()?, name);
    spec.defaults.ttl = Some(Span::days(47));
    Ok(session.save_profile(spec).await?)
}

async fn application(session: &Session, name: &str, profiles: &[Profile; 2]) -> Result<Application> {
    let auto_renew = Some(AutoRenewal::before(Span::days(15)));
    let methods = Methods { api: Some(ApiSettings { auto_renew }), ..Methods::default() };
    let spec = ApplicationSpec::new(name.parse()?);
    let spec = profiles.iter().fold(spec, |spec, profile| spec.attach(profile.name.clone(), methods.clone()));
    Ok(session.create_application(spec).await?)
}

fn policy(name: &str, longest: Span) -> Result<PolicySpec> {
    let mut policy = Preset::TlsServer.policy(name.parse()?);
    policy.validity.max = Some(longest);
    Ok(policy)
}

/// Days before the fleet is complete, on which the CA is away or the policy refuses, and on which that is made up for.
fn is_unusual(day: i64) -> bool {
    day < SETTLED || [OUTAGE, BLOCKADE].iter().any(|range| (range.start..range.end + CATCH_UP).contains(&day))
}

/// Renewals of each week as a bar.
fn picture(hours: &[usize], days: i64) -> String {
    let weeks: Vec<usize> = hours.chunks(24 * 7).map(|week| week.iter().sum()).collect();
    let most = weeks.iter().copied().max().unwrap_or(1).max(1);
    let bars = weeks.iter().enumerate().map(|(week, renewed)| {
        let day = week as i64 * 7;
        let what = match (day..(day + 7).min(days)).find_map(event) {
            Some(event) => format!("  {event}"),
            None => String::new(),
        };
        format!("week {:2} {:6} {}{what}", week + 1, renewed, "█".repeat(renewed * 50 / most))
    });
    bars.collect::<Vec<_>>().join("\n")
}

fn event(day: i64) -> Option<&'static str> {
    match day {
        day if day == OUTAGE.start => Some("the CA is away for three days"),
        day if day == BLOCKADE.start => Some("the policy refuses a tenth"),
        day if day == BLOCKADE.end => Some("the policy permits it again"),
        _ => None,
    }
}
