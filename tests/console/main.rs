//! The console over a whole engine: every page by everybody, forged forms, cookies, hostile text, and a browser at work.
#![cfg(all(feature = "console", feature = "conformance"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod browser;
mod flows;
mod guards;
mod hostile;
mod picture;
mod scene;
mod sockets;
#[path = "../support/engine.rs"]
mod support;
#[path = "../support/mod.rs"]
mod tools;
mod walk;
