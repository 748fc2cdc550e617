//! Key usage, extended key usage and basic constraints.

use std::fmt;
use std::str::FromStr;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5280, rfc5912};
use serde::{Deserialize, Serialize};

use super::{InvalidValue, KeyAlgorithm};

/// One bit of the key usage extension (RFC 5280 section 4.2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u16)]
pub enum KeyUsage {
    /// digitalSignature (0).
    DigitalSignature = 1 << 0,
    /// nonRepudiation, now contentCommitment (1).
    NonRepudiation = 1 << 1,
    /// keyEncipherment (2).
    KeyEncipherment = 1 << 2,
    /// dataEncipherment (3).
    DataEncipherment = 1 << 3,
    /// keyAgreement (4).
    KeyAgreement = 1 << 4,
    /// keyCertSign (5).
    KeyCertSign = 1 << 5,
    /// cRLSign (6).
    CrlSign = 1 << 6,
    /// encipherOnly (7).
    EncipherOnly = 1 << 7,
    /// decipherOnly (8).
    DecipherOnly = 1 << 8,
}

impl KeyUsage {
    /// Every bit, in the order of the extension.
    pub const ALL: [KeyUsage; 9] = [
        Self::DigitalSignature,
        Self::NonRepudiation,
        Self::KeyEncipherment,
        Self::DataEncipherment,
        Self::KeyAgreement,
        Self::KeyCertSign,
        Self::CrlSign,
        Self::EncipherOnly,
        Self::DecipherOnly,
    ];

    /// The spelling in policies and at the API, for example `digital_signature`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DigitalSignature => "digital_signature",
            Self::NonRepudiation => "non_repudiation",
            Self::KeyEncipherment => "key_encipherment",
            Self::DataEncipherment => "data_encipherment",
            Self::KeyAgreement => "key_agreement",
            Self::KeyCertSign => "key_cert_sign",
            Self::CrlSign => "crl_sign",
            Self::EncipherOnly => "encipher_only",
            Self::DecipherOnly => "decipher_only",
        }
    }
}

impl fmt::Display for KeyUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of key usage bits; empty means that the extension is absent.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<KeyUsage>", into = "Vec<KeyUsage>")]
pub struct KeyUsages(u16);

impl KeyUsages {
    /// Whether `usage` is in the set.
    pub fn contains(self, usage: KeyUsage) -> bool {
        self.0 & usage as u16 != 0
    }

    /// Whether no bit is set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The bits of both sets.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The bits of this set that are not in `other`.
    #[must_use]
    pub fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The bits in both sets.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The bits, in the order of the extension.
    pub fn iter(self) -> impl Iterator<Item = KeyUsage> {
        KeyUsage::ALL.into_iter().filter(move |usage| self.contains(*usage))
    }

    pub(super) fn bits(self) -> u16 {
        self.0
    }

    pub(super) fn from_bits(bits: u16) -> Self {
        Self(bits & 0x1ff)
    }
}

impl FromIterator<KeyUsage> for KeyUsages {
    fn from_iter<I: IntoIterator<Item = KeyUsage>>(usages: I) -> Self {
        Self(usages.into_iter().fold(0, |bits, usage| bits | usage as u16))
    }
}

impl<const N: usize> From<[KeyUsage; N]> for KeyUsages {
    fn from(usages: [KeyUsage; N]) -> Self {
        usages.into_iter().collect()
    }
}

impl From<Vec<KeyUsage>> for KeyUsages {
    fn from(usages: Vec<KeyUsage>) -> Self {
        usages.into_iter().collect()
    }
}

impl From<KeyUsages> for Vec<KeyUsage> {
    fn from(usages: KeyUsages) -> Self {
        usages.iter().collect()
    }
}

impl fmt::Debug for KeyUsages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl KeyAlgorithm {
    /// The key usages that a key of this algorithm can not serve: RFC 4055 section 1.2 (RSA), RFC 8813 section 3 (elliptic
    /// curves), RFC 8410 section 5 (Ed25519) and RFC 9881 section 5 (ML-DSA).
    pub fn unfit_usages(self) -> KeyUsages {
        use KeyUsage::{DataEncipherment, DecipherOnly, EncipherOnly, KeyAgreement, KeyEncipherment};
        if self.is_signature_only() {
            KeyUsages::from([KeyEncipherment, DataEncipherment, KeyAgreement, EncipherOnly, DecipherOnly])
        } else if self.is_rsa() {
            KeyUsages::from([KeyAgreement, EncipherOnly, DecipherOnly])
        } else {
            KeyUsages::from([KeyEncipherment, DataEncipherment])
        }
    }
}

/// A purpose in the extended key usage extension (RFC 5280 section 4.2.1.12).
///
/// Its text is a name (`server_auth`) or, for purposes that the crate has no name for, a dotted OID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum ExtendedKeyUsage {
    /// TLS server.
    ServerAuth,
    /// TLS client.
    ClientAuth,
    /// Code signing.
    CodeSigning,
    /// S/MIME.
    EmailProtection,
    /// RFC 3161 time-stamping.
    TimeStamping,
    /// Delegated OCSP responder.
    OcspSigning,
    /// anyExtendedKeyUsage.
    Any,
    /// Any other purpose.
    Other(Oid),
}

impl ExtendedKeyUsage {
    const NAMED: [(ExtendedKeyUsage, &'static str, ObjectIdentifier); 7] = [
        (Self::ServerAuth, "server_auth", rfc5280::ID_KP_SERVER_AUTH),
        (Self::ClientAuth, "client_auth", rfc5280::ID_KP_CLIENT_AUTH),
        (Self::CodeSigning, "code_signing", rfc5280::ID_KP_CODE_SIGNING),
        (Self::EmailProtection, "email_protection", rfc5280::ID_KP_EMAIL_PROTECTION),
        (Self::TimeStamping, "time_stamping", rfc5280::ID_KP_TIME_STAMPING),
        (Self::OcspSigning, "ocsp_signing", rfc5280::ID_KP_OCSP_SIGNING),
        (Self::Any, "any", rfc5912::ANY_EXTENDED_KEY_USAGE),
    ];

    pub(super) fn oid(&self) -> ObjectIdentifier {
        match self {
            Self::ServerAuth => rfc5280::ID_KP_SERVER_AUTH,
            Self::ClientAuth => rfc5280::ID_KP_CLIENT_AUTH,
            Self::CodeSigning => rfc5280::ID_KP_CODE_SIGNING,
            Self::EmailProtection => rfc5280::ID_KP_EMAIL_PROTECTION,
            Self::TimeStamping => rfc5280::ID_KP_TIME_STAMPING,
            Self::OcspSigning => rfc5280::ID_KP_OCSP_SIGNING,
            Self::Any => rfc5912::ANY_EXTENDED_KEY_USAGE,
            Self::Other(oid) => oid.0,
        }
    }

    pub(super) fn from_oid(oid: ObjectIdentifier) -> Self {
        let named = Self::NAMED.into_iter().find(|(_, _, known)| *known == oid);
        named.map_or(Self::Other(Oid(oid)), |(usage, _, _)| usage)
    }
}

impl FromStr for ExtendedKeyUsage {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if let Some((usage, _, _)) = Self::NAMED.into_iter().find(|(_, name, _)| *name == text) {
            return Ok(usage);
        }
        let oid: Oid = text.parse().map_err(|_| {
            let names = Self::NAMED.map(|(_, name, _)| name).join(", ");
            InvalidValue::new("extended key usage", text, format!("{names}, or a dotted object identifier"))
        })?;
        Ok(Self::from_oid(oid.0))
    }
}

impl TryFrom<String> for ExtendedKeyUsage {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl From<ExtendedKeyUsage> for String {
    fn from(usage: ExtendedKeyUsage) -> Self {
        usage.to_string()
    }
}

impl fmt::Display for ExtendedKeyUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Self::NAMED.iter().find(|(usage, _, _)| usage == self);
        match (named, self) {
            (Some((_, name, _)), _) => f.write_str(name),
            (None, Self::Other(oid)) => write!(f, "{oid}"),
            (None, _) => write!(f, "{}", self.oid()),
        }
    }
}

/// An object identifier in dotted notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(ObjectIdentifier);

/// The identifier, if each of its arcs is in its shortest DER form.
///
/// The decoder lets leading zeros of an arc pass; such an identifier shows the same text as its proper twin and is not
/// equal to it, so that a known extension could pass for an unknown one.
pub(super) fn shortest(oid: ObjectIdentifier) -> Result<ObjectIdentifier, InvalidValue> {
    let padded = |arc: &[u8]| arc.first() == Some(&0x80);
    if oid.as_bytes().split_inclusive(|octet| octet & 0x80 == 0).any(padded) {
        return Err(InvalidValue::new("object identifier", oid.to_string(), "each arc in its shortest DER form"));
    }
    Ok(oid)
}

impl FromStr for Oid {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let accepted = "a dotted object identifier such as `1.3.6.1.5.5.7.3.1`";
        text.parse().map(Self).map_err(|_| InvalidValue::new("object identifier", text, accepted))
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What the certificate says about being a CA (RFC 5280 section 4.2.1.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BasicConstraints {
    /// No CA.
    #[default]
    EndEntity,
    /// A CA.
    Ca {
        /// Most intermediate CAs below this one; `None` for no limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path_length: Option<u8>,
    },
}

impl BasicConstraints {
    /// Whether it is a CA.
    pub fn is_ca(self) -> bool {
        matches!(self, Self::Ca { .. })
    }
}

impl fmt::Display for BasicConstraints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EndEntity => f.write_str("no CA"),
            Self::Ca { path_length: None } => f.write_str("CA, path length unlimited"),
            Self::Ca { path_length: Some(length) } => write!(f, "CA, path length {length}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_key_usages_read_names_and_oids() {
        assert_eq!("server_auth".parse::<ExtendedKeyUsage>().unwrap(), ExtendedKeyUsage::ServerAuth);
        assert_eq!("1.3.6.1.5.5.7.3.1".parse::<ExtendedKeyUsage>().unwrap(), ExtendedKeyUsage::ServerAuth);
        let custom: ExtendedKeyUsage = "1.3.6.1.4.1.311.20.2.2".parse().unwrap();
        assert_eq!(custom.to_string(), "1.3.6.1.4.1.311.20.2.2");
        let refusal = "serverauth".parse::<ExtendedKeyUsage>().unwrap_err();
        assert!(refusal.to_string().contains("server_auth"), "{refusal}");
    }

    #[test]
    fn identifiers_with_padded_or_cut_arcs_are_refused() {
        let padded = ObjectIdentifier::from_bytes(&[0x55, 0x1d, 0x80, 0x11]).unwrap();
        assert_eq!(shortest(padded).unwrap_err().seen, "2.5.29.17");
        assert!(shortest(ObjectIdentifier::new_unwrap("2.5.29.128.16384")).is_ok());
        assert!(shortest(ObjectIdentifier::new_unwrap("1.3.6.1.4294967295")).is_ok());
        let cut = ObjectIdentifier::from_bytes(&[0x2b, 0x06, 0x01, 0x9b, 0x80, 0x80, 0x80, 0x01]);
        assert!(cut.is_err(), "an arc above 2^32 passes: {cut:?}");
    }

    #[test]
    fn key_usages_are_a_list_in_serde() {
        let set = KeyUsages::from([KeyUsage::CrlSign, KeyUsage::DigitalSignature]);
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(text, r#"["digital_signature","crl_sign"]"#);
        assert_eq!(serde_json::from_str::<KeyUsages>(&text).unwrap(), set);
    }
}
