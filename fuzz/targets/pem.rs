//! Arbitrary text as PEM: no panic, and each block that decodes is written so that it decodes to the same.
#![no_main]

use chancery::x509::pem::{self, Label};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for label in [Label::Certificate, Label::CertificateRequest, Label::PrivateKey] {
        for der in pem::decode_all(text, label.as_str(), 1 << 20).unwrap_or_default() {
            let written = pem::encode(label, &der);
            assert_eq!(pem::decode_all(&written, label.as_str(), 1 << 20), Ok(vec![der]));
        }
    }
});
