//! ACME (RFC 8555): certificates for clients that prove control of names, as a router that the host mounts.

mod jws;
mod nonce;
mod problem;

pub use jws::Jws;
