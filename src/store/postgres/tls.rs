//! TLS to the server by rustls: its certificate and its name are always verified.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::super::StoreError;
use super::PostgresOptions;

/// Makes the TLS of each connection.
#[derive(Clone)]
pub(super) struct MakeTls {
    config: Arc<ClientConfig>,
}

impl MakeTls {
    /// Reads the PEM of the options.
    pub(super) fn new(options: &PostgresOptions) -> Result<Self, StoreError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| invalid("TLS", &error))?;
        let builder = if options.roots.is_empty() {
            let verifier = Verifier::new(provider).map_err(|error| invalid("the system's roots", &error))?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        } else {
            builder.with_root_certificates(roots(&options.roots)?)
        };
        Ok(Self { config: Arc::new(identify(builder, options)?) })
    }
}

type WantsIdentity = ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

fn identify(builder: WantsIdentity, options: &PostgresOptions) -> Result<ClientConfig, StoreError> {
    let Some((chain, key)) = &options.identity else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(chain)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| invalid("the client's key", &error))?;
    builder.with_client_auth_cert(chain, key).map_err(|error| invalid("the client's identity", &error))
}

fn roots(pems: &[String]) -> Result<RootCertStore, StoreError> {
    let mut roots = RootCertStore::empty();
    for root in pems.iter().map(|pem| certificates(pem)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
        roots.add(root).map_err(|error| invalid("a root certificate", &error))?;
    }
    Ok(roots)
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if found.is_empty() => Err(invalid("a certificate", &"there is none in the PEM")),
        Ok(found) => Ok(found),
        Err(error) => Err(invalid("a certificate", &error)),
    }
}

fn invalid(what: &str, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Invalid { reason: format!("{what}: {error}") }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for MakeTls {
    type Stream = Encrypted<S>;
    type TlsConnect = Tls;
    type Error = rustls::pki_types::InvalidDnsNameError;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Tls, Self::Error> {
        // Where TLS is off, the name may be anything.
        let server = ServerName::try_from(domain.to_owned());
        Ok(Tls { connector: TlsConnector::from(Arc::clone(&self.config)), server })
    }
}

/// The TLS of one connection.
pub(super) struct Tls {
    connector: TlsConnector,
    server: Result<ServerName<'static>, rustls::pki_types::InvalidDnsNameError>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Tls {
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let server = self.server.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            Ok(Encrypted(self.connector.connect(server, stream).await?))
        })
    }
}

/// A stream under TLS.
pub(super) struct Encrypted<S>(TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> tokio_postgres::tls::TlsStream for Encrypted<S> {
    fn channel_binding(&self) -> ChannelBinding {
        // The server has proved who it is by its certificate.
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
