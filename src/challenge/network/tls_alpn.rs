//! tls-alpn-01 (RFC 8737), for addresses too (RFC 8738).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{NetworkVerifier, failed};
use crate::challenge::{Challenge, ChallengeFailure};
use crate::domain::acme::{Identifier, ValidationFault};
use crate::x509::{judge_validation_certificate, key_of_certificate};

const PROTOCOL: &[u8] = b"acme-tls/1";

/// Shakes hands and judges the certificate that was shown.
pub(super) async fn look(verifier: &NetworkVerifier, challenge: &Challenge) -> Result<(), ChallengeFailure> {
    let addresses = verifier.addresses(&challenge.identifier, challenge.networks).await?;
    let stream = connect(verifier, &addresses, &challenge.identifier).await?;
    let certificate = shake_hands(stream, &challenge.identifier).await?;
    judge_validation_certificate(&certificate, &challenge.identifier.to_san(), &challenge.digest())
        .map_err(|fault| failed(ValidationFault::IncorrectResponse, fault.to_string()))
}

/// The first address that takes a connection. Each has its part of the time.
async fn connect(
    verifier: &NetworkVerifier,
    addresses: &[IpAddr],
    identifier: &Identifier,
) -> Result<TcpStream, ChallengeFailure> {
    let port = verifier.settings.tls_port;
    let first_of_each =
        [addresses.iter().find(|address| address.is_ipv6()), addresses.iter().find(|one| one.is_ipv4())];
    let chosen: Vec<_> = first_of_each.into_iter().flatten().collect();
    let patience = verifier.settings.timeout / (chosen.len() as u32 + 1);
    for address in chosen {
        let attempt = TcpStream::connect(SocketAddr::new(*address, port));
        if let Ok(Ok(stream)) = tokio::time::timeout(patience, attempt).await {
            return Ok(stream);
        }
    }
    let detail = format!("no connection could be made to port {port} of {}", identifier.base());
    Err(failed(ValidationFault::Connection, detail))
}

async fn shake_hands(stream: TcpStream, identifier: &Identifier) -> Result<Vec<u8>, ChallengeFailure> {
    let shown = Arc::new(Shown::new());
    let connector = TlsConnector::from(Arc::new(config(&shown)?));
    let name = ServerName::try_from(server_name(identifier))
        .map_err(|_| failed(ValidationFault::RejectedIdentifier, "the name can not be asked for over TLS"))?;
    let stream = connector.connect(name, stream).await.map_err(|error| not_shaken(&error))?;
    if stream.get_ref().1.alpn_protocol() != Some(PROTOCOL) {
        return Err(failed(ValidationFault::Tls, "the server does not speak acme-tls/1"));
    }
    let certificate = shown.certificate.lock().unwrap_or_else(PoisonError::into_inner).take();
    certificate.ok_or_else(|| failed(ValidationFault::Tls, "the server showed no certificate"))
}

fn not_shaken(error: &io::Error) -> ChallengeFailure {
    let tls = error.get_ref().is_some_and(|inner| inner.is::<Error>());
    match tls {
        true => {
            failed(ValidationFault::Tls, format!("the handshake failed: {error}").chars().take(300).collect::<String>())
        }
        false => failed(ValidationFault::Connection, "the connection broke off during the handshake"),
    }
}

fn config(shown: &Arc<Shown>) -> Result<ClientConfig, ChallengeFailure> {
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&shown.provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| ChallengeFailure::unavailable(error.to_string()))?;
    let verifier: Arc<dyn ServerCertVerifier> = Arc::clone(shown) as _;
    let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// The name itself, or for an address the name that stands for it in the reverse tree (RFC 8738 section 6).
fn server_name(identifier: &Identifier) -> String {
    match identifier {
        Identifier::Dns(name) => name.base().to_owned(),
        Identifier::Ip(IpAddr::V4(address)) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        Identifier::Ip(IpAddr::V6(address)) => {
            let nibbles = address.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}.")).collect::<String>() + "ip6.arpa"
        }
    }
}

/// Keeps the certificate for the judgement that comes after, and sees that the server has its key.
#[derive(Debug)]
struct Shown {
    provider: Arc<CryptoProvider>,
    certificate: Mutex<Option<Vec<u8>>>,
}

impl Shown {
    fn new() -> Self {
        Self { provider: Arc::new(aws_lc_rs::default_provider()), certificate: Mutex::default() }
    }

    /// The certificate has a critical extension that no other reader of it would let pass.
    fn check(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let bad = |error| Error::InvalidCertificate(error);
        let key = key_of_certificate(certificate).ok_or(bad(CertificateError::BadEncoding))?;
        let mapping = self.provider.signature_verification_algorithms.mapping;
        let mut candidates =
            mapping.iter().filter(|(scheme, _)| *scheme == signed.scheme).flat_map(|(_, algorithms)| algorithms.iter());
        let verifies = candidates
            .any(|algorithm| algorithm.verify_signature(key.subject_public_key(), message, signed.signature()).is_ok());
        if verifies { Ok(HandshakeSignatureValid::assertion()) } else { Err(bad(CertificateError::BadSignature)) }
    }
}

impl ServerCertVerifier for Shown {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.certificate.lock().unwrap_or_else(PoisonError::into_inner) = Some(certificate.to_vec());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_asked_for_by_their_reverse_names() {
        let name = |text: &str| server_name(&Identifier::ip(text).unwrap());
        assert_eq!(name("192.0.2.1"), "1.2.0.192.in-addr.arpa");
        let six = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(name("2001:db8::1"), six);
    }
}
