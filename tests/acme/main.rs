//! ACME: the router by itself, and real clients against a server over TLS.
#![allow(clippy::unwrap_used, reason = "tests fail on it")]

#[path = "../support/names.rs"]
mod names;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/engine.rs"]
mod world;

mod alternates;
mod certbot;
mod client;
mod lego;
mod library;
mod matrix;
mod office;
mod protocol;
mod scene;
