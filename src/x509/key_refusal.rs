//! Why a public key is not accepted, as facts that a requester can act on.

/// Why a public key is refused. Holds what was seen and what would have been accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRefusal {
    /// The `SubjectPublicKeyInfo` is longer than any key that the crate accepts.
    #[error("the public key takes {seen} bytes; at most {max} are read")]
    TooLong {
        /// Its length in bytes.
        seen: usize,
        /// The longest that is read, in bytes.
        max: usize,
    },
    /// The bytes are not one DER `SubjectPublicKeyInfo` (RFC 5280 section 4.1), or the key inside is not DER.
    #[error("the public key is not valid DER")]
    Malformed,
    /// No key of this algorithm is accepted.
    #[error("keys of the algorithm {oid} are not supported")]
    UnsupportedAlgorithm {
        /// The object identifier seen, dotted.
        oid: String,
    },
    /// The algorithm's parameters are not what its RFC says: NULL for RSA (RFC 3279 section 2.3.1), absent for Ed25519
    /// (RFC 8410 section 3) and ML-DSA (RFC 9881 section 2).
    #[error("the parameters of the algorithm {oid} must be {expected}")]
    WrongParameters {
        /// The algorithm's object identifier, dotted.
        oid: String,
        /// `NULL` or `absent`.
        expected: &'static str,
    },
    /// The elliptic curve is not one of P-256, P-384, P-521.
    #[error("the curve {oid} is not supported; accepted are P-256, P-384, P-521")]
    UnsupportedCurve {
        /// The curve's object identifier, dotted.
        oid: String,
    },
    /// The curve is spelled out, implied or absent instead of named (RFC 5480 section 2.1.1 allows names only).
    #[error("the elliptic curve must be named by its object identifier")]
    UnnamedCurve,
    /// The elliptic curve point is compressed.
    #[error("the elliptic curve point is compressed; only the uncompressed form is accepted")]
    CompressedPoint,
    /// The elliptic curve point is the point at infinity.
    #[error("the elliptic curve point is the identity")]
    IdentityPoint,
    /// The point does not lie on its curve.
    #[error("the point is not on the curve")]
    PointNotOnCurve,
    /// The Ed25519 point has a small order, so that signatures which anybody can make verify under it.
    #[error("the Ed25519 point has a small order")]
    SmallOrderPoint,
    /// The key has the wrong length for its algorithm.
    #[error("the key has {seen} bytes instead of {expected}")]
    WrongLength {
        /// Its length in bytes.
        seen: usize,
        /// The length that the algorithm prescribes, in bytes.
        expected: usize,
    },
    /// The RSA modulus is not of an accepted size.
    #[error("the RSA modulus has {bits} bits; accepted are 2048, 3072, 4096")]
    RsaModulusSize {
        /// Its size in bits.
        bits: u32,
    },
    /// The RSA public exponent is even, below 65537, or not below 2^256 (FIPS 186-5 section 5.1).
    #[error("the RSA exponent 0x{seen} is not odd between 65537 and 2^256")]
    RsaExponent {
        /// The exponent in hexadecimal, cut after 64 digits.
        seen: String,
    },
    /// The RSA modulus is even.
    #[error("the RSA modulus is even")]
    RsaModulusEven,
    /// A small prime divides the RSA modulus.
    #[error("the RSA modulus is divisible by {prime}")]
    RsaSmallFactor {
        /// The prime.
        prime: u16,
    },
    /// The RSA modulus carries the fingerprint of the flawed Infineon library (ROCA, CVE-2017-15361).
    #[error("the RSA key comes from a flawed generator (ROCA, CVE-2017-15361)")]
    RsaRoca,
    /// The two primes of the RSA modulus are so close that Fermat's method finds them in 100 rounds (CVE-2022-26320).
    #[error("the primes of the RSA modulus are too close to each other (Fermat)")]
    RsaClosePrimes,
    /// The key is on the list of blocked keys, for example because its private half is public.
    #[error("the public key is known to be compromised")]
    Blocked,
}
