//! The manual, page by page; every example in it compiles.

pub mod policies {}
