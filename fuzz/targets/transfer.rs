//! Arbitrary lines as an export, with and without the sums that bind them: no panic, however they are cut into pieces.
#![no_main]

use chancery::engine::transfer::Check;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

fuzz_target!(|bytes: &[u8]| {
    let Some((size, bytes)) = bytes.split_first() else { return };
    read(bytes, usize::from(*size) + 1);
    read(&summed(bytes), usize::from(*size) + 1);
});

fn read(stream: &[u8], size: usize) {
    let mut whole = Check::new();
    let told = whole.push(stream);
    let mut pieces = Check::new();
    let in_pieces = stream.chunks(size).try_for_each(|piece| pieces.push(piece));
    assert_eq!(told, in_pieces, "however it is cut");
    assert_eq!(whole.whole_octets(), pieces.whole_octets());
    assert!(whole.whole_octets() <= stream.len() as u64);
    if told.is_ok() {
        assert_eq!(whole.finish(), pieces.finish());
    }
}

/// Each line is what an export writes behind its sum; this puts the sum before it.
fn summed(lines: &[u8]) -> Vec<u8> {
    let (mut stream, mut before) = (Vec::new(), [0; 32]);
    for (number, rest) in lines.split_inclusive(|octet| *octet == b'\n').enumerate() {
        let content = rest.strip_suffix(b"\n").unwrap_or(rest);
        let sum: [u8; 32] = Sha256::digest([&before[..], content].concat()).into();
        let hex: String = sum.iter().map(|octet| format!("{octet:02x}")).collect();
        stream.extend(format!("{{\"sum\":\"{hex}\",").into_bytes());
        stream.extend(rest);
        // The header is not part of what the documents' sums cover.
        before = if number == 0 { before } else { sum };
    }
    stream
}
