//! Slack: incoming webhooks.

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::json;

use super::http::HttpClient;
use super::{Destination, Message, Notifier, NotifyError};

/// The most characters that a message's text has; Slack cuts at 40,000.
const LONGEST: usize = 30_000;

/// Posts each message as text to an incoming webhook. Slack has no ids for such messages: one that is sent again appears
/// again, with the same message id at its end.
#[derive(Clone, Debug)]
pub struct SlackNotifier {
    http: HttpClient,
}

impl SlackNotifier {
    /// A notifier by way of a client.
    pub fn new(http: HttpClient) -> Self {
        Self { http }
    }
}

#[async_trait]
impl Notifier for SlackNotifier {
    async fn notify(&self, to: &Destination, message: &Message) -> Result<(), NotifyError> {
        let Destination::Slack { url } = to else { return Err(NotifyError::other_kind("Slack")) };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        let body = json!({ "text": escaped(&message.text()) }).to_string();
        self.http.post(url.expose_text(), headers, body).await
    }
}

/// Slack reads `<…>` as links and `&…;` as characters.
fn escaped(text: &str) -> String {
    let cut: String = text.chars().take(LONGEST).collect();
    cut.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_called_by_a_name_in_a_certificate() {
        assert_eq!(escaped("<!channel> & co"), "&lt;!channel&gt; &amp; co");
    }
}
