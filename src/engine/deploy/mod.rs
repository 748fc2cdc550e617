//! Deployments: certificates are brought to where syncs say, seen there, repaired, and removed.
//!
//! An event becomes a task ([`follow_up`]), the task the wish of a deployment, and due work does what the deployment wants
//! ([`work`]). A sync that is saved is walked over ([`walk`]). No verb ever waits for a target.

mod act;
mod follow_up;
mod lease;
mod mend;
mod status;
mod verbs;
mod walk;
mod wish;
mod work;

pub(in crate::engine) use follow_up::Synced;
pub use status::{DeploymentCounts, SyncHealth, SyncStatus};

use crate::domain::SyncRecord;
use crate::engine::error::Error;

/// A sync that was not found, or that the actor may not know of.
fn no_sync(id: impl std::fmt::Display) -> Error {
    Error::not_found(<SyncRecord as crate::engine::schema::Entity>::KIND, id)
}
