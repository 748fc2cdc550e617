//! Certificates of unusual shape: names of every kind, purposes, pointers, long lives, self-signed, deep chains.

use std::fs;
use std::path::Path;

use chancery::domain::{
    Enrollment, IssuerChoice, IssuerSpec, IssuerUrls, PolicySpec, Preset, Profile, ProfileSpec, Span, Values,
};
use chancery::engine::{Issued, Root};
use chancery::signer::SoftwareSigner;
use chancery::x509::{Attribute, ExtendedKeyUsage, KeyAlgorithm, KeyUsage as Bit, KeyUsages, SanKind};
use tempfile::TempDir;
use time::OffsetDateTime;
use time::macros::datetime;
use webpki::KeyUsage;

use crate::judges::{certtool, extension, openssl, shape, webpki};
use crate::support::office::{Office, ca, slug, write};
use crate::support::text;

const SERVER: &str = "1.3.6.1.5.5.7.3.1";
const MICROSOFT_LOGON: &str = "1.3.6.1.4.1.311.20.2.2";

/// A profile under a policy that forbids nothing but CAs.
async fn open_profile(office: &Office, name: &str, issuer: IssuerChoice<chancery::domain::Slug>) -> Profile {
    let mut profile = ProfileSpec::new(slug(name), issuer, slug(name));
    profile.defaults = Preset::TlsServer.defaults();
    office.profile(PolicySpec::new(slug(name)), profile).await
}

/// An office with an issuer below a root, and an open profile.
async fn open_office() -> (Office, Profile) {
    let office = Office::open().await;
    office.issuer("issuer", KeyAlgorithm::P384, KeyAlgorithm::P256).await;
    let profile = open_profile(&office, "open", IssuerChoice::Ca(slug("issuer"))).await;
    (office, profile)
}

/// All three strangers accept a TLS server for a name; OpenSSL's words are answered.
fn is_fine_server(at: &Path, issued: &Issued, host: &str) -> Option<String> {
    write(at, issued);
    webpki(issued, KeyUsage::server_auth(), Some(host)).unwrap();
    assert_ne!(certtool(at, Some(SERVER), Some(host)), Some(false), "certtool: {host}");
    assert_ne!(openssl(at, "sslserver"), Some(false), "openssl: {host}");
    shape(at, issued)
}

#[tokio::test]
async fn names_of_every_kind() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    let (office, profile) = open_office().await;
    let ask = || office.ask(&profile);
    let all_kinds = |ask: Enrollment| {
        let ask = ask.dns("a.example.com").dns("*.example.org").san(SanKind::IpAddress, "192.0.2.1");
        let ask = ask.san(SanKind::IpAddress, "2001:db8::1").san(SanKind::Email, "jane@example.com");
        ask.san(SanKind::Uri, "spiffe://example.org/ns/a").san(SanKind::Upn, "jané@corp.example")
    };
    let hundred = (1..100).fold(ask().dns("a.example.com"), |ask, at| ask.dns(&format!("host-{at}.example.com")));
    let long = format!("{}.example.com", ["a".repeat(63), "b".repeat(63)].join("."));
    // The request, a name that it is good for, and what OpenSSL says of it.
    let table: [(Enrollment, &str, &[&str]); 7] = [
        (ask().dns("a.example.com"), "a.example.com", &["Subject: \n", "Alternative Name: critical"]),
        (ask().common_name("*.example.com").dns("*.example.com"), "b.example.com", &["DNS:*.example.com"]),
        (ask().common_name("bücher.example").dns("bücher.example"), "xn--bcher-kva.example", &["CN=bücher.example\n"]),
        (hundred, "host-99.example.com", &["DNS:host-1.example.com", "DNS:host-99.example.com"]),
        (ask().dns(&long), &long, &[]),
        (
            all_kinds(ask().common_name("Jané")),
            "192.0.2.1",
            &[
                "DNS:a.example.com, DNS:*.example.org, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1",
                "email:jane@example.com, URI:spiffe://example.org/ns/a, othername: UPN::jan",
            ],
        ),
        (all_kinds(ask()), "2001:db8::1", &["Alternative Name: critical"]),
    ];
    for (ask, host, expected) in table {
        let issued = office.issue(&ask).await;
        let Some(words) = is_fine_server(at, &issued, host) else { return };
        assert!(expected.iter().all(|part| words.contains(part)), "{expected:?}: {words}");
    }
    let kinds = ["DNSname: ", "IPAddress: ", "RFC822Name: ", "URI: ", "User Principal Name: jané"];
    if let Some(words) = text(at, "certtool", &["-i", "--infile=leaf.pem"]) {
        assert!(words.contains("Subject Alternative Name (critical)"), "{words}");
        assert!(kinds.iter().all(|kind| words.contains(kind)), "{words}");
    }
}

#[tokio::test]
async fn every_attribute_of_a_subject() {
    let directory = TempDir::new().unwrap();
    let (office, profile) = open_office().await;
    let many = |values: &[&str]| Values::Many(values.iter().map(|value| (*value).to_owned()).collect());
    let ask = office
        .ask(&profile)
        .attribute(Attribute::DomainComponent, many(&["example", "com"]))
        .attribute(Attribute::Country, "DE")
        .attribute(Attribute::State, "Thüringen")
        .attribute(Attribute::Locality, "東京")
        .attribute(Attribute::Organization, "Ångström, \"Söhne\" & Co.")
        .attribute(Attribute::OrganizationalUnit, many(&["Ärzte", "R+D"]))
        .attribute(Attribute::SerialNumber, "4711-A")
        .attribute(Attribute::CommonName, "𝔘nicode 🔑")
        .dns("a.example.com");
    let issued = office.issue(&ask).await;
    let Some(_) = is_fine_server(directory.path(), &issued, "a.example.com") else { return };
    let ask = ["x509", "-in", "leaf.pem", "-noout", "-subject", "-nameopt", "sep_multiline,utf8,sname,show_type"];
    let words = text(directory.path(), "openssl", &ask).unwrap();
    let seen: Vec<&str> = words.lines().skip(1).map(str::trim).collect();
    let expected = [
        "DC=IA5STRING:example",
        "DC=IA5STRING:com",
        "C=PRINTABLESTRING:DE",
        "ST=UTF8STRING:Thüringen",
        "L=UTF8STRING:東京",
        "O=UTF8STRING:Ångström, \"Söhne\" & Co.",
        "OU=UTF8STRING:Ärzte",
        "OU=UTF8STRING:R+D",
        "serialNumber=PRINTABLESTRING:4711-A",
        "CN=UTF8STRING:𝔘nicode 🔑",
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn purposes_of_every_kind() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    let (office, profile) = open_office().await;
    // OpenSSL 3.0 has no purpose for code signing, OCSP responders below an intermediate or purposes of others.
    let table: [(&[&str], &str, &str); 5] = [
        (&["time_stamping"], "timestampsign", "Time Stamping"),
        (&["server_auth", MICROSOFT_LOGON], "sslserver", "TLS Web Server Authentication, Microsoft Smartcard Login"),
        (&["1.3.6.1.4.1.99999.1.2"], "any", "1.3.6.1.4.1.99999.1.2"),
        (&["ocsp_signing"], "ocsphelper", "OCSP Signing"),
        (&["any"], "any", "Any Extended Key Usage"),
    ];
    for (usages, purpose, words) in table {
        let mut ask = office.ask(&profile).common_name("a.example.com").dns("a.example.com");
        let usages: Vec<ExtendedKeyUsage> = usages.iter().map(|usage| usage.parse().unwrap()).collect();
        let is_server = usages.contains(&ExtendedKeyUsage::ServerAuth) || usages == [ExtendedKeyUsage::Any];
        ask.names.extended_key_usages = Some(usages);
        let issued = office.issue(&ask).await;
        write(at, &issued);
        let Some(seen) = shape(at, &issued) else { return };
        assert_eq!(extension(&seen, "Extended Key Usage").unwrap().1, words);
        assert_eq!(openssl(at, purpose), Some(true), "openssl: {purpose}");
        assert_ne!(certtool(at, Some(SERVER), None), Some(!is_server), "certtool: {words}");
        let last = if words == "Time Stamping" { &[43, 6, 1, 5, 5, 7, 3, 8][..] } else { &[43, 6, 1, 5, 5, 7, 3, 1] };
        let accepts = webpki(&issued, KeyUsage::required_if_present(last), None).is_ok();
        assert_eq!(accepts, words == "Time Stamping" || words.starts_with("TLS Web"), "webpki: {words}");
    }
}

#[tokio::test]
async fn key_usages_of_every_kind() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    let (office, profile) = open_office().await;
    let bits = [Bit::DigitalSignature, Bit::NonRepudiation, Bit::KeyEncipherment, Bit::DataEncipherment];
    let agreement = [Bit::DigitalSignature, Bit::KeyAgreement];
    let ciphers = [Bit::KeyAgreement, Bit::DecipherOnly];
    let table = [
        (
            KeyAlgorithm::Rsa2048,
            KeyUsages::from(bits),
            "Digital Signature, Non Repudiation, Key Encipherment, Data Encipherment",
        ),
        (KeyAlgorithm::P256, KeyUsages::from(agreement), "Digital Signature, Key Agreement"),
        (KeyAlgorithm::P256, KeyUsages::from(ciphers), "Key Agreement, Decipher Only"),
    ];
    for (key, usages, words) in table {
        let mut ask = office.ask(&profile).dns("a.example.com").key_algorithm(key);
        ask.names.key_usages = Some(usages);
        let issued = office.issue(&ask).await;
        let Some(seen) = is_fine_server(at, &issued, "a.example.com") else { return };
        assert_eq!(extension(&seen, "Key Usage").unwrap(), (true, words));
    }
}

#[tokio::test]
async fn pointers_to_crls_responders_and_issuers() {
    let directory = TempDir::new().unwrap();
    let office = Office::open().await;
    let urls = |host: &str| IssuerUrls {
        crl: vec![format!("http://{host}/a.crl"), format!("http://{host}/b.crl")],
        ocsp: vec![format!("http://{host}/ocsp")],
        ca_issuers: vec![format!("http://{host}/ca.cer")],
    };
    let root = IssuerSpec { urls: urls("root.example"), ..ca("root", KeyAlgorithm::P256) };
    let root = office.admin.create_root(root).await.unwrap();
    let below = IssuerSpec { urls: urls("issuer.example"), ttl: Span::days(900), ..ca("issuer", KeyAlgorithm::P256) };
    office.admin.create_intermediate(below, root.id).await.unwrap();
    let profile = open_profile(&office, "open", IssuerChoice::Ca(slug("issuer"))).await;
    let issued = office.issue(&office.ask(&profile).dns("a.example.com")).await;
    let Some(leaf) = is_fine_server(directory.path(), &issued, "a.example.com") else { return };
    let above = issued.chain.certificates(Root::Include).nth(1).unwrap().pem();
    fs::write(directory.path().join("above.pem"), above).unwrap();
    let above = text(directory.path(), "openssl", &["x509", "-in", "above.pem", "-noout", "-text"]).unwrap();
    let root = text(directory.path(), "openssl", &["x509", "-in", "root.pem", "-noout", "-text"]).unwrap();
    for (words, host) in [(&leaf, "issuer.example"), (&above, "root.example")] {
        assert_eq!(words.matches("Full Name:").count(), 2, "a distribution point for each CRL: {words}");
        for url in
            ["URI:http://H/a.crl", "URI:http://H/b.crl", "OCSP - URI:http://H/ocsp", "CA Issuers - URI:http://H/ca"]
        {
            assert!(words.contains(&url.replace('H', host)), "{url} of {host}: {words}");
        }
    }
    assert!(!root.contains("URI:"), "a root points to nothing: {root}");
}

#[tokio::test]
async fn lives_that_end_after_2049() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    let office = Office::open().await;
    let century = IssuerSpec { ttl: Span::days(36_000), ..ca("century", KeyAlgorithm::P256) };
    office.admin.create_root(century).await.unwrap();
    let profile = open_profile(&office, "open", IssuerChoice::Ca(slug("century"))).await;
    // RFC 5280 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050.
    let table = [
        (datetime!(2049-12-31 23:59:59 UTC), "UTCTIME           :491231235959Z"),
        (datetime!(2050-01-01 0:00 UTC), "GENERALIZEDTIME   :20500101000000Z"),
        (datetime!(2099-06-01 12:30:15 UTC), "GENERALIZEDTIME   :20990601123015Z"),
    ];
    for (until, words) in table {
        let mut ask = office.ask(&profile).dns("a.example.com");
        ask.terms.not_after = Some(until);
        let issued = office.issue(&ask).await;
        let Some(_) = is_fine_server(at, &issued, "a.example.com") else { return };
        let parsed = text(at, "openssl", &["asn1parse", "-in", "leaf.pem"]).unwrap();
        assert!(parsed.contains(words), "{words}: {parsed}");
        assert_eq!(parsed.matches("TIME  ").count(), 2);
    }
}

/// GnuTLS trusts no certificate that is no CA, its own self-signed ones neither; it only reads these.
#[tokio::test]
async fn self_signed_profiles() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    let office = Office::open().await;
    let profile = open_profile(&office, "self", IssuerChoice::SelfSigned).await;
    for key in [KeyAlgorithm::P256, KeyAlgorithm::Rsa2048, KeyAlgorithm::P521, KeyAlgorithm::Ed25519] {
        let ask = office.ask(&profile).common_name("a.example.com").dns("a.example.com").key_algorithm(key);
        let issued = office.issue(&ask).await;
        let certificate = issued.certificate();
        assert!(certificate.is_self_issued());
        certificate.verify_issued_by(certificate).unwrap();
        write(at, &issued);
        let Some(_) = shape(at, &issued) else { return };
        assert_eq!(openssl(at, "sslserver"), Some(true));
        assert_ne!(certtool(at, None, Some("a.example.com")), Some(true), "GnuTLS has changed: ask it, too");
        webpki(&issued, KeyUsage::server_auth(), Some("a.example.com")).unwrap();
    }
}

/// root → issuer → a CA that a profile issued → leaf; below the last one no CA can follow.
#[tokio::test]
async fn a_ca_that_a_profile_issued_issues_in_turn() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    let (office, _) = open_office().await;
    let profile = office.preset(Preset::IntermediateCa, "issuer").await;
    let sub = office.issue(&office.ask(&profile).common_name("Works").attribute(Attribute::Country, "DE")).await;
    write(at, &sub);
    let Some(words) = shape(at, &sub) else { return };
    assert_eq!(extension(&words, "Basic Constraints").unwrap(), (true, "CA:TRUE, pathlen:0"));
    assert_eq!(extension(&words, "Key Usage").unwrap().1, "Digital Signature, Certificate Sign, CRL Sign");
    let chain: Vec<_> = sub.chain.certificates(Root::Include).cloned().collect();
    let key = || SoftwareSigner::from_pkcs8_der(sub.private_key.as_ref().unwrap().pkcs8_der().expose()).unwrap();
    let imported = office.admin.import_issuer(slug("works"), IssuerUrls::default(), chain, Some(key())).await.unwrap();
    let profile = open_profile(&office, "below", IssuerChoice::Ca(slug("works"))).await;
    let issued = office.issue(&office.ask(&profile).common_name("a.example.com").dns("a.example.com")).await;
    assert_eq!(issued.chain.certificates(Root::Include).count(), 4);
    is_fine_server(at, &issued, "a.example.com");
    let too_deep = IssuerSpec { ttl: Span::days(30), ..ca("too-deep", KeyAlgorithm::P256) };
    assert!(office.admin.create_intermediate(too_deep, imported.id).await.is_err());
}

/// A validity that has not begun or is over is refused by all, so that their word for the others counts.
#[tokio::test]
async fn strangers_refuse_what_is_not_yet_valid() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    let (office, profile) = open_office().await;
    let mut ask = office.ask(&profile).dns("a.example.com");
    let tomorrow = OffsetDateTime::now_utc() + time::Duration::DAY;
    (ask.terms.not_before, ask.terms.not_after) = (Some(tomorrow), Some(tomorrow + time::Duration::DAY));
    let issued = office.issue(&ask).await;
    write(at, &issued);
    let refusal = webpki(&issued, KeyUsage::server_auth(), None).unwrap_err();
    assert!(matches!(refusal, webpki::Error::CertNotValidYet { .. }), "{refusal:?}");
    assert_ne!(openssl(at, "sslserver"), Some(true));
    assert_ne!(certtool(at, Some(SERVER), None), Some(true));
}
