//! Arbitrary bytes as a certificate revocation list: no panic, and what is read once reads the same again.
#![no_main]

use chancery::x509::CertificateList;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(list) = CertificateList::from_der(bytes) else { return };
    assert_eq!(CertificateList::from_der(bytes).as_ref(), Ok(&list));
    assert!(CertificateList::from_der(&bytes[..bytes.len() - 1]).is_err(), "a list that is cut is none");
});
