//! The set of public keys that are never certified because their private halves are known.

use std::collections::HashSet;

use super::{KeyRefusal, PublicKey};

/// Public keys whose private halves everybody can read, each checked against its source: RFC 9500 sections 2.1 and 2.3
/// (testRSA2048, testRSA4096, testECCP256, testECCP384, testECCP521) and RFC 8410 section 10.
const PUBLISHED: &str = "
8fb6bad671cfe698393c453357da61b56d757ab8c0f3fb9c87f2849e63131878 # RFC 9500 testRSA2048
96465ea5dc9bb2da7b351d808a7196e5761f2412a5040131c68d719aaba28fb9 # RFC 9500 testRSA4096
b2b04340cfaee616ec9c2c62d261b208e54bb197498df52e8cadede23ac0ba5e # RFC 9500 testECCP256
c4c10105a0be0ed4dd3354428dc38a9bfee64da141ce16e75c94eda272f9dd3a # RFC 9500 testECCP384
acb1b8327fef995e2458fdf5e3c33b2dc0749feabd6a894cb9bda9d70ac06c24 # RFC 9500 testECCP521
a1e9156054e04fac899ae9f275132cdc07a5dbc4ea2c2ad3a1ffc6e0d253681f # RFC 8410 section 10.3
";

/// A set of public keys that are refused, each known by the SHA-256 digest of its DER `SubjectPublicKeyInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockedKeys {
    digests: HashSet<[u8; 32]>,
}

impl BlockedKeys {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The test keys that RFC 9500 and RFC 8410 publish with their private halves.
    pub fn published() -> Self {
        // The list is a constant of this file, and a test reads it.
        Self::from_lines(PUBLISHED).unwrap_or_default()
    }

    /// Reads one digest a line: 64 hexadecimal digits. Blank lines and what follows a `#` are ignored.
    ///
    /// # Errors
    ///
    /// The first line that holds something else, with its number and value.
    pub fn from_lines(text: &str) -> Result<Self, BlockedKeysError> {
        let digests = text.lines().enumerate().filter_map(|(index, line)| digest_in(index + 1, line).transpose());
        Ok(Self { digests: digests.collect::<Result<_, _>>()? })
    }

    /// Adds the SHA-256 digest of a DER `SubjectPublicKeyInfo`; says whether it is new.
    pub fn insert(&mut self, spki_sha256: [u8; 32]) -> bool {
        self.digests.insert(spki_sha256)
    }

    /// Adds all of another set.
    pub fn extend(&mut self, other: &BlockedKeys) {
        self.digests.extend(&other.digests);
    }

    /// Whether the set holds this SHA-256 digest of a DER `SubjectPublicKeyInfo`.
    pub fn contains(&self, spki_sha256: &[u8; 32]) -> bool {
        self.digests.contains(spki_sha256)
    }

    /// How many keys are blocked.
    pub fn len(&self) -> usize {
        self.digests.len()
    }

    /// Whether no key is blocked.
    pub fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }

    /// Passes a key that is not in the set.
    ///
    /// # Errors
    ///
    /// [`KeyRefusal::Blocked`] for a key that is.
    pub fn check(&self, key: &PublicKey) -> Result<(), KeyRefusal> {
        // An empty set costs no digest.
        let blocked = !self.is_empty() && self.contains(&key.fingerprint());
        if blocked { Err(KeyRefusal::Blocked) } else { Ok(()) }
    }
}

/// A line of a list of blocked keys holds no digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: `{value}` is not a SHA-256 digest of 64 hexadecimal digits")]
pub struct BlockedKeysError {
    /// The line's number, from 1.
    pub line: usize,
    /// What the line holds, cut after 80 characters.
    pub value: String,
}

fn digest_in(line: usize, text: &str) -> Result<Option<[u8; 32]>, BlockedKeysError> {
    let value = text.split('#').next().unwrap_or_default().trim();
    if value.is_empty() {
        return Ok(None);
    }
    let refused = || BlockedKeysError { line, value: value.chars().take(80).collect() };
    digest_from_hex(value).map(Some).ok_or_else(refused)
}

fn digest_from_hex(text: &str) -> Option<[u8; 32]> {
    let nibbles: Vec<u8> =
        text.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = nibbles.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    if nibbles.len() == 64 { bytes.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_digests_between_comments() {
        let digest = "0123456789abcdefABCDEF9876543210".repeat(2);
        let keys = BlockedKeys::from_lines(&format!("# header\n\n  {digest} # note\r\n{digest}\n")).unwrap();
        assert_eq!(keys.len(), 1);
        let mut other = BlockedKeys::new();
        assert!(other.is_empty() && other.insert([7; 32]) && !other.insert([7; 32]));
        other.extend(&keys);
        assert_eq!(other.len(), 2);
    }

    #[test]
    fn names_the_line_that_holds_no_digest() {
        let good = "00".repeat(32);
        for bad in ["zz", "00", &"g".repeat(64), &"0".repeat(63), &"0".repeat(66), &"é".repeat(32)] {
            let error = BlockedKeys::from_lines(&format!("{good}\n{bad}\n")).unwrap_err();
            assert_eq!((error.line, error.value.as_str()), (2, bad));
        }
    }

    #[test]
    fn blocks_the_published_test_keys() {
        assert_eq!(BlockedKeys::published().len(), 6);
        let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
        let spki = crate::x509::pem::decode_all(pem, "PUBLIC KEY", 1000).unwrap().remove(0);
        let key = PublicKey::from_spki_der(&spki).unwrap();
        assert_eq!(BlockedKeys::published().check(&key), Err(KeyRefusal::Blocked));
        assert_eq!(BlockedKeys::new().check(&key), Ok(()));
        assert!(BlockedKeys::published().contains(&key.fingerprint()));
    }
}
