//! What makes a request happen once: an idempotency key, or the order that it fulfils. Whichever it is, it is written in the commit that
//! records the request.

use time::OffsetDateTime;

use super::context::Change;
use super::error::Error;
use super::renewal::Succession;
use super::submit::Idempotency;
use crate::domain::RequestId;
use crate::domain::acme::Order;
use crate::store::{Key, Version};

/// What makes a request happen once.
#[derive(Clone, Debug)]
pub(super) enum Once {
    /// The same key with the same content gets the same certificate.
    Key(Idempotency),
    /// An order has one certificate.
    Order(Box<Finalizing>),
}

/// An order that is finalized: it is open, and all that says that it is ready still stands, or nothing is recorded.
#[derive(Clone, Debug)]
pub(super) struct Finalizing {
    pub(super) order: Order,
    pub(super) version: Version,
    /// SHA-256 over the certificate request, hex.
    pub(super) csr: String,
    /// The account and its authorizations, as they were read.
    pub(super) rests_on: Vec<(Key, Version)>,
    /// The certificate that is replaced.
    pub(super) succession: Option<Succession>,
}

impl Once {
    /// Puts it into the commit that records `request`; what an idempotency key stands for is remembered for a day from `from`.
    pub(super) fn record(
        &self,
        request: RequestId,
        from: OffsetDateTime,
        change: &mut Change<'_>,
    ) -> Result<(), Error> {
        match self {
            Self::Key(key) => change.create(&key.replay(request, from)),
            Self::Order(finalizing) => {
                for (key, version) in &finalizing.rests_on {
                    change.check(key.clone(), *version);
                }
                change.update(&finalizing.order.finalized(request, finalizing.csr.clone()), finalizing.version)
            }
        }
    }

    /// The idempotency key.
    pub(super) fn key(&self) -> Option<&Idempotency> {
        match self {
            Self::Key(key) => Some(key),
            Self::Order(_) => None,
        }
    }

    /// The certificate that an order replaces.
    pub(super) fn succession(&self) -> Option<&Succession> {
        match self {
            Self::Key(_) => None,
            Self::Order(finalizing) => finalizing.succession.as_ref(),
        }
    }
}
