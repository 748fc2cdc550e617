//! Issuers: CA chains with the key that signs below them.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::certificate::Octets;
use super::policy::Table;
use super::{CertificateId, CrlSettings, IssuerId, Principal, RenewalBudget, Slug, Span, StatusSettings, Values};
use crate::x509::tbs::SHARD;
use crate::x509::{
    Attribute, BasicConstraints, InvalidValue, KeyAlgorithm, KeyUsage, KeyUsages, Serial, SignatureAlgorithm, Subject,
};

/// A CA to be made, as people describe it.
///
/// ```
/// use chancery::domain::IssuerSpec;
/// let spec: IssuerSpec = serde_json::from_str(r#"{
///     "name": "root", "subject": { "common_name": "Example Root" }, "key_algorithm": "EC_secp384r1", "ttl": "3650d"
/// }"#)?;
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSpec {
    /// The unique name.
    pub name: Slug,
    /// The CA's subject name.
    pub subject: Table<Attribute, Values>,
    /// The algorithm of the CA's key; of a key held elsewhere it must be that key's.
    #[serde(default = "default_key_algorithm")]
    pub key_algorithm: KeyAlgorithm,
    /// What its certificate is signed with; by default what is usual for the signing key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_algorithm: Option<SignatureAlgorithm>,
    /// How long the CA's certificate is valid.
    #[serde(default = "default_ttl")]
    pub ttl: Span,
    /// How many CAs may follow below it (pathLenConstraint, RFC 5280 section 4.2.1.9); `None` without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_length: Option<u8>,
    /// What certificates that it issues say about where to find things.
    #[serde(default)]
    pub urls: IssuerUrls,
    /// How it tells which of its certificates are revoked.
    #[serde(default)]
    pub status: StatusSettings,
}

fn default_key_algorithm() -> KeyAlgorithm {
    KeyAlgorithm::P256
}

fn default_ttl() -> Span {
    Span::days(3650)
}

impl IssuerSpec {
    /// A CA with a P-256 key that is valid for ten years.
    pub fn new(name: Slug, common_name: &str) -> Self {
        Self {
            name,
            subject: Table::from([(Attribute::CommonName, Values::from(common_name))]),
            key_algorithm: default_key_algorithm(),
            signature_algorithm: None,
            ttl: default_ttl(),
            path_length: None,
            urls: IssuerUrls::default(),
            status: StatusSettings::default(),
        }
    }

    /// The key usages of every CA that is made here.
    pub(crate) fn key_usages() -> KeyUsages {
        KeyUsages::from([KeyUsage::DigitalSignature, KeyUsage::KeyCertSign, KeyUsage::CrlSign])
    }

    pub(crate) fn basic_constraints(&self) -> BasicConstraints {
        BasicConstraints::Ca { path_length: self.path_length }
    }
}

/// Where relying parties find what belongs to an issuer; written into the certificates that it issues.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IssuerUrls {
    /// CRL distribution points (RFC 5280 section 4.2.1.13), http or https. `{shard}` in one stands for the number of the
    /// shard that the certificate belongs to, from 0; the CRL then names the same URL as what it is for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub crl: Vec<String>,
    /// OCSP responders (RFC 5280 section 4.2.2.1), http or https.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ocsp: Vec<String>,
    /// The issuer's own certificate (caIssuers, RFC 5280 section 4.2.2.1), http or https.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ca_issuers: Vec<String>,
}

impl IssuerUrls {
    /// Every URL that can not be written into a certificate, with its path.
    pub fn faults(&self) -> Vec<(String, InvalidValue)> {
        let lists = [("crl", &self.crl), ("ocsp", &self.ocsp), ("ca_issuers", &self.ca_issuers)];
        let urls =
            lists.into_iter().flat_map(|(name, list)| list.iter().enumerate().map(move |(at, url)| (name, at, url)));
        let is_fine = |name: &str, url: &str| is_http(url) || name == "crl" && is_http(&url.replace(SHARD, "0"));
        let faulty = urls.filter(|(name, _, url)| !is_fine(name, url));
        let accepted = "an absolute http or https URL (RFC 5280 4.2.1.13)";
        faulty.map(|(name, at, url)| (format!("urls.{name}[{at}]"), InvalidValue::new("url", url, accepted))).collect()
    }

    /// Whether the CRL's URLs name the shard.
    pub(crate) fn tell_shards_apart(&self) -> bool {
        !self.crl.is_empty() && self.crl.iter().all(|url| url.contains(SHARD))
    }
}

fn is_http(url: &str) -> bool {
    let scheme_fits = url.starts_with("http://") || url.starts_with("https://");
    scheme_fits && url.parse::<crate::x509::Uri>().is_ok()
}

/// An issuer as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerRecord {
    /// Its id.
    pub id: IssuerId,
    /// The unique name.
    pub name: Slug,
    /// Where its key is.
    pub key: IssuerKey,
    /// Where it stands.
    pub state: IssuerState,
    /// What certificates that it issues say about where to find things.
    pub urls: IssuerUrls,
    /// How it tells which of its certificates are revoked.
    #[serde(default)]
    pub status: StatusSettings,
    /// How many certificates below it may renew by themselves.
    #[serde(default, skip_serializing_if = "RenewalBudget::is_unlimited")]
    pub renewals: RenewalBudget,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

impl IssuerRecord {
    /// How its CRLs are made.
    pub(crate) fn crl_settings(&self) -> CrlSettings {
        self.status.crl.unwrap_or_default()
    }

    /// Whether there is a CRL before anything is revoked.
    pub(crate) fn always_has_crl(&self) -> bool {
        self.status.crl.is_some() || !self.urls.crl.is_empty()
    }

    /// The shard of its CRL that a new certificate belongs to: for good, however many shards there will be.
    pub(crate) fn crl_shard(&self, serial: &Serial) -> u32 {
        let end = serial.as_octets().iter().rev().take(4).rev();
        let number = end.fold(0_u32, |number, octet| number << 8 | u32::from(*octet));
        number % self.crl_settings().shards.max(1)
    }
}

/// Where an issuer's key is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IssuerKey {
    /// Here, sealed.
    Sealed(Octets),
    /// With the signer that the host hands over under the issuer's name when the engine starts.
    Signer,
}

/// Where an issuer stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum IssuerState {
    /// It waits for the certificate that an outside CA issues on its request.
    AwaitingCertificate {
        /// The certificate request (PKCS#10, RFC 2986), DER.
        csr: Octets,
        /// The public key, DER `SubjectPublicKeyInfo`.
        public_key: Octets,
        /// The subject asked for.
        subject: Subject,
    },
    /// Serial and bytes of its own certificate are recorded; the key above it has been or will be asked to sign them.
    Signing {
        /// The certificate's id in the inventory to be.
        certificate: CertificateId,
        /// The to-be-signed bytes.
        tbs: Octets,
        /// The public key, DER `SubjectPublicKeyInfo`.
        public_key: Octets,
        /// The issuer that signs; `None` for a root.
        parent: Option<IssuerId>,
        /// The shard of that issuer's CRL that the certificate belongs to.
        #[serde(default)]
        crl_shard: u32,
        /// Who made the issuer.
        requester: Principal,
        /// When due work takes it up, should nobody have finished.
        #[serde(with = "time::serde::rfc3339")]
        retry_at: OffsetDateTime,
    },
    /// It issues.
    Active {
        /// Its certificate and those above it, up to the root where known, DER.
        chain: Vec<Octets>,
    },
}
