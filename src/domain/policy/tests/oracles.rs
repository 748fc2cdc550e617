//! The oracles of issuance that a policy decides alone, as tables.

use super::*;
use crate::x509::Attribute;

use Problem::{Denied, Missing, NotAllowed};

/// Judges [`content`] after `edit` under a policy of these sections.
fn judge(sections: &str, edit: impl FnOnce(&mut Content)) -> Verdict {
    let mut content = content();
    edit(&mut content);
    policy(sections).judge(&content, NOW)
}

fn named(parts: &[(Attribute, &str)], dns: &[&str]) -> impl FnOnce(&mut Content) {
    let subject = Subject::from_parts(parts.iter().map(|(attribute, value)| (*attribute, *value))).unwrap();
    let sans = dns.iter().map(|name| San::dns(name).unwrap()).collect();
    move |content| (content.subject, content.sans) = (subject, sans)
}

/// Each row: a section's JSON when empty and with a rule that fits, the field, and what the empty one reports.
#[test]
fn oracle_01_section_absent_empty_or_rules() {
    let table = [
        (r#""subject":{}"#, r#""subject":{"common_name":{"allowed":["*.example.com"]}}"#, "subject.common_name"),
        (r#""sans":{}"#, r#""sans":{"dns_name":{"allowed":["*.example.com"]}}"#, "sans[0]"),
        (r#""key_usages":{}"#, r#""key_usages":{"allowed":["digital_signature"]}"#, "key_usages"),
        (r#""extended_key_usages":{}"#, r#""extended_key_usages":{"allowed":["server_auth"]}"#, "extended_key_usages"),
    ];
    for (empty, rules, field) in table {
        assert!(judge("", |_| ()).permits());
        assert_eq!(broken(&judge(empty, |_| ())), [(field, NotAllowed)], "{empty}");
        assert!(judge(rules, |_| ()).permits(), "{rules}");
    }
    let others = [
        (r#""subject":{"common_name":{"allowed":["other.example"]}}"#, "subject.common_name"),
        (r#""sans":{"dns_name":{"allowed":["other.example"]}}"#, "sans[0]"),
        (r#""key_usages":{"allowed":["key_agreement"]}"#, "key_usages"),
        (r#""extended_key_usages":{"allowed":["client_auth"]}"#, "extended_key_usages"),
        (r#""algorithms":{"key":["RSA_2048"]}"#, "key_algorithm"),
        (r#""algorithms":{"signature":["RSA-SHA256"]}"#, "signature_algorithm"),
    ];
    for (rules, field) in others {
        assert_eq!(broken(&judge(rules, |_| ())), [(field, NotAllowed)], "{rules}");
    }
    assert!(judge(r#""algorithms":{"key":["EC_prime256v1"],"signature":["ECDSA-SHA256"]}"#, |_| ()).permits());
}

/// No algorithm at all would permit nothing at all, and is refused when it is saved.
#[test]
fn oracle_01_an_empty_list_of_algorithms_forbids_every_certificate() {
    for field in ["key", "signature"] {
        let text = format!(r#"{{"name":"test","algorithms":{{"{field}":[]}}}}"#);
        let refusal = Policy::try_from(serde_json::from_str::<PolicySpec>(&text).unwrap()).unwrap_err().to_string();
        assert!(refusal.contains(&format!("algorithms.{field}: the policy can never permit anything")), "{refusal}");
    }
}

#[test]
fn oracle_02_denied_beats_allowed_and_required_needs_no_allowed() {
    let denied = [
        (r#""subject":{"common_name":{"allowed":["*"],"denied":["www.example.com"]}}"#, "subject.common_name"),
        (r#""subject":{"common_name":{"required":["*.example.com"],"denied":["WWW.*"]}}"#, "subject.common_name"),
        (r#""sans":{"dns_name":{"allowed":["*"],"denied":["**.example.com"]}}"#, "sans[0]"),
        (r#""sans":{"dns_name":{"allowed":["www.example.com"],"denied":["www.example.com"]}}"#, "sans[0]"),
        (r#""key_usages":{"allowed":["digital_signature"],"denied":["digital_signature"]}"#, "key_usages"),
        (r#""extended_key_usages":{"allowed":["server_auth"],"denied":["server_auth"]}"#, "extended_key_usages"),
    ];
    for (sections, field) in denied {
        assert_eq!(broken(&judge(sections, |_| ())), [(field, Denied)], "{sections}");
    }
    let required = [
        r#""subject":{"common_name":{"required":["www.example.com"]}}"#,
        r#""sans":{"dns_name":{"required":["*.example.com"]}}"#,
        r#""key_usages":{"required":["digital_signature"]}"#,
        r#""extended_key_usages":{"required":["server_auth"]}"#,
    ];
    for sections in required {
        assert!(judge(sections, |_| ()).permits(), "{sections}");
    }
}

#[test]
fn oracle_02_what_is_unlisted_is_rejected_and_a_type_occurs_once() {
    let subject = r#""subject":{"common_name":{"allowed":["*"]}}"#;
    let verdict =
        judge(subject, named(&[(Attribute::Organization, "x"), (Attribute::CommonName, "y")], &["a.example"]));
    assert_eq!(broken(&verdict), [("subject.organization", NotAllowed)]);
    assert_eq!(verdict.violations()[0].allowed, ["common_name"]);
    let sans = r#""sans":{"dns_name":{"allowed":["*"]}}"#;
    let verdict = judge(sans, |content| content.sans.push(San::ip("192.0.2.1").unwrap()));
    assert_eq!(broken(&verdict), [("sans[1]", NotAllowed)]);
    for twice in [r#""subject":{"common_name":{},"common_name":{}}"#, r#""sans":{"dns":{},"dns_name":{}}"#] {
        let refusal = serde_json::from_str::<PolicySpec>(&format!(r#"{{"name":"x",{twice}}}"#)).unwrap_err();
        assert!(refusal.to_string().contains("occurs twice"), "{refusal}");
    }
}

#[test]
fn oracle_02_what_stands_for_everything_stands_for_what_is_denied() {
    let usages = r#""key_usages":{"allowed":["digital_signature"],"denied":["key_encipherment"]}"#;
    let purposes = r#""extended_key_usages":{"allowed":["server_auth","any"],"denied":["code_signing"]}"#;
    let none = |content: &mut Content| content.key_usages = KeyUsages::default();
    assert_eq!(broken(&judge(usages, none)), [("key_usages", Denied)]);
    assert_eq!(broken(&judge(purposes, |c| c.extended_key_usages.clear())), [("extended_key_usages", Denied)]);
    let any = |content: &mut Content| content.extended_key_usages = vec![ExtendedKeyUsage::Any];
    assert_eq!(broken(&judge(purposes, any)), [("extended_key_usages", Denied)]);
    let wildcard = named(&[], &["*.example.com"]);
    let sans = r#""sans":{"dns_name":{"allowed":["*.example.com"],"denied":["admin.example.com"]}}"#;
    assert_eq!(broken(&judge(sans, wildcard)), [("sans[0]", Denied)]);
}

#[test]
fn oracle_03_each_required_san_needs_a_witness_and_a_subject_any_one() {
    let sans = r#""sans":{"dns_name":{"required":["*.a.example","*.b.example"]}}"#;
    let table: [(&[&str], usize); 4] =
        [(&["x.a.example", "x.b.example"], 0), (&["x.a.example", "y.a.example"], 1), (&["x.b.example"], 1), (&[], 2)];
    for (names, missing) in table {
        let verdict = judge(sans, named(&[(Attribute::CommonName, "x")], names));
        assert_eq!(broken(&verdict), vec![("sans", Missing); missing], "{names:?}");
    }
    let subject = r#""subject":{"organizational_unit":{"required":["Sales*","Shop*"],"allowed":["*"]}}"#;
    let table: [(&[&str], bool); 4] =
        [(&["Sales EU"], true), (&["Other", "Shop 1"], true), (&["Other"], false), (&[], false)];
    for (units, fits) in table {
        let parts: Vec<_> = units.iter().map(|unit| (Attribute::OrganizationalUnit, *unit)).collect();
        let verdict = judge(subject, named(&parts, &["a.example"]));
        let expected = if fits { vec![] } else { vec![("subject.organizational_unit", Missing)] };
        assert_eq!(broken(&verdict), expected, "{units:?}");
    }
}

#[test]
fn every_denial_and_every_other_fault_is_reported_at_once() {
    let sections = r#""sans":{"dns_name":{"allowed":["*"],"denied":["www.example.com","**.com"],"required":["a.example"]}},
        "key_usages":{"required":["key_agreement"],"allowed":["key_cert_sign"]},"validity":{"max":"30d"},"basic_constraints":{"ca":"required"}"#;
    let expected = [
        ("sans[0]", Denied),
        ("sans[0]", Denied),
        ("sans", Missing),
        ("key_usages", NotAllowed),
        ("key_usages", Missing),
        ("validity", Problem::OutOfRange),
        ("basic_constraints", Missing),
    ];
    let verdict = judge(sections, |_| ());
    assert_eq!(broken(&verdict), expected);
    assert_eq!(verdict.violations()[0].rule, "policy.sans.dns_name.denied[0] = www.example.com");
    assert_eq!(
        verdict.violations()[5].to_string(),
        "validity: `47d` is out of bounds (rule policy.validity.max; allowed: at most 30d)"
    );
}

#[test]
fn long_lists_of_what_is_allowed_are_cut() {
    let patterns: Vec<String> = (0..25).map(|at| format!("\"h{at}.example\"")).collect();
    let verdict = judge(&format!(r#""sans":{{"dns_name":{{"allowed":[{}]}}}}"#, patterns.join(",")), |_| ());
    let allowed = &verdict.violations()[0].allowed;
    assert_eq!((allowed.len(), allowed[20].as_str()), (21, "and 5 more"));
}

#[test]
fn the_gate_for_cas_is_shut_by_default_and_key_cert_sign_is_a_ca() {
    let ca =
        |path_length| move |content: &mut Content| content.basic_constraints = BasicConstraints::Ca { path_length };
    let table = [
        ("", None, Some(Denied)),
        (r#""basic_constraints":{"ca":"allowed"}"#, None, None),
        (r#""basic_constraints":{"ca":"allowed","max_path_length":1}"#, None, Some(Problem::OutOfRange)),
        (r#""basic_constraints":{"ca":"allowed","max_path_length":1}"#, Some(2), Some(Problem::OutOfRange)),
        (r#""basic_constraints":{"ca":"required","max_path_length":1}"#, Some(1), None),
    ];
    for (sections, length, problem) in table {
        let expected: Vec<_> = problem.into_iter().map(|problem| ("basic_constraints", problem)).collect();
        assert_eq!(broken(&judge(sections, ca(length))), expected, "{sections} {length:?}");
    }
    let signs = |content: &mut Content| content.key_usages = KeyUsages::from([KeyUsage::KeyCertSign]);
    assert_eq!(broken(&judge("", signs)), [("basic_constraints", Denied)]);
}
