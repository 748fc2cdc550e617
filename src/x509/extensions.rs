//! Reading the extensions of a certificate or of a certificate request.

use const_oid::AssociatedOid;
use const_oid::db::rfc5280::{ID_AD_CA_ISSUERS, ID_AD_OCSP};
use der::asn1::{AnyRef, OctetStringRef};
use der::{Decode, Sequence};
use serde::{Deserialize, Serialize};
use spki::ObjectIdentifier;
use x509_cert::ext::pkix::crl::CrlDistributionPoints;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    self, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, SubjectAltName, SubjectKeyIdentifier,
};

use super::usage::shortest;
use super::{BasicConstraints, ExtendedKeyUsage, InvalidValue, KeyUsages, San};

/// An extension that the crate does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownExtension {
    /// Its dotted object identifier.
    pub oid: String,
    /// Whether it is marked critical.
    pub critical: bool,
}

/// An extension as it stands in the bytes.
#[derive(Sequence)]
pub(super) struct ExtensionRef<'a> {
    pub(super) oid: ObjectIdentifier,
    #[asn1(default = "Default::default")]
    pub(super) critical: bool,
    pub(super) value: &'a OctetStringRef,
}

/// What the known extensions say, and which others there are. `None` and empty lists mean that one is absent.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    pub(super) sans: Vec<San>,
    pub(super) key_usages: KeyUsages,
    pub(super) extended_key_usages: Vec<ExtendedKeyUsage>,
    pub(super) basic_constraints: Option<BasicConstraints>,
    pub(super) key_identifier: Option<Vec<u8>>,
    pub(super) authority_key_identifier: Option<Vec<u8>>,
    pub(super) crl_urls: Vec<String>,
    pub(super) ocsp_urls: Vec<String>,
    pub(super) ca_issuers_urls: Vec<String>,
    pub(super) unknown: Vec<UnknownExtension>,
}

impl Extensions {
    /// Reads a list of extensions.
    ///
    /// # Errors
    /// An extension that occurs twice, or a known one that can not be read.
    pub(super) fn read(list: &[ExtensionRef<'_>]) -> Result<Self, InvalidValue> {
        let mut known = Self::default();
        let mut oids = list.iter().map(|extension| shortest(extension.oid)).collect::<Result<Vec<_>, _>>()?;
        oids.sort_unstable();
        if let Some(pair) = oids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(InvalidValue::new("extensions", format!("{} twice", pair[0]), "each extension once"));
        }
        for extension in list {
            known.take(extension)?;
        }
        Ok(known)
    }

    fn take(&mut self, extension: &ExtensionRef<'_>) -> Result<(), InvalidValue> {
        match extension.oid {
            SubjectAltName::OID => self.sans = read_sans(&decode::<Vec<AnyRef<'_>>>(extension, "subjectAltName")?)?,
            pkix::KeyUsage::OID => {
                self.key_usages = KeyUsages::from_bits(decode::<pkix::KeyUsage>(extension, "keyUsage")?.0.bits());
            }
            pkix::ExtendedKeyUsage::OID => {
                let oids = decode::<pkix::ExtendedKeyUsage>(extension, "extKeyUsage")?.0;
                let usages = oids.into_iter().map(|oid| shortest(oid).map(ExtendedKeyUsage::from_oid));
                self.extended_key_usages = usages.collect::<Result<_, _>>()?;
            }
            pkix::BasicConstraints::OID => {
                self.basic_constraints = Some(read_constraints(&decode(extension, "basicConstraints")?)?);
            }
            SubjectKeyIdentifier::OID => {
                let identifier = decode::<SubjectKeyIdentifier>(extension, "subjectKeyIdentifier")?;
                self.key_identifier = Some(identifier.0.as_bytes().to_vec());
            }
            AuthorityKeyIdentifier::OID => {
                let identifier = decode::<AuthorityKeyIdentifier>(extension, "authorityKeyIdentifier")?;
                self.authority_key_identifier = identifier.key_identifier.map(|octets| octets.as_bytes().to_vec());
            }
            CrlDistributionPoints::OID => {
                let points = decode::<CrlDistributionPoints>(extension, "cRLDistributionPoints")?;
                self.crl_urls = read_crl_urls(&points);
            }
            AuthorityInfoAccessSyntax::OID => {
                let access = decode::<AuthorityInfoAccessSyntax>(extension, "authorityInfoAccess")?;
                self.ocsp_urls = access_urls(&access, ID_AD_OCSP);
                self.ca_issuers_urls = access_urls(&access, ID_AD_CA_ISSUERS);
            }
            oid => self.unknown.push(UnknownExtension { oid: oid.to_string(), critical: extension.critical }),
        }
        Ok(())
    }
}

fn decode<'a, T: Decode<'a>>(extension: &ExtensionRef<'a>, what: &'static str) -> Result<T, InvalidValue>
where
    T::Error: std::fmt::Display,
{
    T::from_der(extension.value.as_bytes())
        .map_err(|error| InvalidValue::new(what, error.to_string(), "the DER of RFC 5280 section 4.2"))
}

fn read_sans(names: &[AnyRef<'_>]) -> Result<Vec<San>, InvalidValue> {
    names.iter().map(|name| San::from_general_name(*name)).collect()
}

fn read_constraints(constraints: &pkix::BasicConstraints) -> Result<BasicConstraints, InvalidValue> {
    match (constraints.ca, constraints.path_len_constraint) {
        (true, path_length) => Ok(BasicConstraints::Ca { path_length }),
        (false, None) => Ok(BasicConstraints::EndEntity),
        (false, Some(length)) => {
            let seen = format!("pathLenConstraint {length} without cA");
            Err(InvalidValue::new("basicConstraints", seen, "a path length only for a CA"))
        }
    }
}

fn read_crl_urls(points: &CrlDistributionPoints) -> Vec<String> {
    let full_names = points.0.iter().filter_map(|point| match &point.distribution_point {
        Some(DistributionPointName::FullName(names)) => Some(names),
        _ => None,
    });
    full_names.flatten().filter_map(url).collect()
}

fn access_urls(access: &AuthorityInfoAccessSyntax, method: ObjectIdentifier) -> Vec<String> {
    let of_method = access.0.iter().filter(|description| description.access_method == method);
    of_method.filter_map(|description| url(&description.access_location)).collect()
}

fn url(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str().to_owned()),
        _ => None,
    }
}
