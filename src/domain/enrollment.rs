//! One arriving ask, whatever method brought it.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;

use super::policy::Table;
use super::{ApplicationId, CertificateId, CertificateRecord, Method, ProfileId, Span};
use crate::x509::{
    Attribute, BasicConstraints, Csr, ExtendedKeyUsage, KeyAlgorithm, KeyUsages, SanKind, SanSpec, SignatureAlgorithm,
};

/// An ask for a certificate under one attachment. Values are taken as given and judged when it is submitted, so that
/// everything wrong with it is reported at once.
///
/// ```
/// use chancery::domain::{ApplicationId, Enrollment, ProfileId, Span};
/// use chancery::x509::{Attribute, KeyAlgorithm, SanKind};
///
/// fn ask(application: ApplicationId, profile: ProfileId) -> Enrollment {
///     Enrollment::managed(application, profile)
///         .common_name("api.example.com")
///         .attribute(Attribute::Organization, "Example GmbH")
///         .without(Attribute::Country) // even if the profile has a default
///         .dns("api.example.com")
///         .san(SanKind::IpAddress, "192.0.2.7")
///         .key_algorithm(KeyAlgorithm::P384)
///         .ttl(Span::days(47))
///         .tag("team", "payments")
///         .idempotency_key("deploy 4711")
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Enrollment {
    /// The Application that asks.
    pub application: ApplicationId,
    /// The attached profile to issue under.
    pub profile: ProfileId,
    /// The method that brought it.
    pub method: Method,
    /// Where the key comes from.
    pub source: Source,
    /// The subject, names and usages asked for. A certificate request brings its own: beside one these must be empty.
    pub names: Names,
    /// What else is asked.
    pub terms: Terms,
    /// Tags for request and certificate; see [`Metadata`](super::Metadata) for their limits. A renewal without any keeps those
    /// of the certificate that it replaces.
    pub metadata: BTreeMap<String, String>,
    /// The same key with the same content gets the same certificate; with other content it is refused. Kept per
    /// Application and requester, 1 to 200 characters.
    pub idempotency_key: Option<String>,
}

/// Where a certificate's key comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// It is made, sealed and kept here.
    Managed,
    /// A certificate request brings it, with names and usages. The profile's defaults fill holes.
    Csr(Box<Csr>),
    /// Another certificate is renewed: what it says is kept, but for what is asked. The profile's defaults are not applied.
    Renewal {
        /// The certificate to replace.
        certificate: CertificateId,
        /// The successor's key.
        key: RenewalKey,
    },
}

/// The key of a certificate that replaces another.
#[derive(Clone, Debug)]
pub enum RenewalKey {
    /// A new one, made, sealed and kept here.
    New,
    /// The same again; its algorithm can not change.
    Reused,
    /// A certificate request brings it, with names and usages; nothing but the terms may be asked beside it.
    Csr(Box<Csr>),
}

/// What a managed-key request says about subject and key. Absent fields take the profile's default; of a renewal, what the
/// predecessor says. Lists replace the whole list; an empty one clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Names {
    /// Subject attributes: absent takes the profile's default, or keeps the predecessor's; `null` clears it, a value replaces it.
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub subject: Table<Attribute, Option<Values>>,
    /// Subject alternative names: absent has none, or those of the certificate that is renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sans: Option<Vec<SanSpec>>,
    /// The key's algorithm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_algorithm: Option<KeyAlgorithm>,
    /// The key usages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_usages: Option<KeyUsages>,
    /// The extended key usages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended_key_usages: Option<Vec<ExtendedKeyUsage>>,
}

impl Names {
    /// Whether nothing is asked.
    pub(crate) fn say_nothing(&self) -> bool {
        let no_sans = self.sans.as_ref().is_none_or(Vec::is_empty);
        no_sans && *self == Self { sans: self.sans.clone(), ..Self::default() }
    }
}

/// One text or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Values {
    /// One.
    One(String),
    /// Several, in order, for attributes that may be repeated.
    Many(Vec<String>),
}

impl Values {
    /// The texts.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrTexts)
    }
}

/// Reads [`Values`]; serde's own reading of untagged enums does not say what it would take.
struct TextOrTexts;

impl<'de> Visitor<'de> for TextOrTexts {
    type Value = Values;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of texts")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Values, E> {
        Ok(Values::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Values, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = list.next_element()? {
            texts.push(text);
        }
        Ok(Values::Many(texts))
    }
}

impl From<&str> for Values {
    fn from(text: &str) -> Self {
        Self::One(text.to_owned())
    }
}

/// What a request asks beside names and key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Terms {
    /// How long it shall be valid. Excludes `not_before` and `not_after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
    /// From when it shall be valid.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub not_before: Option<OffsetDateTime>,
    /// Until when it shall be valid.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub not_after: Option<OffsetDateTime>,
    /// Whether it shall be a CA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_constraints: Option<BasicConstraints>,
    /// What the issuer shall sign with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature_algorithm: Option<SignatureAlgorithm>,
}

impl Enrollment {
    /// An ask by library call for a certificate with a managed key.
    pub fn managed(application: ApplicationId, profile: ProfileId) -> Self {
        Self::new(application, profile, Source::Managed)
    }

    /// An ask by library call for a certificate on `csr`'s key. Possession of the key is proved already: see
    /// [`Csr::parse`](crate::x509::Csr::parse).
    pub fn csr(application: ApplicationId, profile: ProfileId, csr: Csr) -> Self {
        Self::new(application, profile, Source::Csr(Box::new(csr)))
    }

    /// An ask by library call for a certificate in place of `record`, on a new key; see [`key`](Self::key) for others. What it
    /// says is kept but for what is asked here. `None` if `record` belongs to no Application or profile.
    pub fn renewal(record: &CertificateRecord) -> Option<Self> {
        let (application, (profile, _)) = record.application.zip(record.profile)?;
        let source = Source::Renewal { certificate: record.id, key: RenewalKey::New };
        Some(Self::new(application, profile, source))
    }

    fn new(application: ApplicationId, profile: ProfileId, source: Source) -> Self {
        Self {
            application,
            profile,
            method: Method::Api,
            source,
            names: Names::default(),
            terms: Terms::default(),
            metadata: BTreeMap::new(),
            idempotency_key: None,
        }
    }

    /// Sets the key of a renewal; of no effect on what renews nothing.
    #[must_use]
    pub fn key(mut self, wanted: RenewalKey) -> Self {
        if let Source::Renewal { key, .. } = &mut self.source {
            *key = wanted;
        }
        self
    }

    /// Leaves out the subject alternative names that a renewal would keep.
    #[must_use]
    pub fn without_sans(mut self) -> Self {
        self.names.sans = Some(Vec::new());
        self
    }

    /// Sets the common name. Relying parties look at subject alternative names (RFC 9525): add the name as one, too.
    #[must_use]
    pub fn common_name(self, name: &str) -> Self {
        self.attribute(Attribute::CommonName, name)
    }

    /// Sets a subject attribute.
    #[must_use]
    pub fn attribute(mut self, attribute: Attribute, value: impl Into<Values>) -> Self {
        let value = Some(value.into());
        self.names.subject.0.insert(attribute, value);
        self
    }

    /// Leaves a subject attribute out, whatever the profile's default.
    #[must_use]
    pub fn without(mut self, attribute: Attribute) -> Self {
        self.names.subject.0.insert(attribute, None);
        self
    }

    /// Adds a DNS name as a subject alternative name. Names in other scripts become A-labels (RFC 5891).
    #[must_use]
    pub fn dns(self, name: &str) -> Self {
        self.san(SanKind::DnsName, name)
    }

    /// Adds a subject alternative name.
    #[must_use]
    pub fn san(mut self, kind: SanKind, value: &str) -> Self {
        self.names.sans.get_or_insert_default().push(SanSpec { kind, value: value.to_owned() });
        self
    }

    /// Sets the managed key's algorithm.
    #[must_use]
    pub fn key_algorithm(mut self, algorithm: KeyAlgorithm) -> Self {
        self.names.key_algorithm = Some(algorithm);
        self
    }

    /// Sets how long it shall be valid, from notBefore to notAfter.
    #[must_use]
    pub fn ttl(mut self, ttl: Span) -> Self {
        self.terms.ttl = Some(ttl);
        self
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.metadata.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Sets the idempotency key.
    #[must_use]
    pub fn idempotency_key(mut self, key: &str) -> Self {
        self.idempotency_key = Some(key.to_owned());
        self
    }
}
