//! The server of the examples as a process: everything over real sockets.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod acme;
mod client;
mod config;
mod hostile;
#[path = "../support/names.rs"]
mod names;
mod process;
mod seed;
mod starts;
mod status;
mod strangers;
#[path = "../support/mod.rs"]
mod support;
mod tls;
