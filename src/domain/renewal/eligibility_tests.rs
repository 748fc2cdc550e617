//! Who may be renewed: the rules of domain 2.6 with their departures.

use time::Duration;
use time::macros::datetime;

use super::*;
use crate::domain::{ApplicationId, KeyCustody, Metadata, Methods, Octets, Origin, Principal, ProfileId, Span};
use crate::x509::{KeyAlgorithm, RevocationReason, Serial, Subject, Validity};

const ISSUED: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

fn certificate(n: u8) -> CertificateId {
    CertificateId::new(ISSUED, [n; 10])
}

fn record() -> CertificateRecord {
    CertificateRecord {
        id: certificate(1),
        application: Some(ApplicationId::new(ISSUED, [2; 10])),
        profile: Some((ProfileId::new(ISSUED, [3; 10]), 1)),
        policy: None,
        issuer: None,
        request: None,
        lineage: certificate(1),
        replaces: None,
        replaced_by: None,
        crl_shard: 0,
        method: Some(Method::Api),
        origin: Origin::Profile,
        requester: Principal::engine(),
        custody: KeyCustody::Managed,
        metadata: Metadata::default(),
        state: CertificateState::Active,
        serial: Serial::from_random([5; 20]),
        fingerprint: String::new(),
        subject: Subject::default(),
        sans: Vec::new(),
        key_algorithm: KeyAlgorithm::P256,
        validity: Validity::new(ISSUED, ISSUED + Duration::days(90)).unwrap(),
        der: Octets(Vec::new()),
        imported_chain: Vec::new(),
        created_at: ISSUED,
    }
}

fn attachment() -> Attachment {
    Attachment { profile: ProfileId::new(ISSUED, [3; 10]), methods: Methods::api() }
}

fn reasons(eligibility: Eligibility) -> Vec<Ineligibility> {
    match eligibility {
        Eligibility::Ineligible { reasons } => reasons,
        other => panic!("{other:?}"),
    }
}

fn setting() -> RenewalSetting {
    RenewalSetting::new(crate::domain::Lead::Before(Span::days(30)))
}

#[test]
fn oracle_15_only_managed_keys_of_the_api_renew_by_themselves() {
    let (attachment, setting) = (attachment(), setting());
    let around = Surroundings { attachment: Some(&attachment), issuer: IssuerStanding::Active };
    let late = ISSUED + Duration::days(70);
    let by_itself = Renewing::ByItself(Some(&setting));
    let judge = |record: &CertificateRecord, renewing| eligibility(record, around, renewing, late);
    assert_eq!(judge(&record(), by_itself), Eligibility::Eligible);
    let csr = CertificateRecord { custody: KeyCustody::Client, ..record() };
    assert_eq!(reasons(judge(&csr, by_itself)), [Ineligibility::ClientKey]);
    assert_eq!(judge(&csr, Renewing::Manually), Eligibility::Eligible);
    for method in [Method::Acme, Method::Est, Method::Scep] {
        let client = CertificateRecord { method: Some(method), ..record() };
        assert_eq!(reasons(judge(&client, by_itself)), [Ineligibility::ClientMethod { method }]);
        assert_eq!(reasons(judge(&client, Renewing::Urgently)), [Ineligibility::ClientMethod { method }]);
        assert_eq!(judge(&client, Renewing::Manually), Eligibility::Eligible);
    }
    let imported = CertificateRecord { method: None, origin: Origin::Import, ..record() };
    assert_eq!(judge(&imported, by_itself), Eligibility::Eligible, "with its key and a profile");
    assert_eq!(reasons(judge(&record(), Renewing::ByItself(None))), [Ineligibility::NotSet]);
    assert_eq!(judge(&record(), Renewing::Urgently), Eligibility::Eligible);
}

#[test]
fn every_reason_at_once() {
    let revoked = CertificateState::Revoked { reason: RevocationReason::KeyCompromise, at: ISSUED };
    let over = CertificateRecord {
        state: revoked,
        replaced_by: Some(certificate(9)),
        custody: KeyCustody::Client,
        method: Some(Method::Est),
        ..record()
    };
    let around = Surroundings { attachment: None, issuer: IssuerStanding::Inactive };
    let seen = reasons(eligibility(&over, around, Renewing::ByItself(None), ISSUED + Duration::days(91)));
    let expected = [
        Ineligibility::Revoked,
        Ineligibility::Expired,
        Ineligibility::Renewed { by: certificate(9) },
        Ineligibility::NotAttached,
        Ineligibility::IssuerInactive,
        Ineligibility::ClientKey,
        Ineligibility::ClientMethod { method: Method::Est },
        Ineligibility::NotSet,
    ];
    assert_eq!(seen, expected);
    let tracked = CertificateRecord { profile: None, ..record() };
    let around = Surroundings { attachment: None, issuer: IssuerStanding::Active };
    assert_eq!(reasons(eligibility(&tracked, around, Renewing::Manually, ISSUED)), [Ineligibility::NoProfile]);
    let disabled = Attachment { methods: Methods::default(), ..attachment() };
    let around = Surroundings { attachment: Some(&disabled), issuer: IssuerStanding::Active };
    assert_eq!(reasons(eligibility(&record(), around, Renewing::Manually, ISSUED)), [Ineligibility::MethodDisabled]);
}

#[test]
fn it_opens_at_its_lead_and_ends_with_its_validity() {
    let (attachment, setting) = (attachment(), setting());
    let around = Surroundings { attachment: Some(&attachment), issuer: IssuerStanding::Active };
    let judge = |renewing, after| eligibility(&record(), around, renewing, ISSUED + after);
    let by_itself = Renewing::ByItself(Some(&setting));
    let opens_at = ISSUED + Duration::days(60);
    assert_eq!(judge(by_itself, Duration::days(60) - Duration::SECOND), Eligibility::NotYet { opens_at });
    assert_eq!(judge(by_itself, Duration::days(60)), Eligibility::Eligible);
    assert_eq!(judge(by_itself, Duration::days(90)), Eligibility::Eligible, "notAfter belongs to it");
    assert_eq!(reasons(judge(by_itself, Duration::days(90) + Duration::SECOND)), [Ineligibility::Expired]);
    // The floor holds for everybody.
    let opens_at = ISSUED + Duration::HOUR;
    for renewing in [Renewing::Manually, Renewing::Urgently] {
        assert_eq!(judge(renewing, Duration::minutes(59)), Eligibility::NotYet { opens_at });
        assert_eq!(judge(renewing, Duration::minutes(60)), Eligibility::Eligible);
    }
}

#[test]
fn lesson_the_window_is_the_certificates_own_and_not_its_predecessors() {
    let setting = setting();
    let successor = CertificateRecord {
        replaces: Some(certificate(1)),
        id: certificate(2),
        created_at: ISSUED + Duration::days(60),
        validity: Validity::new(ISSUED + Duration::days(60), ISSUED + Duration::days(150)).unwrap(),
        ..record()
    };
    let plan = super::super::RenewalPlan::new(&successor, 0).unwrap();
    assert_eq!((plan.lineage, plan.certificate), (certificate(1), certificate(2)));
    assert_eq!(plan.life().schedule(&setting, 0).due_at, ISSUED + Duration::days(120));
}
