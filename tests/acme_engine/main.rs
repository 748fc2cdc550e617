//! ACME in the engine, without a wire: accounts, orders, proofs as due work, finalizing, revocation, renewal information.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod accounts;
mod bindings;
mod collecting;
mod crash;
mod finalize;
mod limits;
mod orders;
mod proofs;
mod renewal;
mod revocation;
mod scene;
#[path = "../support/engine.rs"]
mod support;
