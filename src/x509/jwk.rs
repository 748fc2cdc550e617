//! Public keys as JSON (RFC 7517, RFC 7518, RFC 8037), and their thumbprints (RFC 7638).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde::Deserialize;

use super::public_key::{header, rsa_numbers, unsigned};
use super::{KeyAlgorithm, KeyRefusal, PublicKey};

/// Why a JSON Web Key is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkError {
    /// No object with the members of its type, or numbers that are not unpadded base64url of the right length.
    #[error("the key is not a JSON Web Key of its type")]
    Malformed,
    /// The key bears its private half, which nobody but its owner may ever see: it is not secret any more.
    #[error("the key bears its private half")]
    Private,
    /// Not an RSA key, nor one on P-256, P-384, P-521 or Ed25519.
    #[error("keys of the type `{kind}` are not supported")]
    Unsupported {
        /// The type seen, with the curve.
        kind: String,
    },
    /// The key is refused as it would be in a certificate.
    #[error(transparent)]
    Refused(#[from] KeyRefusal),
}

/// The members that are read. Others (`alg`, `use`, `kid`) say nothing about the key itself.
#[derive(Deserialize)]
struct Members<'a> {
    kty: &'a str,
    crv: Option<&'a str>,
    x: Option<&'a str>,
    y: Option<&'a str>,
    n: Option<&'a str>,
    e: Option<&'a str>,
    d: Option<serde::de::IgnoredAny>,
    k: Option<serde::de::IgnoredAny>,
}

impl PublicKey {
    /// Reads a JSON Web Key: RSA, P-256, P-384, P-521, Ed25519. The key is judged as strictly as one in a certificate.
    ///
    /// # Errors
    /// The first reason why it is not taken.
    pub fn from_jwk(json: &str) -> Result<Self, JwkError> {
        let members: Members<'_> = serde_json::from_str(json).map_err(|_| JwkError::Malformed)?;
        if members.d.is_some() || members.k.is_some() {
            return Err(JwkError::Private);
        }
        let key = match (members.kty, members.crv) {
            ("EC", Some("P-256")) => point(&members, KeyAlgorithm::P256, 32)?,
            ("EC", Some("P-384")) => point(&members, KeyAlgorithm::P384, 48)?,
            ("EC", Some("P-521")) => point(&members, KeyAlgorithm::P521, 66)?,
            ("OKP", Some("Ed25519")) => {
                Self::from_subject_public_key(KeyAlgorithm::Ed25519, &octets(members.x, Some(32))?)
            }
            ("RSA", _) => rsa(&octets(members.n, None)?, &octets(members.e, None)?)?,
            ("EC" | "OKP", None) => return Err(JwkError::Malformed),
            (kty, crv) => return Err(unsupported(kty, crv)),
        };
        Ok(Self::from_spki_der(key.spki_der())?)
    }

    /// The SHA-256 thumbprint of the key as JSON (RFC 7638); none for ML-DSA.
    pub fn jwk_thumbprint(&self) -> Option<[u8; 32]> {
        self.jwk().map(|json| crate::crypto::sha256(json.as_bytes()))
    }

    /// The key as JSON with its required members alone, in the order in which RFC 7638 section 3.3 digests them; none for
    /// ML-DSA.
    pub fn jwk(&self) -> Option<String> {
        let bits = self.subject_public_key();
        let curve = match self.algorithm() {
            KeyAlgorithm::P256 => "P-256",
            KeyAlgorithm::P384 => "P-384",
            KeyAlgorithm::P521 => "P-521",
            KeyAlgorithm::Ed25519 => {
                return Some(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, BASE64URL.encode(bits)));
            }
            algorithm if algorithm.is_rsa() => {
                let (n, e) = rsa_numbers(bits).ok()?;
                return Some(format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, BASE64URL.encode(e), BASE64URL.encode(n)));
            }
            _ => return None,
        };
        let (x, y) = bits.get(1..)?.split_at_checked(bits.len() / 2)?;
        let (x, y) = (BASE64URL.encode(x), BASE64URL.encode(y));
        Some(format!(r#"{{"crv":"{curve}","kty":"EC","x":"{x}","y":"{y}"}}"#))
    }
}

fn unsupported(kty: &str, crv: Option<&str>) -> JwkError {
    let kind = [Some(kty), crv].into_iter().flatten().collect::<Vec<_>>().join(" ");
    JwkError::Unsupported { kind: kind.chars().take(64).collect() }
}

fn octets(member: Option<&str>, length: Option<usize>) -> Result<Vec<u8>, JwkError> {
    let octets = member.and_then(|text| BASE64URL.decode(text).ok()).ok_or(JwkError::Malformed)?;
    if length.is_none_or(|length| octets.len() == length) { Ok(octets) } else { Err(JwkError::Malformed) }
}

/// Coordinates are as long as the field, leading zeros kept (RFC 7518 section 6.2.1.2).
fn point(members: &Members<'_>, algorithm: KeyAlgorithm, length: usize) -> Result<PublicKey, JwkError> {
    let (x, y) = (octets(members.x, Some(length))?, octets(members.y, Some(length))?);
    Ok(PublicKey::from_subject_public_key(algorithm, &[&[4], &*x, &*y].concat()))
}

/// The numbers have no leading zeros (RFC 7518 section 6.3.1): one key has one thumbprint.
fn rsa(n: &[u8], e: &[u8]) -> Result<PublicKey, JwkError> {
    let is_minimal = |number: &[u8]| number.first().is_some_and(|first| *first != 0);
    if !is_minimal(n) || !is_minimal(e) || n.len() > 1024 || e.len() > 16 {
        return Err(JwkError::Malformed);
    }
    let numbers = [unsigned(n), unsigned(e)].concat();
    let sequence = [header(0x30, numbers.len()), numbers].concat();
    // The size is in the modulus and is judged when the key is read again; the identifier is the same for all.
    Ok(PublicKey::from_subject_public_key(KeyAlgorithm::Rsa2048, &sequence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PrivateKey;

    /// The key and the thumbprint of RFC 7638 section 3.1.
    #[test]
    fn the_example_of_the_rfc() {
        let json = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#;
        let key = PublicKey::from_jwk(json).unwrap();
        assert_eq!(BASE64URL.encode(key.jwk_thumbprint().unwrap()), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    /// The key of RFC 8037 appendix A.2 with the thumbprint of A.3.
    #[test]
    fn the_example_of_edwards_curves() {
        let key =
            PublicKey::from_jwk(r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#);
        assert_eq!(
            BASE64URL.encode(key.unwrap().jwk_thumbprint().unwrap()),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }

    #[test]
    fn keys_go_there_and_back() {
        use KeyAlgorithm::*;
        for algorithm in [Rsa2048, P256, P384, P521, Ed25519] {
            let key = PrivateKey::generate(algorithm).unwrap();
            let json = key.public_key().jwk().unwrap();
            assert_eq!(&PublicKey::from_jwk(&json).unwrap(), key.public_key(), "{json}");
        }
        let post_quantum = PrivateKey::generate(MlDsa44).unwrap();
        assert_eq!((post_quantum.public_key().jwk(), post_quantum.public_key().jwk_thumbprint()), (None, None));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let (zeros, p256) = ("A".repeat(43), PrivateKey::generate(KeyAlgorithm::P256).unwrap());
        let good = p256.public_key().jwk().unwrap();
        let malformed = [
            "{}",
            "[]",
            r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
            r#"{"kty":"RSA","n":"AAAA","e":"AQAB"}"#,
            r#"{"kty":"RSA","n":"","e":"AQAB"}"#,
            &good.replace("\"}", "=\"}"),
            &good.replacen('{', r#"{"kty":"EC","#, 1),
            &format!("{good} {{}}"),
        ];
        for json in malformed {
            assert_eq!(PublicKey::from_jwk(json), Err(JwkError::Malformed), "{json}");
        }
        let off = format!(r#"{{"kty":"EC","crv":"P-256","x":"{zeros}","y":"{zeros}"}}"#);
        assert_eq!(PublicKey::from_jwk(&off), Err(JwkError::Refused(KeyRefusal::PointNotOnCurve)));
        for json in [good.replacen('{', r#"{"d":"AA","#, 1), r#"{"kty":"oct","k":"AA"}"#.to_owned()] {
            assert_eq!(PublicKey::from_jwk(&json), Err(JwkError::Private));
        }
        for json in [r#"{"kty":"EC","crv":"secp256k1"}"#, r#"{"kty":"OKP","crv":"Ed448"}"#, r#"{"kty":"oct"}"#] {
            assert!(matches!(PublicKey::from_jwk(json), Err(JwkError::Unsupported { .. })), "{json}");
        }
    }
}
