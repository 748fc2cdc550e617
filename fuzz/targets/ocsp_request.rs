//! Arbitrary bytes as an OCSP request: no panic, and the limits hold for whatever is accepted.
#![no_main]

use chancery::x509::{MAX_OCSP_CERTIFICATES, MAX_OCSP_REQUEST_BYTES, OcspRequest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(request) = OcspRequest::from_der(bytes) else { return };
    assert!(bytes.len() <= MAX_OCSP_REQUEST_BYTES);
    assert!((1..=MAX_OCSP_CERTIFICATES).contains(&request.certificates().len()));
    assert!(request.nonce().is_none_or(|nonce| (1..=32).contains(&nonce.len())));
    assert_eq!(OcspRequest::from_der(bytes).as_ref(), Ok(&request));
});
