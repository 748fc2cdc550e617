//! The helper itself: it passes what is as expected, and shows what is not.

use time::OffsetDateTime;
use time::macros::datetime;

use super::{Expected, PolicyCase, PolicyTable, Request};
use crate::domain::policy::Problem;
use crate::domain::{Span, read_toml};
use crate::x509::KeyAlgorithm;

const NOW: OffsetDateTime = datetime!(2026-06-01 0:00 UTC);

const POLICY: &str = r#"
    [policy]
    name = "web"
    [policy.sans.dns_name]
    allowed = ["*.example.com"]
    denied = ["admin.example.com"]
    [policy.validity]
    max = "30d"
"#;

fn table(rest: &str) -> PolicyTable {
    read_toml(&format!("{rest}\n{POLICY}")).unwrap()
}

fn request(name: &str) -> Request {
    Request::default().dns(name).ttl(Span::days(1))
}

fn cases(cases: impl IntoIterator<Item = PolicyCase>) -> String {
    let table = cases.into_iter().fold(table(""), PolicyTable::case);
    let report = table.run(NOW);
    assert_eq!(report.passed(), !report.to_string().contains("FAILED"));
    report.to_string()
}

#[test]
fn what_is_as_expected_passes() {
    let report = cases([
        PolicyCase::permits("a host", request("www.example.com")),
        PolicyCase::refuses("anything at all", request("other.example"), []),
        PolicyCase::refuses("by field", request("other.example"), [Expected::field("sans[0]")]),
        PolicyCase::refuses(
            "by rule",
            request("admin.example.com"),
            [Expected::default().rule("policy.sans.dns_name.denied")],
        ),
    ]);
    assert_eq!(
        report,
        "policy web: 4 of 4 cases as expected\n  ok     a host\n  ok     anything at all\n  ok     by field\n  ok     by rule\n"
    );
}

#[test]
fn what_is_not_as_expected_is_shown_side_by_side() {
    let too_long = Request { ttl: Some(Span::days(40)), ..request("admin.example.com") };
    let report = cases([
        PolicyCase::permits("should pass", request("other.example")),
        PolicyCase::refuses("should not", request("www.example.com"), [Expected::field("sans[0]")]),
        PolicyCase::refuses(
            "one right, one wrong",
            too_long,
            [Expected::field("sans[0]").problem(Problem::NotAllowed), Expected::field("validity")],
        ),
    ]);
    let expected = "\
policy web: 0 of 3 cases as expected
  FAILED should pass
    +  sans[0]  not_allowed  dns_name:other.example  policy.sans.dns_name
  FAILED should not
    -  expected to be refused, but it is permitted
  FAILED one right, one wrong
    -  sans[0]  not_allowed  *                           *
    +  sans[0]  denied       dns_name:admin.example.com  policy.sans.dns_name.denied[0] = admin.example.com
";
    assert_eq!(report, expected);
}

#[test]
fn each_violation_answers_one_expectation_whatever_their_order() {
    let two = request("a.other").dns("b.other");
    let any = Expected::default().problem(Problem::NotAllowed);
    let second = Expected::field("sans[1]");
    for expected in [vec![any.clone(), second.clone()], vec![second.clone(), any.clone()]] {
        assert!(!cases([PolicyCase::refuses("both", two.clone(), expected)]).contains("FAILED"));
    }
    let report = cases([PolicyCase::refuses("twice the same", request("a.other"), [any.clone(), any])]);
    assert!(report.contains("-  *  not_allowed  *  *"), "{report}");
}

#[test]
#[should_panic(expected = "FAILED should pass")]
fn assert_passed_panics_with_the_report() {
    table("").case(PolicyCase::permits("should pass", request("other.example"))).run(NOW).assert_passed();
}

#[test]
fn an_empty_table_and_a_refused_policy_do_not_pass() {
    assert!(!table("").run(NOW).passed());
    let mut refused = table("").case(PolicyCase::permits("a host", request("www.example.com")));
    refused.policy.validity.min = Some(Span::days(31));
    let report = refused.run(NOW);
    assert!(!report.passed() && report.to_string().contains("min 31d is longer than max 30d"), "{report}");
}

#[test]
fn tables_from_toml_with_preset_issuer_and_csr() {
    let key = rcgen::KeyPair::generate().unwrap();
    let asked = rcgen::CertificateParams::new(vec!["csr.example.com".to_owned()]).unwrap();
    let pem = asked.serialize_request(&key).unwrap().pem().unwrap();
    let text = format!(
        r#"
        preset = "tls_server"
        issuer_key = "RSA_2048"
        [[case]]
        name = "managed"
        expect = {{ refuse = [{{ field = "ttl", problem = "out_of_range", rule = "profile.defaults.ttl" }}] }}
        request = {{ sans = [{{ type = "dns_name", value = "a.example.com" }}] }}
        [[case]]
        name = "request"
        expect = {{ refuse = [{{ field = "signature_algorithm", rule = "issuer.key" }}] }}
        request = {{ ttl = "1d", signature_algorithm = "ECDSA-SHA256", csr = """{pem}""" }}
        [[case]]
        name = "not a request"
        expect = "permit"
        request = {{ csr = "x" }}
        "#
    );
    let table = table(&text);
    assert_eq!(table.issuer_key, KeyAlgorithm::Rsa2048);
    let report = table.run(NOW).to_string();
    assert!(report.starts_with("policy web: 2 of 3 cases as expected"), "{report}");
    assert!(report.contains("+  the certificate request is refused"), "{report}");
}

#[test]
fn misspelled_tables_are_refused_with_the_place() {
    let refusal =
        read_toml::<PolicyTable>(&format!("[[case]]\nname = \"x\"\nexpect = \"allow\"\n{POLICY}")).unwrap_err();
    assert!(refusal.to_string().contains("line 3, column 10: case[0].expect"), "{refusal}");
    assert!(refusal.to_string().contains("expected `permit` or `refuse`"), "{refusal}");
}
