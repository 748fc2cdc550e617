//! Certificate revocation lists, version 2: their bytes before the signature, and reading them back (RFC 5280 section 5).
//!
//! Entries are encoded one by one into a buffer that the list is then built around, so that a list of a hundred thousand
//! entries is copied twice and nested nowhere.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_CRL_NUMBER, ID_CE_CRL_REASONS, ID_CE_INVALIDITY_DATE,
    ID_CE_ISSUING_DISTRIBUTION_POINT,
};
use der::asn1::UintRef;
use der::{Decode, Encode, Reader, SliceReader, Tag, TagNumber};
use spki::AlgorithmIdentifierRef;
use time::OffsetDateTime;
use x509_cert::time::Time;

use super::encode::{enclose, push};
use super::envelope::{self, Envelope};
use super::extensions::ExtensionRef;
use super::validity::{from_time, generalized_time, to_time};
use super::{Certificate, InvalidValue, RevocationReason, Serial, SignatureAlgorithm};
use crate::crypto;

/// Largest list that is read, in bytes of DER.
pub const MAX_CRL_BYTES: usize = 64 * 1024 * 1024;

const VERSION_2: [u8; 3] = [2, 1, 1];
const EXTENSIONS: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
const FIELD_0: Tag = EXTENSIONS;
const URI: Tag = Tag::ContextSpecific { constructed: false, number: TagNumber(6) };

/// One revoked certificate in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrlEntry {
    /// Its serial number.
    pub serial: Serial,
    /// When it was revoked, whole seconds.
    pub revoked_at: OffsetDateTime,
    /// Why.
    pub reason: RevocationReason,
    /// Since when its key may have been in other hands (invalidityDate, RFC 5280 section 5.3.2).
    pub invalid_since: Option<OffsetDateTime>,
}

impl CrlEntry {
    /// Appends the DER of the entry. A reason that is unspecified is left out (RFC 5280 section 5.3.1).
    pub(crate) fn push_der(&self, list: &mut Vec<u8>) -> der::Result<()> {
        let mut fields = Vec::with_capacity(96);
        UintRef::new(self.serial.as_octets())?.encode_to_vec(&mut fields)?;
        to_time(self.revoked_at)?.encode_to_vec(&mut fields)?;
        let mut extensions = Vec::new();
        if self.reason != RevocationReason::Unspecified {
            let reason = enclose(Tag::Enumerated, &[self.reason.code()])?;
            push_extension(&mut extensions, ID_CE_CRL_REASONS, &reason)?;
        }
        if let Some(since) = self.invalid_since {
            push_extension(&mut extensions, ID_CE_INVALIDITY_DATE, &generalized_time(since)?.to_der()?)?;
        }
        if !extensions.is_empty() {
            push(&mut fields, Tag::Sequence, &extensions)?;
        }
        push(list, Tag::Sequence, &fields)
    }
}

/// What a list says beside its entries.
#[derive(Clone, Debug)]
pub(crate) struct CrlHead<'a> {
    pub(crate) algorithm: SignatureAlgorithm,
    /// The issuer's name exactly as its certificate encodes it.
    pub(crate) issuer_der: &'a [u8],
    pub(crate) key_identifier: &'a [u8],
    pub(crate) number: u64,
    pub(crate) this_update: OffsetDateTime,
    pub(crate) next_update: OffsetDateTime,
    /// The distribution points that the list is for, if it does not hold all that the issuer revoked.
    pub(crate) scope: &'a [String],
}

/// The DER `TBSCertList` with entries that are encoded already.
pub(crate) fn build(head: &CrlHead<'_>, entries: &[u8]) -> der::Result<Vec<u8>> {
    let mut body = Vec::with_capacity(entries.len() + 1024);
    body.extend_from_slice(&VERSION_2);
    head.algorithm.to_identifier().encode_to_vec(&mut body)?;
    body.extend_from_slice(head.issuer_der);
    to_time(head.this_update)?.encode_to_vec(&mut body)?;
    to_time(head.next_update)?.encode_to_vec(&mut body)?;
    // RFC 5280 section 5.1.2.6: without entries the list of them is absent.
    if !entries.is_empty() {
        push(&mut body, Tag::Sequence, entries)?;
    }
    push(&mut body, EXTENSIONS, &enclose(Tag::Sequence, &extensions(head)?)?)?;
    enclose(Tag::Sequence, &body)
}

/// A list with its signature.
pub(crate) fn seal(tbs: &[u8], algorithm: SignatureAlgorithm, signature: &[u8]) -> der::Result<Vec<u8>> {
    envelope::seal(tbs, algorithm, signature)
}

fn extensions(head: &CrlHead<'_>) -> der::Result<Vec<u8>> {
    let mut list = Vec::with_capacity(128);
    let identifier = Tag::ContextSpecific { constructed: false, number: TagNumber(0) };
    let authority = enclose(Tag::Sequence, &enclose(identifier, head.key_identifier)?)?;
    push_extension(&mut list, ID_CE_AUTHORITY_KEY_IDENTIFIER, &authority)?;
    let number = head.number.to_be_bytes();
    push_extension(&mut list, ID_CE_CRL_NUMBER, &UintRef::new(&number)?.to_der()?)?;
    if !head.scope.is_empty() {
        let mut names = Vec::new();
        for url in head.scope {
            push(&mut names, URI, url.as_bytes())?;
        }
        let point = enclose(FIELD_0, &enclose(FIELD_0, &names)?)?;
        let mut fields = ID_CE_ISSUING_DISTRIBUTION_POINT.to_der()?;
        push(&mut fields, Tag::Boolean, &[0xff])?;
        push(&mut fields, Tag::OctetString, &enclose(Tag::Sequence, &point)?)?;
        push(&mut list, Tag::Sequence, &fields)?;
    }
    Ok(list)
}

/// Appends an extension that is not critical.
fn push_extension(list: &mut Vec<u8>, oid: ObjectIdentifier, value: &[u8]) -> der::Result<()> {
    let mut fields = oid.to_der()?;
    push(&mut fields, Tag::OctetString, value)?;
    push(list, Tag::Sequence, &fields)
}

/// Why bytes are not a list that the crate can read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CrlError {
    /// It is larger than [`MAX_CRL_BYTES`].
    #[error("the CRL has {bytes} bytes; accepted are at most {MAX_CRL_BYTES}")]
    TooLarge {
        /// The size seen.
        bytes: usize,
    },
    /// It is no DER list of RFC 5280.
    #[error("the CRL can not be read: {reason}")]
    Malformed {
        /// What the decoder stumbled over.
        reason: String,
    },
    /// A value can not be represented.
    #[error("the CRL is refused: {0}")]
    Value(#[from] InvalidValue),
    /// An extension is marked critical and not known.
    #[error("the CRL has a critical extension that is not known: {oid}")]
    CriticalExtension {
        /// Its object identifier.
        oid: String,
    },
    /// It names another issuer, or its signature does not verify under the issuer's key.
    #[error("the CRL is not one of this issuer")]
    Issuer,
}

/// A certificate revocation list that was read and understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateList {
    /// What it is signed with.
    pub signature_algorithm: SignatureAlgorithm,
    /// When it was made.
    pub this_update: OffsetDateTime,
    /// When there will be another at the latest, if it says so.
    pub next_update: Option<OffsetDateTime>,
    /// The CRL number (RFC 5280 section 5.2.3).
    pub number: Option<u64>,
    /// The URLs of the distribution points that it is for; empty if it holds all that the issuer revoked.
    pub scope: Vec<String>,
    /// What is revoked, in the list's order.
    pub entries: Vec<CrlEntry>,
    issuer_der: Vec<u8>,
}

impl CertificateList {
    /// Reads one DER list. Its signature is judged by [`verify_issued_by`](Self::verify_issued_by).
    ///
    /// # Errors
    /// [`CrlError`] for whatever is not as RFC 5280 writes it, and for critical extensions that are not known.
    pub fn from_der(der: &[u8]) -> Result<Self, CrlError> {
        if der.len() > MAX_CRL_BYTES {
            return Err(CrlError::TooLarge { bytes: der.len() });
        }
        let envelope = Envelope::from_der(der).map_err(malformed)?;
        let fields = Fields::from_der(envelope.body).map_err(malformed)?;
        if fields.algorithm != envelope.algorithm {
            let reason = "signature and signatureAlgorithm differ (RFC 5280 section 5.1.1.2)".into();
            return Err(CrlError::Malformed { reason });
        }
        let oid = fields.algorithm.oid;
        let signature_algorithm = SignatureAlgorithm::from_identifier(fields.algorithm)
            .ok_or_else(|| CrlError::Malformed { reason: format!("signature algorithm {oid}") })?;
        let mut list = Self {
            signature_algorithm,
            this_update: from_time(&fields.this_update)?,
            next_update: fields.next_update.as_ref().map(from_time).transpose()?,
            number: None,
            scope: Vec::new(),
            entries: Vec::new(),
            issuer_der: fields.issuer.to_vec(),
        };
        for extension in &fields.extensions {
            list.take(extension)?;
        }
        list.read_entries(fields.entries)?;
        Ok(list)
    }

    /// Checks that `issuer` issued the list `der`, of which this is the reading.
    ///
    /// # Errors
    /// [`CrlError::Issuer`] if the names differ or the signature does not verify.
    pub fn verify_issued_by(&self, der: &[u8], issuer: &Certificate) -> Result<(), CrlError> {
        let envelope = Envelope::from_der(der).map_err(malformed)?;
        let verified = crypto::verify(issuer.public_key(), self.signature_algorithm, envelope.body, envelope.signature);
        if self.issuer_der != issuer.subject_der() || verified.is_err() {
            return Err(CrlError::Issuer);
        }
        Ok(())
    }

    fn take(&mut self, extension: &ExtensionRef<'_>) -> Result<(), CrlError> {
        let value = extension.value.as_bytes();
        match extension.oid {
            ID_CE_CRL_NUMBER => {
                let number = UintRef::from_der(value).map_err(malformed)?;
                let mut octets = [0; 8];
                let from = octets.len().checked_sub(number.as_bytes().len());
                let from =
                    from.ok_or_else(|| InvalidValue::new("CRL number", "more than 64 bits", "at most 64 bits"))?;
                octets[from..].copy_from_slice(number.as_bytes());
                self.number = Some(u64::from_be_bytes(octets));
            }
            ID_CE_ISSUING_DISTRIBUTION_POINT => self.scope = scope(value).map_err(malformed)?,
            ID_CE_AUTHORITY_KEY_IDENTIFIER => {}
            oid if extension.critical => return Err(CrlError::CriticalExtension { oid: oid.to_string() }),
            _ => {}
        }
        Ok(())
    }

    fn read_entries(&mut self, entries: &[u8]) -> Result<(), CrlError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut reader = SliceReader::new(entries).map_err(malformed)?;
        while !reader.is_finished() {
            let entry = EntryFields::read(&mut reader).map_err(malformed)?;
            self.entries.push(entry.understood()?);
        }
        Ok(())
    }
}

/// The parts of a list as they stand in the bytes.
struct Fields<'a> {
    algorithm: AlgorithmIdentifierRef<'a>,
    issuer: &'a [u8],
    this_update: Time,
    next_update: Option<Time>,
    /// The content of `revokedCertificates`.
    entries: &'a [u8],
    extensions: Vec<ExtensionRef<'a>>,
}

impl<'a> Fields<'a> {
    fn from_der(bytes: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(bytes)?;
        let fields = reader.sequence(Self::read)?;
        reader.finish()?;
        Ok(fields)
    }

    fn read(reader: &mut SliceReader<'a>) -> der::Result<Self> {
        if u8::decode(reader)? != 1 {
            return Err(Tag::Integer.value_error().into());
        }
        let algorithm = AlgorithmIdentifierRef::decode(reader)?;
        let issuer = reader.tlv_bytes()?;
        let this_update = Time::decode(reader)?;
        let is_next = |tag: Tag| matches!(tag, Tag::UtcTime | Tag::GeneralizedTime);
        let next_update = if peeks(reader, is_next) { Some(Time::decode(reader)?) } else { None };
        let entries =
            if peeks(reader, |tag| tag == Tag::Sequence) { der::asn1::AnyRef::decode(reader)?.value() } else { &[] };
        let extensions = if reader.is_finished() {
            Vec::new()
        } else {
            let field = der::asn1::AnyRef::decode(reader)?;
            der::Tagged::tag(&field).assert_eq(EXTENSIONS)?;
            Vec::<ExtensionRef<'a>>::from_der(field.value())?
        };
        Ok(Self { algorithm, issuer, this_update, next_update, entries, extensions })
    }
}

struct EntryFields<'a> {
    serial: der::asn1::IntRef<'a>,
    at: Time,
    extensions: Vec<ExtensionRef<'a>>,
}

impl<'a> EntryFields<'a> {
    fn read(reader: &mut SliceReader<'a>) -> der::Result<Self> {
        reader.sequence(|inner| {
            let (serial, at) = (der::asn1::IntRef::decode(inner)?, Time::decode(inner)?);
            let extensions = if inner.is_finished() { Vec::new() } else { Vec::decode(inner)? };
            Ok::<_, der::Error>(Self { serial, at, extensions })
        })
    }

    fn understood(&self) -> Result<CrlEntry, CrlError> {
        let mut entry = CrlEntry {
            serial: Serial::from_der_integer(self.serial.as_bytes())?,
            revoked_at: from_time(&self.at)?,
            reason: RevocationReason::Unspecified,
            invalid_since: None,
        };
        for extension in &self.extensions {
            let value = extension.value.as_bytes();
            match extension.oid {
                ID_CE_CRL_REASONS => entry.reason = reason(value)?,
                ID_CE_INVALIDITY_DATE => {
                    let since = der::asn1::GeneralizedTime::from_der(value).map_err(malformed)?;
                    entry.invalid_since = Some(from_time(&Time::from(since))?);
                }
                oid if extension.critical => return Err(CrlError::CriticalExtension { oid: oid.to_string() }),
                _ => {}
            }
        }
        Ok(entry)
    }
}

fn peeks(reader: &SliceReader<'_>, fits: impl Fn(Tag) -> bool) -> bool {
    !reader.is_finished() && Tag::peek(reader).is_ok_and(fits)
}

fn reason(value: &[u8]) -> Result<RevocationReason, CrlError> {
    let refuse = || CrlError::from(InvalidValue::new("reasonCode", format!("{value:02x?}"), "RFC 5280 section 5.3.1"));
    let [0x0a, 1, code] = value else { return Err(refuse()) };
    RevocationReason::ALL.into_iter().find(|reason| reason.code() == *code).ok_or_else(refuse)
}

/// The URLs of an `IssuingDistributionPoint` that names nothing else.
fn scope(value: &[u8]) -> der::Result<Vec<String>> {
    let names = SliceReader::new(value)?.sequence(|point| {
        let name = field(point)?;
        if !point.is_finished() {
            return Err(Tag::Sequence.value_error().into());
        }
        field(&mut SliceReader::new(name)?)
    })?;
    let mut reader = SliceReader::new(names)?;
    let mut urls = Vec::new();
    while !reader.is_finished() {
        let name = der::asn1::AnyRef::decode(&mut reader)?;
        der::Tagged::tag(&name).assert_eq(URI)?;
        urls.push(der::asn1::Ia5StringRef::new(name.value())?.as_str().to_owned());
    }
    Ok(urls)
}

/// The content of a field `[0]`.
fn field<'a>(reader: &mut SliceReader<'a>) -> der::Result<&'a [u8]> {
    let any = der::asn1::AnyRef::decode(reader)?;
    der::Tagged::tag(&any).assert_eq(FIELD_0)?;
    Ok(any.value())
}

fn malformed(error: der::Error) -> CrlError {
    CrlError::Malformed { reason: error.to_string() }
}

#[cfg(test)]
#[path = "crl_tests.rs"]
mod tests;
