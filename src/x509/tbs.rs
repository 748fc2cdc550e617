//! Building the to-be-signed bytes of a certificate (RFC 5280 section 4.1.2).
//!
//! The frame is our own `Sequence` over x509-cert's types: x509-cert's builder wants to hold a signing key, and here the
//! bytes must exist, be linted, judged and recorded before a key, perhaps a remote one, is touched.

use std::sync::Arc;

use const_oid::AssociatedOid;
use const_oid::db::rfc5280::{ID_AD_CA_ISSUERS, ID_AD_OCSP};
use der::asn1::{Ia5String, ObjectIdentifier, OctetString, UintRef};
use der::flagset::FlagSet;
use der::{Encode, Tag, TagNumber};
use x509_cert::ext::pkix::crl::CrlDistributionPoints;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    self, AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, SubjectAltName, SubjectKeyIdentifier,
};

use super::encode::{enclose, push};
use super::{BasicConstraints, Content, ExtendedKeyUsage, PublicKey, Serial};

/// What certificates say about the authority that issued them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    /// The issuer's name exactly as its own certificate encodes it.
    pub(crate) name_der: Arc<[u8]>,
    /// The subject key identifier of the issuer's certificate.
    pub(crate) key_identifier: Vec<u8>,
    /// Where its CRL is to be found; `{shard}` stands for the shard's number.
    pub(crate) crl_urls: Vec<String>,
    /// Where its OCSP responder is to be found.
    pub(crate) ocsp_urls: Vec<String>,
    /// Where its own certificate is to be found.
    pub(crate) ca_issuers_urls: Vec<String>,
    /// Whether a certificate that it issues is to be asked after itself.
    pub(crate) status_check: StatusCheck,
}

/// Whether relying parties are to look for the status of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusCheck {
    AsUsual,
    /// id-pkix-ocsp-nocheck (RFC 6960 section 4.2.2.2.1): for the certificates of OCSP responders alone.
    No,
}

impl Authority {
    /// The authority of a delegated OCSP responder's certificate: nothing to look at, and nothing to look for.
    pub(crate) fn of_responder(&self) -> Self {
        Self {
            crl_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            ca_issuers_urls: Vec::new(),
            status_check: StatusCheck::No,
            ..self.clone()
        }
    }

    /// The authority of a certificate that belongs to a shard of the CRL.
    pub(crate) fn of_shard(&self, shard: u32) -> Self {
        Self { crl_urls: shard_urls(&self.crl_urls, shard), ..self.clone() }
    }

    /// The authority of a self-signed certificate: the subject itself.
    pub(crate) fn of_itself(content: &Content, key: &PublicKey) -> der::Result<Self> {
        Ok(Self {
            name_der: content.subject.to_der()?.into(),
            key_identifier: key.key_identifier().to_vec(),
            crl_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            ca_issuers_urls: Vec::new(),
            status_check: StatusCheck::AsUsual,
        })
    }
}

/// The URLs of a shard of the CRL.
pub(crate) fn shard_urls(templates: &[String], shard: u32) -> Vec<String> {
    templates.iter().map(|url| url.replace(SHARD, &shard.to_string())).collect()
}

/// What stands for the shard's number in the URL of a CRL.
pub(crate) const SHARD: &str = "{shard}";

/// id-pkix-ocsp-nocheck.
pub(crate) const OCSP_NO_CHECK: &str = "1.3.6.1.5.5.7.48.1.5";

/// Version 3 in its explicit tag: `[0] { INTEGER 2 }`.
const VERSION_3: [u8; 5] = [0xa0, 3, 2, 1, 2];
const EXTENSIONS: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(3) };

/// The DER `TBSCertificate` that says `content` about `key`.
pub(crate) fn build(
    content: &Content,
    key: &PublicKey,
    serial: &Serial,
    authority: &Authority,
) -> der::Result<Vec<u8>> {
    let (not_before, not_after) = content.validity.to_times()?;
    let mut body = Vec::with_capacity(1024);
    body.extend_from_slice(&VERSION_3);
    UintRef::new(serial.as_octets())?.encode_to_vec(&mut body)?;
    content.signature_algorithm.to_identifier().encode_to_vec(&mut body)?;
    body.extend_from_slice(&authority.name_der);
    let mut times = Vec::with_capacity(40);
    not_before.encode_to_vec(&mut times)?;
    not_after.encode_to_vec(&mut times)?;
    push(&mut body, Tag::Sequence, &times)?;
    body.extend_from_slice(&content.subject.to_der()?);
    body.extend_from_slice(key.spki_der());
    let extensions = enclose(Tag::Sequence, &extensions(content, key, authority)?)?;
    push(&mut body, EXTENSIONS, &extensions)?;
    enclose(Tag::Sequence, &body)
}

/// The extensions, one behind the other.
fn extensions(content: &Content, key: &PublicKey, authority: &Authority) -> der::Result<Vec<u8>> {
    let mut list = Vec::with_capacity(512);
    add(&mut list, Criticality::Critical, &basic_constraints(content.basic_constraints))?;
    if !content.key_usages.is_empty() {
        let bits = FlagSet::new_truncated(content.key_usages.bits());
        add(&mut list, Criticality::Critical, &pkix::KeyUsage(bits))?;
    }
    if !content.extended_key_usages.is_empty() {
        extended_key_usage(&mut list, &content.extended_key_usages)?;
    }
    let identifier = SubjectKeyIdentifier(OctetString::new(key.key_identifier().as_slice())?);
    add(&mut list, Criticality::NonCritical, &identifier)?;
    authority_key_identifier(&mut list, &authority.key_identifier)?;
    if !content.sans.is_empty() {
        subject_alt_name(&mut list, content)?;
    }
    if !authority.crl_urls.is_empty() {
        crl_distribution_points(&mut list, &authority.crl_urls)?;
    }
    if !authority.ocsp_urls.is_empty() || !authority.ca_issuers_urls.is_empty() {
        authority_info_access(&mut list, authority)?;
    }
    if authority.status_check == StatusCheck::No {
        let oid = ObjectIdentifier::new_unwrap(OCSP_NO_CHECK);
        add_value(&mut list, Criticality::NonCritical, oid, &enclose(Tag::Null, &[])?)?;
    }
    Ok(list)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Criticality {
    Critical,
    NonCritical,
}

/// Appends one `Extension`; the default FALSE of `critical` is not written.
fn add<T: AssociatedOid + Encode>(list: &mut Vec<u8>, criticality: Criticality, value: &T) -> der::Result<()> {
    add_value(list, criticality, T::OID, &value.to_der()?)
}

fn add_value(list: &mut Vec<u8>, criticality: Criticality, oid: ObjectIdentifier, value: &[u8]) -> der::Result<()> {
    let mut fields = Vec::with_capacity(value.len() + 16);
    push(&mut fields, Tag::ObjectIdentifier, oid.as_bytes())?;
    if criticality == Criticality::Critical {
        push(&mut fields, Tag::Boolean, &[0xff])?;
    }
    push(&mut fields, Tag::OctetString, value)?;
    push(list, Tag::Sequence, &fields)
}

fn basic_constraints(constraints: BasicConstraints) -> pkix::BasicConstraints {
    match constraints {
        BasicConstraints::EndEntity => pkix::BasicConstraints { ca: false, path_len_constraint: None },
        BasicConstraints::Ca { path_length } => pkix::BasicConstraints { ca: true, path_len_constraint: path_length },
    }
}

/// Critical only for time-stamping, where RFC 3161 section 2.3 demands it.
fn extended_key_usage(list: &mut Vec<u8>, usages: &[ExtendedKeyUsage]) -> der::Result<()> {
    let only_stamps = usages == [ExtendedKeyUsage::TimeStamping];
    let criticality = if only_stamps { Criticality::Critical } else { Criticality::NonCritical };
    add(list, criticality, &pkix::ExtendedKeyUsage(usages.iter().map(ExtendedKeyUsage::oid).collect()))
}

fn authority_key_identifier(list: &mut Vec<u8>, identifier: &[u8]) -> der::Result<()> {
    let key_identifier = Some(OctetString::new(identifier)?);
    add(list, Criticality::NonCritical, &AuthorityKeyIdentifier { key_identifier, ..Default::default() })
}

/// Critical when the subject is empty (RFC 5280 section 4.2.1.6).
fn subject_alt_name(list: &mut Vec<u8>, content: &Content) -> der::Result<()> {
    let criticality = if content.subject.is_empty() { Criticality::Critical } else { Criticality::NonCritical };
    let mut names = Vec::with_capacity(32 * content.sans.len());
    for san in &content.sans {
        san.push_general_name(&mut names)?;
    }
    add_value(list, criticality, SubjectAltName::OID, &enclose(Tag::Sequence, &names)?)
}

fn crl_distribution_points(list: &mut Vec<u8>, urls: &[String]) -> der::Result<()> {
    let point = |url: &String| {
        Ok(DistributionPoint {
            distribution_point: Some(DistributionPointName::FullName(vec![uri(url)?])),
            reasons: None,
            crl_issuer: None,
        })
    };
    let points = urls.iter().map(point).collect::<der::Result<Vec<_>>>()?;
    add(list, Criticality::NonCritical, &CrlDistributionPoints(points))
}

fn authority_info_access(list: &mut Vec<u8>, authority: &Authority) -> der::Result<()> {
    let access = |access_method: ObjectIdentifier| {
        move |url: &String| Ok(AccessDescription { access_method, access_location: uri(url)? })
    };
    let ocsp = authority.ocsp_urls.iter().map(access(ID_AD_OCSP));
    let issuers = authority.ca_issuers_urls.iter().map(access(ID_AD_CA_ISSUERS));
    let all = ocsp.chain(issuers).collect::<der::Result<Vec<_>>>()?;
    add(list, Criticality::NonCritical, &AuthorityInfoAccessSyntax(all))
}

fn uri(url: &str) -> der::Result<GeneralName> {
    Ok(GeneralName::UniformResourceIdentifier(Ia5String::new(url)?))
}
