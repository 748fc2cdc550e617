//! Webhooks: CloudEvents 1.0 in structured JSON, signed.

use std::sync::Arc;

use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use sha2::Sha256;
use time::format_description::well_known::Rfc3339;

use super::http::HttpClient;
use super::{Destination, Message, Notifier, NotifyError};
use crate::clock::{Clock, SystemClock};
use crate::sealer::Secret;

const SIGNATURE: HeaderName = HeaderName::from_static("chancery-signature");

/// Posts each message as a CloudEvent (`application/cloudevents+json`). If the channel has a secret, the header
/// `chancery-signature` is `t=<milliseconds since 1970>,v1=<hex>`, the HMAC-SHA-256 under the secret of `t`, a dot and the
/// body.
#[derive(Clone, Debug)]
pub struct WebhookNotifier {
    http: HttpClient,
    clock: Arc<dyn Clock>,
}

impl WebhookNotifier {
    /// A notifier by way of a client.
    pub fn new(http: HttpClient) -> Self {
        Self { http, clock: Arc::new(SystemClock) }
    }

    /// The same by another clock, which tells the time of signatures.
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }
}

#[async_trait]
impl Notifier for WebhookNotifier {
    async fn notify(&self, to: &Destination, message: &Message) -> Result<(), NotifyError> {
        let Destination::Webhook { url, secret } = to else { return Err(NotifyError::other_kind("webhooks")) };
        let body = cloud_event(message);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/cloudevents+json; charset=utf-8"));
        if let Some(secret) = secret {
            let milliseconds = self.clock.now().unix_timestamp_nanos() / 1_000_000;
            let unfit = |_| NotifyError::Refused { reason: "the message can not be signed".to_owned() };
            let signature = sign(secret, milliseconds, &body).ok_or(()).map_err(unfit)?;
            headers.insert(SIGNATURE, signature);
        }
        self.http.post(url, headers, body).await
    }
}

fn cloud_event(message: &Message) -> String {
    let mut event = json!({
        "specversion": "1.0",
        "id": message.id,
        "type": message.kind,
        "source": message.source,
        "time": message.time.format(&Rfc3339).unwrap_or_default(),
        "datacontenttype": "application/json",
        "data": {
            "summary": message.summary,
            "severity": message.severity,
            "alert": message.alert,
            "items": message.items,
        },
    });
    if let (Some(subject), Some(members)) = (&message.subject, event.as_object_mut()) {
        members.insert("subject".to_owned(), json!(subject));
    }
    event.to_string()
}

fn sign(secret: &Secret, milliseconds: i128, body: &str) -> Option<HeaderValue> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose()).ok()?;
    mac.update(format!("{milliseconds}.{body}").as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|octet| format!("{octet:02x}")).collect();
    HeaderValue::from_str(&format!("t={milliseconds},v1={hex}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oracle_26_the_signature_is_over_time_dot_body_in_milliseconds() {
        // By `printf '1700000000123.{"a":1}' | openssl dgst -sha256 -hmac s3cret`.
        let signature = sign(&Secret::new(b"s3cret".to_vec()), 1_700_000_000_123, r#"{"a":1}"#).unwrap();
        let expected = "t=1700000000123,v1=d4dd4f63eb1b7d21d103d7fbf8fcaa10b7707f9fbb3ec30246c8397a171ccc09";
        assert_eq!(signature.to_str().unwrap(), expected);
    }
}
