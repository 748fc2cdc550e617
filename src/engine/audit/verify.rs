//! Checking the trail against what is sealed, page by page.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::crypto;
use crate::domain::{
    Actor, AuditBlock, AuditFault, AuditHead, AuditReport, BlockEvents, Event, EventKind, SealedEvent, event_digest,
};
use crate::engine::context::{Context, decode};
use crate::engine::error::Error;
use crate::engine::schema::{ChainHead, Entity, Pruning, index};
use crate::store::{Document, Hit, Key, Over, Scan};

/// Blocks read at once: each leads to as many events as it seals.
const BLOCKS_PAGE: usize = 20;
const EVENTS_PAGE: usize = 500;

/// What a walk knows so far.
struct Walk {
    report: AuditReport,
    /// The block that the next one must follow.
    last: Option<AuditHead>,
    known: Option<AuditHead>,
    /// Where the caller begins, and the first block that is still there.
    from: u64,
    first: u64,
    pruned_through: u64,
    last_pruned: Option<u64>,
}

impl Context {
    /// Walks the chain from a block on, and the events, and reports what is wrong.
    pub(in crate::engine) async fn verify_audit(
        &self,
        actor: &Actor,
        from: u64,
        known: Option<AuditHead>,
    ) -> Result<AuditReport, Error> {
        self.authorize_product(actor, "verify the audit trail")?;
        let from = from.max(1);
        let pruning = self.told_pruning().await?;
        let pruned_through = pruning.as_ref().map_or(0, |pruning| pruning.through);
        // Of what is pruned the last block stands for all.
        let first = from.max(pruned_through);
        let pruned = pruning.filter(|pruning| from <= pruning.through).map_or(0, |pruning| pruning.events);
        let report = AuditReport { pruned, ..AuditReport::default() };
        let mut walk = Walk { report, last: None, known, from, first, pruned_through, last_pruned: None };
        if first > 1 {
            let before = self.find::<AuditBlock>(&AuditBlock::id_of(first - 1)).await?;
            walk.last = before.map(|block| block.value.head());
        }
        self.walk_blocks(&mut walk).await?;
        self.check_ends(&mut walk).await?;
        self.walk_events(&mut walk).await?;
        walk.report.head = walk.last;
        Ok(walk.report)
    }

    async fn walk_blocks(&self, walk: &mut Walk) -> Result<(), Error> {
        let mut scan = Scan::new(Over::Kind(AuditBlock::KIND.into()), BLOCKS_PAGE);
        scan.from = Some(AuditBlock::id_of(walk.first));
        loop {
            let hits = self.store.scan(&scan).await?;
            for hit in &hits {
                self.check_block(hit, walk).await?;
            }
            tracing::info!(blocks = walk.report.blocks, events = walk.report.events, "audit trail: blocks checked");
            if hits.len() < scan.limit {
                return Ok(());
            }
            scan.after = hits.last().map(Hit::cursor);
        }
    }

    async fn check_block(&self, hit: &Hit, walk: &mut Walk) -> Result<(), Error> {
        let expected = walk.last.as_ref().map_or(walk.first, |last| last.number + 1);
        let number = hit.document.key.id.parse::<u64>().unwrap_or_default();
        walk.report.blocks += 1;
        let missing = expected..number.min(expected.saturating_add(1000));
        walk.report.faults.extend(missing.map(|block| AuditFault::BlockRemoved { block }));
        let Ok(block) = decode::<AuditBlock>(&hit.document.key, &hit.document.body) else {
            walk.report.faults.push(AuditFault::BlockChanged { block: number });
            walk.last = Some(AuditHead { number, hash: String::new() });
            return Ok(());
        };
        if !block.is_whole(crypto::sha256) {
            walk.report.faults.push(AuditFault::BlockChanged { block: number });
        }
        let follows = match &walk.last {
            Some(last) => last.hash == block.previous || number != expected,
            None => number > 1 || block.previous.is_empty(),
        };
        if block.number != number || !follows {
            walk.report.faults.push(AuditFault::BlockMisplaced { block: number });
        }
        if walk.known.as_ref().is_some_and(|known| known.number == number && known.hash != block.hash) {
            walk.report.faults.push(AuditFault::NotTheChainKnown { block: number });
        }
        walk.last = Some(AuditHead { number, hash: block.hash.clone() });
        match &block.events {
            BlockEvents::Kept { list } => self.check_events(number, list, walk).await,
            BlockEvents::Pruned => {
                walk.last_pruned = Some(number);
                Ok(())
            }
        }
    }

    async fn check_events(&self, block: u64, list: &[SealedEvent], walk: &mut Walk) -> Result<(), Error> {
        let keys: Vec<Key> = list.iter().map(|each| Key::new(Event::KIND, each.id.to_string())).collect();
        let documents = self.store.get(&keys).await?;
        for (each, document) in list.iter().zip(documents) {
            walk.report.events += 1;
            let fault = match document.as_ref().and_then(read) {
                Some(body) if is_as_sealed(&body, each, block) => continue,
                None if document.is_none() => {
                    // It may have been pruned since the block was read.
                    let now = self.find::<AuditBlock>(&AuditBlock::id_of(block)).await?;
                    if now.is_some_and(|block| block.value.events == BlockEvents::Pruned) {
                        continue;
                    }
                    AuditFault::EventRemoved { event: each.id, block }
                }
                _ => AuditFault::EventChanged { event: each.id, block },
            };
            walk.report.faults.push(fault);
        }
        Ok(())
    }

    /// The head must be the last block's, and what was pruned must be told of.
    async fn check_ends(&self, walk: &mut Walk) -> Result<(), Error> {
        let last = walk.last.as_ref().map_or(0, |last| last.number);
        if let Some(known) = walk.known.as_ref().filter(|known| known.number > last) {
            walk.report.faults.push(AuditFault::NotTheChainKnown { block: known.number });
        }
        let chain = self.find::<ChainHead>(ChainHead::ID).await?.map(|found| found.value);
        let Some(chain) = chain else {
            if last > 0 {
                walk.report.faults.push(AuditFault::HeadChanged { head: 0 });
            }
            return Ok(());
        };
        // Blocks that were sealed during the walk lie behind its end, and are checked the next time.
        let at_head = self.find::<AuditBlock>(&AuditBlock::id_of(chain.head.number)).await?;
        match at_head {
            None => walk.report.faults.push(AuditFault::BlockRemoved { block: chain.head.number }),
            Some(block) if block.value.hash != chain.head.hash || chain.head.number < last => {
                walk.report.faults.push(AuditFault::HeadChanged { head: chain.head.number });
            }
            Some(_) => {}
        }
        // The last block without events must lie within what the last event of pruning says. It may have gone on meanwhile.
        let through = self.told_pruning().await?.map_or(0, |pruning| pruning.through).max(walk.pruned_through);
        if let Some(block) = walk.last_pruned.filter(|block| *block > through) {
            walk.report.faults.push(AuditFault::PruningUntold { block });
        }
        Ok(())
    }

    /// What of the trail is pruned, if an event tells of it.
    async fn told_pruning(&self) -> Result<Option<Pruning>, Error> {
        let chain = self.find::<ChainHead>(ChainHead::ID).await?;
        let Some(pruning) = chain.and_then(|chain| chain.value.pruned) else { return Ok(None) };
        let told = self.find::<Event>(&pruning.told_by.to_string()).await?;
        let is_told = told.is_some_and(
            |told| matches!(told.value.kind, EventKind::AuditPruned { through, .. } if through == pruning.through),
        );
        Ok(is_told.then_some(pruning))
    }

    /// Every event must be in the block that it names, or wait to be sealed.
    async fn walk_events(&self, walk: &mut Walk) -> Result<(), Error> {
        let mut scan = Scan::new(Over::Kind(Event::KIND.into()), EVENTS_PAGE);
        let mut members: Option<(u64, BTreeSet<String>)> = None;
        let mut seen: u64 = 0;
        loop {
            let hits = self.store.scan(&scan).await?;
            for hit in &hits {
                let id = &hit.document.key.id;
                let sealed = read(&hit.document).and_then(|body| body.get("sealed").and_then(Value::as_u64));
                let is_known = match sealed {
                    Some(block) if (1..walk.from).contains(&block) => true,
                    Some(block) => {
                        if members.as_ref().is_none_or(|(number, _)| *number != block) {
                            members = Some((block, self.members_of(block).await?));
                        }
                        members.as_ref().is_some_and(|(_, members)| members.contains(id))
                    }
                    None => self.waits_or_was_sealed(id).await?,
                };
                if !is_known {
                    walk.report.faults.push(AuditFault::EventAdded { event: id.clone() });
                }
            }
            seen += hits.len() as u64;
            tracing::info!(events = seen, "audit trail: events compared with the blocks");
            if hits.len() < scan.limit {
                return Ok(());
            }
            scan.after = hits.last().map(Hit::cursor);
        }
    }

    async fn members_of(&self, block: u64) -> Result<BTreeSet<String>, Error> {
        let found = self.find::<AuditBlock>(&AuditBlock::id_of(block)).await.ok().flatten();
        Ok(match found.map(|found| found.value.events) {
            Some(BlockEvents::Kept { list }) => list.iter().map(|each| each.id.to_string()).collect(),
            Some(BlockEvents::Pruned) | None => BTreeSet::new(),
        })
    }

    /// Whether an event that was read as unsealed has its entry among the unsealed, or was sealed since.
    async fn waits_or_was_sealed(&self, id: &str) -> Result<bool, Error> {
        let mut scan = Scan::new(Over::Index(index::EVENT_UNSEALED.into()), 1);
        scan.from = Some(id.to_owned());
        scan.to = Some(format!("{id}\u{1}"));
        if !self.store.scan(&scan).await?.is_empty() {
            return Ok(true);
        }
        let found = self.store.get(&[Key::new(Event::KIND, id)]).await?;
        let found = found.into_iter().flatten().next();
        // Gone means pruned since; whether it may have been is seen at its block.
        Ok(found
            .is_none_or(|document| read(&document).is_some_and(|body| body.get("sealed").is_some_and(Value::is_u64))))
    }
}

fn read(document: &Document) -> Option<Value> {
    serde_json::from_slice(&document.body).ok()
}

fn is_as_sealed(body: &Value, sealed: &SealedEvent, block: u64) -> bool {
    let names_it = body.get("sealed").and_then(Value::as_u64) == Some(block);
    names_it && event_digest(body, crypto::sha256) == sealed.digest
}
