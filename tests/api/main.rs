//! The JSON API over a whole engine: the seed's requests to the letter, every endpoint by everybody, broken requests, limits.
#![cfg(all(feature = "api", feature = "conformance"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod contract;
mod credentials;
mod enrollment;
mod hostile;
mod limits;
mod rooms;
mod samples;
mod scene;
#[path = "../support/engine.rs"]
mod support;
mod walk;
