//! Subject alternative names as typed values (RFC 5280 section 4.2.1.6).

use std::fmt;
use std::net::IpAddr;

use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, ContextSpecific, Utf8StringRef};
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};
use serde::{Deserialize, Serialize};

use super::encode::{enclose, push};
use super::{DnsName, EmailAddress, InvalidValue, Uri};

/// User principal name, an `otherName` of Microsoft's.
const UPN: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.20.2.3");

/// The kinds of subject alternative name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SanKind {
    /// A DNS name.
    #[serde(alias = "dns", alias = "DNS")]
    DnsName,
    /// An IPv4 or IPv6 address.
    #[serde(alias = "ip", alias = "IP")]
    IpAddress,
    /// An e-mail address.
    Email,
    /// A URI.
    #[serde(alias = "URI")]
    Uri,
    /// A user principal name.
    #[serde(alias = "UPN")]
    Upn,
}

impl SanKind {
    /// Every kind.
    pub const ALL: [SanKind; 5] = [Self::DnsName, Self::IpAddress, Self::Email, Self::Uri, Self::Upn];

    /// The spelling in policies and at the API, for example `dns_name`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DnsName => "dns_name",
            Self::IpAddress => "ip_address",
            Self::Email => "email",
            Self::Uri => "uri",
            Self::Upn => "upn",
        }
    }
}

impl fmt::Display for SanKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One subject alternative name.
///
/// ```
/// use chancery::x509::San;
/// assert_eq!(San::dns("API.Example.com")?.value(), "api.example.com");
/// assert!(San::dns("a.*.example.com").is_err());
/// # Ok::<_, chancery::x509::InvalidValue>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "SanSpec", into = "SanSpec")]
pub enum San {
    /// A DNS name in A-labels, lower case; may start with `*.`.
    Dns(DnsName),
    /// An address.
    Ip(IpAddr),
    /// An e-mail address (rfc822Name).
    Email(EmailAddress),
    /// An absolute URI.
    Uri(Uri),
    /// A user principal name, `user@realm`.
    Upn(String),
}

/// A subject alternative name as people and programs write it: `{"type": "dns_name", "value": "…"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SanSpec {
    /// The kind.
    #[serde(rename = "type")]
    pub kind: SanKind,
    /// The value's text.
    pub value: String,
}

impl San {
    /// A DNS name; internationalised names are turned into A-labels.
    pub fn dns(text: &str) -> Result<Self, InvalidValue> {
        text.parse().map(Self::Dns)
    }

    /// An IP address in the usual notation.
    pub fn ip(text: &str) -> Result<Self, InvalidValue> {
        let accepted = "an IPv4 or IPv6 address, such as `192.0.2.1` or `2001:db8::1`";
        let address: IpAddr = text.parse().map_err(|_| InvalidValue::new("ip_address", text, accepted))?;
        Self::from_address(address)
    }

    /// An address. IPv4-mapped IPv6 addresses are refused, for a rule on the IPv4 address would not see them.
    pub fn from_address(address: IpAddr) -> Result<Self, InvalidValue> {
        match address {
            IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => {
                Err(InvalidValue::new("ip_address", address.to_string(), "the plain IPv4 address"))
            }
            _ => Ok(Self::Ip(address)),
        }
    }

    /// An e-mail address.
    pub fn email(text: &str) -> Result<Self, InvalidValue> {
        text.parse().map(Self::Email)
    }

    /// An absolute URI.
    pub fn uri(text: &str) -> Result<Self, InvalidValue> {
        text.parse().map(Self::Uri)
    }

    /// A user principal name. The realm is a DNS name and becomes canonical, so that a rule on it sees one spelling.
    pub fn upn(text: &str) -> Result<Self, InvalidValue> {
        let is_plain = text.len() <= 1024 && !text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '*');
        let parts = text.split_once('@').filter(|(user, _)| is_plain && !user.is_empty());
        let name = parts.and_then(|(user, realm)| Some(format!("{user}@{}", realm.parse::<DnsName>().ok()?)));
        let accepted = "`user@realm` without spaces and `*`, the realm a DNS name";
        name.map(Self::Upn).ok_or_else(|| InvalidValue::new("upn", text, accepted))
    }

    /// A name of `kind` from its text.
    pub fn parse(kind: SanKind, text: &str) -> Result<Self, InvalidValue> {
        match kind {
            SanKind::DnsName => Self::dns(text),
            SanKind::IpAddress => Self::ip(text),
            SanKind::Email => Self::email(text),
            SanKind::Uri => Self::uri(text),
            SanKind::Upn => Self::upn(text),
        }
    }

    /// The kind.
    pub fn kind(&self) -> SanKind {
        match self {
            Self::Dns(_) => SanKind::DnsName,
            Self::Ip(_) => SanKind::IpAddress,
            Self::Email(_) => SanKind::Email,
            Self::Uri(_) => SanKind::Uri,
            Self::Upn(_) => SanKind::Upn,
        }
    }

    /// The value's text in canonical form.
    pub fn value(&self) -> String {
        match self {
            Self::Dns(name) => name.to_string(),
            Self::Ip(address) => address.to_string(),
            Self::Email(address) => address.to_string(),
            Self::Uri(uri) => uri.to_string(),
            Self::Upn(name) => name.clone(),
        }
    }

    /// Appends the `GeneralName`.
    pub(super) fn push_general_name(&self, to: &mut Vec<u8>) -> der::Result<()> {
        match self {
            Self::Dns(name) => push(to, general_name(DNS), name.as_str().as_bytes()),
            Self::Ip(IpAddr::V4(address)) => push(to, general_name(IP), &address.octets()),
            Self::Ip(IpAddr::V6(address)) => push(to, general_name(IP), &address.octets()),
            Self::Email(address) => push(to, general_name(EMAIL), address.as_str().as_bytes()),
            Self::Uri(uri) => push(to, general_name(URI), uri.as_str().as_bytes()),
            Self::Upn(name) => {
                let text = enclose(Tag::Utf8String, name.as_bytes())?;
                let mut other = enclose(Tag::ObjectIdentifier, UPN.as_bytes())?;
                push(&mut other, constructed(0), &text)?;
                push(to, constructed(OTHER_NAME), &other)
            }
        }
    }

    /// Reads a `GeneralName`.
    pub(super) fn from_general_name(name: AnyRef<'_>) -> Result<Self, InvalidValue> {
        match name.tag() {
            tag if tag == general_name(DNS) => Self::dns(ascii(&name)?),
            tag if tag == general_name(EMAIL) => Self::email(ascii(&name)?),
            tag if tag == general_name(URI) => Self::uri(ascii(&name)?),
            tag if tag == general_name(IP) => address_from_octets(name.value()),
            tag if tag == constructed(OTHER_NAME) => from_other_name(name.value()),
            tag => Err(unsupported(describe(tag))),
        }
    }
}

/// The context-specific numbers of `GeneralName` (RFC 5280 section 4.2.1.6).
const OTHER_NAME: u32 = 0;
const EMAIL: u32 = 1;
const DNS: u32 = 2;
const URI: u32 = 6;
const IP: u32 = 7;

const fn general_name(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: false, number: TagNumber(number) }
}

const fn constructed(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

fn ascii<'a>(name: &AnyRef<'a>) -> Result<&'a str, InvalidValue> {
    let text = std::str::from_utf8(name.value()).ok().filter(|text| text.is_ascii());
    text.ok_or_else(|| unsupported("a name that is no IA5String".to_owned()))
}

fn address_from_octets(octets: &[u8]) -> Result<San, InvalidValue> {
    let address = match octets.len() {
        4 => <[u8; 4]>::try_from(octets).map(IpAddr::from),
        _ => <[u8; 16]>::try_from(octets).map(IpAddr::from),
    };
    let address = address.map_err(|_| {
        InvalidValue::new("ip_address", format!("{} octets", octets.len()), "4 octets (IPv4) or 16 octets (IPv6)")
    })?;
    San::from_address(address)
}

/// The user principal name, the only `otherName` that is issued.
fn from_other_name(content: &[u8]) -> Result<San, InvalidValue> {
    let damaged = |error: der::Error| InvalidValue::new("otherName", error.to_string(), "DER of RFC 5280 4.2.1.6");
    let mut reader = SliceReader::new(content).map_err(damaged)?;
    let kind = ObjectIdentifier::decode(&mut reader).map_err(damaged)?;
    if kind != UPN {
        return Err(unsupported(format!("otherName {kind}")));
    }
    let value = ContextSpecific::<Utf8StringRef<'_>>::decode_explicit(&mut reader, TagNumber(0)).map_err(damaged)?;
    reader.finish().map_err(damaged)?;
    let value = value.ok_or_else(|| InvalidValue::new("upn", "no value", "a UTF8String"))?;
    San::upn(value.value.as_str())
}

fn describe(tag: Tag) -> String {
    match tag {
        Tag::ContextSpecific { number: TagNumber(3), .. } => "x400Address".to_owned(),
        Tag::ContextSpecific { number: TagNumber(4), .. } => "directoryName".to_owned(),
        Tag::ContextSpecific { number: TagNumber(5), .. } => "ediPartyName".to_owned(),
        Tag::ContextSpecific { number: TagNumber(8), .. } => "registeredID".to_owned(),
        other => other.to_string(),
    }
}

fn unsupported(seen: String) -> InvalidValue {
    InvalidValue::new("subject alternative name", seen, "dns_name, ip_address, email, uri or upn")
}

impl TryFrom<SanSpec> for San {
    type Error = InvalidValue;

    fn try_from(spec: SanSpec) -> Result<Self, InvalidValue> {
        Self::parse(spec.kind, &spec.value)
    }
}

impl From<San> for SanSpec {
    fn from(san: San) -> Self {
        Self { kind: san.kind(), value: san.value() }
    }
}

impl fmt::Display for San {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_der() {
        let names = [
            San::dns("*.example.com").unwrap(),
            San::ip("192.0.2.1").unwrap(),
            San::ip("2001:db8::1").unwrap(),
            San::email("Jane.Doe@Example.com").unwrap(),
            San::uri("spiffe://example.org/ns/a").unwrap(),
            San::upn("jané@corp.example").unwrap(),
        ];
        for name in names {
            let mut der = Vec::new();
            name.push_general_name(&mut der).unwrap();
            assert_eq!(San::from_general_name(AnyRef::from_der(&der).unwrap()).unwrap(), name);
        }
    }

    #[test]
    fn names_of_other_kinds_say_what_they_are() {
        let other = [0x88, 1, 0x2a];
        assert!(
            San::from_general_name(AnyRef::from_der(&other).unwrap()).unwrap_err().seen.starts_with("registeredID")
        );
    }

    #[test]
    fn mapped_addresses_are_refused() {
        assert!(San::ip("::ffff:10.0.0.1").is_err());
        assert!(San::ip("10.0.0.1/8").is_err());
    }

    #[test]
    fn the_seeds_spelling_and_the_enum_are_both_read() {
        for kind in ["DNS", "dns_name", "dns"] {
            let text = format!(r#"{{"type":"{kind}","value":"a.example"}}"#);
            assert_eq!(serde_json::from_str::<San>(&text).unwrap(), San::dns("a.example").unwrap());
        }
    }
}
