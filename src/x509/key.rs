//! Key and signature algorithms, by the names of the API and the identifiers of X.509.

use std::fmt;

use const_oid::ObjectIdentifier;
use der::asn1::AnyRef;
use serde::{Deserialize, Serialize};
use spki::{AlgorithmIdentifierOwned, AlgorithmIdentifierRef};

/// An algorithm of a subject's or issuer's key, with its size.
///
/// The serde spelling is the API's (`RSA_2048`, `EC_prime256v1`, `ML-DSA-44`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// RSA with a modulus of 2048 bits.
    #[serde(rename = "RSA_2048")]
    Rsa2048,
    /// RSA with a modulus of 3072 bits.
    #[serde(rename = "RSA_3072")]
    Rsa3072,
    /// RSA with a modulus of 4096 bits.
    #[serde(rename = "RSA_4096")]
    Rsa4096,
    /// ECDSA on NIST P-256.
    #[serde(rename = "EC_prime256v1")]
    P256,
    /// ECDSA on NIST P-384.
    #[serde(rename = "EC_secp384r1")]
    P384,
    /// ECDSA on NIST P-521.
    #[serde(rename = "EC_secp521r1")]
    P521,
    /// Ed25519 (RFC 8410).
    #[serde(rename = "Ed25519")]
    Ed25519,
    /// ML-DSA-44 (FIPS 204, RFC 9881).
    #[serde(rename = "ML-DSA-44")]
    MlDsa44,
    /// ML-DSA-65 (FIPS 204, RFC 9881).
    #[serde(rename = "ML-DSA-65")]
    MlDsa65,
    /// ML-DSA-87 (FIPS 204, RFC 9881).
    #[serde(rename = "ML-DSA-87")]
    MlDsa87,
}

impl KeyAlgorithm {
    /// Every key algorithm that the crate knows.
    pub const ALL: [KeyAlgorithm; 10] = [
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
        Self::P256,
        Self::P384,
        Self::P521,
        Self::Ed25519,
        Self::MlDsa44,
        Self::MlDsa65,
        Self::MlDsa87,
    ];

    /// The API's spelling, for example `EC_prime256v1`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rsa2048 => "RSA_2048",
            Self::Rsa3072 => "RSA_3072",
            Self::Rsa4096 => "RSA_4096",
            Self::P256 => "EC_prime256v1",
            Self::P384 => "EC_secp384r1",
            Self::P521 => "EC_secp521r1",
            Self::Ed25519 => "Ed25519",
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        }
    }

    /// The signature algorithms that a key of this kind can produce, the usual one first.
    ///
    /// P-256 signs with SHA-256 only and P-384 with SHA-384 only: these are the pairs that every signing backend
    /// of the crate offers, and the only ones that publicly trusted CAs may use. Verification is wider: an ECDSA
    /// signature with any of the three hashes is checked under any of the three curves.
    pub fn signature_algorithms(self) -> &'static [SignatureAlgorithm] {
        use SignatureAlgorithm::*;
        match self {
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => &[RsaSha256, RsaSha384, RsaSha512],
            Self::P256 => &[EcdsaSha256],
            Self::P384 => &[EcdsaSha384],
            Self::P521 => &[EcdsaSha512, EcdsaSha384, EcdsaSha256],
            Self::Ed25519 => &[Ed25519],
            Self::MlDsa44 => &[MlDsa44],
            Self::MlDsa65 => &[MlDsa65],
            Self::MlDsa87 => &[MlDsa87],
        }
    }

    /// The signature algorithm that a key of this kind uses unless told otherwise.
    pub fn usual_signature_algorithm(self) -> SignatureAlgorithm {
        self.signature_algorithms()[0]
    }

    /// Whether the key is RSA.
    pub fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096)
    }

    /// Whether the key can only sign (EdDSA, ML-DSA), so that encipherment and agreement usages make no sense
    /// (RFC 8410 section 5, RFC 9881 section 5).
    pub fn is_signature_only(self) -> bool {
        matches!(self, Self::Ed25519 | Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87)
    }

    /// Whether the key is on one of the NIST curves.
    pub(crate) fn is_ec(self) -> bool {
        matches!(self, Self::P256 | Self::P384 | Self::P521)
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text names no algorithm that the crate knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{seen}` is not a known algorithm; known are: {known}")]
pub struct UnknownAlgorithm {
    /// The text seen.
    pub seen: String,
    /// What would be accepted, comma-separated.
    pub known: String,
}

fn lookup<T: Copy + fmt::Display>(seen: &str, all: &[T]) -> Result<T, UnknownAlgorithm> {
    all.iter().copied().find(|known| known.to_string() == seen).ok_or_else(|| UnknownAlgorithm {
        seen: seen.chars().take(64).collect(),
        known: all.iter().map(T::to_string).collect::<Vec<_>>().join(", "),
    })
}

impl std::str::FromStr for KeyAlgorithm {
    type Err = UnknownAlgorithm;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        lookup(text, &Self::ALL)
    }
}

/// An algorithm that signs certificates. The serde spelling is the API's (`RSA-SHA256`, `ECDSA-SHA384`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RSA-SHA256")]
    RsaSha256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    #[serde(rename = "RSA-SHA384")]
    RsaSha384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    #[serde(rename = "RSA-SHA512")]
    RsaSha512,
    /// ECDSA with SHA-256.
    #[serde(rename = "ECDSA-SHA256")]
    EcdsaSha256,
    /// ECDSA with SHA-384.
    #[serde(rename = "ECDSA-SHA384")]
    EcdsaSha384,
    /// ECDSA with SHA-512.
    #[serde(rename = "ECDSA-SHA512")]
    EcdsaSha512,
    /// Ed25519.
    #[serde(rename = "Ed25519")]
    Ed25519,
    /// ML-DSA-44, pure, empty context.
    #[serde(rename = "ML-DSA-44")]
    MlDsa44,
    /// ML-DSA-65, pure, empty context.
    #[serde(rename = "ML-DSA-65")]
    MlDsa65,
    /// ML-DSA-87, pure, empty context.
    #[serde(rename = "ML-DSA-87")]
    MlDsa87,
}

impl SignatureAlgorithm {
    /// Every signature algorithm that the crate knows.
    pub const ALL: [SignatureAlgorithm; 10] = [
        Self::RsaSha256,
        Self::RsaSha384,
        Self::RsaSha512,
        Self::EcdsaSha256,
        Self::EcdsaSha384,
        Self::EcdsaSha512,
        Self::Ed25519,
        Self::MlDsa44,
        Self::MlDsa65,
        Self::MlDsa87,
    ];

    /// The API's spelling, for example `ECDSA-SHA256`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RsaSha256 => "RSA-SHA256",
            Self::RsaSha384 => "RSA-SHA384",
            Self::RsaSha512 => "RSA-SHA512",
            Self::EcdsaSha256 => "ECDSA-SHA256",
            Self::EcdsaSha384 => "ECDSA-SHA384",
            Self::EcdsaSha512 => "ECDSA-SHA512",
            Self::Ed25519 => "Ed25519",
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        }
    }

    /// The object identifier in an `AlgorithmIdentifier`.
    pub fn oid(self) -> ObjectIdentifier {
        use const_oid::db::{fips204, rfc5912, rfc8410};
        match self {
            Self::RsaSha256 => rfc5912::SHA_256_WITH_RSA_ENCRYPTION,
            Self::RsaSha384 => rfc5912::SHA_384_WITH_RSA_ENCRYPTION,
            Self::RsaSha512 => rfc5912::SHA_512_WITH_RSA_ENCRYPTION,
            Self::EcdsaSha256 => rfc5912::ECDSA_WITH_SHA_256,
            Self::EcdsaSha384 => rfc5912::ECDSA_WITH_SHA_384,
            Self::EcdsaSha512 => rfc5912::ECDSA_WITH_SHA_512,
            Self::Ed25519 => rfc8410::ID_ED_25519,
            Self::MlDsa44 => fips204::ID_ML_DSA_44,
            Self::MlDsa65 => fips204::ID_ML_DSA_65,
            Self::MlDsa87 => fips204::ID_ML_DSA_87,
        }
    }

    /// The algorithm with this object identifier, if the crate knows it.
    pub fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.oid() == oid)
    }

    /// Whether the `AlgorithmIdentifier` carries NULL parameters (RSA, RFC 4055 section 5) instead of none.
    pub fn has_null_parameters(self) -> bool {
        matches!(self, Self::RsaSha256 | Self::RsaSha384 | Self::RsaSha512)
    }

    /// Whether a key of this kind can have made such a signature; wider than what the crate itself signs with.
    pub(crate) fn fits(self, key: KeyAlgorithm) -> bool {
        match self {
            Self::RsaSha256 | Self::RsaSha384 | Self::RsaSha512 => key.is_rsa(),
            Self::EcdsaSha256 | Self::EcdsaSha384 | Self::EcdsaSha512 => key.is_ec(),
            Self::Ed25519 | Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => key.usual_signature_algorithm() == self,
        }
    }

    /// The `AlgorithmIdentifier` to write: NULL parameters for RSA, none for the others.
    pub(crate) fn to_identifier(self) -> AlgorithmIdentifierOwned {
        let parameters = self.has_null_parameters().then(|| AnyRef::NULL.into());
        AlgorithmIdentifierOwned { oid: self.oid(), parameters }
    }

    /// The algorithm that an `AlgorithmIdentifier` names, if the crate knows it and its parameters are as they must be:
    /// NULL or absent for RSA (RFC 4055 section 5: both "MUST be accepted"), absent for the others (RFC 5758, 8410, 9881).
    pub(crate) fn from_identifier(identifier: AlgorithmIdentifierRef<'_>) -> Option<Self> {
        let known = Self::from_oid(identifier.oid)?;
        match identifier.parameters {
            None => Some(known),
            Some(parameters) => (known.has_null_parameters() && parameters.is_null()).then_some(known),
        }
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for SignatureAlgorithm {
    type Err = UnknownAlgorithm;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        lookup(text, &Self::ALL)
    }
}

#[cfg(test)]
mod tests {
    use der::referenced::OwnedToRef;

    use super::*;

    #[test]
    fn names_and_identifiers_go_there_and_back() {
        for algorithm in KeyAlgorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
            assert_eq!(serde_json::to_string(&algorithm).unwrap(), format!("\"{algorithm}\""));
        }
        for algorithm in SignatureAlgorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
            assert_eq!(SignatureAlgorithm::from_identifier(algorithm.to_identifier().owned_to_ref()), Some(algorithm));
        }
        assert_eq!("P-257".parse::<KeyAlgorithm>().unwrap_err().seen, "P-257");
    }

    #[test]
    fn a_key_signs_only_with_algorithms_that_fit_it() {
        for key in KeyAlgorithm::ALL {
            assert!(key.signature_algorithms().iter().all(|algorithm| algorithm.fits(key)));
            let fitting = SignatureAlgorithm::ALL.iter().filter(|algorithm| algorithm.fits(key)).count();
            assert_eq!(fitting, if key.is_rsa() || key.is_ec() { 3 } else { 1 });
        }
    }

    #[test]
    fn parameters_of_a_signature_algorithm_are_strict() {
        let with = |algorithm: SignatureAlgorithm, parameters| {
            SignatureAlgorithm::from_identifier(AlgorithmIdentifierRef { oid: algorithm.oid(), parameters })
        };
        for algorithm in SignatureAlgorithm::ALL {
            assert_eq!(with(algorithm, None), Some(algorithm));
            let null_is_fine = with(algorithm, Some(AnyRef::NULL)) == Some(algorithm);
            assert_eq!(null_is_fine, algorithm.has_null_parameters());
            assert_eq!(with(algorithm, Some(AnyRef::new(der::Tag::Integer, &[1]).unwrap())), None);
        }
        let unknown = AlgorithmIdentifierRef { oid: ObjectIdentifier::new_unwrap("1.2.3"), parameters: None };
        assert_eq!(SignatureAlgorithm::from_identifier(unknown), None);
    }
}
