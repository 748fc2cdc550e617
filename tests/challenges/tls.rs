//! tls-alpn-01: a server of other people's, and certificates that prove nothing.

use std::sync::Arc;

use chancery::challenge::{Challenge, ChallengeVerifier, NetworkSettings, NetworkVerifier};
use chancery::domain::acme::{ChallengeKind, Identifier, ValidationFault};
use rcgen::{CertificateParams, CustomExtension, Issuer, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::names::{Names, free_port};
use crate::{KEY_AUTHORIZATION, challenge, dns, fault, settings, verifier};

/// What a client shows in the handshake.
struct Shown {
    certificate: CertificateDer<'static>,
    key: KeyPair,
    protocol: &'static [u8],
    versions: &'static [&'static rustls::SupportedProtocolVersion],
}

fn of(names: &[&str], extension: Option<CustomExtension>) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.custom_extensions.extend(extension);
    params
}

fn identifier(digest: &[u8; 32]) -> Option<CustomExtension> {
    Some(CustomExtension::new_acme_identifier(digest))
}

fn shown(params: CertificateParams, key: KeyPair) -> Shown {
    let certificate = params.self_signed(&key).unwrap().into();
    Shown { certificate, key, protocol: b"acme-tls/1", versions: rustls::ALL_VERSIONS }
}

/// Serves one handshake after the other, and gives its port. The names that were asked for come out of the channel.
async fn serve(shown: Shown) -> (u16, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(shown.key.serialize_der()).unwrap();
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(shown.versions).unwrap();
    // Unchecked: no library likes the critical extension.
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let chosen = SingleCertAndKey::from(CertifiedKey::new(vec![shown.certificate], key));
    let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(chosen));
    config.alpn_protocols = vec![shown.protocol.to_vec()];
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let port = listener.local_addr().unwrap().port();
    let (asked, names) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = asked.send(stream.get_ref().1.server_name().unwrap_or_default().to_owned());
                let _ = stream.read(&mut [0]).await;
            }
        }
    });
    (port, names)
}

fn asking(names: &Names, port: u16) -> NetworkVerifier {
    NetworkVerifier::new(NetworkSettings { tls_port: port, ..settings(names) }).unwrap()
}

fn www() -> Challenge {
    challenge(ChallengeKind::TlsAlpn01, dns("www.example.com"))
}

#[tokio::test]
async fn a_server_of_other_people_proves_a_name() {
    let Some(names) = Names::start() else { return };
    names.serve_certificate("www.example.com", KEY_AUTHORIZATION);
    let verifier = verifier(&names);
    verifier.verify(&www()).await.unwrap();
    let other = challenge(ChallengeKind::TlsAlpn01, dns("other.example.com"));
    assert_eq!(fault(&verifier, &other).await, ValidationFault::Tls);
}

#[tokio::test]
async fn every_key_and_version_proves_it() {
    let Some(names) = Names::start() else { return };
    let digest = www().digest();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        for algorithm in [&PKCS_ECDSA_P384_SHA384, &PKCS_RSA_SHA256, &rcgen::PKCS_ED25519] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let versions: &'static [_] = Box::leak(Box::new([version]));
            let shown = Shown { versions, ..shown(of(&["www.example.com"], identifier(&digest)), key) };
            let (port, mut asked) = serve(shown).await;
            asking(&names, port).verify(&www()).await.unwrap();
            assert_eq!(asked.recv().await.unwrap(), "www.example.com");
        }
    }
}

#[tokio::test]
async fn an_address_is_proved_by_its_reverse_name() {
    let Some(names) = Names::start() else { return };
    let address = challenge(ChallengeKind::TlsAlpn01, Identifier::ip("127.0.0.1").unwrap());
    let shown = shown(of(&["127.0.0.1"], identifier(&address.digest())), KeyPair::generate().unwrap());
    let (port, mut asked) = serve(shown).await;
    asking(&names, port).verify(&address).await.unwrap();
    assert_eq!(asked.recv().await.unwrap(), "1.0.0.127.in-addr.arpa");
}

#[tokio::test]
async fn certificates_that_prove_nothing() {
    let Some(names) = Names::start() else { return };
    let (digest, key) = (www().digest(), || KeyPair::generate().unwrap());
    let mut soft = CustomExtension::new_acme_identifier(&digest);
    soft.set_criticality(false);
    let foreign = {
        let issuer_key = key();
        let issuer = Issuer::new(of(&["ca.example.com"], None), issuer_key);
        let subject = key();
        let certificate = of(&["www.example.com"], identifier(&digest)).signed_by(&subject, &issuer).unwrap();
        Shown { certificate: certificate.into(), ..shown(of(&[], None), subject) }
    };
    let other_protocol = Shown { protocol: b"http/1.1", ..shown(of(&["www.example.com"], identifier(&digest)), key()) };
    use ValidationFault::{IncorrectResponse, Tls};
    for (what, shown, expected) in [
        ("another digest", shown(of(&["www.example.com"], identifier(&[7; 32])), key()), IncorrectResponse),
        ("no extension", shown(of(&["www.example.com"], None), key()), IncorrectResponse),
        ("not critical", shown(of(&["www.example.com"], Some(soft)), key()), IncorrectResponse),
        ("another name", shown(of(&["other.example.com"], identifier(&digest)), key()), IncorrectResponse),
        ("two names", shown(of(&["www.example.com", "b.example.com"], identifier(&digest)), key()), IncorrectResponse),
        ("no name", shown(of(&[], identifier(&digest)), key()), IncorrectResponse),
        ("another issuer", foreign, IncorrectResponse),
        ("another protocol", other_protocol, Tls),
    ] {
        let (port, _asked) = serve(shown).await;
        assert_eq!(fault(&asking(&names, port), &www()).await, expected, "{what}");
    }
    assert_eq!(fault(&asking(&names, free_port()), &www()).await, ValidationFault::Connection);
}
