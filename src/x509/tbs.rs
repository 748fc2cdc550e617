//! Building the to-be-signed bytes of a certificate (RFC 5280 section 4.1.2).
//!
//! The frame is our own `Sequence` over x509-cert's types: x509-cert's builder wants to hold a signing key, and here the
//! bytes must exist, be linted, judged and recorded before a key, perhaps a remote one, is touched.

use std::sync::Arc;

use const_oid::AssociatedOid;
use const_oid::db::rfc5280::{ID_AD_CA_ISSUERS, ID_AD_OCSP};
use der::asn1::{AnyRef, Ia5String, ObjectIdentifier, OctetString, UintRef};
use der::flagset::FlagSet;
use der::{Encode, Sequence};
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::crl::CrlDistributionPoints;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    self, AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, SubjectAltName, SubjectKeyIdentifier,
};
use x509_cert::name::RdnSequence;
use x509_cert::time::Time;

use super::{BasicConstraints, Content, ExtendedKeyUsage, PublicKey, Serial};

/// What certificates say about the authority that issued them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    /// The issuer's name exactly as its own certificate encodes it.
    pub(crate) name_der: Arc<[u8]>,
    /// The subject key identifier of the issuer's certificate.
    pub(crate) key_identifier: Vec<u8>,
    /// Where its CRL is to be found.
    pub(crate) crl_urls: Vec<String>,
    /// Where its OCSP responder is to be found.
    pub(crate) ocsp_urls: Vec<String>,
    /// Where its own certificate is to be found.
    pub(crate) ca_issuers_urls: Vec<String>,
}

impl Authority {
    /// The authority of a self-signed certificate: the subject itself.
    pub(crate) fn of_itself(content: &Content, key: &PublicKey) -> der::Result<Self> {
        Ok(Self {
            name_der: content.subject.to_der()?.into(),
            key_identifier: key.key_identifier().to_vec(),
            crl_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            ca_issuers_urls: Vec::new(),
        })
    }
}

#[derive(Sequence)]
struct TbsSequence<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial_number: UintRef<'a>,
    signature: AlgorithmIdentifierOwned,
    issuer: AnyRef<'a>,
    validity: Times,
    subject: RdnSequence,
    subject_public_key_info: AnyRef<'a>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

#[derive(Sequence)]
struct Times {
    not_before: Time,
    not_after: Time,
}

const V3: u8 = 2;

/// The DER `TBSCertificate` that says `content` about `key`.
pub(crate) fn build(
    content: &Content,
    key: &PublicKey,
    serial: &Serial,
    authority: &Authority,
) -> der::Result<Vec<u8>> {
    let (not_before, not_after) = content.validity.to_times()?;
    TbsSequence {
        version: V3,
        serial_number: UintRef::new(serial.as_octets())?,
        signature: content.signature_algorithm.to_identifier(),
        issuer: AnyRef::try_from(&*authority.name_der)?,
        validity: Times { not_before, not_after },
        subject: content.subject.to_rdns()?,
        subject_public_key_info: AnyRef::try_from(key.spki_der())?,
        extensions: extensions(content, key, authority)?,
    }
    .to_der()
}

fn extensions(content: &Content, key: &PublicKey, authority: &Authority) -> der::Result<Vec<Extension>> {
    let mut list = Vec::with_capacity(8);
    list.push(extension(Criticality::Critical, &basic_constraints(content.basic_constraints))?);
    if !content.key_usages.is_empty() {
        let bits = FlagSet::new_truncated(content.key_usages.bits());
        list.push(extension(Criticality::Critical, &pkix::KeyUsage(bits))?);
    }
    if !content.extended_key_usages.is_empty() {
        list.push(extended_key_usage(&content.extended_key_usages)?);
    }
    let identifier = SubjectKeyIdentifier(OctetString::new(key.key_identifier().as_slice())?);
    list.push(extension(Criticality::NonCritical, &identifier)?);
    list.push(authority_key_identifier(&authority.key_identifier)?);
    if !content.sans.is_empty() {
        list.push(subject_alt_name(content)?);
    }
    if !authority.crl_urls.is_empty() {
        list.push(crl_distribution_points(&authority.crl_urls)?);
    }
    if !authority.ocsp_urls.is_empty() || !authority.ca_issuers_urls.is_empty() {
        list.push(authority_info_access(authority)?);
    }
    Ok(list)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Criticality {
    Critical,
    NonCritical,
}

fn extension<T: AssociatedOid + Encode>(criticality: Criticality, value: &T) -> der::Result<Extension> {
    let critical = criticality == Criticality::Critical;
    Ok(Extension { extn_id: T::OID, critical, extn_value: OctetString::new(value.to_der()?)? })
}

fn basic_constraints(constraints: BasicConstraints) -> pkix::BasicConstraints {
    match constraints {
        BasicConstraints::EndEntity => pkix::BasicConstraints { ca: false, path_len_constraint: None },
        BasicConstraints::Ca { path_length } => pkix::BasicConstraints { ca: true, path_len_constraint: path_length },
    }
}

/// Critical only for time-stamping, where RFC 3161 section 2.3 demands it.
fn extended_key_usage(usages: &[ExtendedKeyUsage]) -> der::Result<Extension> {
    let only_stamps = usages == [ExtendedKeyUsage::TimeStamping];
    let criticality = if only_stamps { Criticality::Critical } else { Criticality::NonCritical };
    extension(criticality, &pkix::ExtendedKeyUsage(usages.iter().map(ExtendedKeyUsage::oid).collect()))
}

fn authority_key_identifier(identifier: &[u8]) -> der::Result<Extension> {
    let key_identifier = Some(OctetString::new(identifier)?);
    extension(Criticality::NonCritical, &AuthorityKeyIdentifier { key_identifier, ..Default::default() })
}

/// Critical when the subject is empty (RFC 5280 section 4.2.1.6).
fn subject_alt_name(content: &Content) -> der::Result<Extension> {
    let names = content.sans.iter().map(|san| san.to_general_name()).collect::<der::Result<Vec<_>>>()?;
    let criticality = if content.subject.is_empty() { Criticality::Critical } else { Criticality::NonCritical };
    extension(criticality, &SubjectAltName(names))
}

fn crl_distribution_points(urls: &[String]) -> der::Result<Extension> {
    let point = |url: &String| {
        Ok(DistributionPoint {
            distribution_point: Some(DistributionPointName::FullName(vec![uri(url)?])),
            reasons: None,
            crl_issuer: None,
        })
    };
    let points = urls.iter().map(point).collect::<der::Result<Vec<_>>>()?;
    extension(Criticality::NonCritical, &CrlDistributionPoints(points))
}

fn authority_info_access(authority: &Authority) -> der::Result<Extension> {
    let access = |access_method: ObjectIdentifier| {
        move |url: &String| Ok(AccessDescription { access_method, access_location: uri(url)? })
    };
    let ocsp = authority.ocsp_urls.iter().map(access(ID_AD_OCSP));
    let issuers = authority.ca_issuers_urls.iter().map(access(ID_AD_CA_ISSUERS));
    let all = ocsp.chain(issuers).collect::<der::Result<Vec<_>>>()?;
    extension(Criticality::NonCritical, &AuthorityInfoAccessSyntax(all))
}

fn uri(url: &str) -> der::Result<GeneralName> {
    Ok(GeneralName::UniformResourceIdentifier(Ia5String::new(url)?))
}
