//! Putting DER together from the inside out, each part encoded once.
//!
//! A nested encoder computes the inner lengths again on every level, and owned ASN.1 types allocate for every leaf; on
//! the way of every certificate that took longer than all judging.

use der::{Encode, Header, Length, Tag};

/// Appends a tag, the length of `content`, and `content`.
pub(super) fn push(to: &mut Vec<u8>, tag: Tag, content: &[u8]) -> der::Result<()> {
    Header::new(tag, Length::try_from(content.len())?).encode_to_vec(to)?;
    to.extend_from_slice(content);
    Ok(())
}

/// `content` behind its tag and length.
pub(super) fn enclose(tag: Tag, content: &[u8]) -> der::Result<Vec<u8>> {
    let mut enclosed = Vec::with_capacity(content.len() + 6);
    push(&mut enclosed, tag, content)?;
    Ok(enclosed)
}
