//! The audit chain: sealing events in batches, checking what is sealed, and pruning what is old.
//!
//! Verbs write their events without queueing for anything. Due work takes what is unsealed, in the order of the ids, and
//! writes one block, the new head and the sealed events in one commit, one worker at a time. That commit sees each
//! event exactly once, and so it is also where alerts and syncs learn of events.

mod prune;
mod verify;

use crate::crypto;
use crate::domain::{Actor, AuditBlock, AuditHead, Event, SealedEvent, event_digest};
use crate::engine::alerts::FollowUp;
use crate::engine::context::{Change, Context, Versioned, decode};
use crate::engine::deploy::Synced;
use crate::engine::error::Error;
use crate::engine::schema::{AUDIT_TURN, ChainHead, index};
use crate::store::{Over, Scan, StoreError};

/// Most events of a block.
const BLOCK_EVENTS: usize = 200;
/// A block is closed when its commit holds so many writes: what one more event leads to must still fit.
const BLOCK_WRITES: usize = 450;

/// How often a block is tried.
const MOST_TRIES: usize = 3;

/// How a round of sealing ended.
pub(in crate::engine) enum Sealing {
    /// So many events were sealed.
    Sealed(usize),
    /// Another worker sealed them first.
    TakenByOthers,
}

impl Context {
    /// Seals what is unsealed, block by block, until `limit` events are sealed or nothing is left.
    pub(in crate::engine) async fn seal_events(&self, limit: usize) -> Result<Sealing, Error> {
        let mut sealed = 0;
        while sealed < limit && self.is_our_turn().await? {
            match self.seal_in_turn().await {
                Ok(0) => break,
                Ok(count) => sealed += count,
                Err(error) if error.is_conflict() && sealed == 0 => return Ok(Sealing::TakenByOthers),
                Err(error) if error.is_conflict() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Sealing::Sealed(sealed))
    }

    /// Whether there is something to seal, and no other worker is at it: the head of the chain is taken like any other work.
    async fn is_our_turn(&self) -> Result<bool, Error> {
        if self.store.scan(&Scan::new(Over::Index(index::EVENT_UNSEALED.into()), 1)).await?.is_empty() {
            return Ok(false);
        }
        Ok(!self.take_due(AUDIT_TURN, 1).await?.is_empty() || self.find::<ChainHead>(ChainHead::ID).await?.is_none())
    }

    /// What follows of an event may be changed by others meanwhile: then once more, rather than let go of the turn until its
    /// lease has passed.
    async fn seal_in_turn(&self) -> Result<usize, Error> {
        for _ in 1..MOST_TRIES {
            match self.seal_block().await {
                Err(error) if error.is_conflict() => {}
                sealed => return sealed,
            }
        }
        self.seal_block().await
    }

    /// Seals one block and says how many events are in it.
    async fn seal_block(&self) -> Result<usize, Error> {
        let scan = Scan::new(Over::Index(index::EVENT_UNSEALED.into()), BLOCK_EVENTS);
        let hits = self.store.scan(&scan).await?;
        if hits.is_empty() {
            return Ok(0);
        }
        let mut change = self.change_by_engine()?;
        let before: Option<Versioned<ChainHead>> = self.find(ChainHead::ID).await?;
        let number = before.as_ref().map_or(1, |before| before.value.head.number + 1);
        let mut list = Vec::with_capacity(hits.len());
        let (mut follow_up, mut synced) = (FollowUp::new(self), Synced::default());
        for hit in &hits {
            let Ok(mut event) = decode::<Event>(&hit.document.key, &hit.document.body) else {
                // One that was damaged must not keep the others from being sealed.
                tracing::error!(key = %hit.document.key, "an event can not be read and stays unsealed");
                continue;
            };
            event.sealed = Some(number);
            list.push(SealedEvent { id: event.id, digest: digest_of(&event)? });
            change.update(&event, hit.document.version)?;
            match self.follow_up(&event, (&mut follow_up, &mut synced), &mut change).await {
                // What an event is about may be damaged; the event is sealed all the same.
                Err(Error::Store(error @ StoreError::Corrupt { .. })) => {
                    tracing::error!(event = %event.id, %error, "nobody is told of an event");
                }
                followed => followed?,
            }
            if change.writes() + follow_up.writes() >= BLOCK_WRITES {
                break;
            }
        }
        let count = list.len();
        if count == 0 {
            return Ok(0);
        }
        follow_up.finish(&mut change)?;
        let block = AuditBlock::new(before.as_ref().map(|before| &before.value.head), list, change.now, crypto::sha256);
        change.create(&block)?;
        set_head(&mut change, before, block.head())?;
        change.commit().await?;
        metrics::counter!("chancery_events_sealed_total").increment(count as u64);
        Ok(count)
    }

    /// What an event leads to, once: in the commit that seals it.
    async fn follow_up(
        &self,
        event: &Event,
        (alerts, synced): (&mut FollowUp<'_>, &mut Synced),
        change: &mut Change<'_>,
    ) -> Result<(), Error> {
        alerts.tell(event, change).await?;
        self.follow_up_deployments(event, synced, change).await
    }

    /// The last block, to be kept elsewhere.
    pub(in crate::engine) async fn audit_head(&self) -> Result<Option<AuditHead>, Error> {
        Ok(self.find::<ChainHead>(ChainHead::ID).await?.map(|found| found.value.head))
    }

    /// The same, for product administrators.
    pub(in crate::engine) async fn see_audit_head(&self, actor: &Actor) -> Result<Option<AuditHead>, Error> {
        self.authorize_product(actor, "read the audit chain")?;
        self.audit_head().await
    }
}

fn set_head(change: &mut Change<'_>, before: Option<Versioned<ChainHead>>, head: AuditHead) -> Result<(), Error> {
    match before {
        Some(Versioned { value, version }) => change.update(&ChainHead { head, ..value }, version),
        None => change.create(&ChainHead { head, pruned: None }),
    }
}

/// The digest of an event as it is written when it is sealed.
fn digest_of(event: &Event) -> Result<String, Error> {
    let body = serde_json::to_value(event).map_err(Error::encoding)?;
    Ok(event_digest(&body, crypto::sha256))
}
