//! Whatever fails at whichever commit of a deployment, and whatever the target does: it ends as it should, and is told once.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "support/syncs.rs"]
mod scene;
#[path = "support/engine.rs"]
mod support;

use chancery::engine::SyncHealth;
use chancery::store::faulty::Verb;
use chancery::target::memory::{Call, Mood};
use scene::{Scene, named};
use support::stores::{Soon, stride};
use support::{FAULTS, bodies};
use time::Duration;

/// What the target does at first, whatever it is, and the walk goes on.
const MOODS: [&[Mood]; 7] = [
    &[],
    &[Mood::Unavailable],
    &[Mood::UnknownUndone],
    &[Mood::UnknownDone],
    &[Mood::Lies],
    &[Mood::HangsDone],
    &[Mood::HangsUndone],
];

/// Restarts, and works until nothing is due; a fault may strike here, and a call may hang and be dropped.
fn settle(scene: &Scene) {
    let mut quiet = 0;
    for _ in 0..60 {
        scene.store.revive();
        scene.world.clock.advance(Duration::minutes(10));
        match scene.world.engine.run_due(100).soon() {
            Some(Ok(report)) if report.total() == 0 => quiet += 1,
            _ => quiet = 0,
        }
        if quiet == 12 {
            return;
        }
    }
}

#[tokio::test]
async fn whatever_fails_at_whichever_commit_the_target_ends_as_it_should() {
    let mut struck = 0;
    for moods in MOODS {
        for nth in (1..=9).step_by(stride()) {
            for fault in FAULTS {
                let label = format!("{moods:?}, commit {nth}: {fault:?}");
                let scene = Scene::new().await;
                let sync = scene.save(scene.spec()).await;
                let record = scene.issue("api.example.com").await;
                scene.target.will(moods.iter().copied());
                let before = scene.store.calls(Verb::Commit);
                scene.store.inject(Verb::Commit, before + nth, fault);
                settle(&scene);
                struck += usize::from(scene.store.calls(Verb::Commit) >= before + nth);
                assert_eq!(scene.names(), [record.id.to_string()], "{label}");
                assert_eq!(scene.health(&sync).await, SyncHealth::Succeeded, "{label}");
                assert_eq!(scene.told("certificate-deployed").await, 1, "{label}: told once");
                assert_eq!(bodies(scene.store.inner(), "remote_name").await.len(), 1, "{label}");

                scene.target.will(moods.iter().copied());
                let before = scene.store.calls(Verb::Commit);
                scene.store.inject(Verb::Commit, before + nth, fault);
                let _ = scene.world.session("alice").delete_sync(sync.id).soon();
                settle(&scene);
                scene.store.revive();
                let _ = scene.world.session("alice").delete_sync(sync.id).await;
                settle(&scene);
                assert!(scene.names().is_empty(), "{label}: an orphan");
                for kind in ["sync", "deployment", "remote_name", "sync_walk", "sync_task"] {
                    assert!(bodies(scene.store.inner(), kind).await.is_empty(), "{label}: {kind}");
                }
                assert_eq!(scene.told("certificate-withdrawn").await, 1, "{label}: told once");
            }
        }
    }
    assert!(struck > 300 / stride(), "{struck}");
}

#[tokio::test]
async fn a_worker_that_comes_back_too_late_does_no_harm() {
    let scene = Scene::new().await;
    let sync = scene.save(scene.spec()).await;
    scene.work().await;
    let record = scene.issue("api.example.com").await;
    // Until it is due to be delivered.
    scene.world.engine.run_due(100).await.unwrap();
    scene.target.will([Mood::HangsDone]);
    assert!(scene.world.engine.run_due(100).soon().is_none(), "it hangs with the target in its hands");
    scene.world.clock.advance(Duration::minutes(1));
    let other = scene.worker(7).await;
    other.run_due(100).await.unwrap();
    assert_eq!(scene.deployments(&sync).await[0].state.as_str(), "waiting", "the lease still holds");
    scene.pass(3, Duration::minutes(5)).await;
    assert_eq!(scene.health(&sync).await, SyncHealth::Succeeded);
    assert_eq!(scene.target.calls(), [Call::Deploy(named(&record.id.to_string()), record.id)]);
}
