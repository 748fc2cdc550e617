//! The clock that is turned, due work in between, and what happened, line by line.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use chancery::clock::Clock;
use chancery::domain::{CertificateId, Decision, Event, EventId, EventKind, RequestId};
use time::{Duration, OffsetDateTime};

use crate::Result;
use crate::office::{Office, START};

/// How many items a round of due work takes on.
const LIMIT: usize = 100;
/// More rounds than these without a pause mean that something never comes to its end.
const MOST_ROUNDS: usize = 1000;

/// The story so far.
pub(crate) struct Timeline<'a> {
    office: &'a Office,
    seen: HashSet<EventId>,
    /// What certificates are called here: name, and number in their lineage.
    certificates: HashMap<CertificateId, (String, usize)>,
    requests: HashMap<RequestId, String>,
    crl: u64,
    messages: usize,
}

impl<'a> Timeline<'a> {
    pub(crate) fn new(office: &'a Office) -> Result<Self> {
        let (certificates, requests) = (HashMap::new(), HashMap::new());
        println!("day  time (UTC)  who            what");
        Ok(Self { office, seen: HashSet::new(), certificates, requests, crl: 0, messages: 0 })
    }

    /// Lets so much time pass, and does what falls due in it, as a worker does.
    pub(crate) async fn pass(&mut self, time: Duration) -> Result<()> {
        self.until(self.now() + time).await
    }

    /// Lets time pass until a day begins.
    pub(crate) async fn until_day(&mut self, day: i64) -> Result<()> {
        self.until(START + Duration::days(day)).await
    }

    async fn until(&mut self, end: OffsetDateTime) -> Result<()> {
        loop {
            self.work().await?;
            let left = end - self.now();
            if !left.is_positive() {
                return Ok(());
            }
            let pause = self.office.engine.until_next_due().await?;
            let pause = pause.map_or(Ok(left), Duration::try_from)?.max(Duration::SECOND);
            self.office.clock.advance(pause.min(left));
        }
    }

    /// Rounds of due work until there is nothing to do, each a second long.
    async fn work(&mut self) -> Result<()> {
        for _ in 0..MOST_ROUNDS {
            self.tell().await?;
            let report = self.office.engine.run_due(LIMIT).await?;
            if report.total() == 0 {
                return Ok(());
            }
            self.office.clock.advance(Duration::SECOND);
        }
        Err("due work comes to no end".into())
    }

    /// Tells what is new: events of the Application, the issuer's lists, and messages that arrived.
    async fn tell(&mut self) -> Result<()> {
        for event in self.new_events().await? {
            self.tell_event(&event).await?;
        }
        if let Some(crl) = self.office.engine.crl(self.office.root, 0).await?
            && crl.number != self.crl
        {
            self.crl = crl.number;
            let what = format!("list {} is published, {} octets", crl.number, crl.der.len());
            self.line(crl.this_update, "system:engine", &what);
        }
        let received = self.office.receiver.received();
        for message in received.iter().skip(self.messages) {
            let text = |name: &str| message.event[name].as_str().unwrap_or_default().to_owned();
            self.say("receiver", &format!("gets {}", text("type")));
            self.note(&format!("id {}: {}", text("id"), message.event["data"]["summary"]));
            let verdict = if message.is_genuine { "genuine" } else { "FORGED" };
            self.note(&format!("signature {}… is {verdict}; answered {}", short(&message.signature), message.answer));
        }
        self.messages = received.len();
        Ok(())
    }

    async fn new_events(&mut self) -> Result<Vec<Event>> {
        let (mut new, mut after) = (Vec::new(), None);
        loop {
            let page = self.office.alice.events(self.office.application, after.as_ref()).await?;
            let count = page.items.len();
            new.extend(page.items.into_iter().filter(|event| self.seen.insert(event.id)));
            after = page.next;
            if after.is_none() || new.len() < count {
                // Ids within one millisecond mean no order: what a vote sets going is told after the vote.
                new.sort_by_key(|event| (event.at, rank(&event.kind)));
                return Ok(new);
            }
        }
    }

    async fn tell_event(&mut self, event: &Event) -> Result<()> {
        let what = match &event.kind {
            EventKind::CertificateIssued { certificate, .. } => {
                self.name_certificate(*certificate, None).await?;
                let what = format!("{} is issued", self.certificate(*certificate));
                self.line(event.at, &event.actor.to_string(), &what);
                return self.show_plan(*certificate).await;
            }
            EventKind::CertificateRenewed { certificate, replaces, .. } => {
                self.name_certificate(*certificate, Some(*replaces)).await?;
                let what =
                    format!("{} takes the place of {}", self.certificate(*certificate), self.certificate(*replaces));
                self.line(event.at, &event.actor.to_string(), &what);
                self.note("two thirds of its life are over, and the window is open");
                return self.show_plan(*certificate).await;
            }
            EventKind::IssuanceRefused { violations, .. } => {
                self.line(event.at, &event.actor.to_string(), "is refused a certificate:");
                violations.iter().for_each(|violation| self.note(&violation.to_string()));
                return Ok(());
            }
            EventKind::ApprovalRequested { request, approval_policy } => {
                let shown = self.office.alice.approval_request(*request).await?;
                let name = shown.draft.content.subject.common_name().unwrap_or_default().to_owned();
                let text = format!("asks for {name}, which waits: approval policy `{approval_policy}`");
                self.requests.insert(*request, name);
                text
            }
            EventKind::ApprovalVoted { request, decision, .. } => {
                let vote = if *decision == Decision::Approve { "for" } else { "against" };
                format!("votes {vote} {}", self.request(*request))
            }
            EventKind::RequestApproved { request } => {
                format!("{} is approved, and judged again", self.request(*request))
            }
            EventKind::PrivateKeyRead { certificate } => {
                format!("fetches the key of {}", self.certificate(*certificate))
            }
            EventKind::CertificateRevoked { certificate, reason, .. } => {
                format!("revokes {}: {reason}", self.certificate(*certificate))
            }
            EventKind::CertificateDeployed { certificate, remote, .. } => {
                self.line(
                    event.at,
                    &event.actor.to_string(),
                    &format!("{} is delivered", self.certificate(*certificate)),
                );
                return self.show_files(remote);
            }
            EventKind::CertificateWithdrawn { certificate, .. } => {
                format!("{} is removed from the directory", self.certificate(*certificate))
            }
            EventKind::ApplicationCreated => "creates the Application `shop`".into(),
            EventKind::ApplicationChanged { what } => format!("changes the Application: {what}"),
            EventKind::SyncSaved { .. } => "saves the sync to the directory `edge`".into(),
            EventKind::AlertSaved { .. } => "saves an alert to a webhook".into(),
            other => format!("{other:?}"),
        };
        self.line(event.at, &event.actor.to_string(), &what);
        Ok(())
    }

    async fn name_certificate(&mut self, id: CertificateId, before: Option<CertificateId>) -> Result<()> {
        let record = self.office.alice.certificate(id).await?;
        let number = before.and_then(|before| self.certificates.get(&before)).map_or(1, |(_, number)| number + 1);
        let name = record.subject.common_name().unwrap_or_default().to_owned();
        self.certificates.insert(id, (name, number));
        Ok(())
    }

    /// When a certificate will renew by itself.
    async fn show_plan(&self, id: CertificateId) -> Result<()> {
        if let Some(due_at) = self.office.alice.renewal(id).await?.plan.and_then(|plan| plan.due_at()) {
            let day = (due_at - START).whole_days();
            self.note(&format!("renews by itself on day {day} at {:02}:{:02}", due_at.hour(), due_at.minute()));
        }
        Ok(())
    }

    /// The files below a name in the directory, with their modes.
    fn show_files(&self, remote: &str) -> Result<()> {
        let folder = self.office.out.join("edge").join(Path::new(remote).file_name().unwrap_or_default());
        let generation = fs::read_link(&folder)?;
        self.note(&format!("edge/{} -> {}", file_name(&folder), generation.display()));
        let mut files = Vec::new();
        for file in fs::read_dir(&folder)? {
            let file = file?;
            let name = file.file_name().to_string_lossy().into_owned();
            files.extend((!name.starts_with('.')).then_some((name, file.metadata()?.permissions().mode() & 0o777)));
        }
        files.sort();
        let files: Vec<String> = files.into_iter().map(|(name, mode)| format!("{name} ({mode:o})")).collect();
        self.note(&format!("with {}", files.join(", ")));
        Ok(())
    }

    fn certificate(&self, id: CertificateId) -> String {
        self.certificates.get(&id).map_or_else(|| id.to_string(), |(name, number)| format!("{name} #{number}"))
    }

    fn request(&self, id: RequestId) -> String {
        self.requests.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        self.office.clock.now()
    }

    /// How many events were told.
    pub(crate) fn told(&self) -> usize {
        self.seen.len()
    }

    pub(crate) fn heading(&self, text: &str) {
        println!("\n{text}");
    }

    /// Tells what somebody does now.
    pub(crate) fn say(&self, who: &str, what: &str) {
        self.line(self.now(), who, what);
    }

    /// Tells more of the line before.
    pub(crate) fn note(&self, text: &str) {
        println!("{:34}{text}", "");
    }

    fn line(&self, at: OffsetDateTime, who: &str, what: &str) {
        let (hour, minute, second) = at.to_hms();
        let day = (at - START).whole_days();
        println!("{day:3}  {hour:02}:{minute:02}:{second:02}    {who:13}  {what}");
    }
}

fn rank(kind: &EventKind) -> u8 {
    match kind {
        EventKind::ApplicationCreated | EventKind::ApprovalVoted { .. } => 0,
        EventKind::RequestApproved { .. } => 1,
        _ => 2,
    }
}

fn short(text: &str) -> &str {
    text.get(..32).unwrap_or(text)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
