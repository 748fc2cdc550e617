//! The verifier that looks over the network: DNS, HTTP and TLS, with bounds on where, how long and how much.
//!
//! Who orders a certificate chooses the names, and who owns a name chooses its addresses: without bounds, a verifier is a way to
//! make a host inside a network ask other hosts inside it. So names are resolved here, each address is judged, and only the
//! addresses that were judged are connected to; a redirect is a new address to judge. What such a host answers is never told.

mod caa;
mod http;
mod names;
mod tls_alpn;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;

use super::{CaaCheck, Challenge, ChallengeFailure, ChallengeVerifier, Networks};
use crate::domain::acme::{ChallengeKind, Identifier, ValidationError, ValidationFault};
use crate::x509::is_public;
use names::Names;

/// How the network is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkSettings {
    /// The recursive resolvers, or the authoritative servers of an inner zone. Empty: those of the operating system.
    pub resolvers: Vec<SocketAddr>,
    /// The port that http-01 asks, 80.
    pub http_port: u16,
    /// The port that a redirect to `https` may name beside the one of http-01, 443.
    pub https_port: u16,
    /// The port that tls-alpn-01 asks, 443.
    pub tls_port: u16,
    /// How long one look may take, with all resolutions, connections and redirects.
    pub timeout: Duration,
    /// How many redirects of http-01 are followed.
    pub redirects: u8,
}

impl Default for NetworkSettings {
    /// The resolvers of the operating system, the ports of the RFCs, ten seconds, ten redirects.
    fn default() -> Self {
        let timeout = Duration::from_secs(10);
        Self { resolvers: Vec::new(), http_port: 80, https_port: 443, tls_port: 443, timeout, redirects: 10 }
    }
}

/// Looks over the network. Needs a tokio runtime when it is used.
///
/// - http-01 (RFC 8555 section 8.3): plain HTTP, and redirects to `http` and `https` at the two ports. As the certificate behind
///   `https` is what is being renewed, it is not verified.
/// - dns-01 (RFC 8555 section 8.4): any TXT record at `_acme-challenge`, CNAMEs followed.
/// - tls-alpn-01 (RFC 8737, RFC 8738 for addresses).
/// - CAA (RFC 8659), `validationmethods` and `accounturi` (RFC 8657).
///
/// Of several addresses IPv6 is tried first, and IPv4 where no connection comes about. Nothing is cached.
#[derive(Debug)]
pub struct NetworkVerifier {
    settings: NetworkSettings,
    names: Names,
}

/// A verifier can not be made of its settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no challenge verifier can be made: {reason}")]
pub struct NetworkVerifierError {
    /// Why.
    pub reason: String,
}

impl NetworkVerifier {
    /// A verifier.
    ///
    /// # Errors
    /// A host whose resolvers can not be read, where none are given.
    pub fn new(settings: NetworkSettings) -> Result<Self, NetworkVerifierError> {
        let names = Names::new(&settings.resolvers, settings.timeout)?;
        Ok(Self { settings, names })
    }

    async fn look(&self, challenge: &Challenge) -> Result<(), ChallengeFailure> {
        match challenge.kind {
            ChallengeKind::Http01 => http::look(self, challenge).await,
            ChallengeKind::Dns01 => self.look_up(challenge).await,
            ChallengeKind::TlsAlpn01 => tls_alpn::look(self, challenge).await,
        }
    }

    async fn look_up(&self, challenge: &Challenge) -> Result<(), ChallengeFailure> {
        let name = format!("_acme-challenge.{}", challenge.identifier.base());
        let expected = BASE64URL.encode(challenge.digest());
        let records = self.names.texts(&name).await?;
        if records.iter().any(|record| record.as_slice() == expected.as_bytes()) {
            return Ok(());
        }
        let fault = if records.is_empty() { ValidationFault::Dns } else { ValidationFault::IncorrectResponse };
        let count = records.len();
        Err(failed(fault, format!("none of {count} TXT records at {name} is the digest of the key authorization")))
    }

    /// The addresses of an identifier that may be connected to, IPv6 first. At least one.
    async fn addresses(&self, of: &Identifier, networks: Networks) -> Result<Vec<IpAddr>, ChallengeFailure> {
        match of {
            Identifier::Ip(address) => permitted(vec![*address], networks, &of.base()),
            Identifier::Dns(name) => self.addresses_of(name.base(), networks).await,
        }
    }

    async fn addresses_of(&self, host: &str, networks: Networks) -> Result<Vec<IpAddr>, ChallengeFailure> {
        permitted(self.names.addresses(host).await?, networks, host)
    }
}

#[async_trait]
impl ChallengeVerifier for NetworkVerifier {
    fn longest_call(&self) -> Duration {
        self.settings.timeout + Duration::from_secs(1)
    }

    async fn verify(&self, challenge: &Challenge) -> Result<(), ChallengeFailure> {
        tokio::time::timeout(self.settings.timeout, self.look(challenge)).await.unwrap_or_else(|_| {
            let detail = format!("there was no answer within {} seconds", self.settings.timeout.as_secs());
            Err(failed(ValidationFault::Connection, detail))
        })
    }

    async fn check_caa(&self, check: &CaaCheck) -> Result<(), ChallengeFailure> {
        tokio::time::timeout(self.settings.timeout, caa::check(&self.names, check))
            .await
            .unwrap_or_else(|_| Err(ChallengeFailure::unavailable("the CAA records did not come in time")))
    }
}

fn permitted(found: Vec<IpAddr>, networks: Networks, host: &str) -> Result<Vec<IpAddr>, ChallengeFailure> {
    let permitted: Vec<_> =
        found.into_iter().filter(|address| networks == Networks::AlsoPrivate || is_public(*address)).collect();
    if permitted.is_empty() {
        let detail = format!("{host} has only addresses that are not of the public internet");
        return Err(failed(ValidationFault::RejectedIdentifier, detail));
    }
    Ok(permitted)
}

fn failed(fault: ValidationFault, detail: impl Into<String>) -> ChallengeFailure {
    ValidationError::new(fault, detail).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_inside_are_left_out() {
        let all: Vec<IpAddr> =
            ["::1", "2606:4700::1111", "10.0.0.1", "1.1.1.1"].map(|text| text.parse().unwrap()).into();
        let public = permitted(all.clone(), Networks::Public, "a").unwrap();
        assert_eq!(public, [all[1], all[3]]);
        assert_eq!(permitted(all.clone(), Networks::AlsoPrivate, "a").unwrap(), all);
        let inside = permitted(vec![all[0], all[2]], Networks::Public, "a").unwrap_err();
        assert!(
            matches!(inside, ChallengeFailure::Failed(error) if error.fault == ValidationFault::RejectedIdentifier)
        );
    }
}
