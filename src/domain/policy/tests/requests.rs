//! The oracles of completing a request and judging it.

use super::*;
use crate::domain::policy::Table;
use crate::domain::{Preset, ProfileSpec, Values};
use crate::x509::{Attribute, PublicKey, SanKind, SanSpec, Serial, TbsView, tbs};

use Problem::{Conflict, Denied, Missing, NotAllowed, OutOfRange, Unsound};

fn reported(draft: &Draft, policy: &Policy) -> Vec<(String, Problem)> {
    let verdict = draft.judge(policy, NOW);
    verdict.into_violations().into_iter().map(|violation| (violation.field, violation.problem)).collect()
}

fn expected(list: &[(&str, Problem)]) -> Vec<(String, Problem)> {
    list.iter().map(|(field, problem)| (field.to_string(), *problem)).collect()
}

fn one_name() -> Names {
    Names { sans: Some(vec![SanSpec { kind: SanKind::DnsName, value: "a.example".into() }]), ..Names::default() }
}

#[test]
fn oracle_04_ttl_and_dates_exclude_each_other() {
    let ttl = Some(Span::days(1));
    let later = Some(NOW + Span::days(9).as_duration());
    let table = [
        (Terms { ttl, ..Terms::default() }, None),
        (Terms { not_after: later, ..Terms::default() }, None),
        (Terms { not_before: Some(NOW), not_after: later, ..Terms::default() }, None),
        (Terms { ttl, not_after: later, ..Terms::default() }, Some(("ttl", Conflict))),
        (Terms { ttl, not_before: Some(NOW), ..Terms::default() }, Some(("ttl", Conflict))),
        (Terms { not_before: later, not_after: later, ..Terms::default() }, Some(("validity", Problem::Invalid))),
        (Terms::default(), Some(("ttl", Missing))),
    ];
    let policy = policy("");
    for (terms, problem) in table {
        let draft = managed(&one_name(), &terms, (&Defaults::default(), &policy));
        assert_eq!(reported(&draft, &policy), expected(problem.as_slice()), "{terms:?}");
    }
}

#[test]
fn oracle_04_the_default_is_used_only_without_a_ttl_and_its_drift_is_an_error() {
    let policy = policy(r#""validity":{"max":"30d"}"#);
    let default = |days| Defaults { ttl: Some(Span::days(days)), ..Defaults::default() };
    let asked = |days| Terms { ttl: Some(Span::days(days)), ..Terms::default() };
    let table = [
        (default(20), asked(10), Some(10), None),
        (default(20), Terms::default(), Some(20), None),
        (default(90), asked(10), Some(10), None),
        (default(90), Terms::default(), None, Some(("ttl", OutOfRange))),
        (default(20), asked(40), Some(40), Some(("validity", OutOfRange))),
    ];
    for (defaults, terms, days, problem) in table {
        let draft = managed(&one_name(), &terms, (&defaults, &policy));
        assert_eq!(reported(&draft, &policy), expected(problem.as_slice()), "{terms:?}");
        if let Some(days) = days {
            assert_eq!(draft.content.validity.span(), Span::days(days).as_duration());
        }
    }
    let drift = managed(&one_name(), &Terms::default(), (&default(90), &policy)).violations;
    assert!(drift[0].rule.contains("configuration drift"), "{}", drift[0]);
}

#[test]
fn oracle_05_null_clears_a_default_and_absence_takes_it() {
    let subject = Table::from([(Attribute::Organization, Values::from("Default"))]);
    let defaults = Defaults { subject, ..Defaults::default() };
    let table = [
        (r#"{}"#, "O=Default"),
        (r#"{"subject":{"organization":null}}"#, ""),
        (r#"{"subject":{"organization":"Asked"}}"#, "O=Asked"),
        (r#"{"subject":{"common_name":"x"}}"#, "O=Default, CN=x"),
        (r#"{"subject":{"organizational_unit":["a","b"],"organization":null}}"#, "OU=a, OU=b"),
    ];
    for (names, subject) in table {
        let draft = managed(&serde_json::from_str(names).unwrap(), &ninety_days(), (&defaults, &policy("")));
        assert_eq!(draft.content.subject.to_string(), subject, "{names}");
    }
}

#[test]
fn oracle_06_a_csr_brings_names_and_usages_and_nothing_beside_it_may() {
    let defaults = Defaults {
        subject: Table::from([
            (Attribute::CommonName, Values::from("default")),
            (Attribute::Organization, Values::from("Default")),
        ]),
        key_usages: Some(KeyUsages::from([KeyUsage::DigitalSignature])),
        ..Defaults::default()
    };
    let policy = policy(r#""basic_constraints":{"ca":"allowed"}"#);
    let asked = csr(|params| params.key_usages = vec![rcgen::KeyUsagePurpose::KeyAgreement]);
    let draft = by_csr(asked.clone(), &ninety_days(), (&defaults, &policy));
    assert_eq!(draft.content.subject.to_string(), "O=Default, CN=csr.example.com");
    assert_eq!(draft.content.key_usages, KeyUsages::from([KeyUsage::KeyAgreement]));
    assert_eq!(reported(&draft, &policy), []);

    let names = Names { key_usages: Some(KeyUsages::from([KeyUsage::CrlSign])), ..Names::default() };
    let source = Source::Csr(Box::new(asked));
    let setting = (&profile(defaults), &policy, &issuer());
    let draft = complete(Asked::new(&source, &names, &ninety_days()), Method::Api, setting, NOW);
    assert_eq!(reported(&draft, &policy), expected(&[("names", Conflict)]));
    assert_eq!(
        draft.content.key_usages,
        KeyUsages::from([KeyUsage::KeyAgreement]),
        "never taken from beside the request"
    );
}

#[test]
fn oracle_06_ttl_and_basic_constraints_come_from_beside_the_csr() {
    let policy = policy(r#""basic_constraints":{"ca":"allowed"}"#);
    let asked = csr(|params| {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(3));
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    });
    let own = by_csr(asked.clone(), &ninety_days(), (&Defaults::default(), &policy));
    assert_eq!(own.content.basic_constraints, BasicConstraints::Ca { path_length: Some(3) });
    let basic_constraints = Some(BasicConstraints::Ca { path_length: Some(0) });
    let terms = Terms { ttl: Some(Span::days(5)), basic_constraints, ..Terms::default() };
    let beside = by_csr(asked.clone(), &terms, (&Defaults::default(), &policy));
    assert_eq!(Some(beside.content.basic_constraints), basic_constraints);
    assert_eq!(beside.content.validity.span(), Span::days(5).as_duration());
    let no_ca = Terms { basic_constraints: Some(BasicConstraints::EndEntity), ..ninety_days() };
    let contrary = by_csr(asked, &no_ca, (&Defaults::default(), &policy));
    assert_eq!(reported(&contrary, &policy), expected(&[("basic_constraints", Conflict)]));
}

#[test]
fn oracle_06_key_cert_sign_makes_a_ca_and_hits_the_gate() {
    let asked = || csr(|params| params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign]);
    let shut = policy("");
    let draft = by_csr(asked(), &ninety_days(), (&Defaults::default(), &shut));
    assert_eq!(draft.content.basic_constraints, BasicConstraints::Ca { path_length: None });
    assert_eq!(reported(&draft, &shut), expected(&[("basic_constraints", Denied)]));
    // A renewal judges the content of the certificate, an approval that of the stored request: the same gate.
    let mut content = draft.content;
    assert!(!shut.judge(&content, NOW).permits());
    content.basic_constraints = BasicConstraints::EndEntity;
    assert!(!shut.judge(&content, NOW).permits());
    let open = policy(r#""basic_constraints":{"ca":"allowed"}"#);
    let draft = by_csr(asked(), &ninety_days(), (&Defaults::default(), &open));
    assert_eq!(reported(&draft, &open), []);
}

#[test]
fn oracle_06_a_csr_for_no_ca_is_not_made_one_by_defaults() {
    let defaults = Preset::IntermediateCa.defaults();
    let policy = policy(r#""basic_constraints":{"ca":"allowed"}"#);
    let asked = csr(|params| {
        params.is_ca = rcgen::IsCa::ExplicitNoCa;
        params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    });
    let draft = by_csr(asked, &ninety_days(), (&defaults, &policy));
    assert_eq!(draft.content.basic_constraints, BasicConstraints::EndEntity);
}

#[test]
fn oracle_07_signature_keys_take_no_encipherment_or_agreement() {
    let policy = policy("");
    let keys = [KeyAlgorithm::MlDsa44, KeyAlgorithm::MlDsa65, KeyAlgorithm::MlDsa87, KeyAlgorithm::Ed25519];
    let usages = [KeyUsage::KeyEncipherment, KeyUsage::KeyAgreement, KeyUsage::DataEncipherment];
    for (key, usage) in keys.into_iter().flat_map(|key| usages.map(|usage| (key, usage))) {
        let names = Names { key_algorithm: Some(key), key_usages: Some(KeyUsages::from([usage])), ..one_name() };
        let draft = managed(&names, &ninety_days(), (&Defaults::default(), &policy));
        assert_eq!(reported(&draft, &policy), expected(&[("key_usages", Unsound)]), "{key} {usage}");
    }
}

#[test]
fn oracle_08_an_empty_subject_makes_the_names_critical() {
    let asked = csr(|_| ());
    let key: &PublicKey = asked.public_key();
    for (subject, critical) in [(Subject::default(), true), (content().subject, false)] {
        let content = Content { subject, ..content() };
        let authority = tbs::Authority {
            name_der: Subject::from_parts([(Attribute::CommonName, "CA")]).unwrap().to_der().unwrap().into(),
            ..tbs::Authority::of_itself(&content, key).unwrap()
        };
        let bytes = tbs::build(&content, key, &Serial::from_random([7; 20]), &authority).unwrap();
        assert_eq!(TbsView::from_der(&bytes, key).unwrap().content, content, "what is judged is what is signed");
        // subjectAltName (2.5.29.17), then BOOLEAN TRUE where the extension is critical (RFC 5280 section 4.2).
        let oid = [0x06, 0x03, 0x55, 0x1d, 0x11];
        let at = bytes.windows(oid.len()).position(|window| window == oid).unwrap() + oid.len();
        assert_eq!(bytes[at..].starts_with(&[0x01, 0x01, 0xff]), critical);
    }
}

#[test]
fn oracle_09_signature_algorithms_that_the_issuer_can_not_make() {
    let table = [
        (r#""algorithms":{"signature":["RSA-SHA256"]}"#, None, true),
        (r#""algorithms":{"signature":["RSA-SHA256","ECDSA-SHA256"]}"#, None, false),
        ("", Some(SignatureAlgorithm::RsaSha256), true),
        ("", None, false),
    ];
    for (sections, signature_algorithm, refused) in table {
        let policy = policy(sections);
        let terms = Terms { signature_algorithm, ..ninety_days() };
        let draft = managed(&one_name(), &terms, (&Defaults::default(), &policy));
        let problem = refused.then_some(("signature_algorithm", NotAllowed));
        assert_eq!(reported(&draft, &policy), expected(problem.as_slice()), "{sections}");
        if refused {
            assert!(draft.violations[0].rule.starts_with("issuer.key"));
            assert_eq!(draft.violations[0].allowed, ["ECDSA-SHA256"]);
        }
    }
}

#[test]
fn oracle_10_no_certificate_outlives_its_issuer() {
    let policy = policy("");
    for (days, problem) in [(91, None), (90, None), (89, Some(("not_after", OutOfRange)))] {
        let issuer = IssuerTerms { not_after: Some(NOW + Span::days(days).as_duration()), ..issuer() };
        let setting = (&profile(Defaults::default()), &policy, &issuer);
        let draft = complete(Asked::new(&Source::Managed, &one_name(), &ninety_days()), Method::Api, setting, NOW);
        assert_eq!(reported(&draft, &policy), expected(problem.as_slice()), "{days}");
    }
}

#[test]
fn a_self_signed_profile_takes_no_csr() {
    let policy = policy("");
    let itself = IssuerTerms { signature_algorithms: Vec::new(), ..issuer() };
    let source = Source::Csr(Box::new(csr(|_| ())));
    let setting = (&profile(Defaults::default()), &policy, &itself);
    let draft = complete(Asked::new(&source, &Names::default(), &ninety_days()), Method::Api, setting, NOW);
    assert_eq!(reported(&draft, &policy), expected(&[("csr", Conflict)]));
}

/// A request as somebody who wants this kind of certificate would write it.
fn natural(preset: Preset, key_algorithm: KeyAlgorithm) -> Names {
    let san = |kind, value: &str| SanSpec { kind, value: value.to_owned() };
    let (name, sans) = match preset {
        Preset::TlsServer | Preset::TlsClient | Preset::Dual => {
            ("a.example.com", vec![san(SanKind::DnsName, "a.example.com"), san(SanKind::IpAddress, "192.0.2.1")])
        }
        Preset::Device => ("device-7", vec![san(SanKind::DnsName, "device-7.example.com")]),
        Preset::Email => ("Jane Doe", vec![san(SanKind::Email, "jane@example.com")]),
        Preset::User => ("Jane Doe", vec![san(SanKind::Upn, "jane@corp.example")]),
        Preset::CodeSigning | Preset::IntermediateCa => ("Example", Vec::new()),
    };
    let subject = Table::from([(Attribute::CommonName, Some(Values::from(name)))]);
    Names { subject, sans: Some(sans), key_algorithm: Some(key_algorithm), ..Names::default() }
}

#[test]
fn every_preset_fits_its_own_policy_and_a_natural_request() {
    for preset in Preset::ALL {
        let policy = Policy::try_from(preset.policy("p".parse().unwrap())).unwrap();
        let spec: ProfileSpec = preset.profile("p".parse().unwrap(), "ca".parse().unwrap(), "p".parse().unwrap());
        spec.check(&policy, NOW).unwrap_or_else(|error| panic!("{preset:?}: {error}"));
        for key in [KeyAlgorithm::P256, KeyAlgorithm::Rsa2048, KeyAlgorithm::Ed25519] {
            let profile = Profile { backdate: spec.backdate, ..profile(spec.defaults.clone()) };
            let (names, terms) = (natural(preset, key), Terms::default());
            let asked = Asked::new(&Source::Managed, &names, &terms);
            let verdict = complete(asked, Method::Api, (&profile, &policy, &issuer()), NOW).judge(&policy, NOW);
            assert!(verdict.permits(), "{preset:?} {key}: {verdict}");
        }
    }
}
