//! The trail as the invariants see it: every event written once and sealed once, in blocks without gaps.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use crate::domain::{AuditBlock, BlockEvents, Event, EventId};
use crate::simulation::failure::{Invariant, Verdict};
use crate::store::Key;

/// Events and blocks.
#[derive(Debug, Default)]
pub(in crate::simulation) struct Trail {
    events: BTreeMap<EventId, Mark>,
    /// How many events say that they are in a block, by its number.
    sealed: BTreeMap<u64, usize>,
    /// How many a block says that it has.
    blocks: BTreeMap<u64, usize>,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    at: OffsetDateTime,
    block: Option<u64>,
}

const TRAIL: Invariant = Invariant::Trail;

impl Trail {
    pub(super) fn record(&mut self, event: &Event) -> Verdict {
        let (id, block) = (event.id, event.sealed);
        match self.events.insert(id, Mark { at: event.at, block }) {
            Some(Mark { block: Some(block), .. }) => {
                return Err(TRAIL.broken(format_args!("{id} was sealed in block {block} and is written again")));
            }
            Some(_) => TRAIL.holds(block.is_some(), || format!("{id} is written twice"))?,
            None => TRAIL.holds(block.is_none(), || format!("{id} was sealed before it happened"))?,
        }
        if let Some(block) = block {
            *self.sealed.entry(block).or_default() += 1;
        }
        Ok(())
    }

    pub(super) fn seal(&mut self, block: &AuditBlock) -> Verdict {
        let number = block.number;
        if self.blocks.get(&number) == Some(&block.count) && matches!(block.events, BlockEvents::Pruned) {
            return Ok(());
        }
        let last = self.blocks.last_key_value().map_or(0, |(number, _)| *number);
        TRAIL.holds(number == last + 1, || format!("block {number} follows block {last}"))?;
        self.blocks.insert(number, block.count);
        Ok(())
    }

    /// Old events go, but only sealed ones.
    pub(super) fn prune(&mut self, key: &Key) -> Verdict {
        let pruned = key.id.parse().ok().and_then(|id: EventId| self.events.remove(&id));
        let is_sealed = pruned.is_some_and(|mark| mark.block.is_some());
        TRAIL.holds(is_sealed, || format!("{key} was removed before it was sealed"))
    }

    /// After a commit: a block and its events were sealed together.
    pub(super) fn judge(&self) -> Verdict {
        let Some((number, count)) = self.blocks.last_key_value() else { return Ok(()) };
        let marked = self.sealed.get(number).copied().unwrap_or(0);
        TRAIL.holds(marked == *count, || format!("block {number} of {count} events has {marked}"))
    }

    pub(in crate::simulation) fn len(&self) -> usize {
        self.events.len()
    }

    /// In the end: nothing that happened before `then` is left unsealed.
    pub(in crate::simulation) fn judge_end(&self, then: OffsetDateTime) -> Verdict {
        let left = self.events.iter().find(|(_, mark)| mark.block.is_none() && mark.at < then);
        TRAIL.holds(left.is_none(), || format!("{:?} is in no block", left.map(|(id, _)| id)))
    }
}
