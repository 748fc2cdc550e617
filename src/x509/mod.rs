//! RFC 5280 as value types: the only place that sees `der`, `x509-cert` and `cms`.

mod blocked_keys;
#[cfg(any(feature = "pkcs7", feature = "pkcs12"))]
pub mod export;
mod key;
mod key_refusal;
pub mod pem;
pub(crate) mod public_key;
mod weak_key;

pub use blocked_keys::{BlockedKeys, BlockedKeysError};
pub use key::{KeyAlgorithm, SignatureAlgorithm, UnknownAlgorithm};
pub use key_refusal::KeyRefusal;
pub use public_key::PublicKey;
