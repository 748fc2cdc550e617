//! PagerDuty: the Events API v2.

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::json;
use time::format_description::well_known::Rfc3339;

use super::http::HttpClient;
use super::{Destination, Message, Notifier, NotifyError};

const ENDPOINT: &str = "https://events.pagerduty.com/v2/enqueue";

/// Triggers an incident for each message; the message id is its `dedup_key`, so that one that is sent again is not a
/// second incident.
#[derive(Clone, Debug)]
pub struct PagerDutyNotifier {
    http: HttpClient,
    endpoint: String,
}

impl PagerDutyNotifier {
    /// A notifier by way of a client.
    pub fn new(http: HttpClient) -> Self {
        Self { http, endpoint: ENDPOINT.to_owned() }
    }

    /// The same at another address, such as that of the service region of the EU.
    #[must_use]
    pub fn endpoint(self, url: impl Into<String>) -> Self {
        Self { endpoint: url.into(), ..self }
    }
}

#[async_trait]
impl Notifier for PagerDutyNotifier {
    async fn notify(&self, to: &Destination, message: &Message) -> Result<(), NotifyError> {
        let Destination::PagerDuty { routing_key } = to else { return Err(NotifyError::other_kind("PagerDuty")) };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.http.post(&self.endpoint, headers, event(message, routing_key.expose_text())).await
    }
}

fn event(message: &Message, routing_key: &str) -> String {
    // PagerDuty takes 1024 characters of summary.
    let summary: String = message.summary.chars().take(1000).collect();
    json!({
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": message.id,
        "payload": {
            "summary": summary,
            "source": message.source,
            "severity": message.severity.as_str(),
            "timestamp": message.time.format(&Rfc3339).unwrap_or_default(),
            "class": message.kind,
            "custom_details": { "alert": message.alert, "items": message.items },
        },
    })
    .to_string()
}
