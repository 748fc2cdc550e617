//! Renewals as documents: plans, meters of budgets, and walks that settings set going.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Entity, index, sortable};
use crate::domain::{ApplicationId, CertificateId, IssuerId, ProfileId, RenewalPlan, RenewalState, Urgency};
use crate::store::IndexEntry;

/// Plans by when they are due: `2026-…`.
pub(in crate::engine) const RENEWAL_DUE: &str = "renewal.due";
/// Plans that were found to be due while there was a backlog, by urgency and end: `1|2026-…`.
pub(in crate::engine) const RENEWAL_READY: &str = "renewal.ready";
/// Sorts behind everything in [`RENEWAL_READY`].
pub(in crate::engine) const READY_BOUND: &str = "~";
/// Blocked plans by what they wait for: `pol-…`.
pub(in crate::engine) const RENEWAL_BLOCKED: &str = "renewal.blocked";

impl Entity for RenewalPlan {
    const KIND: &'static str = "renewal";

    fn document_id(&self) -> String {
        self.lineage.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        let Some(due_at) = self.due_at() else {
            return match &self.state {
                RenewalState::Blocked { on, .. } => {
                    let waits = on.iter().map(|on| IndexEntry::new(RENEWAL_BLOCKED, on.id()));
                    waits.chain([self.over()]).collect()
                }
                _ => vec![self.over()],
            };
        };
        vec![IndexEntry::new(RENEWAL_DUE, sortable(due_at))]
    }
}

impl RenewalPlan {
    /// Where a plan waits that is due while there is a backlog.
    pub(in crate::engine) fn ready(&self) -> IndexEntry {
        let rank = match self.urgency {
            Urgency::Urgent => 0,
            Urgency::Usual => 1,
        };
        IndexEntry::new(RENEWAL_READY, format!("{rank}|{}", sortable(self.ends_at)))
    }

    /// A plan that waits for nothing in particular goes when its certificate has ended.
    fn over(&self) -> IndexEntry {
        IndexEntry::new(index::DUE, sortable(self.ends_at))
    }
}

/// How much of an issuer's budget is used.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::engine) struct RenewalMeter {
    pub(in crate::engine) issuer: IssuerId,
    /// The minute that is counted, in minutes since 1970.
    pub(in crate::engine) minute: i64,
    /// How many were begun in it.
    pub(in crate::engine) used: u32,
    /// When each worker that is busy gives its place back at the latest.
    pub(in crate::engine) places: Vec<MeterPlace>,
}

/// A worker's places below an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct MeterPlace {
    /// Whose: drawn at random.
    pub(in crate::engine) worker: u64,
    /// How many renewals it does at once.
    #[serde(default = "one")]
    pub(in crate::engine) count: u16,
    #[serde(with = "time::serde::rfc3339")]
    pub(in crate::engine) until: OffsetDateTime,
}

fn one() -> u16 {
    1
}

impl Entity for RenewalMeter {
    const KIND: &'static str = "renewal_meter";

    fn document_id(&self) -> String {
        self.issuer.to_string()
    }
}

/// Something was changed, and plans are to be looked at: page by page, as due work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::engine) struct RenewalWalk {
    pub(in crate::engine) id: String,
    pub(in crate::engine) over: WalkOver,
    /// The last place that was looked at: index value and document.
    pub(in crate::engine) after: Option<(String, String)>,
    #[serde(with = "time::serde::rfc3339")]
    pub(in crate::engine) since: OffsetDateTime,
}

/// Which plans a walk looks at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::engine) enum WalkOver {
    /// Those that wait for what has this id.
    Blocked(String),
    /// Those of the valid certificates of a profile, in one Application or in all.
    Certificates { profile: ProfileId, application: Option<ApplicationId> },
}

impl Entity for RenewalWalk {
    const KIND: &'static str = "renewal_walk";

    fn document_id(&self) -> String {
        self.id.clone()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(index::DUE, sortable(self.since))]
    }
}

/// The key of a lineage's plan.
pub(in crate::engine) fn plan_key(lineage: CertificateId) -> crate::store::Key {
    crate::store::Key::new(RenewalPlan::KIND, lineage.to_string())
}
