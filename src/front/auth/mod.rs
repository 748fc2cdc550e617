//! Who asks: the port, and what ships for it.

mod bearer;
mod mutual_tls;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use http::request::Parts;

pub use bearer::BearerTokens;
pub use mutual_tls::{ClientCertificate, ClientRule, MutualTls};

use crate::domain::Actor;

/// Finds out who sends a request.
///
/// # Contract
/// - It looks at the request's head alone. What it says holds for this request and no other.
/// - [`Unauthenticated::Absent`] is for requests without credentials of its kind, so that another may look;
///   [`Unauthenticated::Refused`] for those whose credentials are no good. It does not say what is wrong with them.
/// - Comparisons of secrets take the same time wherever they differ.
/// - It may be called any number of times at once, and dropping a future leaves nothing behind.
#[async_trait]
pub trait Authenticator: Debug + Send + Sync + 'static {
    /// Whoever sent the request.
    ///
    /// # Errors
    /// [`Unauthenticated`], as the contract says.
    async fn authenticate(&self, request: &Parts) -> Result<Actor, Unauthenticated>;
}

#[async_trait]
impl<A: Authenticator + ?Sized> Authenticator for Arc<A> {
    async fn authenticate(&self, request: &Parts) -> Result<Actor, Unauthenticated> {
        (**self).authenticate(request).await
    }
}

/// Why it is not known who asks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unauthenticated {
    /// The request bears no credentials of this kind.
    #[error("no credentials were presented")]
    Absent,
    /// The credentials are not good, or not any more.
    #[error("the credentials are not accepted")]
    Refused,
    /// It can not be told now.
    #[error("who asks can not be told now: {reason}")]
    Unavailable {
        /// What went wrong; for logs, not for whoever asks.
        reason: String,
    },
}

/// The first of several that finds credentials of its kind; what it says counts.
#[derive(Clone, Debug, Default)]
pub struct AnyOf(Vec<Arc<dyn Authenticator>>);

impl AnyOf {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also asks this one, after those before it.
    #[must_use]
    pub fn or(mut self, next: impl Authenticator) -> Self {
        self.0.push(Arc::new(next));
        self
    }
}

#[async_trait]
impl Authenticator for AnyOf {
    async fn authenticate(&self, request: &Parts) -> Result<Actor, Unauthenticated> {
        for each in &self.0 {
            match each.authenticate(request).await {
                Err(Unauthenticated::Absent) => {}
                found => return found,
            }
        }
        Err(Unauthenticated::Absent)
    }
}
