//! How alerts are kept: what they watch, what they have told of, and the notifications on their way.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{Entity, index, sortable};
use crate::domain::{
    AlertId, AlertRecord, ApplicationId, CertificateId, Channel, Delivery, EventId, Hidden, NotificationId, Octets,
};
use crate::notify::Message;
use crate::store::IndexEntry;

/// How long a notification can be read after it was made.
const RETENTION: Duration = Duration::days(30);

/// The first half of an alert's entry and name: its Application, or the product.
pub(in crate::engine) fn scope(application: Option<ApplicationId>) -> String {
    application.map_or_else(|| "product".to_owned(), |id| id.to_string())
}

impl Entity for AlertRecord<Octets> {
    const KIND: &'static str = "alert";

    fn document_id(&self) -> String {
        self.id.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        let value = format!("{}|{}", scope(self.application), self.name);
        vec![IndexEntry::new(index::ALERT_APPLICATION, value)]
    }
}

/// How far an alert on time has looked: everything that ends up to `through` was told of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct Watch {
    pub(in crate::engine) alert: AlertId,
    #[serde(with = "time::serde::rfc3339")]
    pub(in crate::engine) through: OffsetDateTime,
    /// Where it goes on within a range that was longer than a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::engine) place: Option<Place>,
    /// When there will be something to tell of; what is issued later moves it forward.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub(in crate::engine) next_at: Option<OffsetDateTime>,
}

/// A place in the range up to `until`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct Place {
    #[serde(with = "time::serde::rfc3339")]
    pub(in crate::engine) until: OffsetDateTime,
    pub(in crate::engine) value: String,
    pub(in crate::engine) id: String,
}

impl Entity for Watch {
    const KIND: &'static str = "alert_watch";

    fn document_id(&self) -> String {
        self.alert.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        self.next_at.map(|at| IndexEntry::new(index::DUE, sortable(at))).into_iter().collect()
    }
}

/// That an alert has told of something, and does not do so again for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct Window {
    pub(in crate::engine) alert: AlertId,
    /// What it told of: a certificate's id, or a request's.
    pub(in crate::engine) subject: String,
    /// How often the same was not told.
    pub(in crate::engine) suppressed: u32,
    #[serde(with = "time::serde::rfc3339")]
    pub(in crate::engine) until: OffsetDateTime,
    /// The certificate that it reminds of when the window ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::engine) remind: Option<CertificateId>,
}

impl Window {
    pub(in crate::engine) fn id_of(alert: AlertId, subject: &str) -> String {
        format!("{alert}/{subject}")
    }
}

impl Entity for Window {
    const KIND: &'static str = "alert_window";

    fn document_id(&self) -> String {
        Self::id_of(self.alert, &self.subject)
    }

    fn entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(index::DUE, sortable(self.until))]
    }
}

/// What an alert tells, on its way to the alert's channels. `S` is what stands for the channels' secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification<S = Hidden> {
    /// Its id, also that of the message.
    pub id: NotificationId,
    /// The alert.
    pub alert: AlertId,
    /// The alert's Application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationId>,
    /// The event that it tells of, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventId>,
    /// What it says.
    pub message: Message,
    /// How it stands on each channel. The channels are those that the alert had when the notification was made.
    pub channels: Vec<NotificationChannel<S>>,
    /// When it was made. It can be read for 30 days from then.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// How a notification stands on one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationChannel<S = Hidden> {
    /// The channel.
    pub channel: Channel<S>,
    /// How it stands.
    #[serde(flatten)]
    pub delivery: Delivery,
}

impl<S> Notification<S> {
    /// When there is something to do: the next attempt, or after all of them the removal.
    fn due_at(&self) -> OffsetDateTime {
        let attempts = self.channels.iter().filter_map(|channel| channel.delivery.due_at());
        attempts.min().unwrap_or(self.created_at + RETENTION)
    }

    /// Whether it is to be sent to no channel any more.
    pub(in crate::engine) fn is_done(&self) -> bool {
        self.channels.iter().all(|channel| channel.delivery.due_at().is_none())
    }
}

impl Notification<Octets> {
    /// The notification with its secrets hidden.
    pub(in crate::engine) fn shown(&self) -> Notification {
        let shown = |each: &NotificationChannel<Octets>| NotificationChannel {
            channel: each.channel.with_secret(each.channel.secret().map(|_| Hidden)),
            delivery: each.delivery.clone(),
        };
        Notification {
            id: self.id,
            alert: self.alert,
            application: self.application,
            event: self.event,
            message: self.message.clone(),
            channels: self.channels.iter().map(shown).collect(),
            created_at: self.created_at,
        }
    }
}

impl Entity for Notification<Octets>
where
    Self: Serialize + DeserializeOwned,
{
    const KIND: &'static str = "notification";

    fn document_id(&self) -> String {
        self.id.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        let event = self.event.map(|event| IndexEntry::new(index::NOTIFICATION_EVENT, event.to_string()));
        let fixed = [
            IndexEntry::new(index::DUE, sortable(self.due_at())),
            IndexEntry::new(index::NOTIFICATION_ALERT, format!("{}|{}", self.alert, self.id)),
        ];
        fixed.into_iter().chain(event).collect()
    }
}
