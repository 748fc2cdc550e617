//! Every kind of certificate that the crate can make is accepted by OpenSSL, GnuTLS and rustls-webpki.
//!
//! What a stranger can not judge stands in a table with the reason: in [`matrix`] for purposes, in [`post_quantum`] for
//! algorithms. The pure-Rust backend is compared with AWS-LC in the crate's own tests; its RSA keys take minutes without
//! optimisation, so that all this runs with AWS-LC only.
#![cfg(feature = "aws-lc-rs")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod judges;
mod keys;
mod matrix;
mod post_quantum;
mod shapes;
#[path = "../support/mod.rs"]
mod support;
