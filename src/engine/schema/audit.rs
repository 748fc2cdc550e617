//! How the audit chain is kept: its blocks, and its head with what was pruned.

use serde::{Deserialize, Serialize};

use super::Entity;
use crate::domain::{AuditBlock, AuditHead, EventId};
use crate::store::IndexEntry;

/// Where the head of the chain waits for the next worker that seals.
pub(in crate::engine) const AUDIT_TURN: &str = "audit.turn";

/// The end of the chain: who seals must have read it, and replaces it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::engine) struct ChainHead {
    pub(in crate::engine) head: AuditHead,
    /// What the retention has removed, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::engine) pruned: Option<Pruning>,
}

/// How far events were removed, and the event that tells of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::engine) struct Pruning {
    pub(in crate::engine) through: u64,
    pub(in crate::engine) told_by: EventId,
    /// How many events went, all in all.
    pub(in crate::engine) events: u64,
}

impl ChainHead {
    /// The only one.
    pub(in crate::engine) const ID: &'static str = "head";
}

impl Entity for ChainHead {
    const KIND: &'static str = "audit_head";

    fn document_id(&self) -> String {
        Self::ID.to_owned()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        // At once: who seals when is not a matter of time.
        vec![IndexEntry::new(AUDIT_TURN, "")]
    }
}

impl AuditBlock {
    /// The id of a block's document: ids sort as numbers do.
    pub(in crate::engine) fn id_of(number: u64) -> String {
        format!("{number:020}")
    }
}

impl Entity for AuditBlock {
    const KIND: &'static str = "audit_block";

    fn document_id(&self) -> String {
        Self::id_of(self.number)
    }
}
