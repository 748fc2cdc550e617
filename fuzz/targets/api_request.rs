//! Arbitrary bytes as the body of a request for a certificate: no panic, and a fault is the client's, with a short answer.
#![no_main]

use std::sync::LazyLock;

use chancery::domain::ApplicationId;
use chancery::front::api::read_request;
use libfuzzer_sys::fuzz_target;
use time::macros::datetime;

static APPLICATION: LazyLock<ApplicationId> =
    LazyLock::new(|| ApplicationId::new(datetime!(2026-01-02 03:04:05 UTC), [7; 10]));

fuzz_target!(|body: &[u8]| match read_request(body, *APPLICATION) {
    Ok(enrollment) => {
        // What is read can be written: it is part of the digest of a repetition.
        serde_json::to_vec(&(&enrollment.names, &enrollment.terms, &enrollment.metadata)).expect("it is serializable");
    }
    Err(problem) => {
        assert!(problem.code.status().is_client_error(), "{problem:?}");
        let violations = problem.violations.len();
        assert!(violations <= 64, "{violations} violations");
        serde_json::to_vec(&problem).expect("a problem is serializable");
    }
});
