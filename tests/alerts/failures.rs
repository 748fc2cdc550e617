//! What goes wrong is told of, to those who asked for it, with the certificate or the request that it is about.

use chancery::domain::policy::PolicySpec;
use chancery::domain::{
    ApiSettings, ApprovalPolicySpec, ApprovalStep, AutoRenewal, Methods, Preset, Selection, SyncSpec,
};
use chancery::engine::Outcome;
use chancery::target::memory::{MemoryTarget, Mood as TargetMood};

use super::*;
use crate::support::principal;

fn strict(days: u16) -> PolicySpec {
    let mut policy = Preset::TlsServer.policy(slug("web"));
    policy.validity.max = Some(Span::days(days));
    policy
}

/// The kinds that were told, and of what.
fn told<S: Store>(scene: &Scene<S>) -> Vec<(String, Vec<String>)> {
    let items = |message: &Message| message.items.iter().map(|item| item.title.clone()).collect();
    scene.recorder.messages().iter().map(|message| (message.kind.clone(), items(message))).collect()
}

#[tokio::test]
async fn a_renewal_that_can_not_go_on() {
    let scene = Scene::new().await;
    scene.save(spec("renewals", AlertOn::RenewalFailed)).await;
    let auto_renew = Some(AutoRenewal::before(Span::days(30)));
    let methods = Methods { api: Some(ApiSettings { auto_renew }), ..Methods::default() };
    let (application, profile) = (scene.world.application.id, scene.world.profile.id);
    scene.world.session("alice").set_methods(application, profile, methods).await.unwrap();
    let ask = scene.world.enrollment("api.example.com").ttl(Span::days(90));
    let record = support::issued(scene.world.session("otto").submit(&ask).await).record;
    scene.world.session("root").save_policy(strict(30)).await.unwrap();
    scene.pass(58).await;
    assert_eq!(told(&scene), [], "not yet");
    scene.pass(12).await;
    assert_eq!(told(&scene), [("chancery.certificate.renewal-failed".to_owned(), vec!["api.example.com".to_owned()])]);
    let message = &scene.recorder.messages()[0];
    assert_eq!(message.items[0].identifier, record.serial.to_string());
    let said: Vec<&str> = message.items[0].fields.iter().map(|field| field.value.as_str()).collect();
    assert!(said.iter().any(|value| value.contains("policy.validity.max")), "{said:?}");
}

#[tokio::test]
async fn a_delivery_that_a_target_refuses() {
    let target = MemoryTarget::default();
    let scene = Scene::of(MemoryStore::new(), |builder| builder.target(slug("edge"), target.clone())).await;
    scene.save(spec("syncs", AlertOn::SyncFailed)).await;
    let sync = SyncSpec::new(slug("edge"), slug("edge"), Selection::profile(scene.world.profile.id));
    scene.world.session("alice").save_sync(scene.world.application.id, sync).await.unwrap();
    scene.world.issue("fine.example.com").await;
    scene.settle().await;
    assert_eq!(told(&scene), [], "it is there");
    target.will([TargetMood::Refuses]);
    scene.world.issue("refused.example.com").await;
    scene.settle().await;
    assert_eq!(told(&scene), [("chancery.certificate.sync-failed".to_owned(), vec!["refused.example.com".to_owned()])]);
}

#[tokio::test]
async fn a_request_that_waits_and_one_on_which_nobody_decided() {
    let scene = Scene::new().await;
    scene.save(spec("waiting", AlertOn::ApprovalPending)).await;
    scene.save(spec("expired", AlertOn::ApprovalExpired)).await;
    let step = ApprovalStep::new(1, [principal("user:alice")]);
    let policy = ApprovalPolicySpec { max_age: Span::days(2), ..ApprovalPolicySpec::new(slug("all"), [step]) };
    scene.world.session("alice").save_approval_policy(scene.world.application.id, policy).await.unwrap();
    let asked = scene.world.session("otto").submit(&scene.world.enrollment("a.example.com")).await.unwrap();
    let Outcome::Pending(pending) = asked else { panic!("does not wait: {asked:?}") };
    scene.settle().await;
    let kinds = |scene: &Scene<MemoryStore>| told(scene).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
    assert_eq!(kinds(&scene), ["chancery.request.approval-pending"]);
    scene.pass(1).await;
    assert_eq!(kinds(&scene).len(), 1);
    scene.pass(2).await;
    assert_eq!(kinds(&scene)[1..], ["chancery.request.approval-expired"]);
    let messages = scene.recorder.messages();
    assert!(messages.iter().all(|message| message.items[0].id == pending.id.to_string()), "{messages:?}");
}

#[tokio::test]
async fn the_preview_of_an_alert_on_cas_shows_those_that_end() {
    let scene = Scene::new().await;
    let root = scene.world.session("root");
    scene.world.issue("a.example.com").await;
    let named = async |days: u16| {
        let ends = spec("cas", AlertOn::CaExpiry { before: Span::days(days) });
        let page = root.preview_alert(None, &ends, None).await.unwrap();
        page.items.into_iter().map(|record| record.subject.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(named(365).await, Vec::<String>::new());
    assert_eq!(named(3650).await, ["CN=Test Root"]);
}
