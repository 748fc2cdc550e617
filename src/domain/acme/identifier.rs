//! What an order names: DNS names, wildcards among them, and IP addresses (RFC 8555 section 9.7.7, RFC 8738).

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::x509::{DnsName, InvalidValue, San};

/// One identifier of an order, in canonical form: A-labels in lower case, the shortest text of an address.
///
/// ```
/// use chancery::domain::acme::Identifier;
/// assert_eq!(Identifier::dns("*.Example.com")?.value(), "*.example.com");
/// assert_eq!(Identifier::ip("2001:db8:0::1")?.value(), "2001:db8::1");
/// # Ok::<_, chancery::x509::InvalidValue>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "IdentifierSpec", into = "IdentifierSpec")]
pub enum Identifier {
    /// A DNS name; may start with `*.`.
    Dns(DnsName),
    /// An address.
    Ip(IpAddr),
}

/// An identifier as it is written: `{"type": "dns", "value": "…"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentifierSpec {
    /// `dns` or `ip`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The value's text.
    pub value: String,
}

impl Identifier {
    /// A DNS name, perhaps with a leading `*.`; internationalised names are turned into A-labels.
    ///
    /// # Errors
    /// No such name.
    pub fn dns(text: &str) -> Result<Self, InvalidValue> {
        text.parse().map(Self::Dns)
    }

    /// An address in the usual notation.
    ///
    /// # Errors
    /// No address, or an IPv4-mapped IPv6 address.
    pub fn ip(text: &str) -> Result<Self, InvalidValue> {
        match San::ip(text)? {
            San::Ip(address) => Ok(Self::Ip(address)),
            _ => Err(InvalidValue::new("ip", text, "an IPv4 or IPv6 address")),
        }
    }

    /// `dns` or `ip`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Dns(_) => "dns",
            Self::Ip(_) => "ip",
        }
    }

    /// The value's canonical text.
    pub fn value(&self) -> String {
        match self {
            Self::Dns(name) => name.to_string(),
            Self::Ip(address) => address.to_string(),
        }
    }

    /// Whether it is a DNS name with a leading `*.`.
    pub fn is_wildcard(&self) -> bool {
        matches!(self, Self::Dns(name) if name.is_wildcard())
    }

    /// As authorizations name it: the value without a leading `*.` (RFC 8555 section 7.1.4).
    pub fn base(&self) -> String {
        match self {
            Self::Dns(name) => name.base().to_owned(),
            Self::Ip(address) => address.to_string(),
        }
    }

    /// The subject alternative name that says the same.
    pub fn to_san(&self) -> San {
        match self {
            Self::Dns(name) => San::Dns(name.clone()),
            Self::Ip(address) => San::Ip(*address),
        }
    }

    /// The identifier that says the same as a subject alternative name; `None` if ACME has none.
    pub fn of_san(san: &San) -> Option<Self> {
        match san {
            San::Dns(name) => Some(Self::Dns(name.clone())),
            San::Ip(address) => Some(Self::Ip(*address)),
            San::Email(_) | San::Uri(_) | San::Upn(_) => None,
        }
    }
}

impl TryFrom<IdentifierSpec> for Identifier {
    type Error = InvalidValue;

    fn try_from(spec: IdentifierSpec) -> Result<Self, InvalidValue> {
        match spec.kind.as_str() {
            "dns" => Self::dns(&spec.value),
            "ip" => Self::ip(&spec.value),
            other => Err(InvalidValue::new("identifier type", other, "`dns` or `ip`")),
        }
    }
}

impl From<Identifier> for IdentifierSpec {
    fn from(identifier: Identifier) -> Self {
        Self { kind: identifier.kind().to_owned(), value: identifier.value() }
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.value())
    }
}
