//! Arbitrary bytes as a certificate: no panic, its bytes are kept, and every view of it is the same when read again.
#![no_main]

use chancery::x509::{Certificate, lint_content};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(certificate) = Certificate::from_der(bytes) {
        assert_eq!(certificate.der(), bytes);
        examine(&certificate);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        Certificate::from_pem_chain(text).unwrap_or_default().iter().for_each(examine);
    }
});

fn examine(certificate: &Certificate) {
    let again = Certificate::from_pem_chain(&certificate.pem()).expect("what is written reads");
    assert_eq!(again, std::slice::from_ref(certificate));
    let text = serde_json::to_string(certificate.content()).expect("content is serializable");
    let content = serde_json::from_str(&text).expect("content reads back");
    assert_eq!(*certificate.content(), content);
    assert_eq!(certificate.serial().to_string().parse(), Ok(*certificate.serial()));
    let _ = (certificate.issuer_name(), certificate.key_identifier(), lint_content(certificate.content()));
    let _ = certificate.verify_issued_by(certificate);
}
