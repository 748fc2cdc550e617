//! The conformance kit of the notifier port: one named check a clause, and a notifier that records.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use time::macros::datetime;

use super::{Destination, Field, Item, Message, MessageAlert, Notifier, NotifyError, Severity};

/// One check and what it found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The clause of the contract.
    pub clause: &'static str,
    /// What was seen instead, if the clause does not hold.
    pub failure: Option<String>,
}

/// Runs every check on a notifier: `good` is a destination that takes messages, `other` one of a kind that the notifier
/// does not serve. Messages are really sent.
pub async fn run(notifier: &dyn Notifier, good: &Destination, other: &Destination) -> Vec<Finding> {
    let message = message("conformance-1");
    vec![
        Finding { clause: "a message is delivered", failure: taken(notifier, good, &message).await },
        Finding { clause: "the same message may come again", failure: taken(notifier, good, &message).await },
        Finding {
            clause: "many items and odd characters are delivered",
            failure: taken(notifier, good, &large()).await,
        },
        Finding { clause: "another kind of destination is refused", failure: refused(notifier, other).await },
    ]
}

/// Panics with every clause that does not hold.
///
/// # Panics
/// If a finding is a failure.
pub fn assert_passed(findings: &[Finding]) {
    let failures: Vec<String> = findings
        .iter()
        .filter_map(|finding| finding.failure.as_ref().map(|seen| format!("{}: {seen}", finding.clause)))
        .collect();
    assert!(failures.is_empty(), "the notifier breaks its contract:\n{}", failures.join("\n"));
}

async fn taken(notifier: &dyn Notifier, good: &Destination, message: &Message) -> Option<String> {
    notifier.notify(good, message).await.err().map(|error| error.to_string())
}

async fn refused(notifier: &dyn Notifier, other: &Destination) -> Option<String> {
    match notifier.notify(other, &message("conformance-3")).await {
        Err(NotifyError::Refused { .. }) => None,
        answer => Some(format!("{answer:?}")),
    }
}

/// A message of one item.
pub fn message(id: &str) -> Message {
    let item = Item {
        id: "cert-00000000000000000000000001".into(),
        title: "api.example.com".into(),
        identifier: "01a2".into(),
        fields: vec![Field::new("Ends", "2026-12-01T00:00:00Z")],
    };
    Message {
        id: id.to_owned(),
        kind: "chancery.certificate.expiry".into(),
        source: "/alerts/alert-00000000000000000000000001".into(),
        subject: Some(item.id.clone()),
        time: datetime!(2026-11-22 12:00 UTC),
        severity: Severity::Warning,
        summary: "api.example.com ends soon".into(),
        alert: MessageAlert { id: "alert-00000000000000000000000001".into(), name: "ends-soon".into() },
        items: vec![item],
    }
}

fn large() -> Message {
    let mut large = message("conformance-2");
    large.summary = "100 certificates: <&> \"quoted\" – größer\u{7f}\r\n.\r\nBcc: nobody@example.com".into();
    large.items = vec![large.items[0].clone(); 100];
    large
}

/// Records what it is told, and answers as it was told to: well, if it was told nothing.
#[derive(Clone, Debug, Default)]
pub struct RecordingNotifier(Arc<Mutex<Recorded>>);

#[derive(Debug, Default)]
struct Recorded {
    answers: VecDeque<Answer>,
    told: Vec<(String, Message)>,
}

/// How a [`RecordingNotifier`] answers one call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// The message is taken.
    Taken,
    /// It fails, and the message is not taken.
    Fails(NotifyError),
    /// The message is taken, and the answer is lost.
    TakenAndLost,
    /// The message is taken, and the call never answers.
    TakenAndHangs,
}

impl RecordingNotifier {
    /// A notifier that has been told nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// What it answers to the next calls, one each.
    pub fn will(&self, answers: impl IntoIterator<Item = Answer>) {
        self.recorded().answers.extend(answers);
    }

    /// Every message that was taken, with the `Debug` text of where it went.
    pub fn told(&self) -> Vec<(String, Message)> {
        self.recorded().told.clone()
    }

    /// The messages that were taken.
    pub fn messages(&self) -> Vec<Message> {
        self.told().into_iter().map(|(_, message)| message).collect()
    }

    /// Forgets what it was told.
    pub fn clear(&self) {
        self.recorded().told.clear();
    }

    fn recorded(&self) -> std::sync::MutexGuard<'_, Recorded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Notifier for RecordingNotifier {
    async fn notify(&self, to: &Destination, message: &Message) -> Result<(), NotifyError> {
        let answer = {
            let mut recorded = self.recorded();
            let answer = recorded.answers.pop_front().unwrap_or(Answer::Taken);
            if !matches!(answer, Answer::Fails(_)) {
                recorded.told.push((format!("{to:?}"), message.clone()));
            }
            answer
        };
        match answer {
            Answer::Taken => Ok(()),
            Answer::Fails(error) => Err(error),
            Answer::TakenAndLost => Err(NotifyError::Unknown),
            Answer::TakenAndHangs => std::future::pending().await,
        }
    }
}
