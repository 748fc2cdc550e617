//! JSON Web Signatures as ACME uses them (RFC 8555 section 6.2): flattened, one signature, everything in the protected header.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;

use crate::crypto::verify_jws;
use crate::domain::acme::{AcmeProblem, ProblemKind};
use crate::x509::{JwkError, KeyAlgorithm, PublicKey};

/// The longest protected header that is read, in bytes of JSON. A key of RSA-4096 takes 700.
const MAX_HEADER: usize = 8 * 1024;

/// What accounts may sign with, as `badSignatureAlgorithm` tells it.
pub(super) const ALGORITHMS: [&str; 5] = ["ES256", "ES384", "ES512", "RS256", "EdDSA"];

/// A signed request that was read and not yet verified.
pub struct Jws {
    header: Header,
    payload: Vec<u8>,
    signing_input: Vec<u8>,
    signature: Vec<u8>,
}

/// The protected header.
struct Header {
    algorithm: String,
    nonce: Option<String>,
    url: String,
    key: KeyReference,
}

/// Whose key signed: one that the request brings, or one that is known here by a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyReference {
    Jwk(PublicKey),
    Kid(String),
}

/// RFC 7515 section 7.2.2. Fields that are unknown are ignored, as RFC 8555 section 6 wants; `header` and `signatures` are not.
#[derive(Deserialize)]
struct Flattened<'a> {
    #[serde(borrow)]
    protected: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    payload: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    signature: std::borrow::Cow<'a, str>,
    header: Option<IgnoredAny>,
    signatures: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Protected<'a> {
    alg: String,
    nonce: Option<String>,
    url: String,
    #[serde(borrow)]
    jwk: Option<&'a RawValue>,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
    b64: Option<IgnoredAny>,
}

impl Jws {
    /// Reads a body. What is known of it afterwards is its form: nothing is verified yet.
    ///
    /// # Errors
    /// `malformed`, `badSignatureAlgorithm` or `badPublicKey` (RFC 8555 section 6.7).
    pub fn parse(body: &[u8]) -> Result<Self, AcmeProblem> {
        let flattened: Flattened<'_> = read(body, "the body is no JWS in the flattened serialization")?;
        if flattened.header.is_some() || flattened.signatures.is_some() {
            return Err(malformed("an unprotected header and several signatures are not allowed"));
        }
        let header = decode(&flattened.protected, "protected")?;
        let signing_input = [flattened.protected.as_bytes(), b".", flattened.payload.as_bytes()].concat();
        let (payload, signature) = (decode(&flattened.payload, "payload")?, decode(&flattened.signature, "signature")?);
        Ok(Self { header: Header::read(&header)?, payload, signing_input, signature })
    }

    /// Verifies the signature under the key that the header must agree with.
    pub(super) fn verify(&self, key: &PublicKey) -> Result<(), AcmeProblem> {
        if algorithm_of(key) != Some(&self.header.algorithm) {
            let detail =
                format!("`{}` is not the algorithm of a key of kind {}", self.header.algorithm, key.algorithm());
            return Err(AcmeProblem::new(ProblemKind::BadSignatureAlgorithm, detail));
        }
        verify_jws(key, &self.signing_input, &self.signature)
            .map_err(|_| malformed("the signature does not verify under the key of the request"))
    }

    /// The key that the request is signed with, or its name.
    pub(super) fn key(&self) -> &KeyReference {
        &self.header.key
    }

    /// The URL that the request was signed for.
    pub(super) fn url(&self) -> &str {
        &self.header.url
    }

    /// The nonce.
    pub(super) fn nonce(&self) -> Option<&str> {
        self.header.nonce.as_deref()
    }

    /// Reads the payload as an object.
    pub(super) fn object<T: DeserializeOwned>(&self) -> Result<T, AcmeProblem> {
        read(&self.payload, "the payload is not the object that this resource takes")
    }

    /// Whether the payload is empty, which asks for the resource as it is (POST-as-GET, RFC 8555 section 6.3).
    pub(super) fn is_post_as_get(&self) -> bool {
        self.payload.is_empty()
    }

    /// The payload, octet by octet.
    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }
}

impl Header {
    fn read(json: &[u8]) -> Result<Self, AcmeProblem> {
        if json.len() > MAX_HEADER {
            return Err(malformed(format!("the protected header is longer than {MAX_HEADER} bytes")));
        }
        let text = std::str::from_utf8(json).map_err(|_| malformed("the protected header is not UTF-8"))?;
        let header: Protected<'_> = read(text.as_bytes(), "the protected header lacks `alg`, `url`, or is no object")?;
        if header.crit.is_some() || header.b64.is_some() {
            return Err(malformed("extensions of the protected header are not understood (RFC 7515 section 4.1.11)"));
        }
        if !ALGORITHMS.contains(&&*header.alg) {
            return Err(AcmeProblem::new(
                ProblemKind::BadSignatureAlgorithm,
                "the signature algorithm is not one of ES256, ES384, ES512, RS256, EdDSA",
            ));
        }
        let key = match (header.jwk, header.kid) {
            (Some(jwk), None) => KeyReference::Jwk(read_jwk(jwk.get())?),
            (None, Some(kid)) => KeyReference::Kid(kid),
            _ => return Err(malformed("the protected header must have either `jwk` or `kid`")),
        };
        Ok(Self { algorithm: header.alg, nonce: header.nonce, url: header.url, key })
    }
}

/// The external account binding of an account request (RFC 8555 section 7.3.4), read and not yet verified.
pub(super) struct Binding {
    pub(super) algorithm: String,
    pub(super) kid: String,
    pub(super) signing_input: Vec<u8>,
    pub(super) mac: Vec<u8>,
}

#[derive(Deserialize)]
struct BindingHeader {
    alg: String,
    kid: String,
    url: String,
    nonce: Option<IgnoredAny>,
    jwk: Option<IgnoredAny>,
    crit: Option<IgnoredAny>,
}

impl Binding {
    /// Reads a binding of `key` for the same URL as the request that it stands in.
    pub(super) fn read(json: &RawValue, url: &str, key: &PublicKey) -> Result<Self, AcmeProblem> {
        let flattened: Flattened<'_> = read(json.get().as_bytes(), "the account binding is no flattened JWS")?;
        if flattened.header.is_some() || flattened.signatures.is_some() {
            return Err(malformed("an unprotected header and several signatures are not allowed"));
        }
        let header = decode(&flattened.protected, "externalAccountBinding.protected")?;
        let header: BindingHeader = read(&header, "the header of the account binding lacks `alg`, `kid` or `url`")?;
        if header.nonce.is_some() || header.jwk.is_some() || header.crit.is_some() {
            return Err(malformed("the header of an account binding has neither `nonce` nor `jwk` nor `crit`"));
        }
        if header.url != url {
            return Err(malformed("the account binding was made for another URL"));
        }
        let payload = decode(&flattened.payload, "externalAccountBinding.payload")?;
        if std::str::from_utf8(&payload).ok().and_then(|jwk| PublicKey::from_jwk(jwk).ok()).as_ref() != Some(key) {
            return Err(malformed("the account binding is of another key than the one that signed the request"));
        }
        let signing_input = [flattened.protected.as_bytes(), b".", flattened.payload.as_bytes()].concat();
        let mac = decode(&flattened.signature, "externalAccountBinding.signature")?;
        Ok(Self { algorithm: header.alg, kid: header.kid, signing_input, mac })
    }
}

impl fmt::Debug for Jws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jws").field("url", &self.header.url).field("key", &self.header.key).finish_non_exhaustive()
    }
}

/// The one JWS algorithm of a key; none for keys that accounts may not have.
fn algorithm_of(key: &PublicKey) -> Option<&'static str> {
    match key.algorithm() {
        KeyAlgorithm::P256 => Some("ES256"),
        KeyAlgorithm::P384 => Some("ES384"),
        KeyAlgorithm::P521 => Some("ES512"),
        KeyAlgorithm::Ed25519 => Some("EdDSA"),
        algorithm if algorithm.is_rsa() => Some("RS256"),
        _ => None,
    }
}

fn read_jwk(json: &str) -> Result<PublicKey, AcmeProblem> {
    PublicKey::from_jwk(json).map_err(|error| match error {
        JwkError::Malformed => malformed("`jwk` is not a JSON Web Key"),
        refused => AcmeProblem::new(ProblemKind::BadPublicKey, refused.to_string()),
    })
}

/// Reads one JSON object and nothing after it.
pub(super) fn read<'a, T: Deserialize<'a>>(json: &'a [u8], otherwise: &str) -> Result<T, AcmeProblem> {
    // Left alone, the reader would take a list for an object, its items in the order of the fields.
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(malformed(otherwise));
    }
    serde_json::from_slice(json).map_err(|error| {
        // The reader shows the value that it stumbled over, however long it is.
        let shown: String = error.to_string().chars().take(200).collect();
        malformed(format!("{otherwise}: {shown}"))
    })
}

fn decode(text: &str, member: &str) -> Result<Vec<u8>, AcmeProblem> {
    BASE64URL.decode(text).map_err(|_| malformed(format!("`{member}` is not base64url without padding")))
}

fn malformed(detail: impl Into<String>) -> AcmeProblem {
    AcmeProblem::new(ProblemKind::Malformed, detail)
}

#[cfg(test)]
#[path = "jws_tests.rs"]
mod tests;
