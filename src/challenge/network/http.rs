//! http-01 (RFC 8555 section 8.3).

use std::net::{IpAddr, SocketAddr};

use reqwest::header::LOCATION;
use reqwest::{Client, Response, Url, redirect};

use super::{NetworkVerifier, failed, permitted};
use crate::challenge::{Challenge, ChallengeFailure, Networks};
use crate::domain::acme::{Identifier, ValidationFault};

/// The longest body that is read. A key authorization has less than 200 octets.
const MOST: usize = 1024;

/// Fetches the key authorization, through redirects if need be.
pub(super) async fn look(verifier: &NetworkVerifier, challenge: &Challenge) -> Result<(), ChallengeFailure> {
    let mut url = first(verifier, challenge)?;
    for _ in 0..=verifier.settings.redirects {
        let response = get(verifier, &url, challenge.networks).await?;
        match next(&url, &response)? {
            Some(further) => url = judged(verifier, further)?,
            None => return judge(response, challenge).await,
        }
    }
    let detail = format!("there were more than {} redirects", verifier.settings.redirects);
    Err(failed(ValidationFault::Connection, detail))
}

fn first(verifier: &NetworkVerifier, challenge: &Challenge) -> Result<Url, ChallengeFailure> {
    let host = match &challenge.identifier {
        Identifier::Ip(IpAddr::V6(address)) => format!("[{address}]"),
        other => other.base(),
    };
    let (port, token) = (verifier.settings.http_port, &challenge.token);
    let text = format!("http://{host}:{port}/.well-known/acme-challenge/{token}");
    text.parse().map_err(|_| failed(ValidationFault::RejectedIdentifier, "the name makes no URL"))
}

/// One request, to addresses that were judged and to no others.
async fn get(verifier: &NetworkVerifier, url: &Url, networks: Networks) -> Result<Response, ChallengeFailure> {
    let host = url.host_str().unwrap_or_default();
    let literal = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let addresses = match literal {
        Ok(address) => permitted(vec![address], networks, host)?,
        Err(_) => verifier.addresses_of(host, networks).await?,
    };
    let client = client(verifier, host, &addresses)?;
    client.get(url.clone()).send().await.map_err(|error| {
        let shown = shown(url);
        let what = match (error.is_connect(), error.is_timeout()) {
            (_, true) => "no answer came in time from",
            (true, _) => "no connection could be made to",
            _ => "no HTTP answer came from",
        };
        failed(ValidationFault::Connection, format!("{what} {shown}"))
    })
}

fn client(verifier: &NetworkVerifier, host: &str, addresses: &[IpAddr]) -> Result<Client, ChallengeFailure> {
    let addresses: Vec<_> = addresses.iter().map(|address| SocketAddr::new(*address, 0)).collect();
    let timeout = verifier.settings.timeout;
    Client::builder()
        .user_agent(concat!("chancery/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(timeout)
        // Some of it is left for the addresses of the other family.
        .connect_timeout(timeout * 2 / 3)
        .tls_danger_accept_invalid_certs(true)
        .resolve_to_addrs(host, &addresses)
        .build()
        .map_err(|error| ChallengeFailure::unavailable(error.to_string()))
}

/// Where a redirect points to; none if it is none.
fn next(url: &Url, response: &Response) -> Result<Option<Url>, ChallengeFailure> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let further = location.and_then(|location| url.join(location).ok());
    let lost = || failed(ValidationFault::Connection, format!("{} redirects to nowhere", shown(url)));
    further.ok_or_else(lost).map(Some)
}

/// A redirect leads to HTTP at its ports, and bears no credentials.
fn judged(verifier: &NetworkVerifier, url: Url) -> Result<Url, ChallengeFailure> {
    let settings = &verifier.settings;
    let is_web = matches!(url.scheme(), "http" | "https");
    let port = url.port_or_known_default();
    let is_port = port == Some(settings.http_port) || port == Some(settings.https_port);
    let is_plain = url.username().is_empty() && url.password().is_none();
    if is_web && is_port && is_plain {
        return Ok(url);
    }
    Err(failed(ValidationFault::Connection, format!("a redirect to {} is not followed", shown(&url))))
}

/// What the server says is compared and never told: it may be a server inside.
async fn judge(mut response: Response, challenge: &Challenge) -> Result<(), ChallengeFailure> {
    let shown = shown(response.url());
    let status = response.status().as_u16();
    if status != 200 {
        return Err(failed(ValidationFault::Unauthorized, format!("{shown} answers with status {status}")));
    }
    let mut body = Vec::new();
    while body.len() <= MOST {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(_) => return Err(failed(ValidationFault::Connection, format!("the answer of {shown} broke off"))),
        }
    }
    if body.len() <= MOST && body.trim_ascii_end() == challenge.key_authorization.as_bytes() {
        return Ok(());
    }
    Err(failed(ValidationFault::IncorrectResponse, format!("{shown} answers with something else")))
}

/// Scheme, host and port: paths of redirects may say what is nobody's business.
fn shown(url: &Url) -> String {
    let (scheme, host) = (url.scheme(), url.host_str().unwrap_or_default());
    let port = url.port_or_known_default().unwrap_or_default();
    format!("{scheme}://{host}:{port}").chars().take(300).collect()
}
