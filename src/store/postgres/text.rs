//! Ids and values as PostgreSQL can hold them: its text has no NUL, and JSON has.

use std::borrow::Cow;

use super::super::{Batch, StoreError, Write};

/// How long an id or value may be once encoded, so that an index can hold a row of the longest.
const MAX_ENCODED_BYTES: usize = super::super::MAX_KEY_BYTES + 128;

/// The text for the database. NUL and its neighbour become two octets each; all other text, in practice all, stays as
/// it is. The order of the octets stays, too.
pub(super) fn encode(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte <= 1) {
        Cow::Owned(text.replace('\x01', "\x01\x02").replace('\0', "\x01\x01"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The text of the port.
pub(super) fn decode(text: String) -> String {
    if text.contains('\x01') { text.replace("\x01\x01", "\0").replace("\x01\x02", "\x01") } else { text }
}

/// Refuses what the database can not hold, before it spoils the transaction of others.
pub(super) fn validate(batch: &Batch) -> Result<(), StoreError> {
    batch.writes.iter().try_for_each(|write| {
        validate_key(&write.key().id)?;
        let Write::Put { body, entries, .. } = write else { return Ok(()) };
        if body.contains(&0) {
            return Err(StoreError::Invalid {
                reason: format!("the body of {} holds a NUL: no JSON does", write.key()),
            });
        }
        entries.iter().try_for_each(|entry| validate_key(&entry.value))
    })
}

/// Refuses an id or value that is too long once encoded.
pub(super) fn validate_key(text: &str) -> Result<(), StoreError> {
    let length = encode(text).len();
    if length > MAX_ENCODED_BYTES {
        let reason = format!(
            "an id or value of {length} bytes, control characters counted twice, of at most {MAX_ENCODED_BYTES}"
        );
        return Err(StoreError::Invalid { reason });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn encoding_keeps_the_order_and_the_text(
            left in "[\\x00\\x01\\x02a]{0,6}",
            right in "[\\x00\\x01\\x02a]{0,6}",
        ) {
            prop_assert_eq!(encode(&left).cmp(&encode(&right)), left.cmp(&right));
            prop_assert!(!encode(&left).contains('\0'));
            prop_assert_eq!(decode(encode(&left).into_owned()), left);
        }
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        assert!(matches!(encode("CN=été,O=x"), Cow::Borrowed("CN=été,O=x")));
    }
}
