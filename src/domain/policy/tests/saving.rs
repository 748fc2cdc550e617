//! What is refused when a policy or profile is saved, and with which reason.

use super::*;
use crate::domain::{ProfileSpec, read_json};

fn refusal(sections: &str) -> String {
    let spec: PolicySpec = read_json(&format!(r#"{{"name":"test",{sections}}}"#)).unwrap();
    Policy::try_from(spec).expect_err(sections).to_string()
}

#[test]
fn contradictory_policies_are_refused_with_the_reason() {
    let table = [
        (r#""subject":{},"sans":{}"#, "subject, sans: ", "must name somebody"),
        (
            r#""subject":{"common_name":{"allowed":["x"],"denied":["*"]}},"sans":{}"#,
            "subject, sans: ",
            "must name somebody",
        ),
        (
            r#""subject":{"organization":{"required":["Evil"],"denied":["EVIL"]}}"#,
            "subject.organization: ",
            "every required value is denied: Evil",
        ),
        (
            r#""subject":{"common_name":{"required":["*.b.example"],"denied":["**.example"]}}"#,
            "subject.common_name: ",
            "every required value is denied",
        ),
        (
            r#""sans":{"dns_name":{"required":["a.example","b.example"],"denied":["A.example"]}}"#,
            "sans.dns_name: ",
            "`a.example` is required and denied",
        ),
        (
            r#""sans":{"dns_name":{"required":["*.b.example"],"denied":["**.example"]}}"#,
            "sans.dns_name: ",
            "`*.b.example` is required and denied",
        ),
        (
            r#""sans":{"ip_address":{"required":["10.1.0.0/16"],"denied":["10.0.0.0/8"]}}"#,
            "sans.ip_address: ",
            "`10.1.0.0/16` is required and denied",
        ),
        (
            r#""sans":{"email":{"required":["a@b.example"],"denied":["b.example"]}}"#,
            "sans.email: ",
            "`a@b.example` is required and denied",
        ),
        (
            r#""sans":{"uri":{"required":["urn:example:1"],"denied":["urn:*"]}}"#,
            "sans.uri: ",
            "`urn:example:1` is required and denied",
        ),
        (
            r#""key_usages":{"required":["crl_sign"],"denied":["crl_sign"]}"#,
            "key_usages: ",
            "crl_sign is required and denied",
        ),
        (r#""key_usages":{"required":["encipher_only"]}"#, "key_usages: ", "need key_agreement"),
        (
            r#""extended_key_usages":{"required":["server_auth"],"denied":["server_auth"]}"#,
            "extended_key_usages: ",
            "server_auth is required and denied",
        ),
        (
            r#""extended_key_usages":{"required":["any"],"denied":["server_auth"]}"#,
            "extended_key_usages: ",
            "`any` is required",
        ),
        (
            r#""extended_key_usages":{"required":["time_stamping","server_auth"]}"#,
            "extended_key_usages: ",
            "must stand alone",
        ),
        (r#""algorithms":{"key":[]}"#, "algorithms.key: ", "no key algorithm is allowed"),
        (
            r#""algorithms":{"key":["Ed25519","ML-DSA-44"]},"key_usages":{"required":["key_agreement"]}"#,
            "algorithms.key, key_usages: ",
            "makes no sense for any allowed key algorithm (Ed25519, ML-DSA-44)",
        ),
        (r#""validity":{"min":"2d","max":"1d"}"#, "validity: ", "min 2d is longer than max 1d"),
        (r#""validity":{"max":"0s"}"#, "validity: ", "leaves no time"),
        (
            r#""basic_constraints":{"ca":"required"},"key_usages":{"allowed":["digital_signature"]}"#,
            "basic_constraints.ca, key_usages: ",
            "key_cert_sign, which a CA must have, is not permitted",
        ),
        (
            r#""key_usages":{"required":["key_cert_sign"]}"#,
            "basic_constraints.ca, key_usages: ",
            "CAs, which alone may have it, are denied",
        ),
    ];
    for (sections, fields, reason) in table {
        let text = refusal(sections);
        let expected = format!("the policy is refused: {fields}the policy can never permit anything: ");
        assert!(text.starts_with(&expected) && text.contains(reason), "{sections}: {text}");
    }
}

#[test]
fn values_that_do_not_read_are_refused_with_path_and_what_is_accepted() {
    let table = [
        (
            r#""sans":{"dns_name":{"allowed":["a","a*.b"]}}"#,
            "sans.dns_name.allowed[1]: pattern can not be `a*.b`",
            "`**.name`",
        ),
        (
            r#""sans":{"ip_address":{"denied":["10.0.0.1/8"]}}"#,
            "sans.ip_address.denied[0]: pattern",
            "without host bits",
        ),
        (
            r#""sans":{"dns_name":{"allowed":["a","a"]}}"#,
            "sans.dns_name.allowed[1]: value can not be `a`",
            "each value once",
        ),
        (r#""subject":{"country":{"allowed":["Germany"]}}"#, "subject.country.allowed[0]: country", "ISO 3166"),
        (r#""key_usages":{"allowed":["crl_sign","crl_sign"]}"#, "key_usages.allowed[1]: value", "each value once"),
        (r#""algorithms":{"key":["Ed25519","Ed25519"]}"#, "algorithms.key[1]: value", "each value once"),
        (r#""sans":{"dns_name":{"denied":["a"]}}"#, "sans.dns_name.denied: nothing is allowed", "allowed = [\"*\"]"),
        (r#""key_usages":{"denied":["crl_sign"]}"#, "key_usages.denied: nothing is allowed", "list what is allowed"),
    ];
    for (sections, field, accepted) in table {
        let text = refusal(sections);
        assert!(text.contains(field) && text.contains(accepted), "{sections}: {text}");
    }
    let both = refusal(r#""sans":{"dns_name":{"allowed":["a*.b"]},"ip_address":{"allowed":["x"]}}"#);
    assert!(both.contains("`a*.b`") && both.contains("`x`"), "every fault at once: {both}");
    assert!(!both.contains("never permit"), "nothing is concluded from patterns that do not read: {both}");
}

#[test]
fn profiles_whose_defaults_break_their_policy_are_refused() {
    let sections = r#""subject":{"common_name":{"allowed":["*"]},"organization":{"allowed":["Example"]}},
        "key_usages":{"allowed":["digital_signature"],"required":["digital_signature"]},
        "extended_key_usages":{"required":["server_auth"],"allowed":["time_stamping"]},
        "algorithms":{"key":["EC_prime256v1"],"signature":["ECDSA-SHA256"]},
        "validity":{"max":"30d","min":"1d","backdate":"1h"}"#;
    let policy = policy(sections);
    let check = |rest: &str| {
        let text = format!(r#"{{"name":"web","issuer":{{"ca":"root"}},"policy":"test",{rest}}}"#);
        read_json::<ProfileSpec>(&text).unwrap().check(&policy, NOW)
    };
    let table = [
        (r#""defaults":{"ttl":"90d"}"#, "profile.defaults.ttl"),
        (r#""defaults":{"ttl":"1h"}"#, "policy.validity.min"),
        (r#""backdate":"2h""#, "policy.validity.backdate"),
        (r#""defaults":{"subject":{"organization":"Other"}}"#, "policy.subject.organization"),
        (r#""defaults":{"subject":{"locality":"Ulm"}}"#, "policy.subject;"),
        (r#""defaults":{"subject":{"country":"Germany"}}"#, "subject.country: `Germany` is not valid"),
        (r#""defaults":{"key_usages":["crl_sign"]}"#, "policy.key_usages"),
        (r#""defaults":{"extended_key_usages":["client_auth"]}"#, "policy.extended_key_usages"),
        (r#""defaults":{"extended_key_usages":["server_auth","time_stamping"]}"#, "must stand alone"),
        (r#""defaults":{"key_algorithm":"RSA_2048"}"#, "policy.algorithms.key"),
        (r#""defaults":{"signature_algorithm":"RSA-SHA256"}"#, "policy.algorithms.signature"),
        (r#""defaults":{"basic_constraints":{"ca":{}}}"#, "policy.basic_constraints.ca"),
        (r#""backdate":"31d""#, "backdate: duration can not be `31d`"),
    ];
    for (rest, expected) in table {
        let text = check(rest).expect_err(rest).to_string();
        assert!(text.contains(expected), "{rest}: {text}");
    }
    check(r#""defaults":{}"#).unwrap();
    check(r#""defaults":{"ttl":"30d","subject":{"organization":"Example"},"key_usages":["digital_signature"]}"#)
        .unwrap();
}

#[test]
fn a_self_signed_profile_signs_with_its_own_key() {
    let text = r#"{"name":"self","issuer":"self-signed","policy":"test",
        "defaults":{"key_algorithm":"EC_prime256v1","signature_algorithm":"RSA-SHA256"}}"#;
    let refusal = read_json::<ProfileSpec>(text).unwrap().check(&policy(""), NOW).unwrap_err().to_string();
    assert!(refusal.contains("signature_algorithm: `RSA-SHA256` is not allowed"), "{refusal}");
}

#[test]
fn misspelled_members_of_basic_constraints_are_not_passed_over() {
    let text =
        r#"{"name":"web","issuer":"self-signed","policy":"x","defaults":{"basic_constraints":{"ca":{"pathlen":0}}}}"#;
    let refusal = read_json::<ProfileSpec>(text).unwrap_err().to_string();
    assert!(refusal.contains("unknown field `pathlen`, expected `path_length`"), "{refusal}");
}
