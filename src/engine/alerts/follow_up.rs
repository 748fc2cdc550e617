//! What events lead to: notifications and watches, written in the commit that seals the events.

use std::collections::BTreeMap;
use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use super::message::{Matter, Names, is_ca, message};
use crate::crypto;
use crate::domain::{
    AlertEvent, AlertId, AlertOn, AlertRecord, AlertState, ApplicationId, CertificateId, CertificateRecord,
    CertificateStatus, Delivery, Event, EventId, EventKind, NotificationId, Octets, Repeat,
};
use crate::engine::context::{Change, Context, decode};
use crate::engine::error::Error;
use crate::engine::schema::{Entity, Notification, NotificationChannel, Watch, Window, index, scope};
use crate::notify::Item;
use crate::store::{Over, Scan, Version};

/// How often an alert reminds.
const DAY: Duration = Duration::hours(24);

/// What the items of one commit have read and will write beside their notifications: the same window or watch may be
/// touched by several of them, and is written once.
pub(in crate::engine) struct FollowUp<'a> {
    context: &'a Context,
    names: Names,
    alerts: BTreeMap<String, Arc<[AlertRecord<Octets>]>>,
    windows: BTreeMap<String, Kept<Window>>,
    watches: BTreeMap<AlertId, Option<Kept<Watch>>>,
}

/// A value with the version that it was read with, if it was read, and whether it is to be written.
struct Kept<T> {
    value: T,
    version: Option<Version>,
    is_changed: bool,
}

impl<'a> FollowUp<'a> {
    pub(in crate::engine) fn new(context: &'a Context) -> Self {
        Self {
            context,
            names: Names::default(),
            alerts: BTreeMap::new(),
            windows: BTreeMap::new(),
            watches: BTreeMap::new(),
        }
    }

    /// How many writes [`finish`](Self::finish) will add.
    pub(in crate::engine) fn writes(&self) -> usize {
        let watches = self.watches.values().flatten().filter(|kept| kept.is_changed).count();
        self.windows.values().filter(|kept| kept.is_changed).count() + watches
    }

    /// Writes windows and watches.
    pub(in crate::engine) fn finish(self, change: &mut Change<'_>) -> Result<(), Error> {
        for kept in self.windows.into_values().filter(|kept| kept.is_changed) {
            write(kept, change)?;
        }
        for kept in self.watches.into_values().flatten().filter(|kept| kept.is_changed) {
            write(kept, change)?;
        }
        Ok(())
    }

    /// Tells an event to the alerts that it concerns.
    pub(in crate::engine) async fn tell(&mut self, event: &Event, change: &mut Change<'_>) -> Result<(), Error> {
        if let Some(seen) = AlertEvent::of(&event.kind) {
            self.tell_event(event, &seen, change).await?;
        }
        match &event.kind {
            EventKind::CertificateIssued { certificate, .. }
            | EventKind::CertificateRenewed { certificate, .. }
            | EventKind::CertificateImported { certificate }
            | EventKind::CertificateReleased { certificate } => {
                self.tell_watches(event.application, *certificate, change).await
            }
            EventKind::IssuerSaved { .. } => self.wake(|on| matches!(on, AlertOn::CaExpiry { .. }), change.now).await,
            EventKind::CrlPublished { .. } => self.wake(|on| matches!(on, AlertOn::CrlExpiry { .. }), change.now).await,
            _ => Ok(()),
        }
    }

    async fn tell_event(&mut self, event: &Event, seen: &AlertEvent, change: &mut Change<'_>) -> Result<(), Error> {
        let alerts = self.alerts_on(event.application, |on| seen.concerns(on)).await?;
        if alerts.is_empty() {
            return Ok(());
        }
        let matter = self.names.of_event(self.context, seen, event.application).await?;
        for alert in alerts {
            if passes(&alert, &matter) && self.is_first(&alert, &seen.subject(), None, change.now).await? {
                let id = id_of(&alert, event);
                let text = message(&alert, id.to_string(), vec![matter.item.clone()], event.at);
                change.create(&notification(&alert, id, Some(event.id), (text, change.now)))?;
            }
        }
        Ok(())
    }

    /// A certificate is new: one that ends within the range that an alert has behind it is told of now; for a later one the
    /// alert wakes in time.
    async fn tell_watches(
        &mut self,
        application: Option<ApplicationId>,
        certificate: CertificateId,
        change: &mut Change<'_>,
    ) -> Result<(), Error> {
        let alerts = self.alerts_on(application, |on| matches!(on, AlertOn::Expiration { .. })).await?;
        if alerts.is_empty() {
            return Ok(());
        }
        let Some(record) = self.context.find::<CertificateRecord>(&certificate.to_string()).await? else {
            return Ok(());
        };
        let (record, end) = (record.value.clone(), record.value.validity.not_after());
        for alert in alerts {
            let Some(lead) = alert.on.lead() else { continue };
            let Some(watch) = self.watch(alert.id).await? else { continue };
            let reached = watch.value.place.as_ref().map_or(watch.value.through, |place| place.until);
            let due_at = end - lead.as_duration();
            if end <= reached {
                let items = self.ending(&alert, &record, change.now).await?.into_iter().collect();
                self.tell_ending(&alert, items, change)?;
            } else if watch.value.next_at.is_none_or(|next_at| due_at < next_at) {
                watch.value.next_at = Some(due_at);
                watch.is_changed = true;
            }
        }
        Ok(())
    }

    /// The item of a certificate that ends soon, unless an alert leaves it out or has told of it.
    pub(super) async fn ending(
        &mut self,
        alert: &AlertRecord<Octets>,
        record: &CertificateRecord,
        now: OffsetDateTime,
    ) -> Result<Option<Item>, Error> {
        if record.status_at(now) != CertificateStatus::Active || is_ca(record) {
            return Ok(None);
        }
        let matter = self.names.certificate(self.context, record).await?;
        let remind = (alert.repeat == Repeat::Daily).then_some(record.id);
        let tells = passes(alert, &matter) && self.is_first(alert, &record.id.to_string(), remind, now).await?;
        Ok(tells.then_some(matter.item))
    }

    /// One notification of all items, if there are any.
    pub(super) fn tell_ending(
        &self,
        alert: &AlertRecord<Octets>,
        items: Vec<Item>,
        change: &mut Change<'_>,
    ) -> Result<(), Error> {
        if items.is_empty() {
            return Ok(());
        }
        let id = NotificationId::new(change.now, change.random.take()?);
        let text = message(alert, id.to_string(), items, change.now);
        change.create(&notification(alert, id, None, (text, change.now)))
    }

    /// Whether an alert has not told of a subject within its window; it has then.
    pub(super) async fn is_first(
        &mut self,
        alert: &AlertRecord<Octets>,
        subject: &str,
        remind: Option<CertificateId>,
        now: OffsetDateTime,
    ) -> Result<bool, Error> {
        let Some(length) = alert.on.window() else { return Ok(true) };
        let until = now + if remind.is_some() { DAY } else { length };
        let id = Window::id_of(alert.id, subject);
        if !self.windows.contains_key(&id) {
            let fresh = Window { alert: alert.id, subject: subject.to_owned(), suppressed: 0, until: now, remind };
            let kept = match self.context.find::<Window>(&id).await? {
                Some(found) => Kept { value: found.value, version: Some(found.version), is_changed: false },
                None => Kept { value: fresh, version: None, is_changed: false },
            };
            self.windows.insert(id.clone(), kept);
        }
        let Some(kept) = self.windows.get_mut(&id) else { return Ok(false) };
        kept.is_changed = true;
        if kept.value.until > now {
            kept.value.suppressed = kept.value.suppressed.saturating_add(1);
            return Ok(false);
        }
        kept.value = Window { until, remind, suppressed: 0, ..kept.value.clone() };
        Ok(true)
    }

    /// Lets the alerts of the product that look at few things look again.
    async fn wake(&mut self, on: fn(AlertOn) -> bool, now: OffsetDateTime) -> Result<(), Error> {
        for alert in self.alerts_on(None, on).await? {
            if let Some(watch) = self.watch(alert.id).await? {
                watch.value.next_at = Some(now);
                watch.is_changed = true;
            }
        }
        Ok(())
    }

    /// The enabled alerts of an Application and of the product.
    async fn alerts_on(
        &mut self,
        application: Option<ApplicationId>,
        on: impl Fn(AlertOn) -> bool,
    ) -> Result<Vec<AlertRecord<Octets>>, Error> {
        let mut found = Vec::new();
        for scope in [application.map(Some), Some(None)].into_iter().flatten() {
            let alerts = self.alerts_of(scope).await?;
            let wanted = alerts.iter().filter(|alert| alert.state == AlertState::Enabled && on(alert.on));
            found.extend(wanted.cloned());
        }
        Ok(found)
    }

    async fn alerts_of(&mut self, application: Option<ApplicationId>) -> Result<Arc<[AlertRecord<Octets>]>, Error> {
        let scope = scope(application);
        if let Some(known) = self.alerts.get(&scope) {
            return Ok(Arc::clone(known));
        }
        let mut scan = Scan::new(Over::Index(index::ALERT_APPLICATION.into()), 200);
        scan.from = Some(format!("{scope}|"));
        scan.to = Some(format!("{scope}}}"));
        let hits = self.context.scan_all(scan.clone()).await?;
        let read = hits.iter().map(|hit| decode(&hit.document.key, &hit.document.body));
        let alerts: Arc<[AlertRecord<Octets>]> = read.collect::<Result<_, _>>()?;
        self.alerts.insert(scope, Arc::clone(&alerts));
        Ok(alerts)
    }

    async fn watch(&mut self, alert: AlertId) -> Result<Option<&mut Kept<Watch>>, Error> {
        if !self.watches.contains_key(&alert) {
            let found = self.context.find::<Watch>(&alert.to_string()).await?;
            let kept = found.map(|found| Kept { value: found.value, version: Some(found.version), is_changed: false });
            self.watches.insert(alert, kept);
        }
        Ok(self.watches.get_mut(&alert).and_then(Option::as_mut))
    }
}

fn write<T: Entity>(kept: Kept<T>, change: &mut Change<'_>) -> Result<(), Error> {
    match kept.version {
        Some(version) => change.update(&kept.value, version),
        None => change.create(&kept.value),
    }
}

pub(super) fn passes(alert: &AlertRecord<Octets>, matter: &Matter) -> bool {
    alert.filters.iter().all(|filter| filter.fits(&matter.facts))
}

/// The id of what an alert tells of an event: the same however often it is worked out.
fn id_of(alert: &AlertRecord<Octets>, event: &Event) -> NotificationId {
    let digest = crypto::sha256(format!("{} {}", alert.id, event.id).as_bytes());
    let mut octets = [0; 10];
    octets.copy_from_slice(&digest[..10]);
    NotificationId::new(event.at, octets)
}

pub(super) fn notification(
    alert: &AlertRecord<Octets>,
    id: NotificationId,
    event: Option<EventId>,
    (message, now): (crate::notify::Message, OffsetDateTime),
) -> Notification<Octets> {
    let channel = |channel: &crate::domain::Channel<Octets>| NotificationChannel {
        channel: channel.clone(),
        delivery: Delivery::begin(now),
    };
    let channels = alert.channels.iter().map(channel).collect();
    Notification { id, alert: alert.id, application: alert.application, event, message, channels, created_at: now }
}
