//! A year in the life of a fleet, by a clock that is turned: certificates of 47 days renew by themselves, through a CA
//! that is away for three days and a policy that refuses a tenth of them for a while.
//!
//! `cargo run --release --example year --features simulation -- --certificates 100000`

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use chancery::clock::{Clock, ManualClock};
use chancery::domain::{
    Actor, ApiSettings, Application, ApplicationSpec, AutoRenewal, CertificateRecord, Enrollment, IssuerSpec, Methods,
    PolicySpec, Preset, Profile, Slug, Span,
};
use chancery::engine::{CertificateQuery, Engine, Outcome, Retention, Session};
use chancery::sealer::AeadSealer;
use chancery::signer::{Locality, SignError, Signer, SoftwareSigner};
use chancery::store::MemoryStore;
use chancery::x509::{KeyAlgorithm, PublicKey, SignatureAlgorithm};
use indicatif::{ProgressBar, ProgressStyle};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: year [--certificates N] [--days N]

  --certificates N   the size of the fleet, 2000 if not given
  --days N           how long, 365 if not given";

const START: OffsetDateTime = datetime!(2027-01-01 0:00 UTC);
/// How often due work is done.
const TICK: Duration = Duration::minutes(15);
/// The days on which the CA is away.
const OUTAGE: std::ops::Range<i64> = 100..103;
/// The days on which the policy of a tenth of the fleet refuses what it has permitted.
const BLOCKADE: std::ops::Range<i64> = 200..206;
/// How many days after either belong to catching up.
const CATCH_UP: i64 = 3;
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
    let Some((certificates, days)) = read_arguments(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(certificates, days).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read_arguments(mut words: impl Iterator<Item = String>) -> Option<(usize, i64)> {
    let (mut certificates, mut days) = (2000, 365);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--certificates" => certificates = words.next()?.parse().ok()?,
            "--days" => days = words.next()?.parse().ok()?,
            _ => return None,
        }
    }
    Some((certificates, days))
}

/// The office, and what was counted in it.
struct Year {
    engine: Engine,
    session: Session,
    clock: Arc<ManualClock>,
    is_away: Arc<AtomicBool>,
    fleet: usize,
    /// Renewals of each hour.
    hours: Vec<usize>,
    lost: usize,
}

async fn run(certificates: usize, days: i64) -> Result<()> {
    let mut year = Year::begin(certificates).await?;
    let bar = ProgressBar::new(days.unsigned_abs()).with_style(style());
    for day in 0..days {
        year.turn_fortune(day).await?;
        for _ in 0..24 {
            year.hour().await?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    year.report(days).await
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:40} day {pos} of {len}, {eta} to go")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Year {
    /// Issuers, policies, Applications, and a fleet that is issued within minutes.
    async fn begin(fleet: usize) -> Result<Self> {
        let (clock, is_away) = (Arc::new(ManualClock::new(START)), Arc::new(AtomicBool::new(false)));
        let key = Absent { key: SoftwareSigner::generate(KeyAlgorithm::P256)?, is_away: Arc::clone(&is_away) };
        let actor = Actor::user("year")?;
        let short = Some(Span::days(2));
        let engine = Engine::builder()
            .store(MemoryStore::new())
            .clock(Arc::clone(&clock))
            .sealer(AeadSealer::new(&[7; 32]))
            .signer("root".parse()?, key)
            .administrator(actor.principal().clone())
            .retention(Retention { certificates: short, requests: short, events: short })
            .build()
            .await?;
        let session = engine.acting_as(actor);
        session.create_root(IssuerSpec::new("root".parse()?, "The Year's Root")).await?;
        let year = Self { engine, session, clock, is_away, fleet, hours: Vec::new(), lost: 0 };
        let (web, legacy) = (year.profile("web").await?, year.profile("legacy").await?);
        let mut applications = Vec::new();
        for at in 0..APPLICATIONS {
            applications.push(year.application(&format!("team-{at}"), [&web, &legacy]).await?);
        }
        for at in 0..fleet {
            let profile = if at % 10 == 0 { &legacy } else { &web };
            let ask = Enrollment::managed(applications[at % APPLICATIONS].id, profile.id);
            let ask = ask.dns(&format!("host-{at}.example.com")).key_algorithm(KeyAlgorithm::P256);
            let Outcome::Issued(_) = year.session.submit(&ask).await? else { return Err("not issued".into()) };
        }
        Ok(year)
    }

    async fn profile(&self, name: &str) -> Result<Profile> {
        self.session.save_policy(policy(name, Span::days(47))?).await?;
        let name: Slug = name.parse()?;
        let mut spec = Preset::TlsServer.profile(name.clone(), "root".parse()?, name);
        spec.defaults.ttl = Some(Span::days(47));
        Ok(self.session.save_profile(spec).await?)
    }

    async fn application(&self, name: &str, profiles: [&Profile; 2]) -> Result<Application> {
        let auto_renew = Some(AutoRenewal::before(Span::days(15)));
        let methods = Methods { api: Some(ApiSettings { auto_renew }), ..Methods::default() };
        let spec = ApplicationSpec::new(name.parse()?);
        let spec = profiles.iter().fold(spec, |spec, profile| spec.attach(profile.name.clone(), methods.clone()));
        Ok(self.session.create_application(spec).await?)
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

    async fn report(&self, days: i64) -> Result<()> {
        let valid =
            CertificateQuery { ends_from: Some(self.clock.now()), page_size: 1000, ..CertificateQuery::default() };
        let valid = self.all(&valid).await?;
        let newest = valid.iter().filter(|record| record.replaced_by.is_none() && record.profile.is_some()).count();
        let usual = |hour: &usize| !is_unusual(*hour as i64 / 24);
        let quiet: Vec<usize> = (0..self.hours.len()).filter(usual).map(|hour| self.hours[hour]).collect();
        let mean = self.hours.iter().sum::<usize>() as f64 / self.hours.len() as f64;
        let peak = quiet.iter().copied().max().unwrap_or_default();
        println!("{}", picture(&self.hours, days));
        println!("{} certificates, {} renewals in {days} days", self.fleet, self.hours.iter().sum::<usize>());
        println!("ended without a successor: {}", self.lost);
        println!("newest of their lineage:   {newest}");
        println!(
            "renewals in an hour: mean {mean:.1}, peak outside the catching up {peak}, ratio {:.2}",
            peak as f64 / mean
        );
        if self.lost > 0 || newest != self.fleet {
            return Err("certificates were lost or doubled".into());
        }
        Ok(())
    }
}

fn policy(name: &str, longest: Span) -> Result<PolicySpec> {
    let mut policy = Preset::TlsServer.policy(name.parse()?);
    policy.validity.max = Some(longest);
    Ok(policy)
}

/// Days on which the CA is away or the policy refuses, and those on which that is made up for.
fn is_unusual(day: i64) -> bool {
    [OUTAGE, BLOCKADE].iter().any(|range| (range.start..range.end + CATCH_UP).contains(&day))
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
