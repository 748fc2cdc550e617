//! The body of a request from arbitrary bytes, signed afresh: fuzzing gets past the proof of possession.
//!
//! The input is the content of the subject and of the attributes, and a length that tells where the one ends.
#![no_main]

use std::sync::LazyLock;

use chancery::x509::{Csr, CsrRefusal};
use libfuzzer_sys::fuzz_target;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData, SigningKey};

static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key"));

const ECDSA_WITH_SHA256: [u8; 12] = [0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

fuzz_target!(|input: &[u8]| {
    let Some((cut, rest)) = input.split_first() else { return };
    let (name, attributes) = rest.split_at(usize::from(*cut).min(rest.len()));
    let body = [&[2, 1, 0][..], &tlv(0x30, name), &KEY.subject_public_key_info(), &tlv(0xa0, attributes)].concat();
    let body = tlv(0x30, &body);
    let signature = KEY.sign(&body).expect("a signature");
    let der = [&body[..], &ECDSA_WITH_SHA256, &tlv(3, &[&[0], &signature[..]].concat())].concat();
    match Csr::parse(&tlv(0x30, &der)) {
        Ok(csr) => assert_eq!(csr.der()[csr.der().len() - der.len()..], der),
        Err(error) => assert!(!error.reasons.contains(&CsrRefusal::ProofOfPossession)),
    }
});

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("a short input").to_be_bytes();
    let header = match content.len() {
        0..=0x7f => vec![tag, length[3]],
        0x80..=0xff => vec![tag, 0x81, length[3]],
        0x100..=0xffff => vec![tag, 0x82, length[2], length[3]],
        _ => vec![tag, 0x83, length[1], length[2], length[3]],
    };
    [&header, content].concat()
}
