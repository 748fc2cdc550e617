//! Syncs: which certificates go to which target, under which name, and what becomes of each one there.

mod deployment;
mod remote;
mod selection;
mod spec;
mod template;

pub use deployment::{Deployment, DeploymentState, Placed, Wish, back_off};
pub use remote::{KeyNeed, NameRules, RemoteName, RemoteRef, TargetLimits, Withdrawal};
pub use selection::Selection;
pub use spec::{Fate, OnRenewal, Removal, RootInChain, SyncMode, SyncRecord, SyncSpec, SyncState};
pub use template::{NameTemplate, NameValues};
