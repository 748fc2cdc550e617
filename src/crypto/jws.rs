//! Signatures of JSON Web Signatures (RFC 7518 section 3): ECDSA as two numbers of fixed length, the others as in X.509.

use super::{CryptoError, verify};
use crate::x509::public_key::{header, unsigned};
use crate::x509::{KeyAlgorithm, PublicKey, SignatureAlgorithm};

/// Verifies a signature in its JWS encoding, by the one algorithm that JWS pairs with the key: ES256 with P-256, and so on.
pub(crate) fn verify_jws(key: &PublicKey, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
    let algorithm = match key.algorithm() {
        algorithm if algorithm.is_rsa() => SignatureAlgorithm::RsaSha256,
        algorithm => algorithm.usual_signature_algorithm(),
    };
    match number_length(key.algorithm()) {
        None => verify(key, algorithm, message, signature),
        Some(length) if signature.len() == 2 * length => {
            let (r, s) = signature.split_at(length);
            verify(key, algorithm, message, &sequence(r, s))
        }
        Some(_) => Err(CryptoError::BadSignature),
    }
}

fn number_length(algorithm: KeyAlgorithm) -> Option<usize> {
    match algorithm {
        KeyAlgorithm::P256 => Some(32),
        KeyAlgorithm::P384 => Some(48),
        KeyAlgorithm::P521 => Some(66),
        _ => None,
    }
}

/// `ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }` (RFC 3279 section 2.2.3).
fn sequence(r: &[u8], s: &[u8]) -> Vec<u8> {
    let numbers = [unsigned(r), unsigned(s)].concat();
    [header(0x30, numbers.len()), numbers].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PrivateKey;

    /// The numbers of a DER signature, each as long as the field.
    fn fixed(der: &[u8], length: usize) -> Vec<u8> {
        let mut at = if der[1] & 0x80 == 0 { 2 } else { 3 };
        let mut out = Vec::new();
        for _ in 0..2 {
            let size = usize::from(der[at + 1]);
            let number = &der[at + 2..at + 2 + size];
            let number = &number[number.len().saturating_sub(length)..];
            out.extend(std::iter::repeat_n(0, length - number.len()).chain(number.iter().copied()));
            at += 2 + size;
        }
        out
    }

    #[test]
    fn fixed_signatures_verify_and_der_ones_do_not() {
        for (algorithm, length) in [(KeyAlgorithm::P256, 32), (KeyAlgorithm::P384, 48), (KeyAlgorithm::P521, 66)] {
            let key = PrivateKey::generate(algorithm).unwrap();
            // Enough of them that some numbers begin with zeros, and some with a high bit.
            for round in 0..64_u8 {
                let der = key.sign(algorithm.usual_signature_algorithm(), &[round]).unwrap();
                let signature = fixed(&der, length);
                verify_jws(key.public_key(), &[round], &signature).unwrap();
                assert!(verify_jws(key.public_key(), &[round, 0], &signature).is_err());
                assert!(verify_jws(key.public_key(), &[round], &der).is_err());
            }
            assert!(verify_jws(key.public_key(), b"", &vec![0; 2 * length]).is_err());
            assert!(verify_jws(key.public_key(), b"", &[]).is_err());
        }
    }

    #[test]
    fn numbers_are_minimal() {
        assert_eq!(unsigned(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(unsigned(&[0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(unsigned(&[0, 0]), [2, 1, 0]);
    }
}
