//! Renewals completed: what is kept, edited and cleared, and what no profile adds.

use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::super::{Asked, Draft, IssuerTerms, Predecessor, complete};
use crate::domain::policy::{CaRule, Policy, PolicySpec, Problem};
use crate::domain::{
    CertificateId, Defaults, IssuerChoice, IssuerId, KeyCustody, Method, Names, PolicyId, Profile, ProfileId,
    RenewalKey, Source, Span, Terms,
};
use crate::x509::{
    Attribute, BasicConstraints, Content, ExtendedKeyUsage, KeyAlgorithm, KeyUsage, KeyUsages, San, SignatureAlgorithm,
    Subject, Validity,
};

const ISSUED: OffsetDateTime = datetime!(2026-09-23 12:00 UTC);
const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

fn before() -> Content {
    let parts = [(Attribute::Organization, "Old"), (Attribute::CommonName, "api.example.com")];
    Content {
        subject: Subject::from_parts(parts.map(|(a, v)| (a, v.to_owned()))).unwrap(),
        sans: vec![San::dns("api.example.com").unwrap()],
        key_algorithm: KeyAlgorithm::P256,
        signature_algorithm: SignatureAlgorithm::EcdsaSha256,
        validity: Validity::new(ISSUED, ISSUED + Duration::days(90)).unwrap(),
        key_usages: KeyUsages::from([KeyUsage::DigitalSignature]),
        extended_key_usages: vec![ExtendedKeyUsage::ServerAuth],
        basic_constraints: BasicConstraints::EndEntity,
    }
}

/// A profile whose every default would be seen.
fn profile() -> Profile {
    let defaults = Defaults {
        ttl: Some(Span::days(7)),
        subject: [(Attribute::Country, "DE".into()), (Attribute::Organization, "Default".into())].into(),
        key_algorithm: Some(KeyAlgorithm::P384),
        signature_algorithm: Some(SignatureAlgorithm::EcdsaSha384),
        key_usages: Some(KeyUsages::from([KeyUsage::KeyAgreement])),
        extended_key_usages: Some(vec![ExtendedKeyUsage::ClientAuth]),
        basic_constraints: Some(BasicConstraints::Ca { path_length: Some(0) }),
    };
    Profile {
        id: ProfileId::new(NOW, [1; 10]),
        revision: 1,
        name: "web".parse().unwrap(),
        description: String::new(),
        issuer: IssuerChoice::Ca(IssuerId::new(NOW, [2; 10])),
        policy: PolicyId::new(NOW, [3; 10]),
        defaults,
        backdate: None,
        auto_renew: None,
        updated_at: NOW,
    }
}

fn terms_of(not_after: Option<OffsetDateTime>) -> IssuerTerms {
    let signature_algorithms = vec![SignatureAlgorithm::EcdsaSha384, SignatureAlgorithm::EcdsaSha256];
    IssuerTerms { signature_algorithms, not_after, path_length: None }
}

struct Ask {
    key: RenewalKey,
    names: Names,
    terms: Terms,
    custody: KeyCustody,
    issuer: IssuerTerms,
}

impl Ask {
    fn new(key: RenewalKey) -> Self {
        let (names, terms) = (Names::default(), Terms::default());
        Self { key, names, terms, custody: KeyCustody::Managed, issuer: terms_of(None) }
    }

    fn names(names: &str) -> Self {
        Self { names: serde_json::from_str(names).unwrap(), ..Self::new(RenewalKey::New) }
    }

    fn of(self, before: &Content) -> Draft {
        let policy = Policy::try_from(PolicySpec::new("web".parse().unwrap())).unwrap();
        let source = Source::Renewal { certificate: CertificateId::new(NOW, [4; 10]), key: self.key };
        let predecessor = Some(Predecessor { content: before, custody: self.custody });
        let asked = Asked { source: &source, names: &self.names, terms: &self.terms, predecessor };
        complete(asked, Method::Api, (&profile(), &policy, &self.issuer), NOW)
    }

    fn broken(self) -> Vec<(String, Problem)> {
        self.of(&before()).violations.into_iter().map(|each| (each.field, each.problem)).collect()
    }
}

#[test]
fn oracle_18_the_profiles_defaults_are_not_applied() {
    for key in [RenewalKey::New, RenewalKey::Reused] {
        let draft = Ask::new(key).of(&before());
        assert_eq!(draft.violations, []);
        let validity = Validity::new(NOW, NOW + Duration::days(90)).unwrap();
        assert_eq!(draft.content, Content { validity, ..before() });
    }
}

#[test]
fn edits_keep_set_and_clear() {
    let draft = Ask::names(r#"{ "subject": { "organization": null, "locality": "Bonn" } }"#).of(&before());
    assert_eq!(draft.content.subject.to_string(), {
        let parts = [(Attribute::CommonName, "api.example.com"), (Attribute::Locality, "Bonn")];
        Subject::from_parts(parts.map(|(a, v)| (a, v.to_owned()))).unwrap().to_string()
    });
    assert_eq!(draft.content.sans, before().sans, "absent keeps");
    let draft = Ask::names(r#"{ "subject": { "organization": "New" }, "sans": [] }"#).of(&before());
    let parts = [(Attribute::Organization, "New"), (Attribute::CommonName, "api.example.com")];
    assert_eq!(
        draft.content.subject,
        Subject::from_parts(parts.map(|(a, v)| (a, v.to_owned()))).unwrap(),
        "in its place"
    );
    assert_eq!(draft.content.sans, [], "an empty list clears");
    let draft = Ask::names(r#"{ "sans": [ { "type": "dns_name", "value": "b.example.com" } ], "key_usages": [], "extended_key_usages": ["client_auth"], "key_algorithm": "RSA_2048" }"#).of(&before());
    assert_eq!(draft.content.sans, [San::dns("b.example.com").unwrap()], "a list replaces");
    assert!(draft.content.key_usages.is_empty());
    assert_eq!(draft.content.extended_key_usages, [ExtendedKeyUsage::ClientAuth]);
    assert_eq!(draft.content.key_algorithm, KeyAlgorithm::Rsa2048);
}

#[test]
fn oracle_19_the_keys_algorithm_is_frozen_when_it_is_used_again() {
    let other = Ask { key: RenewalKey::Reused, ..Ask::names(r#"{ "key_algorithm": "RSA_2048" }"#) };
    assert_eq!(other.broken(), [("key_algorithm".to_owned(), Problem::Conflict)]);
    let same = Ask { key: RenewalKey::Reused, ..Ask::names(r#"{ "key_algorithm": "EC_prime256v1" }"#) };
    assert_eq!(same.broken(), []);
    // The client's key: not without any name, and not for a self-signed certificate.
    let bare = Ask { key: RenewalKey::Reused, custody: KeyCustody::Client, ..Ask::names(r#"{ "sans": [] }"#) };
    assert_eq!(bare.broken(), [("sans".to_owned(), Problem::Conflict)]);
    let own = IssuerTerms { signature_algorithms: Vec::new(), not_after: None, path_length: None };
    let own = Ask { custody: KeyCustody::Client, issuer: own, ..Ask::new(RenewalKey::Reused) };
    assert_eq!(own.broken(), [("key".to_owned(), Problem::Conflict)]);
}

#[test]
fn oracle_6_key_cert_sign_makes_it_a_ca_on_renewal_too() {
    let mut spec = PolicySpec::new("web".parse().unwrap());
    spec.basic_constraints.ca = CaRule::Denied;
    let policy = Policy::try_from(spec).unwrap();
    let draft = Ask::names(r#"{ "key_usages": ["key_cert_sign"] }"#).of(&before());
    assert_eq!(draft.content.basic_constraints, BasicConstraints::Ca { path_length: None });
    assert!(!draft.judge(&policy, NOW).permits());
}

#[test]
fn the_length_is_kept_unless_something_is_asked() {
    let asked = |terms: Terms| Ask { terms, ..Ask::new(RenewalKey::New) }.of(&before()).content.validity;
    assert_eq!(asked(Terms::default()).span(), Duration::days(90));
    assert_eq!(asked(Terms { ttl: Some(Span::days(30)), ..Terms::default() }).span(), Duration::days(30));
    let not_after = Some(NOW + Duration::days(3));
    assert_eq!(asked(Terms { not_after, ..Terms::default() }).not_after(), NOW + Duration::days(3));
}

#[test]
fn lesson_an_issuer_that_cuts_the_end_off_makes_no_tight_loop() {
    // The predecessor ends 30 days from now. Its issuer ends after so many days: cut, if that gains 9 days at least.
    let ends = NOW + Duration::days(30);
    for (days, is_cut) in [(200, false), (90, false), (89, true), (39, true)] {
        let limit = NOW + Duration::days(days);
        let draft = Ask { issuer: terms_of(Some(limit)), ..Ask::new(RenewalKey::New) }.of(&before());
        assert_eq!(draft.violations, [], "{days}");
        let expected = if is_cut { limit } else { NOW + Duration::days(90) };
        assert_eq!(draft.content.validity.not_after(), expected, "{days}");
    }
    for limit in [ends + Duration::days(8), ends, ends - Duration::DAY] {
        let ask = Ask { issuer: terms_of(Some(limit)), ..Ask::new(RenewalKey::New) };
        assert_eq!(ask.broken(), [("not_after".to_owned(), Problem::OutOfRange)]);
    }
    // What is asked for in so many words is refused, not cut.
    let terms = Terms { ttl: Some(Span::days(90)), ..Terms::default() };
    let ask = Ask { terms, issuer: terms_of(Some(NOW + Duration::days(60))), ..Ask::new(RenewalKey::New) };
    assert_eq!(ask.broken(), [("not_after".to_owned(), Problem::OutOfRange)]);
}

#[test]
fn the_signature_algorithm_is_agreed_anew() {
    assert_eq!(Ask::new(RenewalKey::New).of(&before()).content.signature_algorithm, SignatureAlgorithm::EcdsaSha256);
    let issuer = IssuerTerms { signature_algorithms: vec![SignatureAlgorithm::EcdsaSha384], ..terms_of(None) };
    let draft = Ask { issuer, ..Ask::new(RenewalKey::New) }.of(&before());
    assert_eq!(draft.content.signature_algorithm, SignatureAlgorithm::EcdsaSha384, "the issuer has another key now");
    assert_eq!(draft.violations, []);
}
