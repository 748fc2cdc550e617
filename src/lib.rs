#![doc = include_str!("manual/links.md")]
#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod challenge;
pub mod clock;
pub mod domain;
pub mod engine;
pub mod entropy;
#[cfg(any(feature = "acme", feature = "api", feature = "status"))]
pub mod front;
pub mod manual;
pub mod notify;
pub mod sealer;
pub mod signer;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod store;
pub mod target;
#[cfg(feature = "testing")]
pub mod testing;
pub mod x509;

mod crypto;
#[cfg(test)]
mod tool;
