//! Alerts and their notifications.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Moment, PrivateText};
use crate::domain::{
    Alert, AlertId, AlertOn, AlertSpec, AlertState, ApplicationId, Channel, Confidential, Delivery, Filter,
    FilterField, FilterOperator, Hidden, NotificationId, Repeat, Slug, Span,
};
use crate::engine::{ChannelTest, Notification};
use crate::front::{Code, Fault, Problem};

/// An alert to be saved.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct AlertBody {
    /// The name, unique in the Application, or among the alerts of the product.
    name: Slug,
    /// What it is for.
    #[serde(default)]
    description: String,
    /// Of what it tells.
    event_type: EventType,
    /// How long before the end; for `expiration`, `ca_expiry` and `crl_expiry`, which need it.
    #[serde(default)]
    alert_before: Option<Span>,
    /// Of which certificates it tells: all must hold.
    #[serde(default)]
    filters: Vec<FilterBody>,
    /// Whether it tells anything.
    #[serde(default = "yes")]
    enabled: bool,
    /// Whether an alert on expiration reminds each day.
    #[serde(default)]
    enable_daily_notification: bool,
    /// Where it tells it: 1 to 10. Secrets are never shown again, and each saving must bring them along.
    channels: Vec<ChannelBody>,
}

fn yes() -> bool {
    true
}

/// Of what an alert tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum EventType {
    Expiration,
    Issuance,
    Renewal,
    Revocation,
    IssuanceFailed,
    RenewalFailed,
    SyncFailed,
    ApprovalPending,
    ApprovalExpired,
    CaExpiry,
    CrlExpiry,
}

/// One condition on certificates.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FilterBody {
    /// What is compared.
    field: FilterField,
    /// How.
    operator: FilterOperator,
    /// With what.
    value: String,
}

/// Where an alert tells.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "channelType", content = "config", rename_all = "snake_case", deny_unknown_fields)]
enum ChannelBody {
    /// A CloudEvent, posted to an address.
    #[serde(rename_all = "camelCase")]
    Webhook {
        /// The address, https.
        url: String,
        /// What the messages are signed with.
        #[serde(default)]
        secret: Option<PrivateText>,
    },
    /// Mail.
    #[serde(rename_all = "camelCase")]
    Email {
        /// The addresses, 1 to 10.
        recipients: Vec<String>,
    },
    /// A Slack channel.
    #[serde(rename_all = "camelCase")]
    Slack {
        /// Its incoming webhook, a secret.
        webhook_url: PrivateText,
    },
    /// A PagerDuty service.
    #[serde(rename_all = "camelCase")]
    PagerDuty {
        /// Its integration key, a secret.
        integration_key: PrivateText,
    },
    /// A notifier of the host's.
    #[serde(rename_all = "camelCase")]
    Custom {
        /// The name that the host gave it.
        notifier: Slug,
        /// Where to.
        to: String,
    },
}

impl From<ChannelBody> for Channel<Confidential> {
    fn from(channel: ChannelBody) -> Self {
        let confidential = |text: PrivateText| Confidential::new(text.0.expose_text());
        match channel {
            ChannelBody::Webhook { url, secret } => Self::Webhook { url, secret: secret.map(confidential) },
            ChannelBody::Email { recipients } => Self::Email { to: recipients },
            ChannelBody::Slack { webhook_url } => Self::Slack { url: confidential(webhook_url) },
            ChannelBody::PagerDuty { integration_key } => {
                Self::PagerDuty { routing_key: confidential(integration_key) }
            }
            ChannelBody::Custom { notifier, to } => Self::Custom { notifier, to },
        }
    }
}

impl AlertBody {
    /// The alert as the engine takes it.
    pub(in crate::front::api) fn spec(self) -> Result<AlertSpec, Problem> {
        let refused = |problem: &str, said: &str| {
            Err(Problem::new(Code::InvalidValue, said).with([Fault::said("alertBefore", problem, said)]))
        };
        let on = match (self.event_type, self.alert_before) {
            (EventType::Expiration, Some(before)) => AlertOn::Expiration { before },
            (EventType::CaExpiry, Some(before)) => AlertOn::CaExpiry { before },
            (EventType::CrlExpiry, Some(before)) => AlertOn::CrlExpiry { before },
            (EventType::Expiration | EventType::CaExpiry | EventType::CrlExpiry, None) => {
                return refused("missing", "how long before the end must be said");
            }
            (_, Some(_)) => return refused("conflict", "only what comes with time has a time before it"),
            (EventType::Issuance, None) => AlertOn::Issuance,
            (EventType::Renewal, None) => AlertOn::Renewal,
            (EventType::Revocation, None) => AlertOn::Revocation,
            (EventType::IssuanceFailed, None) => AlertOn::IssuanceFailed,
            (EventType::RenewalFailed, None) => AlertOn::RenewalFailed,
            (EventType::SyncFailed, None) => AlertOn::SyncFailed,
            (EventType::ApprovalPending, None) => AlertOn::ApprovalPending,
            (EventType::ApprovalExpired, None) => AlertOn::ApprovalExpired,
        };
        let filter = |FilterBody { field, operator, value }| Filter { field, operator, value };
        Ok(AlertSpec {
            name: self.name,
            description: self.description,
            state: if self.enabled { AlertState::Enabled } else { AlertState::Disabled },
            on,
            repeat: if self.enable_daily_notification { Repeat::Daily } else { Repeat::Once },
            filters: self.filters.into_iter().map(filter).collect(),
            channels: self.channels.into_iter().map(Into::into).collect(),
        })
    }
}

/// The field of an alert as its client wrote it.
pub(in crate::front::api) fn field(field: &str) -> String {
    match field {
        "on" => "eventType".to_owned(),
        "on.before" => "alertBefore".to_owned(),
        "repeat" => "enableDailyNotification".to_owned(),
        field => field.split_once("].").map_or_else(
            || field.to_owned(),
            |(head, rest)| match (head.starts_with("channels"), rest) {
                (true, "routing_key") => format!("{head}].config.integrationKey"),
                (true, rest) => format!("{head}].config.{}", rest.replacen("to[", "recipients[", 1)),
                (false, rest) => format!("{head}].{rest}"),
            },
        ),
    }
}

/// An alert as it is kept.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct AlertView {
    /// Its id.
    id: AlertId,
    /// The Application whose certificates it is about; `null` for all.
    application_id: Option<ApplicationId>,
    /// The name.
    name: Slug,
    /// What it is for.
    description: String,
    /// Of what it tells.
    event_type: EventType,
    /// How long before the end.
    alert_before: Option<Span>,
    /// Of which certificates it tells.
    filters: Vec<FilterBody>,
    /// Whether it tells anything.
    enabled: bool,
    /// Whether it reminds each day.
    enable_daily_notification: bool,
    /// Where it tells it.
    channels: Vec<ChannelView>,
    /// When it was made.
    created_at: Moment,
    /// When it was last changed.
    updated_at: Moment,
}

/// A channel without its secrets.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ChannelView {
    /// The kind, or the name of a notifier of the host's.
    channel_type: String,
    /// Where to, as far as that is no secret.
    to: Vec<String>,
    /// Whether it has a secret.
    has_secret: bool,
}

impl From<&Channel<Hidden>> for ChannelView {
    fn from(channel: &Channel<Hidden>) -> Self {
        let to = match channel {
            Channel::Webhook { url, .. } => vec![url.clone()],
            Channel::Email { to } => to.clone(),
            Channel::Custom { to, .. } => vec![to.clone()],
            _ => Vec::new(),
        };
        Self { channel_type: channel.kind().to_string(), to, has_secret: channel.secret().is_some() }
    }
}

impl From<Alert> for AlertView {
    fn from(alert: Alert) -> Self {
        let (event_type, alert_before) = match alert.on {
            AlertOn::Expiration { before } => (EventType::Expiration, Some(before)),
            AlertOn::CaExpiry { before } => (EventType::CaExpiry, Some(before)),
            AlertOn::CrlExpiry { before } => (EventType::CrlExpiry, Some(before)),
            AlertOn::Issuance => (EventType::Issuance, None),
            AlertOn::Renewal => (EventType::Renewal, None),
            AlertOn::Revocation => (EventType::Revocation, None),
            AlertOn::IssuanceFailed => (EventType::IssuanceFailed, None),
            AlertOn::RenewalFailed => (EventType::RenewalFailed, None),
            AlertOn::SyncFailed => (EventType::SyncFailed, None),
            AlertOn::ApprovalPending => (EventType::ApprovalPending, None),
            AlertOn::ApprovalExpired => (EventType::ApprovalExpired, None),
        };
        let filter = |Filter { field, operator, value }| FilterBody { field, operator, value };
        Self {
            id: alert.id,
            application_id: alert.application,
            name: alert.name,
            description: alert.description,
            event_type,
            alert_before,
            filters: alert.filters.into_iter().map(filter).collect(),
            enabled: alert.state == AlertState::Enabled,
            enable_daily_notification: alert.repeat == Repeat::Daily,
            channels: alert.channels.iter().map(Into::into).collect(),
            created_at: alert.created_at.into(),
            updated_at: alert.updated_at.into(),
        }
    }
}

/// What one channel made of a test.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct ChannelTestView {
    /// The kind of channel.
    channel_type: String,
    /// Whether the receiver took the message.
    delivered: bool,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl From<ChannelTest> for ChannelTestView {
    fn from(test: ChannelTest) -> Self {
        Self { channel_type: test.channel.to_string(), delivered: test.failure.is_none(), message: test.failure }
    }
}

/// A notification, and how it stands.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct NotificationView {
    /// Its id.
    id: NotificationId,
    /// What it says, in one line.
    summary: String,
    /// The ids of the certificates or requests that it is about.
    subjects: Vec<String>,
    /// How it stands on each channel.
    deliveries: Vec<DeliveryView>,
    /// When it was made.
    created_at: Moment,
}

/// How a notification stands on one channel.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DeliveryView {
    /// The kind of channel.
    channel_type: String,
    /// `waiting`, `delivered` or `given_up`.
    state: &'static str,
    /// When it was delivered or given up, or is tried next.
    at: Option<Moment>,
    /// What the last attempt said.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl From<Notification> for NotificationView {
    fn from(notification: Notification) -> Self {
        let delivery = |channel: &crate::engine::NotificationChannel| {
            let (state, at, message) = match channel.delivery.clone() {
                Delivery::Waiting { due_at, last, .. } => ("waiting", Some(due_at), last),
                Delivery::Delivered { at } => ("delivered", Some(at), None),
                Delivery::GivenUp { at, reason } => ("given_up", Some(at), Some(reason)),
            };
            DeliveryView { channel_type: channel.channel.kind().to_string(), state, at: at.map(Moment), message }
        };
        Self {
            id: notification.id,
            summary: notification.message.summary.clone(),
            subjects: notification.message.items.iter().map(|item| item.id.clone()).collect(),
            deliveries: notification.channels.iter().map(delivery).collect(),
            created_at: notification.created_at.into(),
        }
    }
}
