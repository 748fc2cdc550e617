//! Housekeeping: what is long over is removed, in pages, and nothing that something still refers to.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::context::{Context, Versioned, decode};
use super::due::{Work, claim, item};
use super::error::Error;
use super::issue::serial_claim;
use super::schema::{Entity, SealedKey, SerialClaim, index, sortable};
use crate::domain::{CertificateRecord, CertificateRequest, EventKind, Origin, RequestState, Span};
use crate::store::{Cursor, Hit, IndexEntry, Key, Over, Scan};
use crate::x509::InvalidValue;

/// How long what is over is kept; `None` for ever. The same on every node, or the shortest wins.
///
/// ```
/// use chancery::domain::Span;
/// use chancery::engine::{Engine, Retention};
/// let builder = Engine::builder().retention(Retention { certificates: Some(Span::days(7)), ..Retention::default() });
/// # drop(builder);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Certificates and their private keys, from notAfter on; 90 days. An issuer's own stay with the issuer.
    pub certificates: Option<Span>,
    /// Requests that came to nothing, from their end on; 90 days. A request with a certificate goes with the certificate.
    pub requests: Option<Span>,
    /// Events that are sealed in the audit chain; 400 days. Their digests stay in the chain.
    pub events: Option<Span>,
}

impl Default for Retention {
    fn default() -> Self {
        Self { certificates: Some(Span::days(90)), requests: Some(Span::days(90)), events: Some(Span::days(400)) }
    }
}

impl Retention {
    /// A retention of nothing would remove what has just ended.
    pub(super) fn faults(&self) -> Vec<(String, InvalidValue)> {
        let spans = [("certificates", self.certificates), ("requests", self.requests), ("events", self.events)];
        let too_short =
            spans.into_iter().filter_map(|(name, span)| Some((name, span?))).filter(|(_, span)| *span < SHORTEST);
        let fault = |(name, span): (&str, Span)| {
            let error = InvalidValue::new("duration", span.to_string(), format!("at least {SHORTEST}, or none"));
            (format!("retention.{name}"), error)
        };
        too_short.map(fault).collect()
    }
}

const SHORTEST: Span = Span::hours(1);
/// The time between two sweeps.
const PAUSE: time::Duration = time::Duration::hours(1);
/// How long a page may take before another worker takes it up.
const LEASE: time::Duration = time::Duration::minutes(10);
/// Records of a page: each brings up to three others, and a batch takes 1000 writes.
const PAGE: usize = 200;

/// A place that stands for the rest of the events.
const EVENTS: &str = "event/";

/// Where housekeeping stands: one document, so that one worker does it at a time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Sweep {
    room: Room,
    /// The last entry that was looked at: what may not be removed is passed over.
    after: Option<(String, String)>,
    #[serde(with = "time::serde::rfc3339")]
    due_at: OffsetDateTime,
}

/// What is swept, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Room {
    Certificates,
    Requests,
    Events,
}

impl Room {
    fn next(self) -> Option<Self> {
        match self {
            Self::Certificates => Some(Self::Requests),
            Self::Requests => Some(Self::Events),
            Self::Events => None,
        }
    }
}

impl Entity for Sweep {
    const KIND: &'static str = "housekeeping";

    fn document_id(&self) -> String {
        "sweep".to_owned()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(index::DUE, sortable(self.due_at))]
    }
}

/// What was looked at and removed in one page.
struct Swept {
    removed: u64,
    after: Option<(String, String)>,
}

impl Context {
    /// Plans the first sweep of a store.
    pub(super) async fn plan_sweeps(&self) -> Result<(), Error> {
        let sweep = Sweep { room: Room::Certificates, after: None, due_at: self.now() + PAUSE };
        if self.find::<Sweep>(&sweep.document_id()).await?.is_some() {
            return Ok(());
        }
        let mut change = self.change_by_engine()?;
        change.create(&sweep)?;
        claim(change).await.map(drop)
    }

    /// Sweeps one page.
    pub(super) async fn sweep_due(&self, hit: &Hit) -> Result<Work, Error> {
        let mut sweep: Sweep = item(hit)?;
        let mut change = self.change_by_engine()?;
        sweep.due_at = change.now + LEASE;
        change.update(&sweep, hit.document.version)?;
        let Some(version) = claim(change).await? else { return Ok(Work::TakenByOthers) };
        let swept = self.sweep(&sweep).await?;
        let mut change = self.change_by_engine()?;
        sweep.due_at = change.now;
        sweep.after = swept.after;
        if sweep.after.is_none() {
            let (room, pause) =
                sweep.room.next().map_or((Room::Certificates, PAUSE), |room| (room, time::Duration::ZERO));
            sweep.room = room;
            sweep.due_at += pause;
        }
        change.update(&sweep, version)?;
        change.commit().await?;
        Ok(if swept.removed == 0 { Work::Nothing } else { Work::Removed })
    }

    async fn sweep(&self, sweep: &Sweep) -> Result<Swept, Error> {
        let Retention { certificates, requests, events } = self.retention;
        let kept = match sweep.room {
            Room::Certificates => certificates,
            Room::Requests => requests,
            Room::Events => events,
        };
        let Some(kept) = kept else { return Ok(Swept { removed: 0, after: None }) };
        let before = self.now() - kept.as_duration();
        match sweep.room {
            Room::Certificates => self.sweep_certificates(before, sweep).await,
            Room::Requests => self.sweep_requests(before, sweep).await,
            Room::Events => {
                let removed = self.prune_events(before, PAGE).await? as u64;
                // The chain knows how far it is pruned: the next page begins there.
                let after = (removed > 0).then(|| (sortable(before), EVENTS.to_owned()));
                Ok(Swept { removed, after })
            }
        }
    }

    /// The next page of an index that begins with times, up to `before`.
    async fn page_before(&self, index: &'static str, before: OffsetDateTime, sweep: &Sweep) -> Result<Vec<Hit>, Error> {
        let mut scan = Scan::new(Over::Index(index.into()), PAGE);
        scan.to = Some(sortable(before));
        scan.after = sweep.after.as_ref().map(|(value, key)| Cursor { value: value.clone(), key: key_of(key) });
        Ok(self.store.scan(&scan).await?)
    }

    /// Certificates that ended long ago go with their serial number, key and request.
    async fn sweep_certificates(&self, before: OffsetDateTime, sweep: &Sweep) -> Result<Swept, Error> {
        let hits = self.page_before(index::CERTIFICATE_EXPIRY, before, sweep).await?;
        let mut change_keys = Vec::with_capacity(3 * hits.len());
        let mut removable = Vec::with_capacity(hits.len());
        for hit in &hits {
            let record: CertificateRecord = decode(&hit.document.key, &hit.document.body)?;
            if record.origin == Origin::Issuer || self.is_needed(&record).await? {
                continue;
            }
            let claim = serial_claim(record.issuer, &record.serial, record.id);
            change_keys.push(Key::new(SerialClaim::KIND, claim.document_id()));
            change_keys.push(Key::new(SealedKey::KIND, record.id.to_string()));
            change_keys.extend(record.request.map(|request| Key::new(CertificateRequest::KIND, request.to_string())));
            removable.push(&hit.document);
        }
        let beside = self.store.get(&change_keys).await?;
        let mut change = self.change_by_engine()?;
        removable.iter().for_each(|document| change.remove(document));
        beside.iter().flatten().for_each(|document| change.remove(document));
        self.commit_sweep(change, ("certificate", removable.len()), &hits).await
    }

    /// Requests that came to nothing. The serial number that a failed one may have used stays claimed as long as a
    /// certificate of it could be valid.
    async fn sweep_requests(&self, before: OffsetDateTime, sweep: &Sweep) -> Result<Swept, Error> {
        let hits = self.page_before(index::REQUEST_SETTLED, before, sweep).await?;
        let mut change = self.change_by_engine()?;
        let mut removed = 0;
        for hit in &hits {
            let request: CertificateRequest = decode(&hit.document.key, &hit.document.body)?;
            if let RequestState::Failed { intent, .. } = &request.state {
                let claim = serial_claim(Some(intent.issuer), &intent.serial, intent.certificate);
                if let Some(Versioned { value, version }) = self.find::<SerialClaim>(&claim.document_id()).await? {
                    change.delete(&value, version);
                }
            }
            change.remove(&hit.document);
            removed += 1;
        }
        self.commit_sweep(change, ("request", removed), &hits).await
    }

    async fn commit_sweep(
        &self,
        mut change: super::context::Change<'_>,
        (what, count): (&str, usize),
        hits: &[Hit],
    ) -> Result<Swept, Error> {
        if count > 0 {
            let kind = EventKind::RecordsPruned { what: what.to_owned(), count: count as u64 };
            change.event(None, kind)?;
            change.commit().await?;
        }
        let last = hits.last().filter(|_| hits.len() == PAGE);
        let after = last.map(|hit| (hit.value.clone(), hit.document.key.to_string()));
        Ok(Swept { removed: count as u64, after })
    }

    /// Whether something still needs the record of a certificate that has ended.
    async fn is_needed(&self, _record: &CertificateRecord) -> Result<bool, Error> {
        Ok(false)
    }
}

fn key_of(text: &str) -> Key {
    let (kind, id) = text.split_once('/').unwrap_or((text, ""));
    Key::new(kind.to_owned(), id)
}
