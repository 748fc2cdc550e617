//! PEM, the textual encoding of RFC 7468: written in its strict form, read as tolerantly as common tools write it.

use der::pem::{LineEnding, decode_vec, encode_string};
use zeroize::Zeroizing;

/// Why a text yields no PEM blocks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// The text is longer than the caller allows.
    #[error("the text takes {seen} bytes; at most {max} are read")]
    TooLong {
        /// Its length in bytes.
        seen: usize,
        /// The most that is read, in bytes.
        max: usize,
    },
    /// The text holds no block of the label.
    #[error("the text holds no `{label}` block")]
    Missing {
        /// The label looked for.
        label: String,
    },
    /// A block has no end line of its own label.
    #[error("the `{label}` block of line {line} does not end")]
    Unterminated {
        /// The block's label.
        label: String,
        /// The line where it begins, from 1.
        line: usize,
    },
    /// A block holds something else than base64.
    #[error("the `{label}` block of line {line} is not base64")]
    Malformed {
        /// The block's label.
        label: String,
        /// The line where it begins, from 1.
        line: usize,
    },
}

/// What a PEM block that the crate writes holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    /// `CERTIFICATE`.
    Certificate,
    /// `CERTIFICATE REQUEST`.
    CertificateRequest,
    /// `PRIVATE KEY`, an unencrypted PKCS#8 document.
    PrivateKey,
}

impl Label {
    /// The text in the boundaries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Certificate => "CERTIFICATE",
            Self::CertificateRequest => "CERTIFICATE REQUEST",
            Self::PrivateKey => "PRIVATE KEY",
        }
    }
}

/// Encodes DER as one PEM block: lines of 64 characters, LF, a final LF (RFC 7468 section 2).
pub fn encode(label: Label, der: &[u8]) -> String {
    // Fails only for labels that can not stand in a boundary, or more than fits a length; these can and do.
    encode_string(label.as_str(), LineEnding::LF, der).unwrap_or_default()
}

/// Decodes every block of one label, in order.
///
/// Text before, between and after the blocks is skipped, as are blocks of other labels; lines may end in CRLF, bear
/// blanks at their ends and have any length.
///
/// # Errors
///
/// A text of more than `max_bytes` bytes, without a block of the label, or with a block that does not end or decode.
pub fn decode_all(text: &str, label: &str, max_bytes: usize) -> Result<Vec<Vec<u8>>, PemError> {
    if text.len() > max_bytes {
        return Err(PemError::TooLong { seen: text.len(), max: max_bytes });
    }
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let mut lines = text.lines().map(str::trim).enumerate();
    let mut blocks = Vec::new();
    while let Some((index, _)) = lines.find(|(_, line)| *line == begin) {
        blocks.push(decode_block(&mut lines.by_ref().map(|(_, line)| line), (label, index + 1), &end)?);
    }
    if blocks.is_empty() { Err(PemError::Missing { label: label.to_owned() }) } else { Ok(blocks) }
}

fn decode_block<'a>(
    lines: &mut impl Iterator<Item = &'a str>,
    (label, line): (&str, usize),
    end: &str,
) -> Result<Vec<u8>, PemError> {
    let malformed = || PemError::Malformed { label: label.to_owned(), line };
    // The block may be a private key; the copy of it is wiped.
    let mut body = Zeroizing::new(String::new());
    loop {
        match lines.next() {
            Some(found) if found == end => break,
            Some(found) if found.starts_with("-----") => Err(malformed())?,
            Some(found) => body.push_str(found),
            None => Err(PemError::Unterminated { label: label.to_owned(), line })?,
        }
    }
    let strict = Zeroizing::new(rewrapped(label, &body).ok_or_else(malformed)?);
    decode_vec(strict.as_bytes()).map(|(_, der)| der).map_err(|_| malformed())
}

/// The block as RFC 7468 section 3 writes it, for the decoder wants lines of one length.
fn rewrapped(label: &str, body: &str) -> Option<String> {
    let mut block = String::with_capacity(body.len() + body.len() / 64 + 2 * label.len() + 64);
    block.extend(["-----BEGIN ", label, "-----\n"]);
    for line in body.as_bytes().chunks(64) {
        block.extend([std::str::from_utf8(line).ok().filter(|line| line.is_ascii())?, "\n"]);
    }
    block.extend(["-----END ", label, "-----\n"]);
    Some(block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAX: usize = 100_000;

    #[test]
    fn reads_what_openssl_writes() {
        let (one, two) = (encode(Label::Certificate, &[1; 100]), encode(Label::Certificate, &[2; 5]));
        let key = encode(Label::PrivateKey, &[3; 40]);
        let text = format!("Certificate:\n    Data:\n{one}{key}\nsubject=CN=x\n{two}trailing");
        for text in [text.clone(), text.replace('\n', "\r\n"), text.replace('\n', " \n")] {
            assert_eq!(decode_all(&text, "CERTIFICATE", MAX).unwrap(), [vec![1; 100], vec![2; 5]]);
            assert_eq!(decode_all(&text, "PRIVATE KEY", MAX).unwrap(), [vec![3; 40]]);
        }
        assert!(one.lines().all(|line| line.len() <= 64));
        let unwrapped = one.replace('\n', "").replace("E-----", "E-----\n").replace("-----END", "\n-----END");
        assert_eq!(decode_all(&unwrapped, "CERTIFICATE", MAX).unwrap(), [vec![1; 100]]);
    }

    #[test]
    fn says_what_is_wrong() {
        let label = || "X".to_owned();
        let error = |text: &str| decode_all(text, "X", 60).unwrap_err();
        assert_eq!(error(&" ".repeat(61)), PemError::TooLong { seen: 61, max: 60 });
        assert_eq!(error("none"), PemError::Missing { label: label() });
        assert_eq!(error("\n-----BEGIN X-----\nAAAA"), PemError::Unterminated { label: label(), line: 2 });
        for body in ["A", "AAA", "A-AA", "AAé", "Proc-Type: 4,ENCRYPTED", "AAAA\n-----BEGIN Y-----"] {
            let text = format!("-----BEGIN X-----\n{body}\n-----END X-----\n");
            assert_eq!(decode_all(&text, "X", MAX), Err(PemError::Malformed { label: label(), line: 1 }), "{body}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(der in proptest::collection::vec(any::<u8>(), 1..500), wrap in "[a-z \n]{0,40}") {
            let text = format!("{wrap}\n{}{wrap}", encode(Label::Certificate, &der));
            prop_assert_eq!(decode_all(&text, "CERTIFICATE", MAX).unwrap(), vec![der]);
        }

        #[test]
        fn no_text_makes_it_panic(text in "(-----BEGIN X-----|-----END X-----|\n|[ -~é]{0,5}){0,20}") {
            let _ = decode_all(&text, "X", MAX);
        }
    }
}
