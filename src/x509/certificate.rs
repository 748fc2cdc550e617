//! Certificates read back: the content, the issuer and everything a later reader needs.

use std::sync::Arc;

use super::envelope::{self, Envelope};
use super::tbs_view::TbsParts;
use super::{Content, InvalidValue, KeyRefusal, PublicKey, Serial, Subject, TbsView, UnknownExtension, pem};
use crate::crypto;

/// Largest certificate that is looked at, in bytes of DER.
pub const MAX_CERTIFICATE_BYTES: usize = 64 * 1024;

/// A certificate that was read and understood. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate(Arc<Parsed>);

#[derive(Debug, PartialEq, Eq)]
struct Parsed {
    der: Vec<u8>,
    tbs: TbsView,
    public_key: PublicKey,
    fingerprint: [u8; 32],
}

/// Why bytes are not a certificate that the crate can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// It is larger than [`MAX_CERTIFICATE_BYTES`].
    #[error("the certificate has {bytes} bytes; accepted are at most {MAX_CERTIFICATE_BYTES}")]
    TooLarge {
        /// The size seen.
        bytes: usize,
    },
    /// It is no DER certificate of RFC 5280, or the PEM around it is damaged.
    #[error("the certificate can not be read: {reason}")]
    Malformed {
        /// What the decoder stumbled over.
        reason: String,
    },
    /// Its public key is of no use.
    #[error("the certificate's public key is refused: {0}")]
    Key(#[from] KeyRefusal),
    /// Its signature algorithm is not known to the crate.
    #[error("the certificate is signed with {oid}, which is not accepted")]
    SignatureAlgorithm {
        /// The object identifier seen.
        oid: String,
    },
    /// A name, number or extension can not be represented.
    #[error("the certificate is refused: {0}")]
    Value(#[from] InvalidValue),
    /// The signature does not verify under the issuer's key.
    #[error("the certificate's signature does not verify under the key of {issuer}")]
    Signature {
        /// The issuer's subject name.
        issuer: String,
    },
    /// The certificate names another issuer.
    #[error("the certificate was issued by {seen}, not by {issuer}")]
    Issuer {
        /// The issuer named in the certificate.
        seen: String,
        /// The subject of the expected issuer.
        issuer: String,
    },
}

impl Certificate {
    /// Reads one DER certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(CertificateError::TooLarge { bytes: der.len() });
        }
        let envelope = Envelope::from_der(der).map_err(malformed)?;
        let parts = TbsParts::from_der(envelope.body).map_err(malformed)?;
        let public_key = PublicKey::from_spki_der(parts.public_key)?;
        if parts.signature != envelope.algorithm {
            let reason = "signature and signatureAlgorithm differ (RFC 5280 section 4.1.1.2)".into();
            return Err(CertificateError::Malformed { reason });
        }
        let tbs = TbsView::read(&parts, &public_key)?;
        Ok(Self(Arc::new(Parsed { der: der.to_vec(), tbs, public_key, fingerprint: crypto::sha256(der) })))
    }

    /// Reads all certificates of a PEM text, in order. There must be at least one.
    pub fn from_pem_chain(text: &str) -> Result<Vec<Self>, CertificateError> {
        let blocks = pem::decode_all(text, pem::Label::Certificate.as_str(), 16 * MAX_CERTIFICATE_BYTES);
        let blocks = blocks.map_err(|error| CertificateError::Malformed { reason: error.to_string() })?;
        blocks.iter().map(|der| Self::from_der(der)).collect()
    }

    /// Puts to-be-signed bytes that are already understood together with their signature.
    pub(crate) fn assemble(
        tbs_der: &[u8],
        tbs: TbsView,
        public_key: PublicKey,
        signature: &[u8],
    ) -> Result<Self, CertificateError> {
        let der = envelope::seal(tbs_der, tbs.content.signature_algorithm, signature).map_err(malformed)?;
        let fingerprint = crypto::sha256(&der);
        Ok(Self(Arc::new(Parsed { der, tbs, public_key, fingerprint })))
    }

    /// The DER bytes.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// One PEM block with a final line feed.
    pub fn pem(&self) -> String {
        pem::encode(pem::Label::Certificate, &self.0.der)
    }

    /// What it says, in the terms of policies.
    pub fn content(&self) -> &Content {
        &self.0.tbs.content
    }

    /// Its serial number.
    pub fn serial(&self) -> &Serial {
        &self.0.tbs.serial
    }

    /// The subject's public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public_key
    }

    /// SHA-256 over the DER bytes.
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.0.fingerprint
    }

    /// Extensions that the crate does not know.
    pub fn unknown_extensions(&self) -> &[UnknownExtension] {
        &self.0.tbs.unknown
    }

    /// Where its CRL is to be found.
    pub fn crl_urls(&self) -> &[String] {
        &self.0.tbs.crl_urls
    }

    /// Where its OCSP responder is to be found.
    pub fn ocsp_urls(&self) -> &[String] {
        &self.0.tbs.ocsp_urls
    }

    /// Where its issuer's certificate is to be found.
    pub fn ca_issuers_urls(&self) -> &[String] {
        &self.0.tbs.ca_issuers_urls
    }

    /// The subject key identifier, from the extension or derived from the key.
    pub fn key_identifier(&self) -> Vec<u8> {
        self.0.tbs.key_identifier.clone().unwrap_or_else(|| self.0.public_key.key_identifier().to_vec())
    }

    /// The key identifier of the authority key identifier extension (RFC 5280 section 4.2.1.1).
    pub fn authority_key_identifier(&self) -> Option<&[u8]> {
        self.0.tbs.authority_key_identifier.as_deref()
    }

    /// Whether issuer and subject are the same name.
    pub fn is_self_issued(&self) -> bool {
        self.0.tbs.issuer_der == self.0.tbs.subject_der
    }

    /// The issuer's name as text.
    pub fn issuer_name(&self) -> String {
        Subject::from_der(&self.0.tbs.issuer_der)
            .map_or_else(|_| "a name of unknown form".into(), |name| name.to_string())
    }

    pub(crate) fn subject_der(&self) -> &[u8] {
        &self.0.tbs.subject_der
    }

    pub(crate) fn issuer_der(&self) -> &[u8] {
        &self.0.tbs.issuer_der
    }

    /// Checks that `issuer` issued this certificate: names chain and the signature verifies.
    ///
    /// # Errors
    /// [`CertificateError::Issuer`] or [`CertificateError::Signature`].
    pub fn verify_issued_by(&self, issuer: &Certificate) -> Result<(), CertificateError> {
        let issuer_name = || issuer.content().subject.to_string();
        if self.issuer_der() != issuer.subject_der() {
            return Err(CertificateError::Issuer { seen: self.issuer_name(), issuer: issuer_name() });
        }
        self.verify_signature(issuer.public_key())
    }

    /// Checks the signature under a key.
    pub(crate) fn verify_signature(&self, key: &PublicKey) -> Result<(), CertificateError> {
        let envelope = Envelope::from_der(self.der()).map_err(malformed)?;
        crypto::verify(key, self.content().signature_algorithm, envelope.body, envelope.signature)
            .map_err(|_| CertificateError::Signature { issuer: self.issuer_name() })
    }
}

pub(super) fn malformed(error: der::Error) -> CertificateError {
    CertificateError::Malformed { reason: error.to_string() }
}
