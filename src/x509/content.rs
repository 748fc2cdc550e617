//! What a certificate says: the value that a policy judges and that the to-be-signed bytes are made from.

use serde::{Deserialize, Serialize};

use super::{BasicConstraints, ExtendedKeyUsage, KeyAlgorithm, KeyUsages, San, SignatureAlgorithm, Subject, Validity};

/// Everything in a certificate that a policy has a say in.
///
/// The same type describes a completed draft, the to-be-signed bytes read back, and a stored certificate, so that
/// "what is judged is what is signed" is a comparison of two values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The subject's distinguished name; may be empty if there is a subject alternative name.
    pub subject: Subject,
    /// The subject alternative names, in certificate order.
    pub sans: Vec<San>,
    /// The algorithm of the subject's key.
    pub key_algorithm: KeyAlgorithm,
    /// The algorithm that the issuer signs with.
    pub signature_algorithm: SignatureAlgorithm,
    /// When it is valid.
    pub validity: Validity,
    /// The key usage bits.
    pub key_usages: KeyUsages,
    /// The extended key usages, in certificate order.
    pub extended_key_usages: Vec<ExtendedKeyUsage>,
    /// Whether it is a CA.
    pub basic_constraints: BasicConstraints,
}
