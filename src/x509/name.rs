//! Subject names: the distinguished-name attributes that the crate issues, in certificate order.

use std::fmt;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519;
use der::asn1::AnyRef;
use der::{Decode, Reader, SliceReader, Tag, Tagged};
use serde::{Deserialize, Serialize};

use super::InvalidValue;
use super::encode::{enclose, push};

/// A distinguished-name attribute (RFC 5280 section 4.1.2.4), ordered as in a certificate made from parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribute {
    /// DC, one label of a domain; may be repeated.
    DomainComponent,
    /// C, two letters of ISO 3166.
    Country,
    /// ST.
    State,
    /// L.
    Locality,
    /// O.
    Organization,
    /// OU; may be repeated.
    OrganizationalUnit,
    /// serialNumber, the subject's own (a device's), not the certificate's.
    SerialNumber,
    /// CN.
    CommonName,
}

impl Attribute {
    /// Every attribute, in the order in which a name made from parts holds them.
    pub const ALL: [Attribute; 8] = [
        Self::DomainComponent,
        Self::Country,
        Self::State,
        Self::Locality,
        Self::Organization,
        Self::OrganizationalUnit,
        Self::SerialNumber,
        Self::CommonName,
    ];

    /// The spelling in policies and at the API, for example `common_name`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DomainComponent => "domain_component",
            Self::Country => "country",
            Self::State => "state",
            Self::Locality => "locality",
            Self::Organization => "organization",
            Self::OrganizationalUnit => "organizational_unit",
            Self::SerialNumber => "serial_number",
            Self::CommonName => "common_name",
        }
    }

    /// The short form of RFC 4514, for example `CN`.
    pub fn short_name(self) -> &'static str {
        match self {
            Self::DomainComponent => "DC",
            Self::Country => "C",
            Self::State => "ST",
            Self::Locality => "L",
            Self::Organization => "O",
            Self::OrganizationalUnit => "OU",
            Self::SerialNumber => "serialNumber",
            Self::CommonName => "CN",
        }
    }

    /// Whether a name may hold several values of this attribute.
    pub fn is_repeatable(self) -> bool {
        matches!(self, Self::DomainComponent | Self::OrganizationalUnit)
    }

    fn oid(self) -> ObjectIdentifier {
        match self {
            Self::DomainComponent => rfc4519::DC,
            Self::Country => rfc4519::C,
            Self::State => rfc4519::ST,
            Self::Locality => rfc4519::L,
            Self::Organization => rfc4519::O,
            Self::OrganizationalUnit => rfc4519::OU,
            Self::SerialNumber => rfc4519::SERIAL_NUMBER,
            Self::CommonName => rfc4519::CN,
        }
    }

    fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.oid() == oid)
    }

    fn string_tag(self) -> Tag {
        match self {
            Self::Country | Self::SerialNumber => Tag::PrintableString,
            Self::DomainComponent => Tag::Ia5String,
            _ => Tag::Utf8String,
        }
    }

    /// Upper bounds of RFC 5280 appendix A.1, in characters.
    fn max_chars(self) -> usize {
        match self {
            Self::Country => 2,
            Self::DomainComponent => 63,
            Self::State | Self::Locality => 128,
            _ => 64,
        }
    }

    fn accepted(self) -> &'static str {
        match self {
            Self::Country => "two capital letters of ISO 3166, such as `DE`",
            Self::SerialNumber => "1 to 64 characters of PrintableString (letters, digits, space and '()+,-./:=?)",
            Self::DomainComponent => "one DNS label of 1 to 63 letters, digits and hyphens",
            Self::State | Self::Locality => "1 to 128 characters without control characters",
            _ => "1 to 64 characters without control characters",
        }
    }

    fn check(self, value: &str) -> Result<(), InvalidValue> {
        let length = value.chars().count();
        let sized = (1..=self.max_chars()).contains(&length);
        let spelled = match self {
            Self::Country => length == 2 && value.bytes().all(|b| b.is_ascii_uppercase()),
            Self::SerialNumber => value.bytes().all(is_printable_string_byte),
            Self::DomainComponent => value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
            _ => !value.chars().any(char::is_control),
        };
        if sized && spelled { Ok(()) } else { Err(InvalidValue::new(self.as_str(), value, self.accepted())) }
    }
}

fn is_printable_string_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte)
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A subject's distinguished name: attributes with their values, in certificate order, one per RDN.
///
/// ```
/// use chancery::x509::{Attribute, Subject};
/// let subject = Subject::from_parts([(Attribute::CommonName, "api.example.com"), (Attribute::Country, "DE")])?;
/// assert_eq!(subject.to_string(), "C=DE, CN=api.example.com");
/// # Ok::<_, chancery::x509::InvalidValue>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<(Attribute, String)>", into = "Vec<(Attribute, String)>")]
pub struct Subject(Vec<(Attribute, String)>);

impl Subject {
    /// A name from its parts, put into the order of [`Attribute::ALL`]; repeated attributes keep their order.
    ///
    /// # Errors
    /// A value outside its RFC 5280 bounds, or a second value of an attribute that may occur once.
    pub fn from_parts<V: Into<String>>(parts: impl IntoIterator<Item = (Attribute, V)>) -> Result<Self, InvalidValue> {
        let mut parts: Vec<_> = parts.into_iter().map(|(attribute, value)| (attribute, value.into())).collect();
        parts.sort_by_key(|(attribute, _)| *attribute);
        Self::in_order(parts)
    }

    fn in_order(parts: Vec<(Attribute, String)>) -> Result<Self, InvalidValue> {
        for (at, (attribute, value)) in parts.iter().enumerate() {
            attribute.check(value)?;
            if !attribute.is_repeatable() && parts[..at].iter().any(|(earlier, _)| earlier == attribute) {
                return Err(InvalidValue::new(attribute.as_str(), value, "one value only, and there are several"));
            }
        }
        Ok(Self(parts))
    }

    /// Whether the name holds no attribute at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The attributes with their values, in certificate order.
    pub fn iter(&self) -> impl Iterator<Item = (Attribute, &str)> {
        self.0.iter().map(|(attribute, value)| (*attribute, value.as_str()))
    }

    /// The values of one attribute.
    pub fn values(&self, attribute: Attribute) -> impl Iterator<Item = &str> {
        self.iter().filter(move |(each, _)| *each == attribute).map(|(_, value)| value)
    }

    /// The common name, if there is one.
    pub fn common_name(&self) -> Option<&str> {
        self.values(Attribute::CommonName).next()
    }

    /// The DER encoding of the `Name`.
    pub(crate) fn to_der(&self) -> der::Result<Vec<u8>> {
        let mut rdns = Vec::with_capacity(32 * self.0.len());
        for (attribute, value) in self.iter() {
            let mut pair = Vec::with_capacity(value.len() + 16);
            push(&mut pair, Tag::ObjectIdentifier, attribute.oid().as_bytes())?;
            push(&mut pair, attribute.string_tag(), value.as_bytes())?;
            push(&mut rdns, Tag::Set, &enclose(Tag::Sequence, &pair)?)?;
        }
        enclose(Tag::Sequence, &rdns)
    }

    /// Reads a DER `Name`.
    ///
    /// # Errors
    /// DER that is no name, a multi-valued RDN, or an attribute that the crate does not issue.
    pub fn from_der(name: &[u8]) -> Result<Self, InvalidValue> {
        let damaged = |error: der::Error| {
            InvalidValue::new("subject", error.to_string(), "a DER Name (RFC 5280 section 4.1.2.4)")
        };
        let sets = Vec::<AnyRef<'_>>::from_der(name).map_err(damaged)?;
        let mut parts = Vec::with_capacity(sets.len());
        for set in sets {
            set.tag().assert_eq(Tag::Set).map_err(damaged)?;
            parts.push(single_attribute(set.value(), damaged)?);
        }
        Self::in_order(parts)
    }
}

fn type_and_value<'a>(pair: &mut SliceReader<'a>) -> der::Result<(ObjectIdentifier, AnyRef<'a>)> {
    Ok((ObjectIdentifier::decode(pair)?, AnyRef::decode(pair)?))
}

/// The only attribute of an RDN.
fn single_attribute(
    set: &[u8],
    damaged: impl Fn(der::Error) -> InvalidValue,
) -> Result<(Attribute, String), InvalidValue> {
    let mut reader = SliceReader::new(set).map_err(&damaged)?;
    let (oid, value) = reader.sequence(type_and_value).map_err(&damaged)?;
    if !reader.is_finished() {
        return Err(InvalidValue::new("subject", "an RDN of several attributes", "one attribute in each RDN"));
    }
    let attribute = Attribute::from_oid(oid).ok_or_else(|| {
        let known = Attribute::ALL.map(Attribute::short_name).join(", ");
        InvalidValue::new("subject attribute", oid.to_string(), format!("one of {known}"))
    })?;
    let is_text = matches!(value.tag(), Tag::Utf8String | Tag::PrintableString | Tag::Ia5String);
    let text = is_text.then(|| std::str::from_utf8(value.value()).ok()).flatten().ok_or_else(|| {
        let seen = format!("{:?}", value.tag());
        InvalidValue::new(attribute.as_str(), seen, "a UTF8String, PrintableString or IA5String")
    })?;
    Ok((attribute, text.to_owned()))
}

impl TryFrom<Vec<(Attribute, String)>> for Subject {
    type Error = InvalidValue;

    /// Keeps the given order, as a stored or parsed name must.
    fn try_from(parts: Vec<(Attribute, String)>) -> Result<Self, InvalidValue> {
        Self::in_order(parts)
    }
}

impl From<Subject> for Vec<(Attribute, String)> {
    fn from(subject: Subject) -> Self {
        subject.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (attribute, value)) in self.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{}={}", attribute.short_name(), Escaped(value))?;
        }
        Ok(())
    }
}

/// A value with the characters escaped that RFC 4514 section 2.4 names.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, c) in self.0.char_indices() {
            let at_edge = at == 0 || at + c.len_utf8() == self.0.len();
            if matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=') || (c == ' ' && at_edge) {
                write!(f, "\\")?;
            }
            write!(f, "{c}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_ordered_and_survive_der() {
        let subject = Subject::from_parts([
            (Attribute::CommonName, "Ünïcode & Söhne"),
            (Attribute::OrganizationalUnit, "b"),
            (Attribute::OrganizationalUnit, "a"),
            (Attribute::Country, "DE"),
        ])
        .unwrap();
        assert_eq!(subject.to_string(), "C=DE, OU=b, OU=a, CN=Ünïcode & Söhne");
        assert_eq!(Subject::from_der(&subject.to_der().unwrap()).unwrap(), subject);
    }

    #[test]
    fn bounds_are_those_of_rfc_5280() {
        let long = "x".repeat(65);
        let table = [
            (Attribute::CommonName, long.as_str()),
            (Attribute::CommonName, ""),
            (Attribute::CommonName, "a\nb"),
            (Attribute::CommonName, "a\0b"),
            (Attribute::Country, "de"),
            (Attribute::Country, "DEU"),
            (Attribute::SerialNumber, "nö"),
            (Attribute::DomainComponent, "example.com"),
        ];
        for (attribute, value) in table {
            let refusal = Subject::from_parts([(attribute, value)]).unwrap_err();
            assert_eq!(refusal.what, attribute.as_str(), "{value}");
        }
        assert!(Subject::from_parts([(Attribute::CommonName, "é".repeat(64))]).is_ok());
        assert!(Subject::from_parts([(Attribute::Country, "DE"), (Attribute::Country, "FR")]).is_err());
    }

    #[test]
    fn display_escapes() {
        let subject = Subject::from_parts([(Attribute::Organization, "a, b=c+d ")]).unwrap();
        assert_eq!(subject.to_string(), r"O=a\, b\=c\+d\ ");
    }

    #[test]
    fn unknown_attributes_and_multi_valued_rdns_are_refused() {
        let name: x509_cert::name::Name = "UID=jsmith".parse().unwrap();
        assert_eq!(Subject::from_der(&der::Encode::to_der(&name).unwrap()).unwrap_err().what, "subject attribute");
        let name: x509_cert::name::Name = "OU=Sales+CN=J".parse().unwrap();
        assert_eq!(
            Subject::from_der(&der::Encode::to_der(&name).unwrap()).unwrap_err().accepted,
            "one attribute in each RDN"
        );
    }
}
