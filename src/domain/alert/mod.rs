//! Alerts: of what somebody wants to be told, and where.

mod channel;
mod delivery;
mod event;
mod filter;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

pub use channel::{Channel, ChannelKind, Confidential, DestinationRules, Hidden, Loopback};
pub(crate) use delivery::Attempt;
pub use delivery::Delivery;
pub(crate) use event::AlertEvent;
pub(crate) use filter::Facts;
pub use filter::{Filter, FilterField, FilterOperator};

use super::certificate::Octets;
use super::{AlertId, ApplicationId, Slug, Span};
use crate::x509::InvalidValue;

/// An alert as people write it.
///
/// ```
/// use chancery::domain::AlertSpec;
/// let spec: AlertSpec = serde_json::from_str(r#"{
///     "name": "ends-soon", "on": { "event": "expiration", "before": "14d" },
///     "filters": [{ "field": "san", "operator": "ends_with", "value": ".example.com" }],
///     "channels": [{ "type": "email", "to": ["ops@example.com"] }]
/// }"#)?;
/// assert!(spec.faults(None, &Default::default()).is_empty());
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertSpec {
    /// The name, unique within the Application, or among the alerts of the product.
    pub name: Slug,
    /// What it is for, at most 1000 characters.
    #[serde(default)]
    pub description: String,
    /// Whether it tells anything.
    #[serde(default)]
    pub state: AlertState,
    /// Of what it tells.
    pub on: AlertOn,
    /// Whether it reminds.
    #[serde(default)]
    pub repeat: Repeat,
    /// Of which certificates it tells: all filters must hold. At most 20.
    #[serde(default)]
    pub filters: Vec<Filter>,
    /// Where it tells it: 1 to 10.
    pub channels: Vec<Channel<Confidential>>,
}

/// Whether an alert tells anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// It does.
    #[default]
    Enabled,
    /// It does not; what happens meanwhile is not told later.
    Disabled,
}

/// Whether an alert on expiration reminds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// It tells of a certificate once.
    #[default]
    Once,
    /// Each day again, until the certificate has ended, is revoked, or was renewed.
    Daily,
}

/// Of what an alert tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum AlertOn {
    /// A certificate ends soon. Renewed and revoked ones are left out, and those of CAs.
    Expiration {
        /// How long before its notAfter; at most 365 days.
        before: Span,
    },
    /// A certificate was issued.
    Issuance,
    /// A certificate was issued in place of another.
    Renewal,
    /// A certificate was revoked.
    Revocation,
    /// A request was refused, or permitted and not signed.
    IssuanceFailed,
    /// A renewal failed, or can not go on.
    RenewalFailed,
    /// A certificate could not be delivered to a target.
    SyncFailed,
    /// A request waits for people to agree.
    ApprovalPending,
    /// Nobody decided on a request in time.
    ApprovalExpired,
    /// The certificate of an issuer ends soon. Only for alerts of the product.
    CaExpiry {
        /// How long before its notAfter; at most 3650 days.
        before: Span,
    },
    /// A certificate revocation list's nextUpdate is near. Only for alerts of the product.
    CrlExpiry {
        /// How long before nextUpdate; at most 365 days.
        before: Span,
    },
}

impl AlertOn {
    /// The lead of alerts on time.
    pub(crate) fn lead(self) -> Option<Span> {
        match self {
            Self::Expiration { before } | Self::CaExpiry { before } | Self::CrlExpiry { before } => Some(before),
            _ => None,
        }
    }

    fn is_of_the_product(self) -> bool {
        matches!(self, Self::CaExpiry { .. } | Self::CrlExpiry { .. })
    }

    /// For how long the same is not told again: by the lead of alerts on time; an hour for failures; for anything else
    /// each event is told.
    pub fn window(self) -> Option<Duration> {
        match self {
            Self::IssuanceFailed | Self::RenewalFailed | Self::SyncFailed => Some(Duration::hours(1)),
            on => on.lead().map(window_of),
        }
    }

    /// The `type` of its CloudEvents.
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Self::Expiration { .. } => "chancery.certificate.expiry",
            Self::Issuance => "chancery.certificate.issuance",
            Self::Renewal => "chancery.certificate.renewal",
            Self::Revocation => "chancery.certificate.revocation",
            Self::IssuanceFailed => "chancery.certificate.issuance-failed",
            Self::RenewalFailed => "chancery.certificate.renewal-failed",
            Self::SyncFailed => "chancery.certificate.sync-failed",
            Self::ApprovalPending => "chancery.request.approval-pending",
            Self::ApprovalExpired => "chancery.request.approval-expired",
            Self::CaExpiry { .. } => "chancery.ca.expiry",
            Self::CrlExpiry { .. } => "chancery.crl.expiry",
        }
    }
}

fn window_of(lead: Span) -> Duration {
    let table = [(Span::days(0), 24), (Span::days(1), 8), (Span::days(7), 24), (Span::days(30), 48)];
    let row = table.into_iter().chain([(Span::days(90), 168)]).find(|(upto, _)| lead <= *upto);
    Duration::hours(row.map_or(720, |(_, hours)| hours))
}

impl AlertSpec {
    /// An alert without filters and channels.
    pub fn new(name: Slug, on: AlertOn) -> Self {
        Self {
            name,
            description: String::new(),
            state: AlertState::default(),
            on,
            repeat: Repeat::default(),
            filters: Vec::new(),
            channels: Vec::new(),
        }
    }

    /// Also tells it there.
    #[must_use]
    pub fn channel(mut self, channel: Channel<Confidential>) -> Self {
        self.channels.push(channel);
        self
    }

    /// Only tells of what the filter lets pass.
    #[must_use]
    pub fn filter(mut self, field: FilterField, operator: FilterOperator, value: &str) -> Self {
        self.filters.push(Filter { field, operator, value: value.to_owned() });
        self
    }

    /// Every fault with its path, for an alert of `application`, or of the product.
    pub fn faults(&self, application: Option<ApplicationId>, rules: &DestinationRules) -> Vec<(String, InvalidValue)> {
        let mut faults = self.own_faults(application);
        for (at, filter) in self.filters.iter().enumerate() {
            let found = filter.faults(application.is_none()).into_iter();
            faults.extend(found.map(|(field, error)| (format!("filters[{at}].{field}"), error)));
        }
        for (at, channel) in self.channels.iter().enumerate() {
            let found = channel.faults(rules).into_iter();
            faults.extend(found.map(|(field, error)| (format!("channels[{at}].{field}"), error)));
        }
        faults
    }

    fn own_faults(&self, application: Option<ApplicationId>) -> Vec<(String, InvalidValue)> {
        let mut faults = Vec::new();
        let mut fault = |field: &str, what, seen: String, accepted: &'static str| {
            faults.push((field.to_owned(), InvalidValue::new(what, seen, accepted)));
        };
        if self.description.chars().count() > 1000 {
            fault("description", "description", self.description.clone(), "at most 1000 characters");
        }
        let longest = Span::days(if matches!(self.on, AlertOn::CaExpiry { .. }) { 3650 } else { 365 });
        if let Some(lead) = self.on.lead().filter(|lead| *lead > longest) {
            fault("on.before", "lead", lead.to_string(), "at most 365 days, 3650 days for CAs");
        }
        if application.is_some() && self.on.is_of_the_product() {
            fault("on", "event", self.on.type_name().to_owned(), "an event of Applications; this one is the product's");
        }
        if self.repeat == Repeat::Daily && !matches!(self.on, AlertOn::Expiration { .. }) {
            fault("repeat", "repeat", "daily".to_owned(), "`once`: only alerts on expiration remind");
        }
        if self.filters.len() > 20 {
            fault("filters", "filters", format!("{} filters", self.filters.len()), "at most 20");
        }
        if !(1..=10).contains(&self.channels.len()) {
            fault("channels", "channels", format!("{} channels", self.channels.len()), "1 to 10");
        }
        faults
    }
}

/// An alert as it is kept; `S` is what stands for the secrets of its channels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertRecord<S> {
    /// Its id.
    pub id: AlertId,
    /// The Application whose certificates it is about; `None` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationId>,
    /// The name.
    pub name: Slug,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Whether it tells anything.
    pub state: AlertState,
    /// Of what it tells.
    pub on: AlertOn,
    /// Whether it reminds.
    pub repeat: Repeat,
    /// Of which certificates it tells.
    #[serde(default)]
    pub filters: Vec<Filter>,
    /// Where it tells it.
    pub channels: Vec<Channel<S>>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// An alert as it is shown: that a channel has a secret, not which.
pub type Alert = AlertRecord<Hidden>;

impl AlertRecord<Octets> {
    /// The alert with its secrets hidden.
    pub(crate) fn shown(&self) -> Alert {
        AlertRecord {
            id: self.id,
            application: self.application,
            name: self.name.clone(),
            description: self.description.clone(),
            state: self.state,
            on: self.on,
            repeat: self.repeat,
            filters: self.filters.clone(),
            channels: self
                .channels
                .iter()
                .map(|channel| channel.with_secret(channel.secret().map(|_| Hidden)))
                .collect(),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oracle_26_deduplication_windows() {
        let table = [
            ("0d", 24),
            ("1h", 8),
            ("1d", 8),
            ("25h", 24),
            ("7d", 24),
            ("8d", 48),
            ("30d", 48),
            ("31d", 168),
            ("90d", 168),
            ("91d", 720),
            ("365d", 720),
        ];
        for (lead, hours) in table {
            let on = AlertOn::Expiration { before: lead.parse().unwrap() };
            assert_eq!(on.window(), Some(Duration::hours(hours)), "{lead}");
        }
        assert_eq!(AlertOn::Issuance.window(), None, "event alerts are immediate");
    }

    #[test]
    fn every_fault_at_once() {
        let mut spec = AlertSpec::new("a".parse().unwrap(), AlertOn::CrlExpiry { before: Span::days(400) });
        spec.description = "x".repeat(1001);
        spec.repeat = Repeat::Daily;
        let spec = spec.filter(FilterField::Application, FilterOperator::Equals, "");
        let spec = spec.channel(Channel::Email { to: vec!["nobody".into()] });
        let application = ApplicationId::new(time::macros::datetime!(2026-01-01 0:00 UTC), [1; 10]);
        let faults = spec.faults(Some(application), &DestinationRules::default());
        let fields: Vec<&str> = faults.iter().map(|(field, _)| field.as_str()).collect();
        let expected =
            ["description", "on.before", "on", "repeat", "filters[0].field", "filters[0].value", "channels[0].to[0]"];
        assert_eq!(fields, expected);
        let none = AlertSpec::new("a".parse().unwrap(), AlertOn::Issuance);
        assert_eq!(none.faults(None, &DestinationRules::default())[0].0, "channels");
    }
}
