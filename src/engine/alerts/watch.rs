//! Alerts on time: what ends soon is told of when its time comes, from a range of an index, and never by a daily scan.

use time::{Duration, OffsetDateTime};

use super::follow_up::FollowUp;
use crate::domain::{
    AlertOn, AlertRecord, AlertState, CertificateRecord, CertificateStatus, IssuerRecord, IssuerState, Octets,
};
use crate::engine::context::{Change, Context, Versioned, decode};
use crate::engine::due::{Work, item};
use crate::engine::error::Error;
use crate::engine::schema::{CrlRecord, Entity, Place, Watch, Window, index, sortable};
use crate::notify::{Field, Item};
use crate::store::{Cursor, Hit, Key, Over, Scan};
use crate::x509::Certificate;

/// Most certificates that are looked at in one commit, and so the most items of a message.
const PAGE: usize = 100;

/// Something that ends, but for the certificates of Applications.
pub(super) struct Ending {
    pub(super) ends: OffsetDateTime,
    pub(super) item: Item,
}

impl Context {
    /// Tells of what has come within an alert's lead since it last looked: one page, one commit.
    pub(in crate::engine) async fn watch_due(&self, hit: &Hit) -> Result<Work, Error> {
        let watch = Versioned { value: item::<Watch>(hit)?, version: hit.document.version };
        let alert = self.find::<AlertRecord<Octets>>(&watch.value.alert.to_string()).await?;
        let alert = alert.map(|found| found.value).filter(|alert| alert.state == AlertState::Enabled);
        match alert.as_ref().and_then(|alert| alert.on.lead().map(|lead| (alert, lead.as_duration()))) {
            None => {
                self.remove(&watch).await?;
                Ok(Work::Removed)
            }
            Some((alert, lead)) => {
                let mut change = self.change_by_engine()?;
                match alert.on {
                    AlertOn::CaExpiry { .. } => {
                        self.watch_few(alert, self.issuer_endings().await?, watch, &mut change).await?
                    }
                    AlertOn::CrlExpiry { .. } => {
                        self.watch_few(alert, self.crl_endings().await?, watch, &mut change).await?
                    }
                    _ => self.watch_certificates(alert, lead, watch, &mut change).await?,
                }
                change.commit().await?;
                Ok(Work::Watched)
            }
        }
    }

    async fn watch_certificates(
        &self,
        alert: &AlertRecord<Octets>,
        lead: Duration,
        Versioned { value: mut watch, version }: Versioned<Watch>,
        change: &mut Change<'_>,
    ) -> Result<(), Error> {
        let until = watch.place.as_ref().map_or_else(|| whole_second(change.now + lead), |place| place.until);
        let mut scan = range(alert, watch.through, Some(until), PAGE);
        scan.after = watch
            .place
            .take()
            .map(|place| Cursor { value: place.value, key: Key::new(CertificateRecord::KIND, place.id) });
        let hits = self.store.scan(&scan).await?;
        let mut follow_up = FollowUp::new(self);
        let mut items = Vec::new();
        for hit in &hits {
            let record: CertificateRecord = decode(&hit.document.key, &hit.document.body)?;
            items.extend(follow_up.ending(alert, &record, change.now).await?);
        }
        follow_up.tell_ending(alert, items, change)?;
        follow_up.finish(change)?;
        if let Some(last) = hits.last().filter(|_| hits.len() == PAGE) {
            watch.place = Some(Place { until, value: last.value.clone(), id: last.document.key.id.clone() });
            watch.next_at = Some(change.now);
        } else {
            watch.through = watch.through.max(until);
            watch.next_at = self.first_ending(alert, watch.through).await?.map(|end| end - lead);
        }
        change.update(&watch, version)
    }

    /// The end of the first certificate that ends after an instant.
    async fn first_ending(
        &self,
        alert: &AlertRecord<Octets>,
        through: OffsetDateTime,
    ) -> Result<Option<OffsetDateTime>, Error> {
        let hits = self.store.scan(&range(alert, through, None, 1)).await?;
        let first = hits.first().map(item::<CertificateRecord>).transpose()?;
        Ok(first.map(|record| record.validity.not_after()))
    }

    /// The same for what there are only a few of: all of it is read each time.
    async fn watch_few(
        &self,
        alert: &AlertRecord<Octets>,
        endings: Vec<Ending>,
        Versioned { value: mut watch, version }: Versioned<Watch>,
        change: &mut Change<'_>,
    ) -> Result<(), Error> {
        let lead = alert.on.lead().map_or(Duration::ZERO, crate::domain::Span::as_duration);
        let until = change.now + lead;
        let mut follow_up = FollowUp::new(self);
        let mut items = Vec::new();
        watch.next_at = None;
        for ending in endings.into_iter().filter(|ending| ending.ends > watch.through) {
            if items.len() == PAGE || ending.ends > until {
                let next_at = (ending.ends - lead).max(change.now);
                watch.next_at = Some(watch.next_at.map_or(next_at, |earlier: OffsetDateTime| earlier.min(next_at)));
            } else if follow_up.is_first(alert, &ending.item.id, None, change.now).await? {
                items.push(ending.item);
            }
        }
        follow_up.tell_ending(alert, items, change)?;
        follow_up.finish(change)?;
        change.update(&watch, version)
    }

    /// The certificates of the issuers in use.
    async fn issuer_endings(&self) -> Result<Vec<Ending>, Error> {
        let mut endings = Vec::new();
        for hit in self.scan_all(Scan::new(Over::Kind(IssuerRecord::KIND.into()), PAGE)).await? {
            let issuer: IssuerRecord = item(&hit)?;
            let IssuerState::Active { chain } = &issuer.state else { continue };
            let Some(own) = chain.first().and_then(|der| Certificate::from_der(&der.0).ok()) else { continue };
            let ends = own.content().validity.not_after();
            let fields = vec![
                Field::new("Ends", super::message::text_of(ends)),
                Field::new("Subject", own.content().subject.to_string()),
            ];
            let (id, title) = (issuer.id.to_string(), issuer.name.to_string());
            endings.push(Ending { ends, item: Item { id, title, identifier: own.serial().to_string(), fields } });
        }
        Ok(endings)
    }

    /// The published revocation lists by nextUpdate. One that has ended is told of all the more.
    pub(super) async fn crl_endings(&self) -> Result<Vec<Ending>, Error> {
        let mut endings = Vec::new();
        for hit in self.scan_all(Scan::new(Over::Kind(CrlRecord::KIND.into()), PAGE)).await? {
            let crl: CrlRecord = item(&hit)?;
            let Some(published) = &crl.published else { continue };
            let ends = published.next_update;
            let fields = vec![
                Field::new("Next update", super::message::text_of(ends)),
                Field::new("Shard", crl.shard.to_string()),
            ];
            // Each list has an end of its own, of which is told once.
            let (id, identifier) =
                (format!("{}/{}", hit.document.key.id, published.number), published.number.to_string());
            endings.push(Ending { ends, item: Item { id, title: crl.issuer.to_string(), identifier, fields } });
        }
        Ok(endings)
    }

    /// Reminds of a certificate whose window has ended, or forgets the window.
    pub(in crate::engine) async fn window_due(&self, hit: &Hit) -> Result<Work, Error> {
        let window = Versioned { value: item::<Window>(hit)?, version: hit.document.version };
        let Some((alert, record)) = self.to_remind_of(&window.value).await? else {
            self.remove(&window).await?;
            return Ok(Work::Removed);
        };
        let mut change = self.change_by_engine()?;
        let mut follow_up = FollowUp::new(self);
        match follow_up.ending(&alert, &record, change.now).await? {
            Some(item) => {
                follow_up.tell_ending(&alert, vec![item], &mut change)?;
                follow_up.finish(&mut change)?;
            }
            None => change.delete(&window.value, window.version),
        }
        change.commit().await?;
        Ok(Work::Watched)
    }

    /// The alert and the certificate of a reminder that still has a reason.
    async fn to_remind_of(&self, window: &Window) -> Result<Option<(AlertRecord<Octets>, CertificateRecord)>, Error> {
        let Some(certificate) = window.remind else { return Ok(None) };
        let alert = self.find::<AlertRecord<Octets>>(&window.alert.to_string()).await?;
        let record = self.find::<CertificateRecord>(&certificate.to_string()).await?;
        Ok(alert.zip(record).map(|(alert, record)| (alert.value, record.value)).filter(|(alert, record)| {
            let reminds = alert.state == AlertState::Enabled && alert.repeat == crate::domain::Repeat::Daily;
            reminds && record.status_at(self.now()) == CertificateStatus::Active
        }))
    }
}

/// The certificates that end after `through` and up to `until`, of the alert's Application or of all.
fn range(alert: &AlertRecord<Octets>, through: OffsetDateTime, until: Option<OffsetDateTime>, limit: usize) -> Scan {
    let (name, prefix) = match alert.application {
        Some(application) => (index::CERTIFICATE_APPLICATION, format!("{application}|")),
        None => (index::CERTIFICATE_EXPIRY, String::new()),
    };
    let mut scan = Scan::new(Over::Index(name.into()), limit);
    scan.from = Some(format!("{prefix}{}", sortable(through + Duration::SECOND)));
    // `~` sorts behind every digit.
    let end = until.map_or_else(|| "~".to_owned(), |until| sortable(until + Duration::SECOND));
    scan.to = Some(format!("{prefix}{end}"));
    scan
}

/// The index holds whole seconds.
pub(super) fn whole_second(instant: OffsetDateTime) -> OffsetDateTime {
    instant.replace_nanosecond(0).unwrap_or(instant)
}
