//! Linting what will be signed: rules that hold for every certificate, whatever a policy says.

use serde::{Deserialize, Serialize};

use super::{Attribute, Content, ExtendedKeyUsage, KeyAlgorithm, KeyUsage, KeyUsages, San, TbsView};

/// A rule that the to-be-signed bytes break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "rule", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Lint {
    /// RFC 5280 section 4.1.2.6: a certificate must name somebody.
    #[error("the certificate names nobody: neither a subject nor a subject alternative name (RFC 5280 4.1.2.6)")]
    NamesNobody,
    /// The same subject alternative name occurs twice.
    #[error("subject alternative name {name} occurs twice")]
    DuplicateSan {
        /// The name.
        name: String,
    },
    /// The same extended key usage occurs twice.
    #[error("extended key usage {usage} occurs twice")]
    DuplicateExtendedKeyUsage {
        /// The usage.
        usage: String,
    },
    /// A key usage that the key's algorithm can not serve.
    #[error(
        "key usage {usage} makes no sense for a key of algorithm {key_algorithm} (RFC 4055 1.2, 8410 5, 8813 3, 9881 5)"
    )]
    UsageUnfitForKey {
        /// The usage.
        usage: KeyUsage,
        /// The key's algorithm.
        key_algorithm: KeyAlgorithm,
    },
    /// RFC 5280 section 4.2.1.3: encipherOnly and decipherOnly mean something only beside keyAgreement.
    #[error("key usage {usage} is undefined without key_agreement (RFC 5280 4.2.1.3)")]
    UsageWithoutKeyAgreement {
        /// The usage.
        usage: KeyUsage,
    },
    /// RFC 5280 section 4.2.1.9: keyCertSign and the CA flag go together.
    #[error("key_cert_sign and the CA flag go together (RFC 5280 4.2.1.9)")]
    CaWithoutCertSign,
    /// RFC 3161 section 2.3: time-stamping stands alone.
    #[error("extended key usage time_stamping must stand alone (RFC 3161 2.3)")]
    TimeStampingNotAlone,
    /// The key identifiers are missing.
    #[error("subject or authority key identifier is missing (RFC 5280 4.2.1.1, 4.2.1.2)")]
    KeyIdentifierMissing,
    /// The serial number is too predictable.
    #[error("the serial number has {octets} octets; at least 16 are needed")]
    SerialTooShort {
        /// Its length.
        octets: usize,
    },
    /// A name that can not fit the RFC's structure.
    #[error("{what} holds {seen}, more than the {limit} that fit")]
    TooMany {
        /// What there is too much of.
        what: String,
        /// How many.
        seen: usize,
        /// How many may be.
        limit: usize,
    },
    /// An extension that the crate did not mean to write.
    #[error("unexpected extension {oid}")]
    UnexpectedExtension {
        /// Its object identifier.
        oid: String,
    },
}

/// Most subject alternative names in one certificate.
pub const MAX_SANS: usize = 100;

/// Every rule that the content breaks; empty if it is fit to be signed.
pub fn lint_content(content: &Content) -> Vec<Lint> {
    let mut found = Vec::new();
    lint_names(content, &mut found);
    lint_usages(content, &mut found);
    found
}

/// Every rule that to-be-signed bytes break, seen through their reading.
pub(crate) fn lint_tbs(tbs: &TbsView) -> Vec<Lint> {
    let mut found = lint_content(&tbs.content);
    if tbs.key_identifier.is_none() || tbs.authority_key_identifier.is_none() {
        found.push(Lint::KeyIdentifierMissing);
    }
    let octets = tbs.serial.as_octets().len();
    if octets < 16 {
        found.push(Lint::SerialTooShort { octets });
    }
    found.extend(tbs.unknown.iter().map(|unknown| Lint::UnexpectedExtension { oid: unknown.oid.clone() }));
    found
}

fn lint_names(content: &Content, found: &mut Vec<Lint>) {
    let sans = &content.sans;
    if content.subject.is_empty() && sans.is_empty() {
        found.push(Lint::NamesNobody);
    }
    if sans.len() > MAX_SANS {
        found.push(Lint::TooMany { what: "subject alternative name".into(), seen: sans.len(), limit: MAX_SANS });
        return;
    }
    let twice = |at: usize, san: &San| sans[..at].contains(san);
    let duplicates = sans.iter().enumerate().filter(|(at, san)| twice(*at, san));
    found.extend(duplicates.map(|(_, san)| Lint::DuplicateSan { name: san.to_string() }));
    for attribute in [Attribute::OrganizationalUnit, Attribute::DomainComponent] {
        let seen = content.subject.values(attribute).count();
        if seen > 16 {
            found.push(Lint::TooMany { what: attribute.to_string(), seen, limit: 16 });
        }
    }
}

fn lint_usages(content: &Content, found: &mut Vec<Lint>) {
    found.extend(usages_unfit_for_key(content));
    let usages = content.key_usages;
    if !usages.contains(KeyUsage::KeyAgreement) {
        let lonely = usages.intersection(KeyUsages::from([KeyUsage::EncipherOnly, KeyUsage::DecipherOnly]));
        found.extend(lonely.iter().map(|usage| Lint::UsageWithoutKeyAgreement { usage }));
    }
    if usages.contains(KeyUsage::KeyCertSign) != content.basic_constraints.is_ca() {
        found.push(Lint::CaWithoutCertSign);
    }
    let purposes = &content.extended_key_usages;
    if purposes.len() > 1 && purposes.contains(&ExtendedKeyUsage::TimeStamping) {
        found.push(Lint::TimeStampingNotAlone);
    }
    let duplicates = purposes.iter().enumerate().filter(|(at, usage)| purposes[..*at].contains(usage));
    found.extend(duplicates.map(|(_, usage)| Lint::DuplicateExtendedKeyUsage { usage: usage.to_string() }));
}

fn usages_unfit_for_key(content: &Content) -> impl Iterator<Item = Lint> {
    let algorithm = content.key_algorithm;
    let unfit = content.key_usages.intersection(algorithm.unfit_usages());
    unfit.iter().map(move |usage| Lint::UsageUnfitForKey { usage, key_algorithm: algorithm })
}
