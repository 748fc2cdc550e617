//! Client certificates that the host's TLS has verified, mapped to actors.

use async_trait::async_trait;
use bytes::Bytes;
use http::request::Parts;

use super::{Authenticator, Unauthenticated};
use crate::domain::Actor;
use crate::x509::{Certificate, San, Subject};

/// The certificate that a client showed, DER: the host puts it among the request's extensions **after** it has verified the
/// chain, the dates and the possession of the key. Nothing of that is done again here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate(pub Bytes);

/// Which client certificate is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientRule {
    /// The one of this SHA-256 fingerprint over its DER.
    Fingerprint([u8; 32]),
    /// Each with exactly this subject.
    Subject(Subject),
    /// Each with this subject alternative name.
    San(San),
}

impl ClientRule {
    fn fits(&self, certificate: &Certificate) -> bool {
        match self {
            Self::Fingerprint(fingerprint) => certificate.fingerprint() == fingerprint,
            Self::Subject(subject) => certificate.content().subject == *subject,
            Self::San(san) => certificate.content().sans.contains(san),
        }
    }
}

/// Knows actors by the client certificates that the host hands over as [`ClientCertificate`]. The first rule that fits counts.
#[derive(Clone, Debug, Default)]
pub struct MutualTls(Vec<(ClientRule, Actor)>);

impl MutualTls {
    /// Knows nobody yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also knows `actor` by the certificates that `rule` fits.
    #[must_use]
    pub fn knows(mut self, rule: ClientRule, actor: Actor) -> Self {
        self.0.push((rule, actor));
        self
    }
}

#[async_trait]
impl Authenticator for MutualTls {
    async fn authenticate(&self, request: &Parts) -> Result<Actor, Unauthenticated> {
        let ClientCertificate(der) = request.extensions.get().ok_or(Unauthenticated::Absent)?;
        let certificate = Certificate::from_der(der).map_err(|_| Unauthenticated::Refused)?;
        let known = self.0.iter().find(|(rule, _)| rule.fits(&certificate));
        known.map(|(_, actor)| actor.clone()).ok_or(Unauthenticated::Refused)
    }
}
