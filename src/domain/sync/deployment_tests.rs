//! Transitions of deployments: no path forgets what is or may be at a target.

use std::collections::BTreeSet;

use proptest::prelude::*;
use time::macros::datetime;

use super::*;

const START: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

fn certificate(number: u8) -> CertificateId {
    CertificateId::new(START, [number; 10])
}

fn name(number: u8) -> RemoteName {
    format!("name-{number}").parse().unwrap()
}

fn fresh() -> Deployment {
    Deployment {
        sync: SyncId::new(START, [1; 10]),
        lineage: certificate(1),
        application: ApplicationId::new(START, [2; 10]),
        target: "edge".parse().unwrap(),
        wanted: None,
        places: Vec::new(),
        state: DeploymentState::Waiting { attempts: 0, retry_at: START },
    }
}

#[test]
fn wishes() {
    let later = START + Duration::hours(1);
    let waiting = fresh().wish(Wish::Have(certificate(1)), START);
    assert_eq!((waiting.state.as_str(), waiting.due()), ("waiting", Some(START)));
    assert_eq!(waiting.clone().wish(Wish::Have(certificate(1)), later), waiting, "the same wish changes nothing");
    let deployed = waiting.head_for(name(1), certificate(1)).deployed("ff".into(), START, later);
    assert_eq!(deployed.clone().wish(Wish::Have(certificate(1)), later), deployed);
    let renewed = deployed.clone().wish(Wish::Have(certificate(2)), later);
    assert_eq!((renewed.state.as_str(), renewed.due(), renewed.places.len()), ("waiting", Some(later), 1));
    let withdrawing = renewed.wish(Wish::Withdraw, later);
    assert_eq!((withdrawing.state.as_str(), withdrawing.wanted), ("withdrawing", None));
    assert!(!withdrawing.is_over() && withdrawing.clone().gone(&name(1)).is_over());
    let parked = deployed.clone().parked("no".into(), None);
    assert_eq!(parked.due(), None);
    assert_eq!(parked.clone().wish(Wish::Have(certificate(1)), later).due(), Some(later), "asked for again");
    assert_eq!(deployed.clone().wish(Wish::Leave, later).state.as_str(), "parked");
    assert!(deployed.wish(Wish::GiveUp, later).is_over());
    assert!(fresh().wish(Wish::Have(certificate(1)), START).wish(Wish::Leave, later).is_over(), "never sent");
}

#[test]
fn attempts_are_counted_when_they_begin() {
    let mut deployment = fresh().wish(Wish::Have(certificate(1)), START);
    for attempt in 1..=5 {
        deployment = deployment.begin(START);
        assert_eq!(deployment.attempts(), attempt);
        deployment = deployment.failed("down".into(), START);
        assert_eq!((deployment.attempts(), deployment.state.as_str()), (attempt, "failing"));
    }
    assert_eq!(deployment.clone().put_off(START + Duration::HOUR).attempts(), 5);
    assert_eq!(
        deployment.wish(Wish::Withdraw, START).begin(START).failed("x".into(), START).state.as_str(),
        "withdrawing"
    );
}

#[test]
fn a_new_name_leaves_the_old_one_to_be_cleared() {
    let first = fresh().wish(Wish::Have(certificate(1)), START).head_for(name(1), certificate(1));
    let second = first.wish(Wish::Have(certificate(2)), START).head_for(name(2), certificate(2));
    assert_eq!(second.place().unwrap().remote.name, name(2));
    assert_eq!(second.leftover().unwrap().remote.name, name(1));
    let cleared = second.gone(&name(1));
    assert!(cleared.leftover().is_none() && cleared.places.len() == 1);
}

#[test]
fn the_id_that_a_target_gave_is_kept_and_what_was_seen_is_forgotten_on_replacement() {
    let remote = RemoteRef { name: name(1), id: Some("arn:1".into()) };
    let seen = fresh().wish(Wish::Have(certificate(1)), START).head_for(name(1), certificate(1)).seen_at(remote);
    assert!(seen.place().unwrap().seen);
    let again = seen.clone().head_for(name(1), certificate(1));
    assert_eq!(again, seen);
    let next = seen.wish(Wish::Have(certificate(2)), START).head_for(name(1), certificate(2));
    let place = next.place().unwrap();
    assert_eq!((place.remote.id.as_deref(), place.seen, place.certificate), (Some("arn:1"), false, certificate(2)));
}

#[test]
fn waits_grow_to_an_hour_and_are_spread() {
    let waits: Vec<i64> = (1..=12).map(|attempts| back_off(attempts, 0).whole_seconds()).collect();
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);
    for attempts in [0, 1, 7, 40, u32::MAX] {
        let (full, early) = (back_off(attempts, 0), back_off(attempts, 255));
        assert!(early < full && early * 4 >= full * 3, "{attempts}: {early} of {full}");
    }
}

/// One thing that happens to a deployment; names and certificates are few, so that they meet.
#[derive(Clone, Copy, Debug)]
enum Step {
    Wish(Wish),
    /// An attempt: where to, and what the target does.
    Attempt(u8, Answer),
    Wake,
    PutOff,
    /// Somebody takes a thing away at the target.
    Lost(u8),
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Done,
    /// It was done, and nobody knows.
    Lost,
    Undone,
    Refused,
}

fn steps() -> impl Strategy<Value = Step> {
    let wish = prop_oneof![
        (0..3_u8).prop_map(|number| Wish::Have(certificate(number))),
        Just(Wish::Withdraw),
        Just(Wish::Leave),
    ];
    let answer = prop_oneof![Just(Answer::Done), Just(Answer::Lost), Just(Answer::Undone), Just(Answer::Refused)];
    prop_oneof![
        2 => wish.prop_map(Step::Wish),
        4 => (0..3_u8, answer).prop_map(|(name, answer)| Step::Attempt(name, answer)),
        1 => Just(Step::Wake),
        1 => Just(Step::PutOff),
        1 => (0..3_u8).prop_map(Step::Lost),
    ]
}

/// An attempt as the engine makes it: first the claim, then the calls, then the record.
fn attempt(deployment: Deployment, to: u8, answer: Answer, there: &mut BTreeSet<RemoteName>) -> Deployment {
    let claimed = match deployment.wanted {
        Some(wanted) => deployment.head_for(name(to), wanted),
        None => deployment,
    };
    let begun = claimed.begin(START);
    let done = matches!(answer, Answer::Done | Answer::Lost);
    let mut after = begun.clone();
    if let Some(place) = begun.place() {
        if done {
            there.insert(place.remote.name.clone());
        }
        if matches!(answer, Answer::Done) {
            after = after.seen_at(place.remote.clone()).deployed("ff".into(), START, START);
        }
    }
    if let Some(place) = begun.leftover() {
        if done {
            there.remove(&place.remote.name);
        }
        if matches!(answer, Answer::Done) {
            after = after.gone(&place.remote.name);
        }
    }
    match answer {
        Answer::Done => after,
        // A worker that dies records nothing more than its claim.
        Answer::Lost => begun,
        Answer::Undone => after.failed("down".into(), START),
        Answer::Refused => after.parked("no".into(), None),
    }
}

proptest! {
    #[test]
    fn nothing_at_the_target_is_ever_forgotten(steps in prop::collection::vec(steps(), 1..40)) {
        let mut there = BTreeSet::new();
        let mut deployment = fresh().wish(Wish::Have(certificate(1)), START);
        for step in steps {
            deployment = match step {
                Step::Wish(wish) => deployment.wish(wish, START),
                Step::Attempt(to, answer) => attempt(deployment, to, answer, &mut there),
                Step::Wake => deployment.wake(START),
                Step::PutOff => deployment.put_off(START),
                Step::Lost(number) => {
                    there.remove(&name(number));
                    deployment
                }
            };
            let known: BTreeSet<_> = deployment.places.iter().map(|place| place.remote.name.clone()).collect();
            prop_assert!(there.is_subset(&known), "{step:?}: {there:?} is there, {known:?} is known");
            prop_assert_eq!(known.len(), deployment.places.len(), "no name twice");
            prop_assert!(!deployment.is_over() || there.is_empty());
            let text = serde_json::to_string(&deployment).unwrap();
            prop_assert_eq!(serde_json::from_str::<Deployment>(&text).unwrap(), deployment.clone());
        }
        // Once the target obliges, everything goes.
        deployment = deployment.wish(Wish::Withdraw, START);
        for _ in 0..4 {
            deployment = attempt(deployment, 0, Answer::Done, &mut there);
        }
        prop_assert!(deployment.is_over() && there.is_empty());
    }
}
