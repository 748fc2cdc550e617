//! How long what is over is kept.

use serde::{Deserialize, Serialize};

use crate::domain::Span;
use crate::x509::InvalidValue;

/// How long what is over is kept; `None` for ever. The same on every node, or the shortest wins.
///
/// ```
/// use chancery::domain::Span;
/// use chancery::engine::{Engine, Retention};
/// let builder = Engine::builder().retention(Retention { certificates: Some(Span::days(7)), ..Retention::default() });
/// # drop(builder);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Certificates and their private keys, from notAfter on; 90 days. An issuer's own stay with the issuer.
    pub certificates: Option<Span>,
    /// Requests that came to nothing, from their end on; 90 days. A request with a certificate goes with the certificate.
    pub requests: Option<Span>,
    /// Events that are sealed in the audit chain, and mass revocations that are over; 400 days. The chain goes on from the
    /// last block that was pruned.
    pub events: Option<Span>,
}

impl Default for Retention {
    fn default() -> Self {
        Self { certificates: Some(Span::days(90)), requests: Some(Span::days(90)), events: Some(Span::days(400)) }
    }
}

impl Retention {
    /// A retention of nothing would remove what has just ended.
    pub(in crate::engine) fn faults(&self) -> Vec<(String, InvalidValue)> {
        let spans = [("certificates", self.certificates), ("requests", self.requests), ("events", self.events)];
        let too_short =
            spans.into_iter().filter_map(|(name, span)| Some((name, span?))).filter(|(_, span)| *span < SHORTEST);
        let fault = |(name, span): (&str, Span)| {
            let error = InvalidValue::new("duration", span.to_string(), format!("at least {SHORTEST}, or none"));
            (format!("retention.{name}"), error)
        };
        too_short.map(fault).collect()
    }
}

const SHORTEST: Span = Span::hours(1);
