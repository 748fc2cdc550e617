//! Housekeeping: what is long over is removed, in pages, and nothing that something still refers to.

mod certificates;
mod retention;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use retention::Retention;

use super::context::{Change, Context, decode};
use super::due::{Work, hold, item};
use super::error::Error;
use super::issue::serial_claim;
use super::schema::{Entity, SerialClaim, index, sortable};
use crate::domain::{CertificateRequest, EventKind, RequestState};
use crate::store::{Cursor, Hit, IndexEntry, Key, Over, Scan};

/// The time between two sweeps.
const PAUSE: time::Duration = time::Duration::hours(1);
/// Records of a page: each brings up to five others, and a batch takes 1000 writes.
const PAGE: usize = 160;

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
    Incidents,
    Events,
}

impl Room {
    fn next(self) -> Option<Self> {
        match self {
            Self::Certificates => Some(Self::Requests),
            Self::Requests => Some(Self::Incidents),
            Self::Incidents => Some(Self::Events),
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
        hold(change).await.map(drop)
    }

    /// Sweeps one page.
    pub(super) async fn sweep_due(&self, hit: &Hit) -> Result<Work, Error> {
        let mut sweep: Sweep = item(hit)?;
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
        change.update(&sweep, hit.document.version)?;
        change.commit().await?;
        Ok(if swept.removed == 0 { Work::Nothing } else { Work::Removed })
    }

    async fn sweep(&self, sweep: &Sweep) -> Result<Swept, Error> {
        let Retention { certificates, requests, events } = self.retention;
        let kept = match sweep.room {
            Room::Certificates => certificates,
            Room::Requests => requests,
            Room::Incidents | Room::Events => events,
        };
        let Some(kept) = kept else { return Ok(Swept { removed: 0, after: None }) };
        let before = self.now() - kept.as_duration();
        match sweep.room {
            Room::Certificates => self.sweep_certificates(before, sweep).await,
            Room::Requests => self.sweep_requests(before, sweep).await,
            Room::Incidents => self.sweep_incidents(before, sweep).await,
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

    /// Requests that came to nothing, with the serial number that a failed one has held.
    async fn sweep_requests(&self, before: OffsetDateTime, sweep: &Sweep) -> Result<Swept, Error> {
        let hits = self.page_before(index::REQUEST_SETTLED, before, sweep).await?;
        let mut claims = Vec::new();
        for hit in &hits {
            let request: CertificateRequest = decode(&hit.document.key, &hit.document.body)?;
            if let RequestState::Failed { intent, .. } = &request.state {
                let claim = serial_claim(Some(intent.issuer), &intent.serial, intent.certificate);
                claims.push(Key::new(SerialClaim::KIND, claim.document_id()));
            }
        }
        let mut change = self.change_by_engine()?;
        self.store.get(&claims).await?.iter().flatten().for_each(|document| change.remove(document));
        hits.iter().for_each(|hit| change.remove(&hit.document));
        self.commit_sweep(change, ("request", hits.len()), &hits).await
    }

    /// Mass revocations that are over, and that no certificate is under any more.
    async fn sweep_incidents(&self, before: OffsetDateTime, sweep: &Sweep) -> Result<Swept, Error> {
        let hits = self.page_before(index::INCIDENT_OVER, before, sweep).await?;
        let mut change = self.change_by_engine()?;
        hits.iter().for_each(|hit| change.remove(&hit.document));
        self.commit_sweep(change, ("incident", hits.len()), &hits).await
    }

    async fn commit_sweep(
        &self,
        mut change: Change<'_>,
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
}

fn key_of(text: &str) -> Key {
    let (kind, id) = text.split_once('/').unwrap_or((text, ""));
    Key::new(kind.to_owned(), id)
}
