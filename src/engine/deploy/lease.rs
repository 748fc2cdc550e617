//! One worker at a target at a time, in any number of processes.

use time::{Duration, OffsetDateTime};

use super::act::MOST_CALLS;
use crate::domain::Slug;
use crate::engine::context::{Change, Context, Versioned};
use crate::engine::error::Error;
use crate::engine::schema::TargetLease;
use crate::store::Version;
use crate::target::SyncTarget;

/// Whether a target may be called.
#[derive(Debug)]
pub(super) enum Access {
    /// Nobody else is at it; what there is of a lease is to be replaced.
    Free(Option<Version>),
    /// Another worker is, or it wants to be left alone, until then.
    Taken(OffsetDateTime),
}

impl Context {
    pub(super) async fn access(&self, target: &Slug, now: OffsetDateTime) -> Result<Access, Error> {
        Ok(match self.find::<TargetLease>(target.as_str()).await? {
            None => Access::Free(None),
            Some(Versioned { value, version }) if value.until <= now => Access::Free(Some(version)),
            Some(lease) => Access::Taken(lease.value.until),
        })
    }
}

/// How long a target is one worker's: longer than the few calls that are made under one lease can take.
pub(super) fn length(target: &dyn SyncTarget) -> Duration {
    Duration::try_from(target.limits().longest_call * (MOST_CALLS + 1)).unwrap_or(Duration::DAY)
}

/// Takes the target, or gives it back, until `until`: whoever comes with an older version loses the whole commit.
pub(super) fn hold(
    target: &Slug,
    version: Option<Version>,
    until: OffsetDateTime,
    change: &mut Change<'_>,
) -> Result<(), Error> {
    let lease = TargetLease { target: target.clone(), until };
    match version {
        Some(version) => change.update(&lease, version),
        None => change.create(&lease),
    }
}
