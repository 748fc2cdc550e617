//! Arbitrary bytes as a certificate request: no panic, and what is accepted reads the same again.
#![no_main]

use chancery::x509::{Csr, pem};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(csr) = Csr::parse(bytes) else { return };
    for again in [csr.der().to_vec(), pem::encode(pem::Label::CertificateRequest, csr.der()).into_bytes()] {
        let again = Csr::parse(&again).expect("what was read once is read again");
        assert_eq!(again.subject(), csr.subject());
        assert_eq!(again.extensions(), csr.extensions());
        assert_eq!(again.der(), csr.der());
    }
});
