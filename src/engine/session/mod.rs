//! The verbs in one actor's name.

use std::sync::Arc;

use super::context::Context;
use crate::domain::Actor;

/// The engine's verbs in the name of one actor. Cheap to make and to clone.
///
/// Every verb that names an Application asks the permission matrix ([`Action`](crate::domain::Action)); verbs on
/// issuers, policies and profiles are for product administrators.
///
/// # Errors
/// Any verb may fail with
/// - [`Error::NotFound`]: there is no such thing, or the actor may not know that there is;
/// - [`Error::Forbidden`]: the actor may see it, but has no role that may do this;
/// - [`Error::NotAdministrator`]: the verb is for product administrators;
/// - [`Error::Store`]: the store failed; after [`StoreError::Unknown`](crate::store::StoreError::Unknown) read to find out;
/// - [`Error::Entropy`]: the source of randomness failed, and nothing was written;
/// - [`Error::Contended`]: others changed the same things, and nothing was written.
///
/// What a verb fails with beside these is said there.
///
/// # Cancellation
/// A verb whose future is dropped has happened entirely or not at all, or has left a request that
/// [`Engine::run_due`](crate::engine::Engine::run_due) goes on with. Reading verbs change nothing, but for
/// [`private_key`](Self::private_key) and [`request`](Self::request), which record that a key was read.
///
/// [`Error::NotFound`]: crate::engine::Error::NotFound
/// [`Error::Forbidden`]: crate::engine::Error::Forbidden
/// [`Error::NotAdministrator`]: crate::engine::Error::NotAdministrator
/// [`Error::Store`]: crate::engine::Error::Store
/// [`Error::Entropy`]: crate::engine::Error::Entropy
/// [`Error::Contended`]: crate::engine::Error::Contended
#[derive(Clone, Debug)]
pub struct Session {
    context: Arc<Context>,
    actor: Actor,
}

/// Runs a verb and counts it by name and result.
macro_rules! verb {
    ($session:ident . $verb:ident ( $($argument:expr),* )) => {{
        let result = $session.context.$verb(&$session.actor $(, $argument)*).await;
        let outcome = if result.is_ok() { "ok" } else { "error" };
        metrics::counter!("chancery_verbs_total", "verb" => stringify!($verb), "outcome" => outcome).increment(1);
        result
    }};
}

mod acme;
mod alerts;
mod applications;
mod approvals;
mod catalog;
mod certificates;
mod product;
mod renewals;
mod revocation;
mod syncs;
mod tokens;

impl Session {
    pub(in crate::engine) fn new(context: Arc<Context>, actor: Actor) -> Self {
        Self { context, actor }
    }

    /// In whose name.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Whether the actor administers the product, as far as its right reaches.
    #[cfg(feature = "console")]
    pub(crate) fn administers_product(&self) -> bool {
        self.context.is_administrator(&self.actor)
    }
}
