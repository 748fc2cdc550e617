//! The port of notifications: who is told, and how.
//!
//! Alerts tell through notifiers. Behind features there are `webhook` (CloudEvents), `slack`, `pagerduty` and `smtp`; hosts
//! write their own for anything else. See [alerts](crate::manual::alerts).

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::sealer::Secret;

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(any(feature = "webhook", feature = "slack", feature = "pagerduty"))]
mod http;
#[cfg(feature = "pagerduty")]
mod pagerduty;
#[cfg(feature = "slack")]
mod slack;
#[cfg(feature = "smtp")]
mod smtp;
#[cfg(feature = "webhook")]
mod webhook;

#[cfg(any(feature = "webhook", feature = "slack", feature = "pagerduty"))]
pub use http::{HttpClient, HttpClientError, HttpSettings, PrivateAddresses};
#[cfg(feature = "pagerduty")]
pub use pagerduty::PagerDutyNotifier;
#[cfg(feature = "slack")]
pub use slack::SlackNotifier;
#[cfg(feature = "smtp")]
pub use smtp::{SmtpError, SmtpNotifier, SmtpSecurity, SmtpSettings};
#[cfg(feature = "webhook")]
pub use webhook::WebhookNotifier;

/// Tells somebody.
///
/// # Contract
///
/// - **At least once.** The engine tells again after an answer that was lost, always with the same [`Message::id`]. A
///   notifier passes the id on, so that the receiver can drop what it knows. It may itself drop a message that it delivered.
/// - **Done means handed over.** `Ok` is answered when the receiver has taken the message, not before.
/// - **Refused is for good.** [`NotifyError::Refused`] for what will not be taken however often it is tried; anything that
///   may pass is [`NotifyError::Unavailable`], and what may have been delivered is [`NotifyError::Unknown`].
/// - **Other destinations.** A [`Destination`] of a kind that the notifier does not serve is refused.
/// - **In bounded time.** A call answers within seconds: it holds up the round of due work that made it, though never a verb.
/// - **Cancellation.** A call whose future is dropped has delivered the message or not; nothing else is left behind.
/// - **Concurrency.** Any number of calls at once.
/// - **Secrets.** Neither `Debug` nor an error shows what is secret of a destination.
#[async_trait]
pub trait Notifier: fmt::Debug + Send + Sync + 'static {
    /// Delivers `message`.
    ///
    /// # Errors
    /// [`NotifyError`], as the contract says.
    async fn notify(&self, to: &Destination, message: &Message) -> Result<(), NotifyError>;
}

/// Whatever points to a notifier is one.
#[async_trait]
impl<N: Notifier + ?Sized> Notifier for std::sync::Arc<N> {
    async fn notify(&self, to: &Destination, message: &Message) -> Result<(), NotifyError> {
        (**self).notify(to, message).await
    }
}

/// Where a message goes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Destination {
    /// An address that takes CloudEvents.
    Webhook {
        /// The address.
        url: String,
        /// What the message is signed with.
        secret: Option<Secret>,
    },
    /// Mailboxes.
    Email {
        /// Their addresses.
        to: Vec<String>,
    },
    /// A Slack channel.
    Slack {
        /// The address of its incoming webhook, as text.
        url: Secret,
    },
    /// A PagerDuty service.
    PagerDuty {
        /// Its integration key, as text.
        routing_key: Secret,
    },
    /// What a host's own notifier understands.
    Custom {
        /// Where to.
        to: String,
    },
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Stays the same however often the message is sent.
    pub id: String,
    /// What kind of thing happened: `chancery.certificate.expiry`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which alert tells it: `/applications/app-…/alerts/alert-…`, or `/alerts/alert-…`.
    pub source: String,
    /// What it is about, if that is one thing: a certificate's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When it happened.
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
    /// How bad it is.
    pub severity: Severity,
    /// One line for people.
    pub summary: String,
    /// The alert.
    pub alert: MessageAlert,
    /// The certificates or requests that it is about; at most 100.
    pub items: Vec<Item>,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// As it should be.
    Info,
    /// It will be bad if nobody acts.
    Warning,
    /// It is bad.
    Error,
}

impl Severity {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// The alert that a message comes of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageAlert {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A certificate or request that a message is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its id.
    pub id: String,
    /// Its common name, or the first of its names.
    pub title: String,
    /// Its serial number; empty for a request.
    pub identifier: String,
    /// What else is to be known.
    pub fields: Vec<Field>,
}

/// Something to be known of an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// What it is.
    pub label: String,
    /// Its value.
    pub value: String,
}

impl Field {
    /// A value with what it is.
    pub fn new(label: &str, value: impl Into<String>) -> Self {
        Self { label: label.to_owned(), value: value.into() }
    }
}

impl Message {
    /// The message as plain text, for mail and chat: the summary, then the items with their fields.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.summary);
        for item in &self.items {
            text.push_str(&format!("\n{} ({})\n", item.title, item.id));
            let serial = (!item.identifier.is_empty()).then(|| Field::new("Serial number", item.identifier.clone()));
            for field in serial.iter().chain(&item.fields) {
                text.push_str(&format!("  {}: {}\n", field.label, field.value));
            }
        }
        text.push_str(&format!("\nAlert {} ({}), message {}\n", self.alert.name, self.source, self.id));
        text
    }
}

/// Why a message was not delivered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotifyError {
    /// It will not be taken however often it is tried.
    #[error("refused: {reason}")]
    Refused {
        /// What the receiver said, without secrets.
        reason: String,
    },
    /// It may be taken later.
    #[error("unavailable: {reason}")]
    Unavailable {
        /// What went wrong, without secrets.
        reason: String,
        /// How long the receiver wants not to be asked again.
        retry_after: Option<Duration>,
    },
    /// It may have been delivered: no answer came.
    #[error("it may have been delivered, no answer came")]
    Unknown,
}

#[cfg(any(feature = "webhook", feature = "slack", feature = "pagerduty", feature = "smtp"))]
impl NotifyError {
    /// The refusal of a destination of another kind.
    fn other_kind(serves: &str) -> Self {
        Self::Refused { reason: format!("this notifier serves {serves} only") }
    }
}
