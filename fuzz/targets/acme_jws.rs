//! Arbitrary bytes as a signed request of ACME, and as the parts of one: no panic, and a fault is the client's, with a short answer.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use chancery::domain::acme::ProblemKind;
use chancery::front::acme::Jws;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    judge(bytes);
    // The bytes as the protected header of a request that is otherwise in order: deeper than chance would reach.
    let (header, payload) = (BASE64URL.encode(bytes), BASE64URL.encode("{}"));
    judge(format!(r#"{{"protected":"{header}","payload":"{payload}","signature":"AAAA"}}"#).as_bytes());
});

fn judge(body: &[u8]) {
    let Err(problem) = Jws::parse(body) else { return };
    let expected = [ProblemKind::Malformed, ProblemKind::BadSignatureAlgorithm, ProblemKind::BadPublicKey];
    assert!(expected.contains(&problem.kind), "{problem:?}");
    assert!(problem.detail.len() < 2000, "{problem:?}");
}
