//! RFC 5280 as value types: the only place that sees `der`, `x509-cert` and `cms`.

mod address;
mod blocked_keys;
mod certificate;
mod content;
pub(crate) mod crl;
mod csr;
mod csr_info;
mod dns;
mod encode;
mod envelope;
#[cfg(any(feature = "pkcs7", feature = "pkcs12"))]
pub mod export;
mod extensions;
mod invalid;
mod jwk;
mod key;
mod key_refusal;
mod lint;
mod name;
pub(crate) mod ocsp;
pub mod pem;
pub(crate) mod public_key;
mod revocation_reason;
mod san;
mod serial;
pub(crate) mod tbs;
mod tbs_view;
mod uri;
mod usage;
#[cfg(feature = "acme")]
mod validation_certificate;
mod validity;
mod weak_key;

pub use address::is_public;
pub use blocked_keys::{BlockedKeys, BlockedKeysError};
pub use certificate::{Certificate, CertificateError, MAX_CERTIFICATE_BYTES};
pub use content::Content;
pub use crl::{CertificateList, CrlEntry, CrlError, MAX_CRL_BYTES};
pub use csr::{Csr, CsrError, CsrRefusal, MAX_CSR_BYTES, RequestedExtensions};
pub(crate) use csr_info::CertificateRequestInfo;
pub use dns::DnsName;
pub use extensions::UnknownExtension;
pub use invalid::InvalidValue;
pub use jwk::JwkError;
pub use key::{KeyAlgorithm, SignatureAlgorithm, UnknownAlgorithm};
pub use key_refusal::KeyRefusal;
pub(crate) use lint::lint_tbs;
pub use lint::{Lint, MAX_SANS, lint_content};
pub use name::{Attribute, Subject};
pub use ocsp::{CertId, MAX_OCSP_CERTIFICATES, MAX_OCSP_REQUEST_BYTES, OcspRequest, OcspRequestError};
pub use public_key::PublicKey;
pub use revocation_reason::RevocationReason;
pub use san::{San, SanKind, SanSpec};
pub use serial::Serial;
pub(crate) use tbs_view::TbsView;
#[cfg(feature = "simulation")]
pub(crate) use tbs_view::serial_of_tbs;
pub use uri::{EmailAddress, Uri};
pub(crate) use uri::{UriParts, normal_path};
pub use usage::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, Oid};
#[cfg(feature = "acme")]
pub(crate) use validation_certificate::{judge_validation_certificate, key_of_certificate};
pub use validity::Validity;
