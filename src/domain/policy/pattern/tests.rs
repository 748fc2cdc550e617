//! Tables and properties of every kind of pattern.

use proptest::prelude::*;

use super::text::{fold, globs_intersect, matches_glob};
use super::*;

fn dns(pattern: &str, name: &str) -> (bool, bool) {
    let pattern = Pattern::for_san(SanKind::DnsName, pattern).unwrap();
    let name = San::dns(name).unwrap();
    (pattern.covers(&Seen::san(&name)), pattern.overlaps(&Seen::san(&name)))
}

#[test]
fn dns_patterns_cover_whole_labels_and_overlap_through_wildcards() {
    let table = [
        ("example.com", "Example.com", (true, true)),
        ("example.com", "www.example.com", (false, false)),
        ("*.example.com", "www.example.com", (true, true)),
        ("*.example.com", "a.b.example.com", (false, false)),
        ("*.example.com", "example.com", (false, false)),
        ("*.example.com", "*.example.com", (true, true)),
        ("*.example.com", "*.b.example.com", (false, false)),
        ("**.example.com", "a.b.example.com", (true, true)),
        ("**.example.com", "*.b.example.com", (true, true)),
        ("**.example.com", "example.com", (false, false)),
        ("**.example.com", "badexample.com", (false, false)),
        ("admin.example.com", "*.example.com", (false, true)),
        ("**.b.example.com", "*.example.com", (false, false)),
        ("*", "anything.example", (true, true)),
    ];
    for (pattern, name, expected) in table {
        assert_eq!(dns(pattern, name), expected, "{pattern} {name}");
    }
}

#[test]
fn other_kinds() {
    let covers = |kind, pattern: &str, name: &str| {
        Pattern::for_san(kind, pattern).unwrap().covers(&Seen::san(&San::parse(kind, name).unwrap()))
    };
    let table = [
        (SanKind::IpAddress, "10.0.0.0/8", "10.1.2.3", true),
        (SanKind::IpAddress, "10.0.0.0/8", "11.1.2.3", false),
        (SanKind::IpAddress, "2001:db8::/32", "2001:db8::1", true),
        (SanKind::IpAddress, "192.0.2.7", "192.0.2.7", true),
        (SanKind::Email, "example.com", "jane@Example.com", true),
        (SanKind::Email, "*@example.com", "jane@sub.example.com", false),
        (SanKind::Email, "jane@example.com", "Jane@example.com", true),
        (SanKind::Email, "jane@example.com", "john@example.com", false),
        (SanKind::Upn, "*@corp.example", "jané@corp.example", true),
        (SanKind::Uri, "spiffe://example.org/ns/*/sa/*", "spiffe://example.org/ns/a/sa/b", true),
        (SanKind::Uri, "spiffe://example.org/ns/*", "spiffe://example.org/ns/a/sa/b", false),
        (SanKind::Uri, "spiffe://example.org/ns/**", "spiffe://EXAMPLE.org/ns/a/sa/b", true),
        (SanKind::Uri, "spiffe://example.org/ns/**", "spiffe://example.org/ns", false),
        (SanKind::Uri, "spiffe://example.org/ns/**", "spiffe://evil.example/ns/a", false),
        (SanKind::Uri, "https://*.example.org/**", "https://a.example.org:8443/x", false),
        (SanKind::Uri, "https://*.example.org/**", "https://user@a.example.org/x", false),
        (SanKind::Uri, "https://a.example/x?y", "https://a.example/x?y", true),
        (SanKind::Uri, "urn:example:*", "urn:example:1", true),
        (SanKind::Uri, "urn:example:*", "urn:other:1", false),
    ];
    for (kind, pattern, name, expected) in table {
        assert_eq!(covers(kind, pattern, name), expected, "{pattern} {name}");
    }
}

#[test]
fn what_is_no_pattern() {
    let table = [
        (SanKind::DnsName, "a*.example.com"),
        (SanKind::DnsName, "*.*.example.com"),
        (SanKind::DnsName, "10.0.0.1"),
        (SanKind::IpAddress, "10.0.0.1/8"),
        (SanKind::IpAddress, "10.0.0.0/33"),
        (SanKind::IpAddress, "*.example.com"),
        (SanKind::Email, "@"),
        (SanKind::Uri, "*://x/"),
        (SanKind::Uri, "https://a/**/b"),
        (SanKind::Uri, "https://a/b*c"),
    ];
    for (kind, text) in table {
        assert!(Pattern::for_san(kind, text).is_err(), "{text}");
    }
}

#[test]
fn common_names_match_as_host_names_where_the_pattern_does() {
    let pattern = Pattern::for_attribute(Attribute::CommonName, "*.example.com").unwrap();
    assert!(pattern.covers(&Seen::text("www.example.com")));
    assert!(!pattern.covers(&Seen::text("a.b.example.com")));
    assert!(!pattern.covers(&Seen::text("evil /.example.com")));
    let text = Pattern::for_attribute(Attribute::Organization, "Example * GmbH").unwrap();
    assert!(text.covers(&Seen::text("Example Trading GmbH")));
    assert!(!text.covers(&Seen::text("example trading gmbh")));
    assert!(text.overlaps(&Seen::text("EXAMPLE TRADING GMBH")));
}

#[test]
fn a_denied_common_name_is_denied_in_any_case_and_behind_a_wildcard() {
    let pattern = Pattern::for_attribute(Attribute::CommonName, "admin.example.com").unwrap();
    assert!(pattern.overlaps(&Seen::text("ADMIN.example.com")));
    assert!(pattern.overlaps(&Seen::text("*.example.com")));
    assert!(!pattern.covers(&Seen::text("*.example.com")));
}

proptest! {
    #[test]
    fn what_is_covered_overlaps(
        pattern in "(\\*\\.|\\*\\*\\.)?[a-c](\\.[a-c]){0,3}",
        name in "(\\*\\.)?[a-c](\\.[a-c]){0,3}",
    ) {
        let (covers, overlaps) = dns(&pattern, &name);
        prop_assert!(!covers || overlaps);
    }

    #[test]
    fn globs_agree_with_a_simple_model(pattern in "[ab*]{0,6}", value in "[ab]{0,8}") {
        prop_assert_eq!(matches_glob(&pattern, &value), model(pattern.as_bytes(), value.as_bytes()));
    }
}

fn model(pattern: &[u8], value: &[u8]) -> bool {
    match pattern.split_first() {
        None => value.is_empty(),
        Some((b'*', rest)) => (0..=value.len()).any(|at| model(rest, &value[at..])),
        Some((c, rest)) => value.split_first().is_some_and(|(v, others)| v == c && model(rest, others)),
    }
}

#[test]
fn no_other_spelling_slips_past_a_denial() {
    let overlaps = |attribute, pattern: &str, value: &str| {
        Pattern::for_attribute(attribute, pattern).unwrap().overlaps(&Seen::text(value))
    };
    let table = [
        (Attribute::CommonName, "**.internal.example.com", "db_1.internal.example.com", true),
        (Attribute::CommonName, "*.example.com", "www.example.com.", true),
        (Attribute::CommonName, "admin.example.com", "ADMIN.example.com.", true),
        (Attribute::CommonName, "admin.example.com", "adm*.example.com", true),
        (Attribute::CommonName, "admin*", "*.example.com", true),
        (Attribute::CommonName, "admin*.example.com", "*.example.org", false),
        (Attribute::CommonName, "admin.example.com", "www.example.com", false),
        (Attribute::Organization, "Evil Corp", "  evil  CORP ", true),
        (Attribute::Organization, "Evil Corp", "Evil\u{a0}Corp", true),
        (Attribute::Organization, "Evil Corp", "Ev\u{200b}il Corp", true),
        (Attribute::Organization, "Users", "u\u{17f}ers", true),
        (Attribute::Organization, "A * B", "A  B", true),
        (Attribute::Organization, "Evil Corp", "Good Corp", false),
    ];
    for (attribute, pattern, value, expected) in table {
        assert_eq!(overlaps(attribute, pattern, value), expected, "{pattern:?} {value:?}");
    }
}

#[test]
fn no_other_spelling_of_a_mailbox_or_uri_slips_past_a_denial() {
    let overlaps = |kind, pattern: &str, name: &str| {
        Pattern::for_san(kind, pattern).unwrap().overlaps(&Seen::san(&San::parse(kind, name).unwrap()))
    };
    let table = [
        (SanKind::Upn, "jané@corp.example", "JANÉ@CORP.example", true),
        (SanKind::Email, "root@example.com", "ROOT@EXAMPLE.com", true),
        (SanKind::Uri, "https://a.example/admin", "https://a.example/%61dmin", true),
        (SanKind::Uri, "https://a.example/admin", "https://u@a.example:8443//admin/?q", true),
        (SanKind::Uri, "https://a.example/admin/**", "https://a.example/admin", true),
        (SanKind::Uri, "https://a.example/**", "https://a.example", true),
        (SanKind::Uri, "https://a.example/admin/**", "https://a.example/administrator", false),
        (SanKind::Uri, "urn:example:*", "urn:EXAMPLE:1", true),
        (SanKind::Uri, "https:*", "https://a.example/x", true),
        (SanKind::Uri, "https:*", "http://a.example/x", false),
    ];
    for (kind, pattern, name, expected) in table {
        assert_eq!(overlaps(kind, pattern, name), expected, "{pattern:?} {name:?}");
    }
}

#[test]
fn patterns_that_could_never_match_are_refused() {
    let table = [
        (Attribute::Country, "Germany"),
        (Attribute::Country, "de"),
        (Attribute::CommonName, "*.under_score.example"),
        (Attribute::Organization, ""),
        (Attribute::Organization, "a\nb"),
    ];
    for (attribute, text) in table {
        assert!(Pattern::for_attribute(attribute, text).is_err(), "{text:?}");
    }
    assert!(Pattern::for_san(SanKind::IpAddress, "::ffff:10.0.0.0/104").is_err());
    assert!(Pattern::for_san(SanKind::Email, "a*@example.com").is_err());
}

#[test]
fn folding() {
    assert_eq!(fold(" \u{200b} A\u{ad}  B\u{3000}ſ "), "a b s");
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics_a_parser(pattern in "\\PC{0,60}|[a-z*.:/@0-9%-]{0,60}", value in "\\PC{1,40}|[a-z*.:/@%-]{1,40}") {
        for kind in SanKind::ALL {
            let parsed = Pattern::for_san(kind, &pattern);
            let name = San::parse(kind, &value);
            if let (Ok(pattern), Ok(name)) = (parsed, name) {
                prop_assert!(!pattern.covers(&Seen::san(&name)) || pattern.overlaps(&Seen::san(&name)));
            }
        }
        for attribute in Attribute::ALL {
            if let Ok(pattern) = Pattern::for_attribute(attribute, &pattern) {
                prop_assert!(!pattern.covers(&Seen::text(&value)) || pattern.overlaps(&Seen::text(&value)));
            }
        }
    }

    #[test]
    fn common_names_are_denied_as_widely_as_they_are_allowed(
        pattern in "[ab *.]{1,6}", value in "[abAB *.]{1,8}",
    ) {
        for attribute in [Attribute::CommonName, Attribute::Organization] {
            if let Ok(pattern) = Pattern::for_attribute(attribute, &pattern) {
                prop_assert!(!pattern.covers(&Seen::text(&value)) || pattern.overlaps(&Seen::text(&value)));
            }
        }
    }

    #[test]
    fn intersections_agree_with_a_search(a in "[ab*]{0,4}", b in "[ab*]{0,4}") {
        let texts = (0_u32..=8).flat_map(|length| (0..1_u32 << length).map(move |bits| {
            (0..length).map(|at| if bits >> at & 1 == 1 { 'a' } else { 'b' }).collect::<String>()
        }));
        let found = texts.into_iter().any(|text| matches_glob(&a, &text) && matches_glob(&b, &text));
        prop_assert_eq!(globs_intersect(a.as_bytes(), b.as_bytes()), found);
    }
}
