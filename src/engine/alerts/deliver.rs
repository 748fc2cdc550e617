//! Delivery: notifications go out at least once, and are given up only after a day.

use futures_util::future::join_all;
use std::sync::Arc;

use crate::domain::{AlertRecord, Attempt, Channel, Delivery, EventKind, Octets};
use crate::engine::context::{Context, Versioned};
use crate::engine::due::{Work, hold, item};
use crate::engine::error::Error;
use crate::engine::schema::{Entity, Notification};
use crate::notify::{Destination, Message, Notifier, NotifyError};
use crate::sealer::Secret;
use crate::store::{Hit, Key};

impl Context {
    /// Sends a notification to the channels that it is due on. Puts their next attempts off first, which is the claim on it.
    pub(in crate::engine) async fn deliver_due(&self, hit: &Hit) -> Result<Work, Error> {
        let mut notification: Notification<Octets> = item(hit)?;
        let alert = self.find::<AlertRecord<Octets>>(&notification.alert.to_string()).await?;
        if notification.is_done() || alert.is_none() {
            self.remove(&Versioned { value: notification, version: hit.document.version }).await?;
            return Ok(Work::Removed);
        }
        let mut change = self.change_by_engine()?;
        let now = change.now;
        let jitter: [u8; 10] = change.random.take()?;
        let mut due = Vec::new();
        for (at, channel) in notification.channels.iter_mut().enumerate() {
            if channel.delivery.due_at().is_some_and(|due_at| due_at <= now) {
                channel.delivery = channel.delivery.clone().claimed(now, jitter[at % jitter.len()]);
                due.push(at);
            }
        }
        change.update(&notification, hit.document.version)?;
        let Some(version) = hold(change).await? else { return Ok(Work::TakenByOthers) };
        let sends = due.iter().map(|at| {
            let channel = &notification.channels[*at].channel;
            self.send(&notification, channel)
        });
        let attempts = join_all(sends).await;
        self.record_attempts(Versioned { value: notification, version }, due.into_iter().zip(attempts).collect()).await
    }

    async fn send(&self, notification: &Notification<Octets>, channel: &Channel<Octets>) -> Attempt {
        let bound_to = bound_to(notification.alert);
        let sent = self.open_and_send(channel, &bound_to, &notification.message).await;
        let outcome = if sent.is_ok() { "ok" } else { "error" };
        let kind = channel.kind().to_string();
        metrics::counter!("chancery_notifications_total", "channel" => kind, "outcome" => outcome).increment(1);
        match sent {
            Ok(()) => Attempt::Delivered,
            Err(NotifyError::Refused { reason }) => Attempt::Refused(shortened(&reason)),
            Err(NotifyError::Unavailable { reason, retry_after }) => Attempt::Failed(shortened(&reason), retry_after),
            Err(error @ NotifyError::Unknown) => Attempt::Failed(error.to_string(), None),
        }
    }

    /// Opens a channel's secret and hands the message to its notifier.
    pub(super) async fn open_and_send(
        &self,
        channel: &Channel<Octets>,
        bound_to: &str,
        message: &Message,
    ) -> Result<(), NotifyError> {
        let unavailable = |reason: String| NotifyError::Unavailable { reason, retry_after: None };
        let notifier = self.notifiers.get(&channel.kind()).map(Arc::clone);
        let missing = || unavailable(format!("the engine was given no notifier for {}", channel.kind()));
        let notifier: Arc<dyn Notifier> = notifier.ok_or_else(missing)?;
        let secret = match channel.secret() {
            Some(envelope) => {
                let opened = self.sealer.open(&envelope.0, bound_to).await;
                Some(opened.map_err(|error| unavailable(error.to_string()))?)
            }
            None => None,
        };
        notifier.notify(&destination(channel, secret), message).await
    }

    /// Records what came of the attempts. Whoever took the notification meanwhile records its own.
    async fn record_attempts(
        &self,
        Versioned { value: mut notification, version }: Versioned<Notification<Octets>>,
        attempts: Vec<(usize, Attempt)>,
    ) -> Result<Work, Error> {
        let mut change = self.change_by_engine()?;
        let mut work = Work::Notified;
        for (at, attempt) in attempts {
            let Some(channel) = notification.channels.get_mut(at) else { continue };
            channel.delivery = channel.delivery.clone().after(attempt, change.now, notification.created_at);
            if let Delivery::GivenUp { reason, .. } = &channel.delivery {
                let reason = format!("{}: {reason}", channel.channel.kind());
                let kind = EventKind::NotificationFailed { alert: notification.alert, reason };
                change.event(notification.application, kind)?;
                work = Work::Failed;
            }
        }
        if !notification.is_done() {
            work = Work::Postponed;
        }
        change.update(&notification, version)?;
        change.commit().await?;
        Ok(work)
    }
}

/// What an alert's secrets are bound to.
pub(super) fn bound_to(alert: crate::domain::AlertId) -> String {
    Key::new(AlertRecord::<Octets>::KIND, alert.to_string()).to_string()
}

fn destination(channel: &Channel<Octets>, secret: Option<Secret>) -> Destination {
    let nowhere = || Secret::new(Vec::new());
    match channel {
        Channel::Webhook { url, .. } => Destination::Webhook { url: url.clone(), secret },
        Channel::Email { to } => Destination::Email { to: to.clone() },
        Channel::Slack { .. } => Destination::Slack { url: secret.unwrap_or_else(nowhere) },
        Channel::PagerDuty { .. } => Destination::PagerDuty { routing_key: secret.unwrap_or_else(nowhere) },
        Channel::Custom { to, .. } => Destination::Custom { to: to.clone() },
    }
}

pub(super) fn shortened(reason: &str) -> String {
    reason.chars().take(500).collect()
}
