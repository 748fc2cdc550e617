//! Arbitrary bytes as the payload of a new order: no panic, and identifiers that are read read the same again.
#![no_main]

use chancery::domain::acme::{Identifier, IdentifierSpec, ProblemKind};
use chancery::front::acme::read_order;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| match read_order(payload) {
    Ok(order) => {
        for identifier in order.identifiers.into_iter().filter_map(|spec| Identifier::try_from(spec).ok()) {
            let again = Identifier::try_from(IdentifierSpec::from(identifier.clone()));
            assert_eq!(again.as_ref(), Ok(&identifier));
        }
    }
    Err(problem) => assert_eq!(problem.kind, ProblemKind::Malformed),
});
