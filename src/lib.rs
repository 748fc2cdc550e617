#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod domain;
pub mod manual;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod x509;

mod crypto;
#[cfg(test)]
mod tool;
