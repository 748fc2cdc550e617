//! The HTTP client of webhooks, Slack and PagerDuty: no redirects, no private addresses, bounded time.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration as StdDuration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Certificate, Client, StatusCode, Url, redirect};
use time::format_description::well_known::Rfc2822;
use time::{Duration, OffsetDateTime};

use super::NotifyError;
use crate::x509::is_public;

/// How messages are posted.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// How long a call may take, from the resolution of the name to the end of the answer's head.
    pub timeout: Duration,
    /// Whether messages may go to addresses inside the host's own network. Who may make alerts chooses the address.
    pub private_addresses: PrivateAddresses,
    /// Root certificates that are trusted beside those of the platform, DER.
    pub extra_roots: Vec<Vec<u8>>,
}

impl Default for HttpSettings {
    /// Ten seconds, public addresses only, and the platform's roots.
    fn default() -> Self {
        let private_addresses = PrivateAddresses::Refused;
        Self { timeout: Duration::seconds(10), private_addresses, extra_roots: Vec::new() }
    }
}

/// Whether messages may go to loopback, private, link-local and other addresses that are not of the public internet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PrivateAddresses {
    /// They may not; names that resolve to nothing else are unavailable.
    #[default]
    Refused,
    /// They may.
    Allowed,
}

/// Posts messages; shared by notifiers. Needs a tokio runtime when it is used.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: Client,
    private_addresses: PrivateAddresses,
}

/// A client can not be made of its settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no HTTP client can be made: {reason}")]
pub struct HttpClientError {
    /// Why.
    pub reason: String,
}

impl HttpClient {
    /// A client.
    ///
    /// # Errors
    /// A root certificate that can not be read, or a platform without roots.
    pub fn new(settings: &HttpSettings) -> Result<Self, HttpClientError> {
        let failed = |error: reqwest::Error| HttpClientError { reason: chain_of(&error) };
        let timeout = StdDuration::try_from(settings.timeout).unwrap_or(StdDuration::from_secs(10));
        let mut builder = Client::builder()
            .user_agent(concat!("chancery/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(timeout)
            .connect_timeout(timeout)
            .dns_resolver(Arc::new(Public(settings.private_addresses)));
        for root in &settings.extra_roots {
            builder = builder.add_root_certificate(Certificate::from_der(root).map_err(failed)?);
        }
        let client = builder.build().map_err(failed)?;
        Ok(Self { client, private_addresses: settings.private_addresses })
    }

    /// Posts JSON; any answer of 200 to 299 is well. Of the answer only the status and `Retry-After` are read: who makes
    /// alerts is not shown what a server inside says.
    pub(super) async fn post(&self, url: &str, headers: HeaderMap, body: String) -> Result<(), NotifyError> {
        let refused = |reason: &str| NotifyError::Refused { reason: reason.to_owned() };
        let url: Url = url.parse().map_err(|_| refused("the address is no URL"))?;
        let literal = url.host_str().map(|host| host.trim_matches(['[', ']']).parse::<IpAddr>());
        if let Some(Ok(address)) = literal
            && !self.private_addresses.permit(address)
        {
            return Err(refused("the address is not of the public internet"));
        }
        match self.client.post(url).headers(headers).body(body).send().await {
            Ok(response) => judge(response.status(), response.headers()),
            Err(error) if error.is_connect() || error.is_dns() => {
                Err(NotifyError::Unavailable { reason: chain_of(&error.without_url()), retry_after: None })
            }
            Err(error) if error.is_builder() => Err(refused("the address can not be posted to")),
            Err(_) => Err(NotifyError::Unknown),
        }
    }
}

/// RFC 9110: what may pass is tried again, and any other answer but 2xx is for good.
fn judge(status: StatusCode, headers: &HeaderMap) -> Result<(), NotifyError> {
    if status.is_success() {
        return Ok(());
    }
    let reason = format!("the receiver answered {}", status.as_u16());
    let may_pass = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
    if may_pass {
        return Err(NotifyError::Unavailable { reason, retry_after: retry_after(headers) });
    }
    Err(NotifyError::Refused { reason })
}

/// Seconds, or a date, which is compared with the receiver's own (RFC 9110 section 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::seconds(i64::from(seconds)));
    }
    let date = |text: &str| OffsetDateTime::parse(text, &Rfc2822).ok();
    let now = date(headers.get(DATE)?.to_str().ok()?)?;
    Some((date(text)? - now).max(Duration::ZERO))
}

/// An error with what caused it: the outer one alone says little.
fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// Resolves names, and forgets the addresses that are not permitted: what was judged is what is connected to.
struct Public(PrivateAddresses);

impl Resolve for Public {
    fn resolve(&self, name: Name) -> Resolving {
        let rule = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let permitted: Vec<SocketAddr> = found.filter(|address| rule.permit(address.ip())).collect();
            if permitted.is_empty() {
                return Err("the name has no address of the public internet".into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

impl PrivateAddresses {
    fn permit(self, address: IpAddr) -> bool {
        self == Self::Allowed || is_public(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let headers = HeaderMap::new();
        for status in [200, 202, 204] {
            assert_eq!(judge(StatusCode::from_u16(status).unwrap(), &headers), Ok(()));
        }
        for (status, for_good) in [
            (301, true),
            (400, true),
            (404, true),
            (410, true),
            (408, false),
            (425, false),
            (429, false),
            (500, false),
            (503, false),
        ] {
            let error = judge(StatusCode::from_u16(status).unwrap(), &headers).unwrap_err();
            assert_eq!(matches!(error, NotifyError::Refused { .. }), for_good, "{status}");
        }
    }

    #[test]
    fn retry_after_in_both_spellings() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "120".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(Duration::minutes(2)));
        headers.insert(RETRY_AFTER, "Sun, 22 Nov 2026 12:05:00 GMT".parse().unwrap());
        assert_eq!(retry_after(&headers), None, "a date says nothing without the receiver's own");
        headers.insert(DATE, "Sun, 22 Nov 2026 12:00:00 GMT".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(Duration::minutes(5)));
        headers.insert(RETRY_AFTER, "soon".parse().unwrap());
        assert_eq!(retry_after(&headers), None);
    }
}
