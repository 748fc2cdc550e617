//! The strangers: OpenSSL, GnuTLS and rustls-webpki, each asked whether it accepts a certificate for a purpose.

use std::path::Path;

use chancery::engine::{Issued, Root};
use chancery::x509::{Certificate, ExtendedKeyUsage};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage};

use crate::support::{attempt, output, text};

/// `openssl verify` with every check that it has, of the files that `write` made.
pub(crate) fn openssl(at: &Path, purpose: &str) -> Option<bool> {
    let files = ["-CAfile", "root.pem", "-untrusted", "chain.pem", "leaf.pem"];
    let strict = ["verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-purpose", purpose];
    attempt(at, "openssl", &[&strict[..], &files].concat()).map(|output| output.status.success())
}

/// `certtool --verify` of the chain against the root, perhaps for a purpose and a host.
pub(crate) fn certtool(at: &Path, purpose: Option<&str>, host: Option<&str>) -> Option<bool> {
    let purpose = purpose.map(|oid| format!("--verify-purpose={oid}"));
    let host = host.map(|host| format!("--verify-hostname={host}"));
    let mut arguments = vec!["--verify", "--load-ca-certificate=root.pem", "--infile=chain.pem"];
    arguments.extend(purpose.as_deref());
    arguments.extend(host.as_deref());
    attempt(at, "certtool", &arguments).map(|output| output.status.success())
}

/// rustls-webpki, with the root as the only anchor.
pub(crate) fn webpki(issued: &Issued, usage: KeyUsage, host: Option<&str>) -> Result<(), Error> {
    let root = issued.chain.root().unwrap();
    let root = CertificateDer::from(root.der());
    let anchors = [webpki::anchor_from_trusted_cert(&root)?];
    let above: Vec<CertificateDer<'_>> = issued
        .chain
        .certificates(Root::Exclude)
        .skip(1)
        .map(|certificate| CertificateDer::from(certificate.der()))
        .collect();
    let leaf = CertificateDer::from(issued.certificate().der());
    let leaf = EndEntityCert::try_from(&leaf)?;
    leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, &above, UnixTime::now(), usage, None, None)?;
    host.map_or(Ok(()), |host| leaf.verify_is_valid_for_subject_name(&ServerName::try_from(host).unwrap()))
}

/// What every certificate must look like, in OpenSSL's words; the words are answered. Nothing without OpenSSL.
pub(crate) fn shape(at: &Path, issued: &Issued) -> Option<String> {
    let certificate = issued.certificate();
    reads_back(certificate);
    assert_eq!(output(at, "openssl", &["x509", "-in", "leaf.pem", "-outform", "DER"])?, certificate.der());
    let words = text(
        at,
        "openssl",
        &["x509", "-in", "leaf.pem", "-noout", "-text", "-nameopt", "sep_comma_plus_space,utf8,sname"],
    )?;
    assert!(words.contains("Version: 3 (0x2)"), "{words}");
    let serial = text(at, "openssl", &["x509", "-in", "leaf.pem", "-noout", "-serial"])?;
    let serial = serial.trim().strip_prefix("serial=").unwrap();
    assert!(serial.len() == 40 && ('4'..='7').contains(&serial.chars().next().unwrap()), "serial {serial}");
    let content = certificate.content();
    let (critical, constraints) = extension(&words, "Basic Constraints").unwrap();
    assert!(
        critical && constraints.starts_with(if content.basic_constraints.is_ca() { "CA:TRUE" } else { "CA:FALSE" })
    );
    assert!(extension(&words, "Key Usage").unwrap().0, "key usage must be critical: {words}");
    let san = extension(&words, "Subject Alternative Name");
    assert_eq!(san.is_some(), !content.sans.is_empty());
    assert!(san.is_none_or(|(critical, _)| critical == content.subject.is_empty()), "{words}");
    let stamps = content.extended_key_usages == [ExtendedKeyUsage::TimeStamping];
    assert!(extension(&words, "Extended Key Usage").is_none_or(|(critical, _)| critical == stamps), "{words}");
    let issuer = issued.chain.certificates(Root::Include).nth(1).unwrap_or(certificate);
    for (name, identifier) in [("Subject", certificate.key_identifier()), ("Authority", issuer.key_identifier())] {
        let (critical, seen) = extension(&words, &format!("{name} Key Identifier")).unwrap();
        let hex: Vec<String> = identifier.iter().map(|octet| format!("{octet:02X}")).collect();
        assert_eq!((critical, seen.trim_start_matches("keyid:")), (false, hex.join(":").as_str()));
    }
    if let Some(words) = text(at, "certtool", &["-i", "--infile=leaf.pem"]) {
        assert!(words.contains("Version: 3") && !words.contains("error"), "{words}");
    }
    Some(words)
}

/// The same bytes make the same certificate, and the crate's own verification agrees with the strangers'.
fn reads_back(certificate: &Certificate) {
    let again = Certificate::from_der(certificate.der()).unwrap();
    assert_eq!(again, *certificate);
    assert_eq!(again.content(), certificate.content());
}

/// Whether an extension is critical, and the first line of its value.
pub(crate) fn extension<'a>(words: &'a str, name: &str) -> Option<(bool, &'a str)> {
    let heading = format!("X509v3 {name}:");
    let mut lines = words.lines().skip_while(|line| !line.trim_start().starts_with(&heading));
    let critical = lines.next()?.ends_with("critical");
    Some((critical, lines.next()?.trim()))
}
