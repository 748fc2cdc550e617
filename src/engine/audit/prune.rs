//! Pruning the trail: old events go with their blocks, but for the last of these, which the chain goes on from.

use time::OffsetDateTime;

use crate::domain::{Actor, AuditBlock, BlockEvents, Event, EventId, EventKind, SealedEvent};
use crate::engine::context::{Context, Versioned};
use crate::engine::error::Error;
use crate::engine::schema::{ChainHead, Entity, Notification, Pruning, index};
use crate::store::{Key, Over, Scan};

impl Context {
    /// The same for a product administrator, whatever the retention says.
    pub(in crate::engine) async fn prune_audit(
        &self,
        actor: &Actor,
        before: OffsetDateTime,
        limit: usize,
    ) -> Result<usize, Error> {
        self.authorize_product(actor, "prune the audit trail")?;
        match self.prune_events(before, limit).await {
            Err(error) if error.is_conflict() => Err(Error::Contended),
            pruned => pruned,
        }
    }

    /// Removes the events of blocks that were sealed before an instant, oldest block first, until `limit` events are gone;
    /// answers how many. A block stays, and ends the walk, while a notification refers to one of its events. Each block
    /// is one commit, so that a walk that was cut off is simply begun again.
    pub(in crate::engine) async fn prune_events(&self, before: OffsetDateTime, limit: usize) -> Result<usize, Error> {
        let mut removed = 0;
        while removed < limit {
            match self.prune_block(before).await? {
                Some(count) => removed += count,
                None => break,
            }
        }
        Ok(removed)
    }

    /// Prunes the oldest block that has events, if its time has come.
    async fn prune_block(&self, before: OffsetDateTime) -> Result<Option<usize>, Error> {
        let Some(Versioned { value: mut chain, version }) = self.find::<ChainHead>(ChainHead::ID).await? else {
            return Ok(None);
        };
        let number = chain.pruned.as_ref().map_or(1, |pruned| pruned.through + 1);
        let Some(block) = self.find::<AuditBlock>(&AuditBlock::id_of(number)).await? else { return Ok(None) };
        let BlockEvents::Kept { list } = &block.value.events else { return Ok(None) };
        if block.value.sealed_at >= before || self.is_referred_to(list).await? {
            return Ok(None);
        }
        let mut change = self.change_by_engine()?;
        let keys: Vec<Key> = list.iter().map(|each| Key::new(Event::KIND, each.id.to_string())).collect();
        let count = list.len();
        for document in self.store.get(&keys).await?.into_iter().flatten() {
            change.remove(&document);
        }
        // One block without events is enough to say what the next one follows.
        if let Some(before) = self.find::<AuditBlock>(&AuditBlock::id_of(number.saturating_sub(1))).await? {
            change.delete(&before.value, before.version);
        }
        let told_by = change.told(None, EventKind::AuditPruned { through: number, count: count as u64 })?;
        let earlier = chain.pruned.as_ref().map_or(0, |pruned| pruned.events);
        chain.pruned = Some(Pruning { through: number, told_by, events: earlier + count as u64 });
        change.update(&chain, version)?;
        change.update(&AuditBlock { events: BlockEvents::Pruned, ..block.value.clone() }, block.version)?;
        change.commit().await?;
        Ok(Some(count))
    }

    /// Whether a notification tells of an event between the first and the last of a block.
    async fn is_referred_to(&self, list: &[SealedEvent]) -> Result<bool, Error> {
        let ids = || list.iter().map(|each| each.id);
        let Some((first, last)) = ids().min().zip(ids().max()) else { return Ok(false) };
        let mut scan = Scan::new(Over::Index(index::NOTIFICATION_EVENT.into()), 100);
        scan.from = Some(first.to_string());
        scan.to = Some(format!("{last}\u{1}"));
        loop {
            let hits = self.store.scan(&scan).await?;
            let within = |id: &str| id.parse::<EventId>().is_ok_and(|id| ids().any(|each| each == id));
            if hits.iter().any(|hit| hit.document.key.kind == Notification::KIND && within(&hit.value)) {
                return Ok(true);
            }
            if hits.len() < scan.limit {
                return Ok(false);
            }
            scan.after = hits.last().map(crate::store::Hit::cursor);
        }
    }
}
