//! What must be true, or the example fails; OpenSSL is asked, too, where it is installed.

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery::domain::{CertificateRecord, CertificateStatus, RenewalSetting};
use chancery::engine::{Error as EngineError, Root};
use chancery::x509::CertificateList;
use time::OffsetDateTime;

use crate::Result;
use crate::office::{Office, RENEWAL};
use crate::timeline::Timeline;

/// What was found so far.
#[derive(Default)]
pub(crate) struct Checks {
    found: Vec<(String, bool)>,
}

impl Checks {
    /// Notes whether something is as it should be.
    pub(crate) fn expect(&mut self, what: &str, holds: bool) {
        self.found.push((what.to_owned(), holds));
    }

    /// Notes that somebody was turned away, and tells why.
    pub(crate) fn turned_away<T: Debug>(
        &mut self,
        time: &Timeline<'_>,
        what: &str,
        outcome: std::result::Result<T, EngineError>,
    ) {
        match &outcome {
            Err(error) => time.note(&format!("turned away: {error}")),
            Ok(other) => time.note(&format!("{other:?}")),
        }
        self.expect(what, matches!(outcome, Err(EngineError::Vote(_))));
    }

    /// How many things are not as they should be.
    pub(crate) fn wrong(&self) -> usize {
        self.found.iter().filter(|(_, holds)| !holds).count()
    }

    /// The issuer's list as it was written: it holds `old`, and not `good`.
    pub(crate) async fn list(
        &mut self,
        time: &Timeline<'_>,
        office: &Office,
        (old, good): (&CertificateRecord, &CertificateRecord),
    ) -> Result<()> {
        let der = std::fs::read(office.out.join("root.crl"))?;
        let chain = office.alice.chain(old.id).await?;
        let root = chain.root().ok_or("the chain has no root")?;
        std::fs::write(office.out.join("root.pem"), root.pem())?;
        std::fs::write(office.out.join("good.pem"), office.alice.chain(good.id).await?.pem(Root::Exclude))?;

        let list = CertificateList::from_der(&der)?;
        time.note(&format!("in root.crl: list {:?} with {} entry", list.number.unwrap_or(0), list.entries.len()));
        self.expect("the list is signed by the issuer", list.verify_issued_by(&der, root).is_ok());
        let listed: Vec<_> = list.entries.iter().map(|entry| entry.serial).collect();
        self.expect("the list holds what was revoked, and nothing else", listed == [old.serial]);
        self.strangers(time, &office.out, time.now())
    }

    /// What OpenSSL says of the list, the revoked certificate, and another one.
    fn strangers(&mut self, time: &Timeline<'_>, out: &Path, now: OffsetDateTime) -> Result<()> {
        time.note("to see it: openssl crl -inform DER -in root.crl -noout -text");
        let Some(verdict) = openssl(out, "crl -inform DER -in root.crl -CAfile root.pem -noout") else {
            time.note("openssl is not installed: nobody else was asked");
            return Ok(());
        };
        time.note(&format!("openssl on the list: {}", verdict.text));
        self.expect("openssl verifies the list", verdict.is_good);
        let at = now.unix_timestamp();
        let verify = format!("verify -attime {at} -crl_check -CAfile root.pem -CRLfile root.crl.pem");
        for (file, is_good) in [("revoked.pem", false), ("good.pem", true)] {
            let verdict = openssl(out, &format!("{verify} {file}")).ok_or("openssl went away")?;
            time.note(&format!("openssl on {file}: {}", verdict.text));
            let fits = verdict.is_good == is_good && (is_good || verdict.text.contains("certificate revoked"));
            self.expect(&format!("openssl judges {file} as it should"), fits);
        }
        Ok(())
    }

    /// What must be true when everything is over; shows all that was found.
    pub(crate) async fn at_the_end(
        &mut self,
        office: &Office,
        time: &Timeline<'_>,
        firsts: &[CertificateRecord; 3],
    ) -> Result<()> {
        let certificates = office.certificates().await?;
        let [www, pay, old] = firsts;
        for first in [www, pay] {
            self.lineage(office, time, first, &certificates)?;
        }
        let of_old: Vec<_> = certificates.iter().filter(|record| record.lineage == old.id).collect();
        let is_over = of_old.iter().all(|record| record.status_at(time.now()) == CertificateStatus::Revoked);
        self.expect("what is revoked is not renewed", is_over && of_old.len() == 1);
        self.messages(office, &certificates);

        let kept = office.engine.audit_head().await?;
        let report = office.alice.verify_audit(1, kept).await?;
        let sealed = format!("the audit chain holds: {} blocks, {} events", report.blocks, report.events);
        self.expect(&sealed, report.is_sound() && report.events > 0 && report.head.is_some());
        self.show();
        Ok(())
    }

    /// A lineage that lives: renewed in its window, the newest one valid and delivered.
    fn lineage(
        &mut self,
        office: &Office,
        time: &Timeline<'_>,
        first: &CertificateRecord,
        all: &[CertificateRecord],
    ) -> Result<()> {
        let name = first.subject.common_name().unwrap_or_default();
        let line: Vec<_> = all.iter().filter(|record| record.lineage == first.id).collect();
        let setting: RenewalSetting = serde_json::from_str(RENEWAL)?;
        let window = setting.window.as_ref().ok_or("there is no window")?;
        let in_window = line.iter().skip(1).all(|record| window.is_open(record.created_at));
        self.expect(
            &format!("{name} was renewed in its window, {} times", line.len() - 1),
            in_window && line.len() > 1,
        );
        let was_never_without = line.windows(2).all(|pair| pair[1].created_at < pair[0].validity.not_after());
        self.expect(&format!("{name} was never without a valid certificate"), was_never_without);
        let newest = line.last().ok_or("the lineage is empty")?;
        let is_good = newest.status_at(time.now()) == CertificateStatus::Active && office.is_delivered(newest)?;
        self.expect(&format!("{name}: the newest certificate is valid, and in the directory"), is_good);
        Ok(())
    }

    /// Messages: genuine, each delivered in the end, one for each renewal and one for the revocation.
    fn messages(&mut self, office: &Office, certificates: &[CertificateRecord]) {
        let received = office.receiver.received();
        self.expect("every message is genuine", received.iter().all(|message| message.is_genuine));
        let mut answers: HashMap<&str, Vec<&str>> = HashMap::new();
        for message in &received {
            answers.entry(message.event["id"].as_str().unwrap_or_default()).or_default().push(message.answer);
        }
        let arrived = answers.values().all(|answers| answers.last().is_some_and(|answer| answer.starts_with("204")));
        self.expect("every message arrived in the end", arrived);
        let again = answers.values().filter(|answers| answers.len() == 2).count();
        self.expect("what met a busy receiver came again, under its id", again == 1);

        let told = |kind: &str| -> HashSet<String> {
            let of_kind = received.iter().filter(|message| message.event["type"] == kind);
            of_kind.map(|message| message.event["subject"].to_string()).collect()
        };
        let renewed = certificates.iter().filter(|record| record.replaces.is_some()).count();
        self.expect("every renewal was told", told("chancery.certificate.renewal").len() == renewed);
        self.expect("the revocation was told", told("chancery.certificate.revocation").len() == 1);
    }

    fn show(&self) {
        println!("\nWas everything as it should be?");
        for (what, holds) in &self.found {
            println!("  {}  {what}", if *holds { "yes" } else { "NO " });
        }
    }
}

/// What a stranger says.
struct Verdict {
    is_good: bool,
    text: String,
}

/// Runs OpenSSL in a directory; `None` if it is not there.
fn openssl(directory: &Path, arguments: &str) -> Option<Verdict> {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(directory).output().ok()?;
    let said = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&said).split_whitespace().collect::<Vec<_>>().join(" ");
    Some(Verdict { is_good: output.status.success(), text })
}

/// DER as a PEM block (RFC 7468).
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let lines: Vec<&str> = base64.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
