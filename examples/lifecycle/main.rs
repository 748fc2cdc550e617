//! A certificate's life from the first request to the last list, by a clock that is turned: what is refused, approved,
//! delivered, renewed, told and revoked, who did it, and why. Ends with an error if anything is not as it should be. Unix only.
//!
//! `cargo run --release --example lifecycle --features directory,webhook`

mod checks;
mod office;
mod picture;
mod receiver;
mod timeline;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chancery::domain::{CertificateRecord, Enrollment, RequestId, Span};
use chancery::engine::{Error as EngineError, Outcome, Session};
use chancery::x509::{KeyAlgorithm, RevocationReason};
use time::Duration;

use checks::Checks;
use office::Office;
use timeline::Timeline;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: lifecycle [--out DIR] [--days N]

  --out DIR   where certificates, keys and lists are written; a temporary directory that is removed without it
  --days N    how long it lasts, 30 to 365, 60 if not given";

struct Arguments {
    out: Option<PathBuf>,
    days: i64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(arguments) = read_arguments(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(&arguments).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(wrong) => {
            eprintln!("error: {wrong} things are not as they should be");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read_arguments(mut words: impl Iterator<Item = String>) -> Option<Arguments> {
    let mut arguments = Arguments { out: None, days: 60 };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--out" => arguments.out = Some(words.next()?.into()),
            "--days" => arguments.days = words.next()?.parse().ok().filter(|days| (30..=365).contains(days))?,
            _ => return None,
        }
    }
    Some(arguments)
}

/// Plays it all; answers how many things are not as they should be.
async fn run(arguments: &Arguments) -> Result<usize> {
    let scratch = tempfile::tempdir()?;
    let out = arguments.out.clone().unwrap_or_else(|| scratch.path().to_owned());
    fs::create_dir_all(&out)?;
    let office = Office::open(&out).await?;
    let mut time = Timeline::new(&office)?;
    let mut checks = Checks::default();

    time.pass(Duration::ZERO).await?;
    time.heading("Requests: one is issued, one is refused, one must wait for a second person");
    let www = issued(&mut time, &office.otto, &office.ask("www.example.com")).await?;
    refused(&mut time, &mut checks, &office).await?;
    let waiting = pending(&mut time, &mut checks, &office).await?;

    time.pass(Duration::hours(25)).await?;
    time.heading("The next morning a second person decides");
    let pay = approved(&mut time, &mut checks, &office, waiting).await?;
    time.pass(Duration::days(1)).await?;
    let old = issued(&mut time, &office.otto, &office.ask("old.example.com")).await?;

    time.heading("Due work goes on by itself");
    time.until_day(12).await?;
    checks.expect("a certificate is in the directory before its revocation", office.is_delivered(&old)?);
    time.heading("A key is lost");
    revoked(&mut time, &mut checks, &office, (&old, &www)).await?;
    time.heading("Due work goes on by itself");
    time.until_day(arguments.days).await?;

    picture::draw(&office, &time).await?;
    checks.at_the_end(&office, &time, &[www, pay, old]).await?;
    println!(
        "\n{} events, {} messages; everything is in {}",
        time.told(),
        office.receiver.received().len(),
        out.display()
    );
    if arguments.out.is_none() {
        println!("(removed now; --out DIR keeps it)");
    }
    Ok(checks.wrong())
}

/// Asks for a certificate that nobody needs to agree to.
async fn issued(time: &mut Timeline<'_>, who: &Session, ask: &Enrollment) -> Result<CertificateRecord> {
    match who.submit(ask).await? {
        Outcome::Issued(issued) => {
            time.pass(Duration::ZERO).await?;
            Ok(issued.record)
        }
        other => Err(format!("not issued: {other:?}").into()),
    }
}

/// Asks for what no rule permits, and shows every reason at once.
async fn refused(time: &mut Timeline<'_>, checks: &mut Checks, office: &Office) -> Result<()> {
    let ask = office.ask("www.example.net").key_algorithm(KeyAlgorithm::Rsa2048).ttl(Span::days(400));
    let outcome = office.otto.submit(&ask).await?;
    let reasons = match &outcome {
        Outcome::Refused(refusal) => refusal.violations.len(),
        _ => 0,
    };
    checks.expect("a request that breaks three rules is refused with three reasons or more", reasons >= 3);
    time.pass(Duration::ZERO).await
}

/// Asks for a name that people guard. The one who asks can not agree to it.
async fn pending(time: &mut Timeline<'_>, checks: &mut Checks, office: &Office) -> Result<RequestId> {
    let Outcome::Pending(pending) = office.otto.submit(&office.ask("pay.example.com")).await? else {
        return Err("a guarded name was not held back".into());
    };
    time.pass(Duration::minutes(1)).await?;
    let shown = office.otto.approval_request(pending.id).await?;
    let own = office.otto.approve(pending.id, &shown.approval.digest, "it is mine").await;
    time.say("user:otto", "votes for the own request");
    checks.turned_away(time, "who asked can not agree", own);
    Ok(pending.id)
}

/// A second person looks, and agrees to exactly what they saw.
async fn approved(
    time: &mut Timeline<'_>,
    checks: &mut Checks,
    office: &Office,
    request: RequestId,
) -> Result<CertificateRecord> {
    let shown = office.bob.approval_request(request).await?;
    time.say("user:bob", &format!("looks at {}, asked by {}", shown.draft.content.subject, shown.requester));
    time.note(&format!("digest {}", shown.approval.digest));
    let other = office.bob.approve(request, &"0".repeat(64), "").await;
    time.say("user:bob", "votes with the digest of something else");
    checks.turned_away(time, "a vote on something else does not count", other);

    let Outcome::Issued(issued) = office.bob.approve(request, &shown.approval.digest, "change 4711").await? else {
        return Err("the last vote did not issue the certificate".into());
    };
    checks.expect("an approver does not get the private key", issued.private_key.is_none());
    time.pass(Duration::minutes(1)).await?;
    let Outcome::Issued(issued) = office.otto.request(request).await? else {
        return Err("the certificate is not there for the one who asked".into());
    };
    checks.expect("the one who asked gets the private key", issued.private_key.is_some());
    time.pass(Duration::ZERO).await?;
    Ok(issued.record)
}

/// Revokes `old`, and shows its list to strangers; `good` is not on it.
async fn revoked(
    time: &mut Timeline<'_>,
    checks: &mut Checks,
    office: &Office,
    (old, good): (&CertificateRecord, &CertificateRecord),
) -> Result<()> {
    office.alice.revoke(old.id, RevocationReason::KeyCompromise).await?;
    time.pass(Duration::seconds(10)).await?;
    checks.expect("what is revoked leaves the directory", !office.is_delivered(old)?);
    let again = office.alice.revoke(old.id, RevocationReason::Superseded).await;
    time.say("user:alice", "revokes it once more, for another reason");
    match again {
        Err(error @ EngineError::Revocation { .. }) => time.note(&format!("refused: {error}")),
        other => checks.expect(&format!("the first reason stands, and not {other:?}"), false),
    }
    write_crl(office, old).await?;
    checks.list(time, office, (old, good)).await
}

async fn write_crl(office: &Office, old: &CertificateRecord) -> Result<()> {
    let crl = office.engine.crl(office.root, 0).await?.ok_or("there is no list")?;
    write(&office.out, "root.crl", &crl.der)?;
    write(&office.out, "root.crl.pem", checks::pem("X509 CRL", &crl.der).as_bytes())?;
    write(&office.out, "revoked.pem", old.certificate()?.pem().as_bytes())
}

fn write(out: &Path, name: &str, octets: &[u8]) -> Result<()> {
    Ok(fs::write(out.join(name), octets)?)
}
