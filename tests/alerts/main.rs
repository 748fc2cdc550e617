//! Alerts: what ends is told of in time and once, what happens is told of, and no receiver holds up anything.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod failures;
#[path = "../support/engine.rs"]
mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use chancery::clock::ManualClock;
use chancery::domain::{
    AlertOn, AlertSpec, AlertState, Channel, ChannelKind, Confidential, CrlSettings, Delivery, FilterField,
    FilterOperator, Repeat, Span, StatusSettings,
};
use chancery::engine::{EngineBuilder, Error, Notification};
use chancery::notify::conformance::{Answer, RecordingNotifier};
use chancery::notify::{Message, NotifyError};
use chancery::store::faulty::{FaultyStore, Verb};
use chancery::store::{MemoryStore, Store};
use futures_util::FutureExt;
use support::{FAULTS, HOURS, Hand, Mood, START, World, bodies, builder, events, slug};
use time::Duration;

const DAY: Duration = Duration::days(1);

struct Scene<S> {
    store: Arc<S>,
    recorder: RecordingNotifier,
    world: World,
}

fn custom() -> ChannelKind {
    ChannelKind::Custom(slug("recorder"))
}

fn channel(to: &str) -> Channel<Confidential> {
    Channel::Custom { notifier: slug("recorder"), to: to.into() }
}

fn spec(name: &str, on: AlertOn) -> AlertSpec {
    AlertSpec::new(slug(name), on).channel(channel("desk"))
}

fn expiration(days: u16) -> AlertOn {
    AlertOn::Expiration { before: Span::days(days) }
}

impl Scene<MemoryStore> {
    async fn new() -> Self {
        Self::of(MemoryStore::new(), |builder| builder).await
    }
}

impl<S: Store> Scene<S> {
    async fn of(store: S, with: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Self {
        let (store, recorder) = (Arc::new(store), RecordingNotifier::new());
        let clock = Arc::new(ManualClock::new(START));
        let builder = with(builder(Arc::clone(&store), &clock, 1).notifier(custom(), recorder.clone()));
        Self { world: World::of(builder, clock).await, store, recorder }
    }

    async fn save(&self, spec: AlertSpec) -> chancery::domain::Alert {
        self.world.session("alice").save_alert(Some(self.world.application.id), spec).await.unwrap()
    }

    /// Works until nothing is due.
    async fn settle(&self) {
        for _ in 0..50 {
            if self.world.engine.run_due(100).await.unwrap().total() == 0 {
                return;
            }
        }
        panic!("due work never ends");
    }

    /// Lets days pass, and the work of each be done.
    async fn pass(&self, days: u32) {
        for _ in 0..days {
            self.world.clock.advance(DAY);
            self.settle().await;
        }
    }

    fn kinds(&self) -> Vec<String> {
        self.recorder.messages().into_iter().map(|message| message.kind).collect()
    }

    fn titles(&self) -> Vec<String> {
        let items = self.recorder.messages().into_iter().flat_map(|message| message.items);
        items.map(|item| item.title).collect()
    }

    async fn notifications(&self, alert: &chancery::domain::Alert) -> Vec<Notification> {
        self.world.session("audra").notifications(alert.id, None).await.unwrap().items
    }
}

#[tokio::test]
async fn what_ends_is_told_of_when_its_time_comes_and_once() {
    let scene = Scene::new().await;
    scene.save(spec("ends-soon", expiration(30))).await;
    let issued = scene.world.issue("api.example.com").await;
    let end = issued.record.validity.not_after();
    scene.settle().await;
    assert_eq!(scene.titles(), Vec::<String>::new(), "it is valid for 90 days");
    scene.world.clock.advance(end - START - Duration::days(30) - Duration::MINUTE);
    scene.settle().await;
    assert_eq!(scene.titles(), Vec::<String>::new());
    scene.world.clock.advance(Duration::MINUTE * 2);
    scene.settle().await;
    let messages = scene.recorder.messages();
    assert_eq!(messages.len(), 1);
    let message: &Message = &messages[0];
    assert_eq!(message.kind, "chancery.certificate.expiry");
    assert_eq!(message.items[0].identifier, issued.record.serial.to_string());
    assert_eq!(message.subject.as_deref(), Some(issued.record.id.to_string().as_str()));
    assert!(message.source.starts_with(&format!("/applications/{}/alerts/", scene.world.application.id)));
    scene.pass(35).await;
    assert_eq!(scene.recorder.messages().len(), 1, "and never again");
}

#[tokio::test]
async fn an_alert_that_waits_costs_nothing() {
    let mut costs = Vec::new();
    for is_alerted in [false, true] {
        let store = FaultyStore::new(MemoryStore::new());
        let scene = Scene::of(store, |builder| builder).await;
        if is_alerted {
            scene.save(spec("ends-soon", expiration(30))).await;
        }
        for number in 0..20 {
            scene.world.issue(&format!("api-{number}.example.com")).await;
        }
        scene.settle().await;
        let calls = || [Verb::Scan, Verb::Get, Verb::Commit].map(|verb| scene.store.calls(verb));
        let before = calls();
        scene.world.clock.advance(DAY);
        scene.settle().await;
        let after = calls();
        costs.push([0, 1, 2].map(|at| after[at] - before[at]));
    }
    assert_eq!(costs[0], costs[1], "scans, gets and commits without and with an alert that waits");
}

#[tokio::test]
async fn what_ends_soon_already_and_what_is_issued_with_less_life_than_the_lead_is_told_of_at_once() {
    let scene = Scene::new().await;
    scene.world.issue("old.example.com").await;
    scene.save(spec("ends-soon", expiration(100))).await;
    scene.settle().await;
    assert_eq!(scene.titles(), ["old.example.com"]);
    scene.world.issue("new.example.com").await;
    scene.settle().await;
    assert_eq!(scene.titles(), ["old.example.com", "new.example.com"]);
    scene.pass(3).await;
    assert_eq!(scene.titles().len(), 2);
}

#[tokio::test]
async fn a_fleet_that_ends_in_one_second_is_told_of_page_by_page() {
    let scene = Scene::new().await;
    for number in 0..250 {
        scene.world.issue(&format!("api-{number}.example.com")).await;
    }
    scene.save(spec("ends-soon", expiration(30))).await;
    scene.settle().await;
    scene.world.clock.advance(DAY * 61);
    scene.settle().await;
    let sizes: Vec<usize> = scene.recorder.messages().iter().map(|message| message.items.len()).collect();
    assert_eq!(sizes, [100, 100, 50]);
    let titles: BTreeSet<String> = scene.titles().into_iter().collect();
    assert_eq!(titles.len(), 250, "each once");
}

#[tokio::test]
async fn oracle_26_a_window_keeps_an_alert_that_is_changed_from_telling_the_same() {
    let scene = Scene::new().await;
    scene.world.issue("api.example.com").await;
    scene.save(spec("ends-soon", expiration(90))).await;
    scene.settle().await;
    assert_eq!(scene.titles().len(), 1);
    // Another lead looks at the same range again: 168 hours at up to 90 days.
    scene.save(spec("ends-soon", expiration(89))).await;
    scene.pass(6).await;
    assert_eq!(scene.titles().len(), 1, "within the window");
    scene.pass(2).await;
    scene.save(spec("ends-soon", expiration(88))).await;
    scene.settle().await;
    assert_eq!(scene.titles().len(), 2, "the window has passed");
    // The same again changes nothing.
    scene.pass(8).await;
    scene.save(spec("ends-soon", expiration(88))).await;
    scene.settle().await;
    assert_eq!(scene.titles().len(), 2);
}

#[tokio::test]
async fn a_daily_reminder_ends_with_the_certificate() {
    let scene = Scene::new().await;
    let end = scene.world.issue("api.example.com").await.record.validity.not_after();
    let daily = AlertSpec { repeat: Repeat::Daily, ..spec("ends-soon", expiration(5)) };
    scene.save(daily).await;
    scene.settle().await;
    scene.world.clock.advance(end - START - Duration::days(5));
    scene.settle().await;
    assert_eq!(scene.titles().len(), 1);
    scene.pass(1).await;
    assert_eq!(scene.titles().len(), 2);
    scene.pass(10).await;
    let told = scene.titles().len();
    assert!((5..=6).contains(&told), "{told}");
    assert_eq!(bodies(&scene.store, "alert_window").await.len(), 0, "nothing is left behind");
}

#[tokio::test]
async fn renewed_and_revoked_certificates_and_those_of_cas_are_left_out() {
    use chancery::store::{Batch, Expect, Key, Write};
    let scene = Scene::new().await;
    let edits: [fn(&mut serde_json::Value); 3] = [
        |record| record["replaced_by"] = record["id"].clone(),
        |record| {
            record["state"] =
                serde_json::json!({ "state": "revoked", "reason": "SUPERSEDED", "at": "2026-11-22T12:00:00Z" });
        },
        |record| record["origin"] = serde_json::json!("issuer"),
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        let record = scene.world.issue(&format!("gone-{number}.example.com")).await.record;
        let key = Key::new("certificate", record.id.to_string());
        let found = scene.store.get(std::slice::from_ref(&key)).await.unwrap().remove(0).unwrap();
        let mut body: serde_json::Value = serde_json::from_slice(&found.body).unwrap();
        edit(&mut body);
        let end = "2027-02-20T12:00:00Z";
        let index = "certificate.application";
        let entry = chancery::store::IndexEntry::new(index, format!("{}|{end}", scene.world.application.id));
        let expect = Expect::Version(found.version);
        let write = Write::Put { key, expect, body: body.to_string().into(), entries: vec![entry] };
        scene.store.commit(Batch { writes: vec![write] }).await.unwrap();
    }
    scene.world.issue("stays.example.com").await;
    scene.save(spec("ends-soon", expiration(30))).await;
    scene.settle().await;
    scene.world.clock.advance(DAY * 62);
    scene.settle().await;
    assert_eq!(scene.titles(), ["stays.example.com"]);
}

#[tokio::test]
async fn product_alerts_tell_of_all_applications_and_of_cas() {
    let scene = Scene::new().await;
    let other = support::application(&scene.world.engine, "other", &["web"]).await;
    let root = scene.world.session("root");
    let all = spec("all", expiration(100)).filter(FilterField::Application, FilterOperator::Equals, "other");
    root.save_alert(None, all).await.unwrap();
    let cas = AlertOn::CaExpiry { before: Span::days(365) };
    root.save_alert(None, spec("cas", cas)).await.unwrap();
    scene.world.issue("ours.example.com").await;
    let ask = chancery::domain::Enrollment::managed(other.id, scene.world.profile.id).dns("theirs.example.com");
    support::issued(scene.world.session("otto").submit(&ask).await);
    scene.settle().await;
    assert_eq!(scene.titles(), ["theirs.example.com"]);
    scene.world.clock.advance(DAY * (3650 - 365 - 1));
    scene.settle().await;
    scene.recorder.clear();
    scene.world.clock.advance(DAY * 2);
    scene.settle().await;
    assert_eq!((scene.kinds(), scene.titles()), (vec!["chancery.ca.expiry".into()], vec!["root".into()]));
    let refused = scene.world.session("alice").save_alert(Some(other.id), spec("cas", cas)).await.unwrap_err();
    assert!(matches!(refused, Error::Invalid { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_revocation_list_that_is_not_made_anew_is_told_of_before_it_ends() {
    let hand = Hand::new();
    let scene = Scene::of(MemoryStore::new(), |builder| builder.signer(slug("root"), hand.clone())).await;
    let root = scene.world.session("root");
    let status = StatusSettings { crl: Some(CrlSettings::default()), ..StatusSettings::default() };
    root.set_issuer_status(scene.world.root.id, status).await.unwrap();
    let ends = spec("crls", AlertOn::CrlExpiry { before: Span::hours(12) });
    root.save_alert(None, ends.clone()).await.unwrap();
    scene.pass(30).await;
    assert_eq!(scene.kinds(), Vec::<String>::new(), "each is followed by the next in time");
    let previewed = async || root.preview_alert(None, &ends, None).await.unwrap().items;
    assert_eq!(previewed().await, [], "no list ends within twelve hours");
    hand.will(std::iter::repeat_n(Mood::Unavailable, 500));
    scene.pass(7).await;
    assert_eq!(scene.kinds(), ["chancery.crl.expiry"]);
    let told: Vec<_> = previewed().await.into_iter().map(|record| record.subject.to_string()).collect();
    assert_eq!(told, ["CN=Test Root"], "the issuer of the list that ends");
}

#[tokio::test]
async fn the_alerts_of_an_application_go_with_it() {
    let scene = Scene::new().await;
    scene.save(spec("ends-soon", expiration(30))).await;
    scene.save(spec("issued", AlertOn::Issuance)).await;
    scene.world.session("alice").delete_application(scene.world.application.id).await.unwrap();
    scene.settle().await;
    for kind in ["alert", "alert_watch", "name"] {
        let left = bodies(&scene.store, kind).await;
        assert!(!left.iter().any(|body| body.to_string().contains("ends-soon")), "{kind}: {left:?}");
    }
    assert_eq!(bodies(&scene.store, "alert").await.len(), 0);
}

#[tokio::test]
async fn events_are_told_at_once_with_an_id_of_their_own() {
    let hand = Hand::new();
    let scene = Scene::of(MemoryStore::new(), |builder| builder.signer(slug("root"), hand.clone())).await;
    scene.save(spec("issued", AlertOn::Issuance)).await;
    scene.save(spec("failed", AlertOn::IssuanceFailed)).await;
    let disabled = AlertSpec { state: AlertState::Disabled, ..spec("silent", AlertOn::Issuance) };
    scene.save(disabled).await;
    scene.world.issue("api.example.com").await;
    scene.settle().await;
    assert_eq!(scene.kinds(), ["chancery.certificate.issuance"]);
    hand.will([Mood::Refuses, Mood::Refuses]);
    for _ in 0..2 {
        support::refused(scene.world.session("otto").submit(&scene.world.enrollment("bad.example.com")).await);
    }
    scene.settle().await;
    let told = scene.recorder.messages();
    let failed: Vec<&Message> = told.iter().filter(|message| message.kind.ends_with("issuance-failed")).collect();
    assert_eq!(failed.len(), 2, "two requests are two subjects");
    assert_eq!(failed[0].items[0].title, "bad.example.com");
    assert!(failed[0].items[0].fields.iter().any(|field| field.value == "as told"), "{:?}", failed[0]);
    let ids: BTreeSet<&String> = told.iter().map(|message| &message.id).collect();
    assert_eq!(ids.len(), told.len());
}

#[tokio::test]
async fn the_same_failure_again_is_counted_and_not_told() {
    let scene = Scene::new().await;
    scene.save(spec("failed", AlertOn::IssuanceFailed)).await;
    let ask = scene.world.enrollment("api.example.com").ttl(Span::days(4000));
    for _ in 0..5 {
        support::refused(scene.world.session("otto").submit(&ask).await);
    }
    scene.settle().await;
    assert_eq!(scene.kinds(), ["chancery.certificate.issuance-failed"]);
    let windows = bodies(&scene.store, "alert_window").await;
    assert_eq!(windows[0]["suppressed"], 4);
    scene.world.clock.advance(HOURS);
    scene.settle().await;
    support::refused(scene.world.session("otto").submit(&ask).await);
    scene.settle().await;
    assert_eq!(scene.kinds().len(), 2, "the window has passed");
}

#[tokio::test]
async fn filters_and_the_preview_agree() {
    let scene = Scene::new().await;
    let tagged = |name: &str, value: &str| {
        let tags = std::collections::BTreeMap::from([("env".to_owned(), value.to_owned())]);
        let mut ask = scene.world.enrollment(name);
        ask.metadata = tags;
        ask
    };
    for (name, env) in [("api.example.com", "prod"), ("web.example.com", "test"), ("api.example.org", "prod")] {
        support::issued(scene.world.session("otto").submit(&tagged(name, env)).await);
    }
    use FilterField::{ProfileName, San, Tag};
    use FilterOperator::{Contains, EndsWith, Equals, Matches, StartsWith};
    type Row<'a> = (&'a [(FilterField, FilterOperator, &'a str)], &'a [&'a str]);
    let table: [Row<'_>; 6] = [
        (&[], &["api.example.com", "web.example.com", "api.example.org"]),
        (&[(San, EndsWith, ".com")], &["api.example.com", "web.example.com"]),
        (&[(San, StartsWith, "api."), (Tag, Equals, "env=prod")], &["api.example.com", "api.example.org"]),
        (&[(San, Matches, "*.example.com"), (San, Contains, "WEB")], &["web.example.com"]),
        (&[(ProfileName, Equals, "other")], &[]),
        (&[(ProfileName, Equals, "web"), (Tag, Matches, "env=t*")], &["web.example.com"]),
    ];
    for (number, (filters, expected)) in table.into_iter().enumerate() {
        let mut filtered = spec(&format!("alert-{number}"), expiration(100));
        for (field, operator, value) in filters {
            filtered = filtered.filter(*field, *operator, value);
        }
        let session = scene.world.session("audra");
        let page = session.preview_alert(Some(scene.world.application.id), &filtered, None).await.unwrap();
        let previewed: BTreeSet<String> = page.items.iter().map(|record| record.sans[0].value().to_string()).collect();
        scene.recorder.clear();
        scene.save(filtered).await;
        scene.settle().await;
        let told: BTreeSet<String> = scene.titles().into_iter().collect();
        let expected: BTreeSet<String> = expected.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!((&previewed, &told), (&expected, &expected), "{filters:?}");
    }
}

#[tokio::test]
async fn a_test_tells_how_each_channel_does_and_stores_nothing() {
    let scene = Scene::new().await;
    let alert = scene.save(spec("two", AlertOn::Issuance).channel(channel("other"))).await;
    scene.settle().await;
    scene.recorder.will([Answer::Taken, Answer::Fails(NotifyError::Refused { reason: "404".into() })]);
    let before = support::everything(&scene.store).await;
    let tests = scene.world.session("alice").test_alert(alert.id).await.unwrap();
    let failures: Vec<Option<&str>> = tests.iter().map(|test| test.failure.as_deref()).collect();
    assert_eq!(failures, [None, Some("refused: 404")]);
    assert_eq!(scene.kinds(), ["chancery.alert.test"]);
    assert_eq!(support::everything(&scene.store).await, before);
    let denied = scene.world.session("otto").test_alert(alert.id).await.unwrap_err();
    assert!(matches!(denied, Error::Forbidden { .. }), "{denied:?}");
}

#[tokio::test]
async fn a_receiver_that_is_down_is_tried_again_until_it_is_given_up_and_that_is_told_in_the_trail_alone() {
    let scene = Scene::new().await;
    let alert = scene.save(spec("issued", AlertOn::Issuance)).await;
    let down = || Answer::Fails(NotifyError::Unavailable { reason: "down".into(), retry_after: None });
    scene.recorder.will(std::iter::repeat_with(down).take(100));
    scene.world.issue("api.example.com").await;
    let mut attempts = 0;
    for _ in 0..26 * 60 {
        scene.world.clock.advance(Duration::MINUTE);
        let report = scene.world.engine.run_due(10).await.unwrap();
        attempts += report.postponed + report.failed;
    }
    assert!((15..25).contains(&attempts), "{attempts}");
    let shown = scene.notifications(&alert).await;
    assert!(matches!(shown[0].channels[0].delivery, Delivery::GivenUp { .. }), "{shown:?}");
    let told = events(&scene.store).await.into_iter().filter(|event| event == "notification-failed").count();
    assert_eq!(told, 1);
    assert_eq!(shown.len(), 1, "no alert tells that an alert failed");
    // Kept for a month, and then no longer.
    scene.world.clock.advance(DAY * 31);
    scene.settle().await;
    assert!(scene.notifications(&alert).await.is_empty());
}

#[tokio::test]
async fn a_refusal_is_for_good_and_the_receivers_wish_to_wait_counts() {
    let scene = Scene::new().await;
    let alert = scene.save(spec("issued", AlertOn::Issuance).channel(channel("other"))).await;
    let wait = Some(Duration::minutes(90));
    let later = Answer::Fails(NotifyError::Unavailable { reason: "429".into(), retry_after: wait });
    scene.recorder.will([Answer::Fails(NotifyError::Refused { reason: "410".into() }), later]);
    scene.world.issue("api.example.com").await;
    scene.settle().await;
    let deliveries =
        |all: Vec<Notification>| all[0].channels.iter().map(|each| each.delivery.clone()).collect::<Vec<_>>();
    let now = deliveries(scene.notifications(&alert).await);
    assert!(matches!(&now[0], Delivery::GivenUp { reason, .. } if reason == "410"), "{now:?}");
    let due_at = START + Duration::minutes(90);
    assert!(matches!(&now[1], Delivery::Waiting { due_at: at, .. } if *at == due_at), "{now:?}");
    scene.world.clock.advance(Duration::minutes(89));
    scene.settle().await;
    assert_eq!(scene.recorder.messages().len(), 0);
    scene.world.clock.advance(Duration::MINUTE);
    scene.settle().await;
    assert_eq!(scene.recorder.messages().len(), 1);
    assert!(matches!(deliveries(scene.notifications(&alert).await)[1], Delivery::Delivered { .. }));
}

#[tokio::test]
async fn a_receiver_that_never_answers_holds_up_no_certificate() {
    let scene = Scene::new().await;
    scene.save(spec("issued", AlertOn::Issuance)).await;
    scene.recorder.will([Answer::TakenAndHangs]);
    scene.world.issue("first.example.com").await;
    let mut hanging = std::pin::pin!(scene.world.engine.run_due(10));
    assert!(futures_util::poll!(hanging.as_mut()).is_pending(), "the round waits for its receiver");
    scene.world.issue("second.example.com").await;
    scene.settle().await;
    assert_eq!(scene.titles(), ["first.example.com", "second.example.com"], "other rounds go on");
    scene.world.clock.advance(HOURS);
    scene.settle().await;
    let told = scene.recorder.messages();
    assert_eq!((told.len(), &told[2].id), (3, &told[0].id), "again, with the same id");
}

#[tokio::test]
async fn whatever_fails_at_whichever_commit_it_is_told_at_least_once_and_under_one_id() {
    // Issue, seal with the notification, claim, record.
    for nth in 1..=4 {
        for fault in FAULTS {
            let label = format!("commit {nth}: {fault:?}");
            let scene = Scene::of(FaultyStore::new(MemoryStore::new()), |builder| builder).await;
            scene.save(spec("issued", AlertOn::Issuance)).await;
            scene.settle().await;
            let ask = scene.world.enrollment("api.example.com").idempotency_key("order-1");
            scene.store.inject(Verb::Commit, scene.store.calls(Verb::Commit) + nth, fault);
            for _ in 0..6 {
                let _ = scene.world.session("otto").submit(&ask).now_or_never();
                for _ in 0..3 {
                    let _ = scene.world.engine.run_due(10).now_or_never();
                    scene.store.revive();
                }
                scene.world.clock.advance(HOURS);
            }
            let told = scene.recorder.messages();
            let ids: BTreeSet<&String> = told.iter().map(|message| &message.id).collect();
            assert_eq!(ids.len(), 1, "{label}");
            assert!((1..=2).contains(&told.len()), "{label}: told {} times", told.len());
            let kept = bodies(scene.store.inner(), "notification").await;
            assert_eq!(kept.len(), 1, "{label}");
            assert_eq!(kept[0]["channels"][0]["delivery"], "delivered", "{label}");
        }
    }
}

#[tokio::test]
async fn whatever_fails_while_looking_for_what_ends_each_certificate_is_told_of_once() {
    for nth in 1..=4 {
        for fault in FAULTS {
            let scene = Scene::of(FaultyStore::new(MemoryStore::new()), |builder| builder).await;
            for name in ["a.example.com", "b.example.com"] {
                scene.world.issue(name).await;
            }
            scene.settle().await;
            scene.save(spec("ends-soon", expiration(100))).await;
            scene.store.inject(Verb::Commit, scene.store.calls(Verb::Commit) + nth, fault);
            for _ in 0..6 {
                let _ = scene.world.engine.run_due(10).now_or_never();
                scene.store.revive();
                scene.world.clock.advance(HOURS);
            }
            let ids: BTreeSet<String> = scene.recorder.messages().into_iter().map(|message| message.id).collect();
            assert_eq!(ids.len(), 1, "commit {nth}: {fault:?}");
            assert_eq!(scene.recorder.messages()[0].items.len(), 2, "commit {nth}: {fault:?}");
        }
    }
}

#[tokio::test]
async fn secrets_are_sealed_and_never_shown() {
    let (recorder, secret) = (RecordingNotifier::new(), "s3cret-s3cret-s3cret-s3cret-s3cr");
    let scene = Scene::of(MemoryStore::new(), |builder| {
        let builder = builder.notifier(ChannelKind::Webhook, recorder.clone());
        builder.notifier(ChannelKind::Slack, recorder.clone()).notifier(ChannelKind::PagerDuty, recorder.clone())
    })
    .await;
    let key: String = secret.replace('-', "x");
    let webhook = Channel::Webhook { url: "https://example.com/".into(), secret: Some(Confidential::new(secret)) };
    let slack = Channel::Slack { url: Confidential::new(format!("https://hooks.slack.com/{secret}")) };
    let pager = Channel::PagerDuty { routing_key: Confidential::new(key) };
    let three = AlertSpec::new(slug("three"), AlertOn::Issuance).channel(webhook).channel(slack).channel(pager);
    assert!(!format!("{three:?}").contains("s3cret"));
    let alert = scene.save(three).await;
    scene.world.issue("api.example.com").await;
    scene.settle().await;
    assert_eq!(recorder.messages().len(), 3);
    let shown = scene.notifications(&alert).await;
    let texts = [
        serde_json::to_string(&alert).unwrap(),
        format!("{alert:?}"),
        serde_json::to_string(&shown).unwrap(),
        format!("{:?}", recorder.told()),
        support::everything(&scene.store).await.into_values().map(|(_, body)| body).collect(),
    ];
    for text in texts {
        assert!(!text.contains("s3cret"), "{text}");
    }
    let all = scene.world.session("audra").alerts(Some(scene.world.application.id), None).await.unwrap();
    assert_eq!(all.items, [alert]);
}

#[tokio::test]
async fn what_can_not_be_delivered_is_refused_when_it_is_saved() {
    let scene = Scene::new().await;
    let mut bad = spec("bad", expiration(400));
    bad.channels.push(Channel::Email { to: vec!["ops@example.com".into()] });
    bad.channels.push(Channel::Webhook { url: "http://example.com".into(), secret: None });
    let refused = scene.world.session("alice").save_alert(Some(scene.world.application.id), bad).await.unwrap_err();
    let Error::Invalid { faults } = refused else { panic!("{refused:?}") };
    let fields: Vec<&str> = faults.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["on.before", "channels[2].url", "channels[1]", "channels[2]"]);
}

#[tokio::test]
async fn a_hundred_alerts_are_enough_and_a_deleted_one_tells_nothing() {
    let scene = Scene::new().await;
    for number in 0..100 {
        scene.save(spec(&format!("alert-{number}"), AlertOn::Revocation)).await;
    }
    let application = Some(scene.world.application.id);
    let one_more = scene.world.session("alice").save_alert(application, spec("more", AlertOn::Issuance)).await;
    assert!(matches!(one_more, Err(Error::Invalid { .. })), "{one_more:?}");
    let first = scene.save(spec("alert-0", AlertOn::Issuance)).await;
    scene.world.issue("api.example.com").await;
    scene.world.session("alice").delete_alert(first.id).await.unwrap();
    scene.settle().await;
    assert_eq!(scene.kinds(), Vec::<String>::new());
    let gone = scene.world.session("alice").alert(first.id).await.unwrap_err();
    assert!(matches!(gone, Error::NotFound { .. }), "{gone:?}");
    scene.save(spec("alert-0", AlertOn::Issuance)).await;
}
