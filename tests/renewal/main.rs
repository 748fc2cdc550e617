//! Renewal: by itself and by hand, exactly once, under what holds now, and whatever happens meanwhile.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod load;
#[path = "../support/engine.rs"]
mod support;

use std::sync::Arc;

use chancery::clock::{Clock, ManualClock};
use chancery::domain::{
    ApiSettings, AutoRenewal, CertificateRecord, CertificateStatus, Eligibility, Enrollment, Ineligibility,
    IssuerChoice, IssuerSpec, KeyCustody, Methods, Preset, ProfileSpec, RenewalBudget, RenewalKey, RenewalSetting,
    RenewalState, RenewalWindow, Span,
};
use chancery::engine::{DueReport, Error, Issued, Outcome};
use chancery::store::MemoryStore;
use chancery::x509::{Attribute, Csr, SanKind};
use support::{Hand, Mood, START, World, Yielding, bodies, builder, events, issued, reasons, refused, slug};
use time::Duration;

fn methods(lead: &str) -> Methods {
    let auto_renew = Some(serde_json::from_str(&format!("{lead:?}")).unwrap());
    Methods { api: Some(ApiSettings { auto_renew }), ..Methods::default() }
}

/// A world whose certificates live 90 days and renew 30 days before their end.
async fn renewing(store: impl chancery::store::Store) -> World {
    let world = World::over(store).await;
    set_methods(&world, methods("30d")).await;
    world
}

async fn set_methods(world: &World, methods: Methods) {
    world.session("alice").set_methods(world.application.id, world.profile.id, methods).await.unwrap();
}

async fn issue(world: &World, name: &str) -> Issued {
    issued(world.session("otto").submit(&world.enrollment(name).ttl(Span::days(90))).await)
}

async fn record(world: &World, id: chancery::domain::CertificateId) -> CertificateRecord {
    world.session("otto").certificate(id).await.unwrap()
}

/// The certificates of profiles, in the order of their making.
async fn certificates(store: &MemoryStore) -> Vec<CertificateRecord> {
    let all = bodies(store, "certificate").await.into_iter();
    let records = all.map(|body| serde_json::from_value::<CertificateRecord>(body).unwrap());
    records.filter(|record| record.application.is_some()).collect()
}

async fn state(world: &World, id: chancery::domain::CertificateId) -> RenewalState {
    world.session("otto").renewal(id).await.unwrap().plan.unwrap().state
}

/// The last three of ten days have no opening: it renews in the one before, and due work comes to an end.
#[tokio::test]
async fn a_window_that_opens_only_before_the_lead_is_used() {
    let store = MemoryStore::new();
    let world = World::over(store.clone()).await;
    let window: RenewalWindow =
        serde_json::from_str(r#"{ "zone": "UTC", "open": [ { "days": ["sun"], "from": "02:00", "to": "03:00" } ] }"#)
            .unwrap();
    // Fit for the ninety days that the profile gives, and not for the ten that are asked for.
    let setting = RenewalSetting::new("2/3".parse().unwrap()).within(window.clone());
    let auto_renew = Some(AutoRenewal::On(setting));
    set_methods(&world, Methods { api: Some(ApiSettings { auto_renew }), ..Methods::default() }).await;
    let ask = world.enrollment("a.example.com").ttl(Span::days(10));
    let first = issued(world.session("otto").submit(&ask).await).record;
    let mut renewed_at = None;
    while world.clock.now() < first.validity.not_after() {
        world.clock.advance(Duration::minutes(10));
        if work(&world).await.renewed > 0 && renewed_at.is_none() {
            renewed_at = Some(world.clock.now());
        }
    }
    let renewed_at = renewed_at.unwrap();
    assert!(window.is_open(renewed_at - Duration::minutes(10)) || window.is_open(renewed_at), "{renewed_at}");
    assert!(first.validity.not_after() - renewed_at > Duration::days(3));
}

/// Works until nothing more is done in this moment.
async fn work(world: &World) -> DueReport {
    let mut all = DueReport::default();
    for _ in 0..100 {
        let report = world.engine.run_due(100).await.unwrap();
        all.renewed += report.renewed;
        all.failed += report.failed;
        all.rescheduled += report.rescheduled;
        all.postponed += report.postponed;
        if report.total() == 0 {
            return all;
        }
    }
    panic!("due work never ends: {all:?}");
}

#[tokio::test]
async fn a_certificate_renews_by_itself_once_in_its_window() {
    let store = MemoryStore::new();
    let world = renewing(store.clone()).await;
    let first = issue(&world, "api.example.com").await.record;
    world.clock.advance(Duration::days(59));
    assert_eq!(work(&world).await.renewed, 0, "its lead has not begun");
    world.clock.advance(Duration::days(12));
    assert_eq!(work(&world).await.renewed, 1);
    let all = certificates(&store).await;
    let [before, after] = all.as_slice() else { panic!("{all:?}") };
    // Oracle 17: the predecessor stays valid, and says that it was renewed.
    assert_eq!((before.id, before.replaced_by), (first.id, Some(after.id)));
    assert_eq!(before.status_at(world.clock.now()), CertificateStatus::Renewed);
    // Oracle 18.
    assert_eq!((after.lineage, after.replaces), (first.id, Some(first.id)));
    assert_eq!((after.application, after.metadata.clone()), (first.application, first.metadata.clone()));
    assert_eq!(after.profile.unwrap().0, first.profile.unwrap().0);
    assert_eq!(
        (&after.subject, &after.sans, after.validity.span()),
        (&first.subject, &first.sans, first.validity.span())
    );
    assert_eq!((after.custody, &after.requester), (KeyCustody::Managed, &first.requester));
    assert_ne!(after.certificate().unwrap().public_key(), before.certificate().unwrap().public_key());
    let told = events(&store).await;
    assert_eq!(told.iter().filter(|event| *event == "certificate-renewed").count(), 1);
    assert_eq!(told.iter().filter(|event| *event == "certificate-issued").count(), 1);
    let actors = bodies(&store, "event").await.into_iter().filter(|event| event["event"] == "certificate-renewed");
    assert_eq!(actors.map(|event| event["actor"].clone()).collect::<Vec<_>>(), ["system:engine"]);
    // And its successor, in its own window.
    world.clock.advance(Duration::days(58));
    assert_eq!(work(&world).await.renewed, 0);
    world.clock.advance(Duration::days(13));
    assert_eq!(work(&world).await.renewed, 1);
    let all = certificates(&store).await;
    assert_eq!((all[2].lineage, all[2].replaces), (first.id, Some(all[1].id)));
    assert_eq!(bodies(&store, "renewal").await.len(), 1, "one plan for the lineage");
}

#[tokio::test]
async fn what_does_not_renew_by_itself_costs_no_document() {
    let store = MemoryStore::new();
    let world = World::over(store.clone()).await;
    world.issue("api.example.com").await;
    assert_eq!(bodies(&store, "renewal").await.len(), 0);
    set_methods(&world, methods("30d")).await;
    work(&world).await;
    assert_eq!(bodies(&store, "renewal").await.len(), 1, "what is valid follows the setting");
}

#[tokio::test]
async fn lesson_engines_that_race_make_one_successor() {
    let store = MemoryStore::new();
    let world = renewing(store.clone()).await;
    for n in 0..5 {
        issue(&world, &format!("n{n}.example.com")).await;
    }
    world.clock.advance(Duration::days(71));
    let mut engines = Vec::new();
    for seed in 2..6 {
        engines.push(builder(Yielding(store.clone()), &world.clock, seed).build().await.unwrap());
    }
    let runs = engines.iter().map(|engine| engine.run_due(10));
    let reports = futures_util::future::join_all(runs).await;
    let renewed: usize = reports.iter().map(|report| report.as_ref().unwrap().renewed).sum();
    assert_eq!(renewed, 5, "{reports:?}");
    work(&world).await;
    assert_eq!(certificates(&store).await.len(), 10);
}

#[tokio::test]
async fn oracle_17_a_second_renewal_is_refused() {
    let store = MemoryStore::new();
    let world = renewing(store.clone()).await;
    let first = issue(&world, "api.example.com").await.record.id;
    world.clock.advance(Duration::DAY);
    let session = world.session("otto");
    let second = issued(session.renew(first, RenewalKey::New).await);
    assert!(second.private_key.is_some(), "the new key is in the answer");
    let refusal = refused(session.renew(first, RenewalKey::New).await);
    assert_eq!(reasons(&refusal), [("certificate", "renewal.eligibility")]);
    assert!(refusal.violations[0].seen.contains(&second.record.id.to_string()), "{refusal}");
    assert_eq!(record(&world, first).await.status_at(world.clock.now()), CertificateStatus::Renewed);
    // Two at once, on the newest.
    world.clock.advance(Duration::DAY);
    let engine = builder(Yielding(store.clone()), &world.clock, 9).build().await.unwrap();
    let session = engine.acting_as(support::user("otto"));
    let (left, right) = tokio::join!(
        session.renew(second.record.id, RenewalKey::New),
        session.renew(second.record.id, RenewalKey::New)
    );
    let issued = [left.unwrap(), right.unwrap()].into_iter().filter(|each| matches!(each, Outcome::Issued(_))).count();
    assert_eq!(issued, 1);
    assert_eq!(certificates(&store).await.len(), 3);
}

#[tokio::test]
async fn lesson_a_certificate_younger_than_the_floor_never_renews() {
    let world = renewing(MemoryStore::new()).await;
    let first = issue(&world, "api.example.com").await.record.id;
    let session = world.session("otto");
    let refusal = refused(session.renew(first, RenewalKey::New).await);
    assert_eq!(reasons(&refusal), [("certificate", "renewal.floor")]);
    assert!(session.expedite_renewal(first).await.unwrap());
    assert_eq!(work(&world).await.renewed, 0);
    world.clock.advance(Duration::minutes(59));
    assert_eq!(work(&world).await.renewed, 0);
    world.clock.advance(Duration::minutes(1));
    assert_eq!(work(&world).await.renewed, 1, "as soon as it is old enough, and long before its lead");
}

#[tokio::test]
async fn edits_need_a_permission_and_are_judged() {
    let store = MemoryStore::new();
    let world = World::over(store.clone()).await;
    let first = issue(&world, "api.example.com").await.record;
    world.clock.advance(Duration::DAY);
    let session = world.session("otto");
    let ask = Enrollment::renewal(&first).unwrap();
    let wrong = ask.clone().san(SanKind::DnsName, "not a name").ttl(Span::days(999));
    let refusal = refused(session.submit(&wrong).await);
    assert_eq!(
        reasons(&refusal),
        [("sans[0]", "standard: dns_name"), ("validity", "policy.validity.max"), ("subject", "standard")]
    );
    assert!(session.dry_run(&wrong).await.unwrap().is_err());
    let edited = ask.clone().dns("b.example.com").attribute(Attribute::CommonName, "b.example.com").ttl(Span::days(10));
    let edited = edited.tag("team", "payments");
    let second = issued(session.submit(&edited).await).record;
    assert_eq!(second.subject.common_name(), Some("b.example.com"));
    assert_eq!(second.sans.iter().map(ToString::to_string).collect::<Vec<_>>(), ["dns_name:b.example.com"]);
    assert_eq!((second.validity.span(), second.lineage), (Duration::days(10), first.id));
    assert_eq!(second.metadata.iter().count(), 1);
    // `replaces` never crosses owners.
    let other = support::application(&world.engine, "other", &["web"]).await;
    world.clock.advance(Duration::DAY);
    let mut crossed = Enrollment::renewal(&second).unwrap();
    crossed.application = other.id;
    assert_eq!(reasons(&refused(session.submit(&crossed).await)), [("certificate", "renewal.owner")]);
    // Tags are kept unless there are new ones.
    let third = issued(session.renew(second.id, RenewalKey::New).await).record;
    assert_eq!(third.metadata, second.metadata);
}

#[tokio::test]
async fn oracle_19_keys_new_reused_and_from_a_request() {
    let world = World::over(MemoryStore::new()).await;
    let first = issue(&world, "api.example.com").await;
    let key = |record: &CertificateRecord| record.certificate().unwrap().public_key().clone();
    let session = world.session("otto");
    world.clock.advance(Duration::DAY);
    let reused = issued(session.renew(first.record.id, RenewalKey::Reused).await);
    assert_eq!(key(&reused.record), key(&first.record));
    assert!(reused.private_key.is_none(), "a key that was handed out is not handed out again on the side");
    let kept = session.private_key(reused.record.id).await.unwrap();
    assert_eq!(kept.pkcs8_der().expose(), first.private_key.unwrap().pkcs8_der().expose());
    world.clock.advance(Duration::DAY);
    let own = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["c.example.com".into()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let csr = Csr::parse(params.serialize_request(&own).unwrap().der()).unwrap();
    let beside = Enrollment::renewal(&reused.record).unwrap().key(RenewalKey::Csr(Box::new(csr.clone())));
    let refusal = refused(session.submit(&beside.clone().dns("d.example.com")).await);
    assert_eq!(reasons(&refusal), [("names", "request")], "nothing but terms beside a request");
    let client = issued(session.submit(&beside.ttl(Span::days(5))).await).record;
    assert_eq!((client.custody, client.lineage), (KeyCustody::Client, first.record.lineage));
    assert_eq!(client.sans.iter().map(ToString::to_string).collect::<Vec<_>>(), ["dns_name:c.example.com"]);
    assert_eq!(client.validity.span(), Duration::days(5));
    // The client's key again: the certificate has it.
    world.clock.advance(Duration::DAY);
    let again = issued(session.renew(client.id, RenewalKey::Reused).await).record;
    assert_eq!((key(&again), again.custody), (key(&client), KeyCustody::Client));
    // Oracle 15: it does not renew by itself.
    let view = session.renewal(again.id).await.unwrap();
    let Eligibility::Ineligible { reasons } = view.by_itself else { panic!("{view:?}") };
    assert!(reasons.contains(&Ineligibility::ClientKey));
    let lead = AutoRenewal::before(Span::days(1));
    let error = session.set_renewal(again.id, Some(lead)).await.unwrap_err();
    assert!(matches!(error, Error::NotRenewable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_setting_that_is_left_on_an_old_certificate_is_its_lineages() {
    let world = renewing(MemoryStore::new()).await;
    let own = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let params = rcgen::CertificateParams::new(vec!["csr.example.com".into()]).unwrap();
    let csr = Csr::parse(params.serialize_request(&own).unwrap().der()).unwrap();
    let session = world.session("otto");
    let first = issued(session.submit(&Enrollment::csr(world.application.id, world.profile.id, csr)).await).record;
    world.clock.advance(Duration::DAY);
    let second = issued(session.renew(first.id, RenewalKey::New).await).record;
    let planned = session.renewal(second.id).await.unwrap().plan.unwrap();
    assert!(matches!(planned.state, RenewalState::Scheduled { .. }), "{planned:?}");
    let view = session.set_renewal(first.id, None).await.unwrap();
    assert_eq!(view.plan.unwrap(), planned, "the first one's key is with the client, the second one's is not");
}

#[tokio::test]
async fn the_certificates_setting_wins_over_the_attachments_and_that_over_the_profiles() {
    let world = World::over(MemoryStore::new()).await;
    let product = world.session("root");
    let mut spec: ProfileSpec = Preset::TlsServer.profile(slug("web"), slug("root"), slug("web"));
    spec.auto_renew = Some(AutoRenewal::before(Span::days(10)));
    product.save_profile(spec).await.unwrap();
    let id = issue(&world, "api.example.com").await.record.id;
    let session = world.session("otto");
    let opens = async |session: &chancery::engine::Session| match session.renewal(id).await.unwrap().by_itself {
        Eligibility::NotYet { opens_at } => Some((START + Duration::days(90) - opens_at).whole_days()),
        _ => None,
    };
    let planned = async || match state(&world, id).await {
        RenewalState::Scheduled { opens_at, .. } => Some((START + Duration::days(90) - opens_at).whole_days()),
        RenewalState::Off => None,
        other => panic!("{other:?}"),
    };
    // Backdating by five minutes makes it a little less.
    assert_eq!((opens(&session).await, planned().await), (Some(10), Some(10)));
    set_methods(&world, methods("20d")).await;
    work(&world).await;
    assert_eq!((opens(&session).await, planned().await), (Some(20), Some(20)), "an earlier lead is followed");
    set_methods(&world, methods("off")).await;
    work(&world).await;
    assert_eq!((opens(&session).await, planned().await), (None, None));
    session.set_renewal(id, Some(AutoRenewal::before(Span::days(40)))).await.unwrap();
    assert_eq!((opens(&session).await, planned().await), (Some(40), Some(40)));
    session.set_renewal(id, None).await.unwrap();
    assert_eq!(planned().await, None);
}

/// Policy, profile, attachment or issuer: what blocks a renewal, and what wakes it.
#[tokio::test]
async fn oracle_20_a_blocked_renewal_wakes_up_when_what_blocks_it_changes() {
    let store = MemoryStore::new();
    let world = renewing(store.clone()).await;
    let id = issue(&world, "api.example.com").await.record.id;
    let product = world.session("root");
    let mut strict = Preset::TlsServer.policy(slug("web"));
    strict.validity.max = Some(Span::days(30));
    let mut short = Preset::TlsServer.profile(slug("web"), slug("root"), slug("web"));
    short.defaults.ttl = Some(Span::days(30));
    product.save_profile(short).await.unwrap();
    product.save_policy(strict).await.unwrap();
    world.clock.advance(Duration::days(71));
    work(&world).await;
    let RenewalState::Blocked { reason, .. } = state(&world, id).await else { panic!("not blocked") };
    assert!(reason.contains("policy.validity.max"), "{reason}");
    // It stays blocked, and nobody is told twice, while nothing changes.
    for _ in 0..3 {
        world.clock.advance(Duration::DAY);
        assert_eq!(work(&world).await, DueReport::default());
    }
    let told = async || events(&store).await.into_iter().filter(|event| event == "renewal-blocked").count();
    assert_eq!(told().await, 1);
    // A change that does not help: woken, blocked again, not told again.
    let mut description = Preset::TlsServer.profile(slug("web"), slug("root"), slug("web"));
    description.defaults.ttl = Some(Span::days(29));
    product.save_profile(description).await.unwrap();
    work(&world).await;
    assert!(matches!(state(&world, id).await, RenewalState::Scheduled { .. }), "woken");
    world.clock.advance(Duration::hours(2));
    work(&world).await;
    assert!(matches!(state(&world, id).await, RenewalState::Blocked { .. }));
    assert_eq!(told().await, 1);
    product.save_policy(Preset::TlsServer.policy(slug("web"))).await.unwrap();
    work(&world).await;
    world.clock.advance(Duration::hours(2));
    work(&world).await;
    let newest = record(&world, id).await.replaced_by.expect("renewed without anybody's help");
    // Detached: blocked; attached again: renewed.
    world.clock.advance(Duration::days(71));
    product.detach_profile(world.application.id, world.profile.id).await.unwrap();
    work(&world).await;
    assert!(matches!(state(&world, newest).await, RenewalState::Blocked { .. }));
    product.attach_profile(world.application.id, world.profile.id).await.unwrap();
    set_methods(&world, methods("30d")).await;
    work(&world).await;
    world.clock.advance(Duration::hours(2));
    work(&world).await;
    assert!(record(&world, newest).await.replaced_by.is_some());
}

#[tokio::test]
async fn lesson_an_outage_is_tried_again_with_back_off_and_worked_off_by_time_left() {
    let store = MemoryStore::new();
    let (hand, clock) = (Hand::new(), Arc::new(ManualClock::new(START)));
    let world = World::of(builder(store.clone(), &clock, 1).signer(slug("root"), hand.clone()), clock).await;
    set_methods(&world, methods("30d")).await;
    let mut ids = Vec::new();
    for days in [90, 80, 70] {
        let ask = world.enrollment(&format!("d{days}.example.com")).ttl(Span::days(days));
        ids.push(issued(world.session("otto").submit(&ask).await).record);
    }
    // Nobody worked for a while: all three are due, the last that was issued ends first.
    world.clock.advance(Duration::days(65));
    world
        .session("root")
        .set_renewal_budget(world.root.id, RenewalBudget { per_minute: Some(1), concurrent: None })
        .await
        .unwrap();
    let mut order = Vec::new();
    for _ in 0..10 {
        world.engine.run_due(10).await.unwrap();
        for record in certificates(&store).await.iter().filter(|record| record.replaces.is_some()) {
            let name = record.sans[0].to_string();
            if !order.contains(&name) {
                order.push(name);
            }
        }
        world.clock.advance(Duration::minutes(1));
    }
    // The first of 90 days is due between its 60th and its 70th day.
    assert_eq!(order[..2], ["dns_name:d70.example.com", "dns_name:d80.example.com"]);
    // A signer that refuses for good, and again: tried again, later each time.
    world.clock.advance(Duration::days(6));
    work(&world).await;
    let newest = certificates(&store).await.last().unwrap().clone();
    let (mut tried, mut told) = (0, 0);
    world.clock.advance(newest.validity.not_after() - Duration::days(19) - world.clock.now());
    hand.will(std::iter::repeat_n(Mood::Refuses, 500));
    for _ in 0..600 {
        world.engine.run_due(10).await.unwrap();
        world.clock.advance(Duration::minutes(1));
    }
    for event in events(&store).await {
        tried += usize::from(event == "issuance-failed");
        told += usize::from(event == "renewal-failed");
    }
    assert!((15..80).contains(&tried), "{tried} attempts of three in ten hours");
    assert!(told < tried, "{told} events of {tried} attempts");
}
