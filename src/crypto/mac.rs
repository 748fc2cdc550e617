//! Message authentication codes (RFC 2104), verified in constant time.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384, Sha512};

/// The hash below a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MacHash {
    Sha256,
    Sha384,
    Sha512,
}

/// Whether `tag` is the whole code of `message` under `key`.
pub(crate) fn verify_mac(hash: MacHash, key: &[u8], message: &[u8], tag: &[u8]) -> bool {
    match hash {
        MacHash::Sha256 => verifies::<Hmac<Sha256>>(key, message, tag),
        MacHash::Sha384 => verifies::<Hmac<Sha384>>(key, message, tag),
        MacHash::Sha512 => verifies::<Hmac<Sha512>>(key, message, tag),
    }
}

/// The code of `message` under `key`, with SHA-256.
pub(crate) fn hmac_sha256(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    // The key of a code fills a block of the hash (RFC 2104 section 2).
    let mut block = zeroize::Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    Mac::update(&mut mac, message);
    mac.finalize().into_bytes().into()
}

fn verifies<M: Mac + KeyInit>(key: &[u8], message: &[u8], tag: &[u8]) -> bool {
    M::new_from_slice(key).is_ok_and(|mut mac| {
        Mac::update(&mut mac, message);
        mac.verify_slice(tag).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231 section 4.3: test case 2.
    #[test]
    fn codes_of_rfc_4231() {
        let cases = [
            (MacHash::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                MacHash::Sha384,
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
            ),
            (
                MacHash::Sha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ];
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(hmac_sha256(&key, b"what do ya want for nothing?")[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        for (hash, hex) in cases {
            let tag: Vec<u8> =
                (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
            let message = b"what do ya want for nothing?";
            assert!(verify_mac(hash, b"Jefe", message, &tag), "{hash:?}");
            assert!(!verify_mac(hash, b"Jefe", message, &tag[..16]), "cut off: {hash:?}");
            assert!(!verify_mac(hash, b"jefe", message, &tag), "another key: {hash:?}");
            assert!(!verify_mac(hash, b"Jefe", b"something else", &tag), "{hash:?}");
        }
    }
}
