//! The manual, page by page; every example in it compiles.

#[doc = include_str!("manual/policies.md")]
pub mod policies {}
