//! Names at targets: placeholders, limits and characters.

use time::macros::datetime;

use super::*;
use crate::domain::{
    Application, ApplicationId, CertificateId, CertificateRecord, CertificateState, KeyCustody, KeyRereading, Octets,
    Origin, Principal, ProfileId,
};
use crate::x509::{Attribute, KeyAlgorithm, Serial, Subject, Validity};

const START: time::OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

fn record(common_name: &str) -> CertificateRecord {
    let id = CertificateId::new(START, [7; 10]);
    CertificateRecord {
        id,
        application: None,
        profile: Some((ProfileId::new(START, [3; 10]), 1)),
        policy: None,
        issuer: None,
        request: None,
        lineage: CertificateId::new(START, [1; 10]),
        replaces: None,
        replaced_by: None,
        crl_shard: 0,
        origin: Origin::Profile,
        requester: Principal::engine(),
        custody: KeyCustody::Managed,
        metadata: Default::default(),
        state: CertificateState::Active,
        serial: Serial::from_random([5; 20]),
        fingerprint: "00".repeat(32),
        subject: subject(common_name),
        sans: Vec::new(),
        key_algorithm: KeyAlgorithm::P256,
        validity: Validity::new(START, START + time::Duration::days(90)).unwrap(),
        der: Octets(Vec::new()),
        imported_chain: Vec::new(),
        created_at: START,
    }
}

fn subject(common_name: &str) -> Subject {
    let parts = (!common_name.is_empty()).then_some((Attribute::CommonName, common_name));
    Subject::from_parts(parts).unwrap()
}

fn application() -> Application {
    Application {
        id: ApplicationId::new(START, [9; 10]),
        name: "payments-api".parse().unwrap(),
        description: String::new(),
        key_rereading: KeyRereading::default(),
        attachments: Vec::new(),
        members: Vec::new(),
        created_at: START,
        updated_at: START,
    }
}

fn template(text: &str) -> NameTemplate {
    text.parse().unwrap()
}

#[test]
fn oracle_24_an_identity_is_required() {
    for text in ["", "web", "{common_name}", "{application}-{profile}", "{{commonName}}", "{{applicationName}}"] {
        assert!(text.parse::<NameTemplate>().is_err(), "{text:?} is not unique");
    }
    for text in
        ["{lineage}", "{certificate_id}", "{short_id}", "{{certificateId}}", "{{shortCertificateId}}-{common_name}"]
    {
        assert!(text.parse::<NameTemplate>().is_ok(), "{text:?}");
    }
    for text in ["{lineage}{", "{lineage}}", "{lineage}-{unknown}", "{{lineage}", "}{lineage}", "{}{lineage}"] {
        assert!(text.parse::<NameTemplate>().is_err(), "{text:?} is not well formed");
    }
    assert!(format!("{{lineage}}{}", "x".repeat(512)).parse::<NameTemplate>().is_err(), "too long");
}

#[test]
fn oracle_24_the_longest_name_must_fit_the_target() {
    for (text, longest) in [
        ("{lineage}", 31),
        ("{certificate_id}", 31),
        ("{short_id}", 26),
        ("web-{short_id}", 30),
        ("{common_name}-{short_id}", 91),
        ("{application}{lineage}", 95),
        ("{application_id}-{profile}-{lineage}", 94),
    ] {
        assert!(template(text).check(&NameRules::new(longest, "-")).is_ok(), "{text}");
        assert!(template(text).check(&NameRules::new(longest - 1, "-")).is_err(), "{text}");
    }
}

#[test]
fn oracle_24_names_are_in_the_characters_of_the_target() {
    let (record, application) = (record("*.pay/ments.example.com"), application());
    let values = NameValues { record: &record, application: &application };
    let rules = |punctuation: &str| NameRules::new(128, punctuation);
    let name = |text: &str, rules: &NameRules| template(text).name(values, rules).unwrap().as_str().to_owned();
    let short = record.id.to_string()[5..].to_owned();
    let id = record.id.to_string();
    assert_eq!(name("{certificate_id}", &rules("-")), id);
    assert_eq!(name("{{ certificateId }}", &rules("-")), id);
    assert_eq!(name("{application}_{short_id}", &rules("-_")), format!("payments-api_{short}"));
    assert_eq!(name("{application}_{short_id}", &rules("")), format!("paymentsapi{short}"));
    assert_eq!(name("{lineage}", &rules("-")), record.lineage.to_string());
    assert_eq!(name("../{short_id}", &rules("-._")), short, "no name begins with a dot");
    assert_eq!(name("a b\n{short_id}", &rules("-")), format!("a-b-{short}"));
    let letters = NameRules { prefix: "c".into(), ..rules("-") };
    assert_eq!(name("{short_id}", &letters), format!("c{short}"));
    let common = name("{common_name}-{short_id}", &rules("-."));
    assert!(!common.contains(['/', '*']), "{common}");
}

#[test]
fn long_common_names_are_cut_so_that_names_stay_within_what_was_checked() {
    let application = application();
    let rules = NameRules::new(91, "-");
    let template = template("{common_name}-{short_id}");
    template.check(&rules).unwrap();
    for text in ["x".repeat(64), "é".repeat(64), String::new()] {
        let record = record(&text);
        let name = template.name(NameValues { record: &record, application: &application }, &rules).unwrap();
        assert!(name.as_str().ends_with(&record.id.to_string()[5..]), "{name}");
    }
}

#[test]
fn a_target_takes_only_its_names() {
    let rules = NameRules::new(8, "-");
    for (text, fits) in [("web-1", true), ("-web", false), ("web.1", false), ("123456789", false), ("..", false)] {
        assert_eq!(rules.check(&text.parse().unwrap()).is_ok(), fits, "{text}");
    }
    for text in ["", "a b", "a\n", "é"] {
        assert!(text.parse::<RemoteName>().is_err(), "{text:?}");
    }
}

proptest::proptest! {
    #[test]
    fn reading_never_panics(text in "\\PC{0,60}|[{}a-z_]{0,60}") {
        let _ = text.parse::<NameTemplate>();
        let _ = text.parse::<RemoteName>();
        let _ = NameRules::new(31, "-").sanitise(&text);
    }
}
