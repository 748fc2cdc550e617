//! Syncs from issue to withdrawal: what reaches a target, what stays there, and that nothing is ever forgotten there.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "support/syncs.rs"]
mod scene;
#[path = "support/engine.rs"]
mod support;

use std::sync::Arc;

use chancery::domain::{
    CertificateState, Deployment, DeploymentState, Fate, KeyNeed, NameRules, OnRenewal, Removal, Selection, SyncMode,
    SyncSpec, TargetLimits, Withdrawal,
};
use chancery::engine::{Error, SyncHealth};
use chancery::target::memory::{Call, MemoryTarget, Mood};
use chancery::x509::KeyAlgorithm;
use scene::{Scene, named};
use support::{START, bodies, builder, slug, user};
use time::Duration;

#[tokio::test]
async fn what_is_issued_is_delivered_and_seen_there() {
    let scene = Scene::new().await;
    let sync = scene.save(scene.spec()).await;
    let record = scene.issue("api.example.com").await;
    assert!(scene.target.items().is_empty(), "no verb waits for a target");
    scene.work().await;
    let items = scene.target.items();
    let item = &items[&named(&record.id.to_string())];
    assert_eq!((item.certificate, item.has_key, item.above), (Some(record.id), true, 0), "without the root");
    let deployments = scene.deployments(&sync).await;
    assert!(
        matches!(&deployments[0].state, DeploymentState::Deployed { fingerprint, .. } if *fingerprint == record.fingerprint)
    );
    assert_eq!(scene.health(&sync).await, SyncHealth::Succeeded);
    assert_eq!((scene.told("certificate-deployed").await, scene.told("deployment-failed").await), (1, 0));
}

#[tokio::test]
async fn what_was_there_before_the_sync_is_delivered_page_by_page() {
    let scene = Scene::new().await;
    let mut records = Vec::new();
    for at in 0..120 {
        records.push(scene.issue(&format!("host{at}.example.com")).await);
    }
    let sync = scene.save(scene.spec()).await;
    scene.work().await;
    assert_eq!(scene.target.items().len(), 120);
    assert_eq!(scene.health(&sync).await, SyncHealth::Succeeded);
    assert_eq!(scene.told("certificate-deployed").await, 120, "each once");
}

#[tokio::test]
async fn a_renewal_keeps_the_remote_identity() {
    let scene = Scene::new().await;
    let sync = scene.save(scene.spec()).await;
    let first = scene.issue("api.example.com").await;
    scene.work().await;
    let before = scene.target.items().into_values().next().unwrap();
    let second = scene.renew(&first, "api.example.com").await;
    scene.work().await;
    let after = scene.target.items();
    assert_eq!(after.len(), 1);
    let (name, after) = after.into_iter().next().unwrap();
    assert_eq!((name.as_str(), &after.id), (first.id.to_string().as_str(), &before.id));
    assert_eq!(after.certificate, Some(second.id));
    assert_eq!(scene.deployments(&sync).await.len(), 1, "one deployment for the lineage");
}

#[tokio::test]
async fn a_renewal_with_a_new_name_removes_the_old_one_afterwards() {
    let scene = Scene::new().await;
    let mut spec = scene.spec();
    spec.name_template = "{{certificateId}}".parse().unwrap();
    spec.on_renewal = OnRenewal::NewName;
    scene.save(spec).await;
    let first = scene.issue("api.example.com").await;
    scene.work().await;
    let second = scene.renew(&first, "api.example.com").await;
    scene.work().await;
    assert_eq!(scene.names(), [second.id.to_string()]);
    let (first, second) = (named(&first.id.to_string()), named(&second.id.to_string()));
    let calls: Vec<Call> = scene.target.calls();
    assert!(matches!(&calls[1..], [Call::Deploy(new, _), Call::Withdraw(old)] if *new == second && *old == first));
    assert_eq!(bodies(scene.store.inner(), "remote_name").await.len(), 1, "the old name is free");
}

#[tokio::test]
async fn what_is_revoked_is_withdrawn_and_comes_back_when_released() {
    let scene = Scene::new().await;
    scene.save(scene.spec()).await;
    let record = scene.issue("api.example.com").await;
    scene.work().await;
    scene.revoke(record.id).await;
    scene.work().await;
    assert!(scene.target.items().is_empty());
    assert!(bodies(scene.store.inner(), "deployment").await.is_empty());
    assert!(bodies(scene.store.inner(), "remote_name").await.is_empty());
    assert_eq!(scene.told("certificate-withdrawn").await, 1);
    scene.patch(record.id, |record| record.state = CertificateState::Active).await;
    scene.touch(record.id).await;
    scene.work().await;
    assert_eq!(scene.names(), [record.id.to_string()]);
}

#[tokio::test]
async fn a_revoked_successor_gives_way_to_its_valid_predecessor() {
    let scene = Scene::new().await;
    scene.save(scene.spec()).await;
    let first = scene.issue("api.example.com").await;
    let second = scene.renew(&first, "api.example.com").await;
    scene.work().await;
    assert_eq!(scene.target.items().into_values().next().unwrap().certificate, Some(second.id));
    scene.revoke(second.id).await;
    scene.work().await;
    assert_eq!(scene.target.items().into_values().next().unwrap().certificate, Some(first.id));
}

#[tokio::test]
async fn what_expires_goes_or_stays_as_the_sync_says() {
    for (expiry, left) in [(Fate::Withdraw, 0), (Fate::Leave, 1)] {
        let scene = Scene::new().await;
        let sync = scene.save(SyncSpec { remove: Removal { expiry, ..Removal::default() }, ..scene.spec() }).await;
        let record = scene.issue("api.example.com").await;
        scene.work().await;
        let life = record.validity.not_after() - START;
        scene.pass(6, life / 4).await;
        assert_eq!(scene.target.items().len(), left, "{expiry:?}");
        let states: Vec<_> = scene.deployments(&sync).await.iter().map(|each| each.state.as_str()).collect();
        assert_eq!(states, if left == 1 { vec!["parked"] } else { vec![] });
    }
}

#[tokio::test]
async fn what_a_sync_is_not_about_any_more_is_detached() {
    for (detach, left) in [(Fate::Withdraw, 0), (Fate::Leave, 1)] {
        let scene = Scene::new().await;
        let remove = Removal { detach, ..Removal::default() };
        let sync = scene.save(SyncSpec { remove, select: Selection::tag("tier", "edge"), ..scene.spec() }).await;
        let record = scene.issue("api.example.com").await;
        scene.work().await;
        assert!(scene.target.items().is_empty(), "it has no tag yet");
        scene.tag(record.id, &[("tier", "edge")]).await;
        scene.work().await;
        assert_eq!(scene.target.items().len(), 1);
        scene.tag(record.id, &[]).await;
        scene.work().await;
        assert_eq!(scene.target.items().len(), left, "{detach:?}");
        assert!(scene.deployments(&sync).await.is_empty());
        assert!(bodies(scene.store.inner(), "remote_name").await.is_empty(), "given up, or gone");
    }
}

#[tokio::test]
async fn a_removed_certificate_does_not_come_back() {
    let scene = Scene::new().await;
    let sync = scene.save(scene.spec()).await;
    let (one, two) = (scene.issue("one.example.com").await, scene.issue("two.example.com").await);
    scene.work().await;
    let edited = scene.world.session("alice").remove_certificate(sync.id, one.id).await.unwrap();
    assert_eq!(edited.spec.select.except, [one.id]);
    scene.touch(one.id).await;
    scene.work().await;
    assert_eq!(scene.names(), [two.id.to_string()]);
    scene.world.session("otto").sync_now(sync.id).await.unwrap();
    scene.work().await;
    assert_eq!(scene.names(), [two.id.to_string()]);
}

/// Infisical 7737: the row was gone, the deletion at the cloud had failed, and an orphan stayed.
#[tokio::test]
async fn deleting_a_sync_leaves_no_orphan_even_if_the_target_fails_for_a_while() {
    for mood in [Mood::Unavailable, Mood::UnknownUndone, Mood::Lies, Mood::Refuses] {
        let scene = Scene::new().await;
        let sync = scene.save(scene.spec()).await;
        scene.issue("one.example.com").await;
        scene.issue("two.example.com").await;
        scene.work().await;
        scene.target.stays(mood);
        scene.world.session("alice").delete_sync(sync.id).await.unwrap();
        scene.pass(10, Duration::minutes(20)).await;
        assert_eq!(scene.target.items().len(), 2);
        let left = scene.deployments(&sync).await;
        assert!(left.len() == 2 && left.iter().all(|each| each.places.len() == 1), "{mood:?}: the tombstones stand");
        assert_eq!(
            scene.health(&sync).await,
            if mood == Mood::Refuses { SyncHealth::Failed } else { SyncHealth::Running }
        );
        scene.target.stays(Mood::Obliges);
        scene.pass(4, Duration::hours(13)).await;
        assert!(scene.target.items().is_empty(), "{mood:?}");
        for kind in ["sync", "deployment", "remote_name", "sync_walk", "sync_task"] {
            assert!(bodies(scene.store.inner(), kind).await.is_empty(), "{mood:?}: {kind}");
        }
    }
}

#[tokio::test]
async fn a_deleted_sync_that_removes_nothing_lets_go() {
    let scene = Scene::new().await;
    let sync = scene.save(SyncSpec { remove: Removal::NEVER, ..scene.spec() }).await;
    scene.issue("one.example.com").await;
    scene.work().await;
    scene.world.session("alice").delete_sync(sync.id).await.unwrap();
    // The name is free at once.
    let again = scene.save(SyncSpec { target: slug("other"), ..scene.spec() }).await;
    scene.pass(3, Duration::minutes(2)).await;
    assert_eq!((scene.target.items().len(), scene.other.items().len()), (1, 1));
    assert_eq!(bodies(scene.store.inner(), "sync").await.len(), 1);
    assert_ne!(again.id, sync.id);
}

/// cert-manager #5074, #4846, #6149: two owners of one destination fight for ever.
#[tokio::test]
async fn no_two_syncs_own_one_remote_name() {
    let scene = Scene::new().await;
    let first = scene.save(scene.spec()).await;
    let alice = scene.world.session("alice");
    let second = SyncSpec { name: slug("second"), ..scene.spec() };
    let refused = alice.save_sync(scene.world.application.id, second.clone()).await.unwrap_err();
    assert!(matches!(&refused, Error::InUse { by, .. } if by.contains("edge")), "{refused:?}");
    // Whether a tag and a profile overlap, only certificates show.
    let second = scene.save(SyncSpec { select: Selection::tag("tier", "edge"), ..second }).await;
    let record = scene.issue("api.example.com").await;
    scene.work().await;
    scene.tag(record.id, &[("tier", "edge")]).await;
    scene.work().await;
    scene.pass(5, Duration::hours(25)).await;
    assert_eq!(scene.target.calls().len(), 1, "nobody fights");
    let parked = scene.deployments(&second).await;
    assert!(
        matches!(&parked[0].state, DeploymentState::Parked { reason, .. } if reason.contains(&first.id.to_string()))
    );
    assert!(parked[0].places.is_empty(), "what is not ours is not ours to remove");
    assert_eq!(scene.health(&second).await, SyncHealth::Failed);
    // Once the first is gone, the second may.
    alice.delete_sync(first.id).await.unwrap();
    scene.work().await;
    scene.world.session("otto").sync_now(second.id).await.unwrap();
    scene.work().await;
    assert_eq!(scene.health(&second).await, SyncHealth::Succeeded);
    assert_eq!(scene.names(), [record.id.to_string()]);
}

#[tokio::test]
async fn what_somebody_else_put_there_is_left_alone() {
    let scene = Scene::new().await;
    let sync = scene.save(scene.spec()).await;
    let record = scene.issue("api.example.com").await;
    let name = named(&record.id.to_string());
    scene.target.plant(name.clone());
    scene.work().await;
    assert_eq!(scene.target.items()[&name].certificate, None);
    assert_eq!(scene.deployments(&sync).await[0].state.as_str(), "parked");
    scene.world.session("alice").delete_sync(sync.id).await.unwrap();
    scene.pass(3, Duration::hours(25)).await;
    assert_eq!(scene.target.items()[&name].certificate, None, "still there");
    assert!(bodies(scene.store.inner(), "sync").await.is_empty());
}

/// Infisical 6610: parallel sync jobs race.
#[tokio::test]
async fn parallel_workers_deliver_once_and_one_at_a_time() {
    let scene = Scene::new().await;
    let sync = scene.save(scene.spec()).await;
    for at in 0..6 {
        scene.issue(&format!("host{at}.example.com")).await;
    }
    let workers = [scene.worker(2).await, scene.worker(3).await, scene.worker(4).await];
    for _ in 0..30 {
        let rounds = workers.iter().map(|worker| worker.run_due(100));
        for report in futures_util::future::join_all(rounds).await {
            report.unwrap();
        }
        scene.world.clock.advance(Duration::seconds(30));
    }
    assert_eq!(scene.target.items().len(), 6);
    assert_eq!(scene.target.calls().len(), 6, "each once");
    assert_eq!(scene.told("certificate-deployed").await, 6);
    assert_eq!(scene.health(&sync).await, SyncHealth::Succeeded);
}

#[tokio::test]
async fn drift_is_repaired() {
    let scene = Scene::new().await;
    scene.save(scene.spec()).await;
    let (one, two) = (scene.issue("one.example.com").await, scene.issue("two.example.com").await);
    scene.work().await;
    let before = scene.target.items();
    scene.target.lose(&named(&one.id.to_string()));
    scene.target.tamper(&named(&two.id.to_string()));
    scene.pass(1, Duration::hours(17)).await;
    assert_ne!(scene.target.items(), before, "too early");
    scene.pass(7, Duration::hours(1)).await;
    let after = scene.target.items();
    assert_eq!(after.len(), 2);
    for (name, item) in &after {
        assert_eq!(item.fingerprint, before[name].fingerprint);
    }
    assert_eq!(scene.told("certificate-deployed").await, 4, "a repair is told");
    scene.pass(3, Duration::hours(25)).await;
    assert_eq!(scene.told("certificate-deployed").await, 4, "to find nothing wrong is not");
}

#[tokio::test]
async fn oracle_25_what_is_refused_stops_at_once_and_what_fails_is_tried_again() {
    let scene = Scene::new().await;
    let sync = scene.save(scene.spec()).await;
    scene.work().await;
    let (good, bad) = (scene.issue("good.example.com").await, scene.issue("bad.example.com").await);
    scene.target.will([Mood::Refuses]);
    scene.work().await;
    let states: Vec<_> = scene.deployments(&sync).await.into_iter().map(|each| each.state).collect();
    let parked = states
        .iter()
        .filter(|state| matches!(state, DeploymentState::Parked { reason, .. } if reason.contains("as told")));
    assert_eq!((parked.count(), scene.target.items().len()), (1, 1));
    assert_eq!(scene.health(&sync).await, SyncHealth::Failed, "succeeded only if everything is");
    scene.pass(5, Duration::hours(2)).await;
    assert_eq!(scene.target.calls().len(), 1, "it is not tried again by itself");
    scene.world.session("otto").sync_now(sync.id).await.unwrap();
    scene.work().await;
    assert_eq!(scene.health(&sync).await, SyncHealth::Succeeded);

    scene.target.stays(Mood::Unavailable);
    for record in [&good, &bad] {
        scene.renew(record, "next.example.com").await;
    }
    scene.work().await;
    let failing = scene.deployments(&sync).await;
    assert!(
        failing.iter().all(|each| matches!(each.state, DeploymentState::Failing { attempts: 1, .. })),
        "{failing:?}"
    );
    scene.pass(60, Duration::seconds(2)).await;
    let attempts: Vec<u32> = scene.deployments(&sync).await.iter().map(Deployment::attempts).collect();
    assert!(attempts.iter().all(|attempts| (5..=6).contains(attempts)), "five attempts in two minutes: {attempts:?}");
    assert_eq!(scene.told("deployment-failed").await, 1 + 2, "told once, not at every attempt");
    scene.pass(30, Duration::hours(1)).await;
    scene.target.stays(Mood::Obliges);
    scene.pass(2, Duration::hours(1)).await;
    assert_eq!(scene.health(&sync).await, SyncHealth::Succeeded, "it goes on, once an hour, for as long as it takes");
}

#[tokio::test]
async fn a_failing_target_does_not_stop_the_others() {
    let scene = Scene::new().await;
    scene.target.stays(Mood::Unavailable);
    scene.save(scene.spec()).await;
    let other = scene.save(SyncSpec { name: slug("other"), target: slug("other"), ..scene.spec() }).await;
    for at in 0..5 {
        scene.issue(&format!("host{at}.example.com")).await;
    }
    scene.work().await;
    assert_eq!(scene.other.items().len(), 5);
    assert_eq!(scene.health(&other).await, SyncHealth::Succeeded);
}

#[tokio::test]
async fn a_target_that_wants_to_be_left_alone_is() {
    let scene = Scene::new().await;
    let sync = scene.save(scene.spec()).await;
    for at in 0..5 {
        scene.issue(&format!("host{at}.example.com")).await;
    }
    scene.target.will([Mood::Busy]);
    scene.work().await;
    assert!(scene.target.items().is_empty(), "one asked, and nobody else");
    scene.pass(9, Duration::minutes(1)).await;
    assert!(scene.target.items().is_empty());
    scene.pass(3, Duration::minutes(1)).await;
    assert_eq!(scene.target.items().len(), 5);
    assert_eq!(scene.health(&sync).await, SyncHealth::Succeeded);
}

#[tokio::test]
async fn a_paused_sync_rests_and_a_process_without_the_target_waits() {
    let scene = Scene::new().await;
    let sync = scene.save(SyncSpec { mode: SyncMode::Paused, ..scene.spec() }).await;
    scene.issue("api.example.com").await;
    scene.work().await;
    assert!(scene.target.items().is_empty());
    let stranger = builder(Arc::clone(&scene.store), &scene.world.clock, 9).build().await.unwrap();
    scene.save(scene.spec()).await;
    for _ in 0..5 {
        stranger.run_due(100).await.unwrap();
    }
    assert!(scene.target.items().is_empty());
    assert_eq!(scene.deployments(&sync).await[0].state.as_str(), "waiting");
    scene.pass(1, Duration::minutes(16)).await;
    assert_eq!(scene.target.items().len(), 1);
}

#[tokio::test]
async fn what_a_target_does_not_take_is_parked_with_the_reason() {
    let limits = || TargetLimits::new(NameRules::new(64, "-"));
    let takes_rsa = TargetLimits { key_algorithms: vec![KeyAlgorithm::Rsa2048], ..limits() };
    let takes_one = TargetLimits { max_items: Some(1), ..limits() };
    for (limits, reason) in [(takes_rsa, "does not take keys"), (takes_one, "1 certificates at most")] {
        let scene = Scene::with(MemoryTarget::with(limits)).await;
        let sync = scene.save(scene.spec()).await;
        scene.issue("one.example.com").await;
        scene.issue("two.example.com").await;
        scene.work().await;
        let deployments = scene.deployments(&sync).await;
        let parked = |each: &&Deployment| matches!(&each.state, DeploymentState::Parked { reason: seen, .. } if seen.contains(reason));
        assert!(deployments.iter().any(|each| parked(&each)), "{reason}: {deployments:?}");
        assert!(scene.target.items().len() <= 1);
    }
}

#[tokio::test]
async fn every_fault_of_a_sync_is_found_when_it_is_saved() {
    let names = NameRules::new(31, "-");
    let limits = TargetLimits { withdrawal: Withdrawal::Impossible, key: KeyNeed::Never, ..TargetLimits::new(names) };
    let scene = Scene::with(MemoryTarget::with(limits)).await;
    let alice = scene.world.session("alice");
    let mut spec = SyncSpec { select: Selection::default(), ..scene.spec() };
    spec.name_template = "x-{lineage}".parse().unwrap();
    spec.on_renewal = OnRenewal::NewName;
    let Error::Invalid { faults } = alice.save_sync(scene.world.application.id, spec).await.unwrap_err() else {
        panic!()
    };
    let fields: Vec<&str> = faults.iter().map(|(field, _)| field.as_str()).collect();
    let expected = ["select", "name_template", "name_template", "remove.revocation", "remove.detach", "on_renewal"];
    assert_eq!(fields, expected);
    let unknown = SyncSpec { target: slug("nowhere"), ..scene.spec() };
    let unknown = alice.save_sync(scene.world.application.id, unknown).await.unwrap_err();
    assert!(matches!(unknown, Error::NotFound { what: "target", .. }), "{unknown:?}");
    let sync = scene.save(SyncSpec { remove: Removal::NEVER, ..scene.spec() }).await;
    scene.issue("api.example.com").await;
    scene.work().await;
    assert!(scene.target.items().values().all(|item| !item.has_key) && scene.target.items().len() == 1);
    let moved = SyncSpec { target: slug("other"), remove: Removal::NEVER, ..scene.spec() };
    let moved = alice.save_sync(scene.world.application.id, moved).await.unwrap_err();
    assert!(matches!(&moved, Error::Invalid { faults } if faults[0].0 == "target"), "{moved:?}");
    let in_use = alice.delete_application(scene.world.application.id).await.unwrap_err();
    assert!(matches!(&in_use, Error::InUse { by, .. } if by.contains(&sync.id.to_string())), "{in_use:?}");
}

#[tokio::test]
async fn a_stranger_learns_of_no_sync() {
    let scene = Scene::new().await;
    let sync = scene.save(scene.spec()).await;
    let mallory = scene.world.engine.acting_as(user("mallory"));
    let hidden = mallory.sync(sync.id).await.unwrap_err();
    assert!(matches!(&hidden, Error::NotFound { what: "sync", .. }), "{hidden:?}");
}
