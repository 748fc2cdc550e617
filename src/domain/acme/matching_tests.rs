//! Tests of matching: which requests are for which orders.

use proptest::prelude::*;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

use super::*;
use crate::domain::policy::Problem;

fn csr(common_name: Option<&str>, sans: &[&str]) -> Csr {
    let mut params = CertificateParams::new(sans.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    if let Some(name) = common_name {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    read(params)
}

fn read(params: CertificateParams) -> Csr {
    let request = params.serialize_request(&KeyPair::generate().unwrap()).unwrap();
    Csr::parse(request.der()).unwrap()
}

fn identifiers(names: &[&str]) -> Vec<Identifier> {
    names.iter().map(|name| Identifier::ip(name).or_else(|_| Identifier::dns(name)).unwrap()).collect()
}

#[test]
fn a_request_is_for_exactly_what_was_ordered() {
    let ordered = ["a.example.com", "*.example.com", "10.0.0.1"];
    for (common_name, sans, matches) in [
        (None, &["a.example.com", "*.example.com", "10.0.0.1"][..], true),
        (None, &["10.0.0.1", "*.EXAMPLE.com", "A.example.com"], true),
        (Some("a.example.com"), &["a.example.com", "*.example.com", "10.0.0.1"], true),
        (Some("A.Example.Com"), &["*.example.com", "10.0.0.1"], true),
        (Some("10.0.0.1"), &["*.example.com", "a.example.com"], true),
        (None, &["a.example.com", "*.example.com"], false),
        (None, &["a.example.com", "b.example.com", "10.0.0.1"], false),
        (None, &["a.example.com", "*.example.com", "10.0.0.1", "10.0.0.2"], false),
        (Some("b.example.com"), &["a.example.com", "*.example.com", "10.0.0.1"], false),
        (Some("Some Person"), &["a.example.com", "*.example.com", "10.0.0.1"], false),
    ] {
        let request = csr(common_name, sans);
        let matched = match_csr(&identifiers(&ordered), &request);
        assert_eq!(matched.is_ok(), matches, "{common_name:?} {sans:?}: {matched:?}");
    }
}

#[test]
fn other_kinds_of_names_are_not_smuggled_in() {
    let mut params = CertificateParams::new(vec!["a.example.com".to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names.push(SanType::Rfc822Name("root@example.com".try_into().unwrap()));
    let refused = match_csr(&identifiers(&["a.example.com"]), &read(params)).unwrap_err();
    assert_eq!(refused.kind, ProblemKind::BadCsr);
    assert!(refused.subproblems[0].detail.contains("root@example.com"));
}

#[test]
fn a_refusal_names_the_identifiers_that_it_is_about() {
    let sans = [San::dns("a.example.com").unwrap(), San::dns("b.example.com").unwrap()];
    let violation = |field: &str| Violation {
        field: field.into(),
        problem: Problem::Denied,
        rule: "policy.sans".into(),
        seen: String::new(),
        allowed: Vec::new(),
    };
    let named = refusal(&[violation("sans[1]")], &sans);
    assert_eq!(named.kind, ProblemKind::RejectedIdentifier);
    assert_eq!(named.subproblems[0].identifier, Some(Identifier::dns("b.example.com").unwrap()));
    let mixed = refusal(&[violation("sans[0]"), violation("key_algorithm")], &sans);
    assert_eq!((mixed.kind, mixed.subproblems.len()), (ProblemKind::BadCsr, 2));
    for odd in ["sans", "sans[9]", "sans[x]", "sans[1"] {
        assert_eq!(refusal(&[violation(odd)], &sans).subproblems[0].identifier, None, "{odd}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Of all sets of names exactly the equal ones match, in whatever order and case.
    #[test]
    fn only_equal_sets_match(
        ordered in prop::collection::btree_set(0..5_u8, 1..4),
        asked in prop::collection::btree_set(0..5_u8, 1..4),
        upper in any::<bool>(),
    ) {
        let name = |at: &u8| format!("h{at}.example.com");
        let spelled = |at: &u8| if upper { name(at).to_uppercase() } else { name(at) };
        let asking: Vec<String> = asked.iter().rev().map(spelled).collect();
        let asking: Vec<&str> = asking.iter().map(String::as_str).collect();
        let ordering: Vec<Identifier> = ordered.iter().map(|at| Identifier::dns(&name(at)).unwrap()).collect();
        prop_assert_eq!(match_csr(&ordering, &csr(None, &asking)).is_ok(), ordered == asked);
    }
}
