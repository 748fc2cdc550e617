//! What alerts are about, what they wrote, and what arrived.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use crate::domain::{AlertEvent, CertificateId, Delivery, Event, EventId, EventKind, NotificationId, Octets};
use crate::engine::Notification;
use crate::notify::Message;
use crate::simulation::failure::{Invariant, Verdict};

/// Alerts, notifications and messages.
#[derive(Debug, Default)]
pub(in crate::simulation) struct Told {
    /// Events that an alert without a window is about.
    due: BTreeMap<EventId, OffsetDateTime>,
    written: BTreeMap<EventId, BTreeSet<NotificationId>>,
    notifications: BTreeMap<NotificationId, Notice>,
    messages: BTreeMap<String, Message>,
    pub(in crate::simulation) arrivals: usize,
}

#[derive(Debug)]
struct Notice {
    made_at: OffsetDateTime,
    is_over: bool,
}

const ALERTS: Invariant = Invariant::Alerts;

impl Told {
    pub(super) fn record(&mut self, event: &Event) {
        let is_told = matches!(
            event.kind,
            EventKind::CertificateIssued { .. }
                | EventKind::CertificateRenewed { .. }
                | EventKind::CertificateRevoked { .. }
                | EventKind::ApprovalRequested { .. }
        );
        if is_told && event.application.is_some() && AlertEvent::of(&event.kind).is_some() {
            self.due.insert(event.id, event.at);
        }
    }

    /// A notification was written. What it says was delivered has arrived.
    pub(super) fn write(&mut self, notification: &Notification<Octets>) -> Verdict {
        let id = notification.id;
        if let Some(event) = notification.event {
            let ids = self.written.entry(event).or_default();
            ids.insert(id);
            ALERTS.holds(ids.len() == 1, || format!("{event} is told under several ids: {ids:?}"))?;
        }
        let arrived = self.messages.contains_key(&id.to_string());
        let says = |delivery: &Delivery| matches!(delivery, Delivery::Delivered { .. });
        let says_so = notification.channels.iter().any(|channel| says(&channel.delivery));
        ALERTS.holds(arrived || !says_so, || format!("{id} is said to be delivered, and did not arrive"))?;
        let waits = |delivery: &Delivery| matches!(delivery, Delivery::Waiting { .. });
        let is_over = !notification.channels.iter().any(|channel| waits(&channel.delivery));
        self.notifications.insert(id, Notice { made_at: notification.created_at, is_over });
        Ok(())
    }

    /// A message arrived, maybe not for the first time.
    pub(in crate::simulation) fn arrive(&mut self, message: &Message) -> Verdict {
        self.arrivals += 1;
        let first = self.messages.entry(message.id.clone()).or_insert_with(|| message.clone());
        ALERTS.holds(first == message, || format!("{} arrived with two contents", message.id))
    }

    /// In the end: whatever was to be told before `then` was, or was given up after a day.
    pub(super) fn judge_end(&self, then: OffsetDateTime) -> Verdict {
        let untold = self.due.iter().find(|(event, at)| **at < then && !self.written.contains_key(event));
        ALERTS.holds(untold.is_none(), || format!("{:?} was told by no alert", untold.map(|(event, _)| event)))?;
        let open = self.notifications.iter().find(|(_, notice)| notice.made_at < then && !notice.is_over);
        ALERTS.holds(open.is_none(), || format!("{:?} is on its way for ever", open.map(|(id, _)| id)))
    }

    /// Whether somebody was told that a certificate expires.
    pub(super) fn warned_of(&self, certificate: CertificateId) -> bool {
        let id = certificate.to_string();
        let expiry = self.messages.values().filter(|message| message.kind == "chancery.certificate.expiry");
        expiry.flat_map(|message| &message.items).any(|item| item.id == id)
    }
}
