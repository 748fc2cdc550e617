//! Channels: where an alert tells what it has to tell.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::domain::Slug;
use crate::x509::{EmailAddress, InvalidValue, Uri};

/// Where an alert tells; `S` is what stands for a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Channel<S> {
    /// A CloudEvent, posted to an address.
    Webhook {
        /// The address, https.
        url: String,
        /// What the messages are signed with, 1 to 256 characters.
        #[serde(default = "none", skip_serializing_if = "Option::is_none")]
        secret: Option<S>,
    },
    /// Mail.
    Email {
        /// The addresses, 1 to 10.
        to: Vec<String>,
    },
    /// A Slack channel.
    Slack {
        /// The address of its incoming webhook, which is a secret.
        url: S,
    },
    /// A PagerDuty service.
    PagerDuty {
        /// Its integration key of the Events API v2, 32 letters and digits, which is a secret.
        routing_key: S,
    },
    /// A notifier of the host's.
    Custom {
        /// The name that the host gave it.
        notifier: Slug,
        /// Where to, as that notifier understands it: at most 1024 characters.
        to: String,
    },
}

fn none<S>() -> Option<S> {
    None
}

/// Which notifier a channel needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChannelKind {
    /// The one for webhooks.
    Webhook,
    /// The one for mail.
    Email,
    /// The one for Slack.
    Slack,
    /// The one for PagerDuty.
    PagerDuty,
    /// One of the host's, by its name.
    Custom(Slug),
}

impl fmt::Display for ChannelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Webhook => "webhook",
            Self::Email => "email",
            Self::Slack => "slack",
            Self::PagerDuty => "pager_duty",
            Self::Custom(name) => name.as_str(),
        })
    }
}

/// Which addresses channels may name, as the host says. By default https only, and Slack at its own host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationRules {
    /// Whether webhooks may be on this machine, by plain http: for development.
    pub loopback: Loopback,
    /// The hosts of Slack's incoming webhooks.
    pub slack_hosts: Vec<String>,
}

impl Default for DestinationRules {
    fn default() -> Self {
        Self { loopback: Loopback::Refused, slack_hosts: vec!["hooks.slack.com".to_owned()] }
    }
}

/// Whether plain http to this machine is accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loopback {
    /// It is not.
    #[default]
    Refused,
    /// It is.
    Accepted,
}

impl<S> Channel<S> {
    /// Which notifier it needs.
    pub fn kind(&self) -> ChannelKind {
        match self {
            Self::Webhook { .. } => ChannelKind::Webhook,
            Self::Email { .. } => ChannelKind::Email,
            Self::Slack { .. } => ChannelKind::Slack,
            Self::PagerDuty { .. } => ChannelKind::PagerDuty,
            Self::Custom { notifier, .. } => ChannelKind::Custom(notifier.clone()),
        }
    }

    /// Its secret, if it has one.
    pub fn secret(&self) -> Option<&S> {
        match self {
            Self::Webhook { secret, .. } => secret.as_ref(),
            Self::Slack { url: secret } | Self::PagerDuty { routing_key: secret } => Some(secret),
            Self::Email { .. } | Self::Custom { .. } => None,
        }
    }

    /// The same channel with something else in the secret's place. One that has none, and needs none, ignores it; one that
    /// needs a secret and is given none is left without a destination.
    pub(crate) fn with_secret<T>(&self, secret: Option<T>) -> Channel<T> {
        let nowhere = || Channel::Email { to: Vec::new() };
        match self {
            Self::Webhook { url, .. } => Channel::Webhook { url: url.clone(), secret },
            Self::Email { to } => Channel::Email { to: to.clone() },
            Self::Slack { .. } => secret.map_or_else(nowhere, |url| Channel::Slack { url }),
            Self::PagerDuty { .. } => secret.map_or_else(nowhere, |routing_key| Channel::PagerDuty { routing_key }),
            Self::Custom { notifier, to } => Channel::Custom { notifier: notifier.clone(), to: to.clone() },
        }
    }
}

impl Channel<Confidential> {
    /// Every fault with its field. Secrets are not shown in them.
    pub(crate) fn faults(&self, rules: &DestinationRules) -> Vec<(String, InvalidValue)> {
        match self {
            Self::Webhook { url, secret } => {
                let url = (!rules.accept(url)).then(|| {
                    ("url".to_owned(), InvalidValue::new("url", url, "an absolute https URL without user and fragment"))
                });
                let fits = |secret: &Confidential| (1..=256).contains(&secret.expose().chars().count());
                let secret = secret
                    .as_ref()
                    .filter(|secret| !fits(secret))
                    .map(|_| ("secret".to_owned(), InvalidValue::new("secret", "(hidden)", "1 to 256 characters")));
                url.into_iter().chain(secret).collect()
            }
            Self::Email { to } => email_faults(to),
            Self::Slack { url } => {
                let accepted = "the https URL of an incoming webhook at Slack's host";
                let fault = || ("url".to_owned(), InvalidValue::new("url", "(hidden)", accepted));
                (!rules.accept_slack(url.expose())).then(fault).into_iter().collect()
            }
            Self::PagerDuty { routing_key } => {
                let key = routing_key.expose();
                let fits = key.len() == 32 && key.bytes().all(|b| b.is_ascii_alphanumeric());
                let accepted = "32 letters and digits";
                let fault = || ("routing_key".to_owned(), InvalidValue::new("routing key", "(hidden)", accepted));
                (!fits).then(fault).into_iter().collect()
            }
            Self::Custom { to, .. } => {
                let fits = to.chars().count() <= 1024 && !to.chars().any(char::is_control);
                let accepted = "at most 1024 characters without control characters";
                (!fits).then(|| ("to".to_owned(), InvalidValue::new("destination", to, accepted))).into_iter().collect()
            }
        }
    }
}

fn email_faults(to: &[String]) -> Vec<(String, InvalidValue)> {
    let mut faults = Vec::new();
    if !(1..=10).contains(&to.len()) {
        let seen = format!("{} addresses", to.len());
        faults.push(("to".to_owned(), InvalidValue::new("addresses", seen, "1 to 10")));
    }
    for (at, address) in to.iter().enumerate() {
        if let Err(error) = address.parse::<EmailAddress>() {
            faults.push((format!("to[{at}]"), error));
        }
    }
    faults
}

impl DestinationRules {
    fn accept(&self, url: &str) -> bool {
        match authority(url) {
            Some(("https", _)) => true,
            Some(("http", host)) => self.loopback == Loopback::Accepted && is_loopback(&host),
            _ => false,
        }
    }

    fn accept_slack(&self, url: &str) -> bool {
        match authority(url) {
            Some((scheme, host)) => self.slack_hosts.contains(&host) && (scheme == "https" || self.accept(url)),
            None => false,
        }
    }
}

/// Scheme and host of a URL that can be posted to.
fn authority(url: &str) -> Option<(&'static str, String)> {
    url.parse::<Uri>().ok()?;
    let (scheme, rest) = ["https", "http"].into_iter().find_map(|scheme| {
        let rest = url.strip_prefix(scheme)?.strip_prefix("://")?;
        Some((scheme, rest))
    })?;
    if url.contains('#') {
        return None;
    }
    let authority = rest.split(['/', '?']).next()?;
    if authority.contains('@') {
        return None;
    }
    let host = match authority.strip_prefix('[') {
        Some(literal) => literal.split_once(']')?.0,
        None => authority.split(':').next()?,
    };
    (!host.is_empty()).then(|| (scheme, host.to_ascii_lowercase()))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A secret as somebody hands it over: read, never shown, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Confidential(Zeroizing<String>);

impl Confidential {
    /// Takes over a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Zeroizing::new(secret.into()))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Confidential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl<'de> Deserialize<'de> for Confidential {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// Stands where a secret is kept that is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hidden;

impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhooks_are_https_and_plain_http_only_at_home_when_the_host_says_so() {
        let strict = DestinationRules::default();
        let lenient = DestinationRules { loopback: Loopback::Accepted, ..DestinationRules::default() };
        let table = [
            ("https://example.com/hook", true, true),
            ("https://example.com:8443/hook?a=b", true, true),
            ("http://example.com/hook", false, false),
            ("http://127.0.0.1:80/hook", false, true),
            ("http://[::1]:80/hook", false, true),
            ("http://localhost/hook", false, true),
            ("http://localhost.example.com/hook", false, false),
            ("http://127.0.0.1@example.com/", false, false),
            ("https://user@example.com/", false, false),
            ("https://example.com/#part", false, false),
            ("https:///path", false, false),
            ("ftp://example.com/", false, false),
            ("example.com", false, false),
        ];
        for (url, by_default, at_home) in table {
            assert_eq!(strict.accept(url), by_default, "{url}");
            assert_eq!(lenient.accept(url), at_home, "{url}");
        }
    }

    #[test]
    fn slack_is_at_slack() {
        let rules = DestinationRules::default();
        assert!(rules.accept_slack("https://hooks.slack.com/services/T/B/x"));
        assert!(!rules.accept_slack("http://hooks.slack.com/services/T/B/x"));
        assert!(!rules.accept_slack("https://hooks.slack.com.example.com/services"));
        assert!(!rules.accept_slack("https://example.com/hooks.slack.com"));
    }

    #[test]
    fn secrets_are_read_and_never_shown() {
        let text = r#"{"type": "slack", "url": "https://hooks.slack.com/services/T/B/s3cret"}"#;
        let channel: Channel<Confidential> = serde_json::from_str(text).unwrap();
        assert!(!format!("{channel:?}").contains("s3cret"));
        let short = Channel::PagerDuty { routing_key: Confidential::new("s3cret") };
        let faults = short.faults(&DestinationRules::default());
        assert_eq!(faults.len(), 1);
        assert!(!format!("{faults:?}").contains("s3cret"));
        let shown = serde_json::to_string(&channel.with_secret(Some(Hidden))).unwrap();
        assert_eq!(shown, r#"{"type":"slack","url":"(hidden)"}"#);
    }
}
