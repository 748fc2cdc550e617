//! Tests of the authorization's state machine.

use proptest::prelude::*;
use time::macros::datetime;

use super::*;
use crate::domain::acme::{ProblemKind, ValidationFault};

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);
const LIFE: Span = Span::hours(8);

fn pending(kinds: &[ChallengeKind]) -> Authorization {
    let challenges = kinds.iter().map(|kind| Challenge { kind: *kind, state: ChallengeState::Pending }).collect();
    Authorization {
        id: AcmeAuthorizationId::new(NOW, [1; 10]),
        account: AcmeAccountId::new(NOW, [2; 10]),
        account_url: None,
        application: ApplicationId::new(NOW, [3; 10]),
        profile: ProfileId::new(NOW, [4; 10]),
        identifier: Identifier::dns("a.example.com").unwrap(),
        token: "token".into(),
        state: AuthorizationState::Pending { challenges },
        created_at: NOW,
        expires_at: NOW + Duration::DAY,
    }
}

fn wrong(fault: ValidationFault) -> ValidationError {
    ValidationError::new(fault, "seen")
}

const HTTP: ChallengeKind = ChallengeKind::Http01;
const DNS: ChallengeKind = ChallengeKind::Dns01;

#[test]
fn a_challenge_is_answered_once() {
    let fresh = pending(&[HTTP, DNS]);
    assert!(!fresh.is_processing());
    let answered = fresh.answered(DNS, NOW).unwrap().unwrap();
    assert!(answered.is_processing());
    assert_eq!(answered.due(), Due::Look(DNS, NOW));
    assert_eq!(answered.answered(DNS, NOW).unwrap(), None, "it is looked at already");
    assert_eq!(fresh.answered(ChallengeKind::TlsAlpn01, NOW).unwrap_err().kind, ProblemKind::Malformed);
    assert_eq!(fresh.answered(DNS, NOW + Duration::DAY).unwrap_err().kind, ProblemKind::Unauthorized);
    let met = answered.looking(DNS, NOW).met(DNS, LIFE, NOW);
    assert_eq!(met.answered(HTTP, NOW).unwrap(), None);
    let gone = met.deactivated(NOW).unwrap();
    assert_eq!(gone.answered(HTTP, NOW).unwrap_err().kind, ProblemKind::Unauthorized);
}

#[test]
fn a_proof_is_good_for_its_life() {
    let met = pending(&[DNS]).answered(DNS, NOW).unwrap().unwrap().looking(DNS, NOW).met(DNS, LIFE, NOW);
    assert_eq!(met.status_at(NOW), AuthorizationStatus::Valid);
    assert_eq!(met.shown_at(NOW), Some(DNS));
    assert_eq!(met.status_at(NOW + Duration::hours(8)), AuthorizationStatus::Expired);
    assert_eq!(met.shown_at(NOW + Duration::hours(8)), None);
    assert_eq!(met.challenges().len(), 1);
    let waived = Authorization { state: AuthorizationState::Valid { proof: Proof::Waived }, ..pending(&[]) };
    assert_eq!((waived.status_at(NOW), waived.shown_at(NOW)), (AuthorizationStatus::Valid, None));
}

#[test]
fn looks_pause_longer_each_time_and_end() {
    let mut authorization = pending(&[HTTP]).answered(HTTP, NOW).unwrap().unwrap();
    let mut pauses = Vec::new();
    for _ in 0..4 {
        authorization = authorization.looking(HTTP, NOW + Duration::HOUR);
        assert_eq!(authorization.due(), Due::Look(HTTP, NOW + Duration::HOUR), "the claim puts it off");
        authorization = authorization.failed(HTTP, (wrong(ValidationFault::Connection), 5), NOW);
        pauses.push((authorization.due().at() - NOW).whole_seconds());
    }
    assert_eq!(pauses, [5, 15, 45, 135]);
    let over = authorization.looking(HTTP, NOW).failed(HTTP, (wrong(ValidationFault::Dns), 5), NOW);
    assert_eq!(over.status_at(NOW), AuthorizationStatus::Invalid);
    assert_eq!(over.error().unwrap().fault, ValidationFault::Dns);
    assert!(matches!(over.due(), Due::Collect(_)));
    let at_once = pending(&[HTTP]).answered(HTTP, NOW).unwrap().unwrap().looking(HTTP, NOW);
    let at_once = at_once.failed(HTTP, (wrong(ValidationFault::RejectedIdentifier), 5), NOW);
    assert_eq!(at_once.status_at(NOW), AuthorizationStatus::Invalid);
}

#[test]
fn what_is_decided_is_not_decided_again() {
    let met = pending(&[HTTP]).answered(HTTP, NOW).unwrap().unwrap().looking(HTTP, NOW).met(HTTP, LIFE, NOW);
    assert_eq!(met.clone().failed(HTTP, (wrong(ValidationFault::Tls), 1), NOW), met);
    assert_eq!(met.clone().not_looked(HTTP, NOW), met);
    assert_eq!(met.clone().looking(HTTP, NOW), met);
    let fresh = pending(&[HTTP]);
    assert_eq!(fresh.clone().failed(HTTP, (wrong(ValidationFault::Tls), 1), NOW), fresh, "nobody looked");
}

#[test]
fn what_nobody_looked_at_in_time_waits_to_be_collected() {
    let late = pending(&[HTTP, DNS]).answered(DNS, NOW).unwrap().unwrap();
    assert_eq!(late.due(), Due::Look(DNS, NOW));
    let lapsed = late.lapsed();
    assert_eq!(lapsed.due(), Due::Collect(NOW + Duration::DAY + KEPT));
    assert_eq!(lapsed.status_at(NOW + Duration::DAY), AuthorizationStatus::Expired);
}

#[test]
fn which_challenges_fit_which_identifier() {
    let offered = ChallengeKind::ALL;
    let kinds = |identifier| Authorization::kinds_for(&identifier, &offered);
    assert_eq!(kinds(Identifier::dns("a.example.com").unwrap()), offered);
    assert_eq!(kinds(Identifier::dns("*.example.com").unwrap()), [DNS]);
    assert_eq!(kinds(Identifier::ip("10.0.0.1").unwrap()), [HTTP, ChallengeKind::TlsAlpn01]);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Answer(ChallengeKind),
    Fail(ValidationFault),
    Outage,
    Meet,
    GiveUp,
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let kind = prop::sample::select(ChallengeKind::ALL.to_vec());
    let fault = prop::sample::select(vec![
        ValidationFault::Connection,
        ValidationFault::Caa,
        ValidationFault::RejectedIdentifier,
    ]);
    let step = prop_oneof![
        4 => kind.prop_map(Step::Answer),
        4 => fault.prop_map(Step::Fail),
        1 => Just(Step::Outage),
        1 => Just(Step::Meet),
        1 => Just(Step::GiveUp),
        2 => (0..40_000_i64).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..40)
}

proptest! {
    /// The transitions of RFC 8555 section 7.1.6 and no others, and a look always belongs to an attempt.
    #[test]
    fn states_move_as_the_rfc_draws_them(steps in steps()) {
        use AuthorizationStatus::{Deactivated, Expired, Invalid, Pending, Valid};
        let (mut authorization, mut now) = (pending(&ChallengeKind::ALL), NOW);
        for step in steps {
            let before = authorization.status_at(now);
            let looked = match authorization.due() {
                Due::Look(kind, at) if at <= now && now < authorization.expires_at => Some(kind),
                _ => None,
            };
            authorization = match step {
                Step::Answer(kind) => authorization.answered(kind, now).ok().flatten().unwrap_or(authorization),
                Step::GiveUp => authorization.deactivated(now).unwrap_or(authorization),
                Step::Wait(seconds) => { now += Duration::seconds(seconds); authorization }
                Step::Fail(fault) => match looked {
                    Some(kind) => authorization.looking(kind, now).failed(kind, (wrong(fault), 3), now),
                    None => authorization,
                },
                Step::Outage => match looked {
                    Some(kind) => authorization.looking(kind, now).not_looked(kind, now),
                    None => authorization,
                },
                Step::Meet => match looked {
                    Some(kind) => authorization.looking(kind, now).met(kind, LIFE, now),
                    None => authorization,
                },
            };
            let after = authorization.status_at(now);
            let is_drawn = before == after || matches!(
                (before, after),
                (Pending, Valid | Invalid | Deactivated | Expired) | (Valid, Deactivated | Expired)
            );
            prop_assert!(is_drawn, "{before:?} to {after:?} by {step:?}");
            prop_assert_eq!(after == Invalid, authorization.error().is_some());
            let text = serde_json::to_string(&authorization).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Authorization>(&text).unwrap(), &authorization);
        }
    }
}
