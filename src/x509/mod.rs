//! RFC 5280 as value types: the only place that sees `der`, `x509-cert` and `cms`.

mod key;

pub use key::{KeyAlgorithm, PublicKey, SignatureAlgorithm, UnknownAlgorithm};
