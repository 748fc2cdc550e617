//! Presets × issuer keys × subject keys: every pair of preset and issuer key, and of issuer and subject key.

use chancery::domain::{Enrollment, Preset};
use chancery::x509::{KeyAlgorithm, SanKind};
use tempfile::TempDir;
use webpki::KeyUsage;

use crate::judges::{certtool, openssl, shape, webpki};
use crate::support::office::{Office, write};

const KEYS: [KeyAlgorithm; 5] =
    [KeyAlgorithm::Rsa2048, KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::P521, KeyAlgorithm::Ed25519];

const HOST: &str = "a.example.com";

const SERVER: Purpose = Purpose { name: "sslserver", oid: "1.3.6.1.5.5.7.3.1", value: &[43, 6, 1, 5, 5, 7, 3, 1] };
const CLIENT: Purpose = Purpose { name: "sslclient", oid: "1.3.6.1.5.5.7.3.2", value: &[43, 6, 1, 5, 5, 7, 3, 2] };
const CODE: Purpose = Purpose { name: "codesign", oid: "1.3.6.1.5.5.7.3.3", value: &[43, 6, 1, 5, 5, 7, 3, 3] };
const EMAIL: Purpose = Purpose { name: "smimesign", oid: "1.3.6.1.5.5.7.3.4", value: &[43, 6, 1, 5, 5, 7, 3, 4] };
const PURPOSES: [Purpose; 4] = [SERVER, CLIENT, CODE, EMAIL];

/// What a stranger is not asked, and why.
const EXCLUDED: [(&str, &str, &str); 3] = [
    ("openssl", "codesign", "OpenSSL has the purpose since 3.2 only; `any` is asked instead"),
    ("certtool", "CA", "GnuTLS asks for a purpose of end entities; the chain alone is verified"),
    ("webpki", "CA", "rustls-webpki takes no CA for an end entity; `shapes` lets it judge one as an issuer"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
struct Purpose {
    name: &'static str,
    oid: &'static str,
    value: &'static [u8],
}

/// The purposes that a preset is for. Of all others it must be refused.
fn purposes(preset: Preset) -> &'static [Purpose] {
    match preset {
        Preset::TlsServer => &[SERVER],
        Preset::TlsClient | Preset::Device => &[CLIENT],
        Preset::Dual => &[SERVER, CLIENT],
        Preset::CodeSigning => &[CODE],
        Preset::Email => &[EMAIL],
        Preset::User => &[CLIENT, EMAIL],
        Preset::IntermediateCa => &[],
    }
}

fn named(preset: Preset, ask: Enrollment) -> Enrollment {
    match preset {
        Preset::TlsServer | Preset::TlsClient | Preset::Dual | Preset::Device => ask.common_name(HOST).dns(HOST),
        Preset::Email | Preset::User => ask.common_name("Jane Doe").san(SanKind::Email, "jane@example.com"),
        Preset::CodeSigning | Preset::IntermediateCa => ask.common_name("Example Works"),
    }
}

fn is_excluded(stranger: &str, what: &str) -> bool {
    let found = EXCLUDED.iter().find(|(who, whom, _)| (*who, *whom) == (stranger, what));
    found.inspect(|(who, whom, why)| eprintln!("EXCLUDED: {who} does not judge {whom}: {why}")).is_some()
}

#[tokio::test]
async fn every_preset_below_every_issuer_key() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    let office = Office::open().await;
    for (column, issuer_key) in KEYS.into_iter().enumerate() {
        let issuer = format!("issuer-{column}");
        office.issuer(&issuer, KEYS[(column + 1) % KEYS.len()], issuer_key).await;
        for (row, preset) in Preset::ALL.into_iter().enumerate() {
            let subject_key = KEYS[(row + column) % KEYS.len()];
            let label = format!("{preset:?} on {subject_key} by {issuer_key}");
            let profile = office.preset(preset, &issuer).await;
            let issued = office.issue(&named(preset, office.ask(&profile)).key_algorithm(subject_key)).await;
            write(at, &issued);
            assert_eq!(issued.certificate().public_key().algorithm(), subject_key);
            if shape(at, &issued).is_none() {
                return;
            }
            if preset == Preset::IntermediateCa {
                assert_eq!(openssl(at, "crlsign"), Some(true), "openssl: {label}");
                assert!(is_excluded("certtool", "CA") && is_excluded("webpki", "CA"));
                assert_ne!(certtool(at, None, None), Some(false), "certtool: {label}");
                let refusal = webpki(&issued, KeyUsage::server_auth(), None).unwrap_err();
                assert_eq!(refusal, webpki::Error::CaUsedAsEndEntity);
                continue;
            }
            for purpose in PURPOSES {
                let fits = purposes(preset).contains(&purpose);
                let host = (fits && purpose == SERVER).then_some(HOST);
                let label = format!("{label} for {}", purpose.name);
                if !is_excluded("openssl", purpose.name) {
                    assert_eq!(openssl(at, purpose.name), Some(fits), "openssl: {label}");
                }
                assert_ne!(certtool(at, Some(purpose.oid), host), Some(!fits), "certtool: {label}");
                let judged = webpki(&issued, KeyUsage::required_if_present(purpose.value), host);
                assert_eq!(judged.is_ok(), fits, "webpki: {label}: {judged:?}");
            }
            assert_eq!(openssl(at, "any"), Some(true), "openssl: {label}");
            if preset == Preset::TlsServer {
                assert_ne!(certtool(at, Some(SERVER.oid), Some("b.example.com")), Some(true), "certtool: {label}");
                assert!(webpki(&issued, KeyUsage::server_auth(), Some("b.example.com")).is_err(), "webpki: {label}");
            }
        }
    }
}

/// RSA keys of S/MIME recipients are encrypted to, and only they.
#[tokio::test]
async fn mail_is_encrypted_to_rsa_keys() {
    let directory = TempDir::new().unwrap();
    let office = Office::open().await;
    office.issuer("mail", KeyAlgorithm::P256, KeyAlgorithm::P256).await;
    let profile = office.preset(Preset::Email, "mail").await;
    for (key, encrypts) in [(KeyAlgorithm::Rsa2048, true), (KeyAlgorithm::P256, false), (KeyAlgorithm::Ed25519, false)]
    {
        let ask = named(Preset::Email, office.ask(&profile)).key_algorithm(key);
        write(directory.path(), &*office.issue(&ask).await);
        assert_ne!(openssl(directory.path(), "smimeencrypt"), Some(!encrypts), "{key}");
    }
}
