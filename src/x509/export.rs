//! Certificates, with or without their key, in the containers that other programs import.

#[cfg(feature = "pkcs12")]
mod pkcs12;
#[cfg(feature = "pkcs7")]
mod pkcs7;

#[cfg(feature = "pkcs7")]
pub use pkcs7::pkcs7_certs_only;
#[cfg(feature = "pkcs12")]
pub use pkcs12::pkcs12;

/// Why certificates are not exported. Holds nothing secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// There is nothing to export.
    #[error("the chain is empty")]
    Empty,
    /// A certificate can not be carried over octet by octet: it is not DER.
    #[error("certificate {index} of the chain is not DER")]
    NotDer {
        /// Its place in the chain, from 0.
        index: usize,
    },
    /// The same certificate stands twice in the chain.
    #[error("a certificate stands twice in the chain")]
    Duplicate,
    /// The private key is not an unencrypted PKCS#8 document.
    #[error("the private key is not a PKCS#8 document")]
    Key,
    /// The friendly name is empty or has characters beyond the Basic Multilingual Plane (RFC 2985 section 5.5.1).
    #[error("the friendly name is empty or can not be written as a BMPString")]
    FriendlyName,
    /// The container could not be written.
    #[error("the container could not be written: {reason}")]
    Encoding {
        /// What the library said.
        reason: String,
    },
}

#[cfg(test)]
mod fixture {
    //! A chain of two certificates for the tests of the containers.

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    /// DER leaf, DER root, and the leaf's key as PKCS#8.
    pub(super) fn chain() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let root_key = KeyPair::generate().unwrap();
        let mut root = CertificateParams::new(vec![]).unwrap();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_der = root.self_signed(&root_key).unwrap().der().to_vec();
        let leaf_key = crate::crypto::PrivateKey::generate(crate::x509::KeyAlgorithm::P256).unwrap();
        let leaf_pkcs8 = leaf_key.to_pkcs8_der().unwrap().to_vec();
        let key = KeyPair::try_from(leaf_pkcs8.as_slice()).unwrap();
        let leaf = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        let leaf_der = leaf.signed_by(&key, &Issuer::from_params(&root, &root_key)).unwrap().der().to_vec();
        (leaf_der, root_der, leaf_pkcs8)
    }
}
