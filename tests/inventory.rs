//! The inventory on every store: finding, paging, tenants, tags, import, deletion, and the impact of a policy.
#![cfg(all(feature = "conformance", feature = "sqlite"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "support/engine.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery::domain::{
    ApplicationSpec, CertificateId, CertificateRecord, CertificateStatus, Enrollment, IssuerSpec, KeyCustody, Metadata,
    Methods, Origin, Preset, Profile, Role, Span,
};
use chancery::engine::{CertificateQuery, Error, Import, ImportOutcome, Issued, NameQuery, Root, Session};
use chancery::sealer::Secret;
use chancery::store::sqlite::SqliteStore;
use chancery::store::{MemoryStore, Store};
use chancery::x509::SanKind;
use support::{START, World, bodies, builder, issued, principal, slug, user};
use time::Duration;

type AnyStore = Arc<dyn Store>;

macro_rules! on_every_store {
    ($($test:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $test() {
                super::$test(std::sync::Arc::new(super::MemoryStore::new())).await;
            })*
        }
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                let directory = tempfile::tempdir().unwrap();
                let store = super::SqliteStore::open(directory.path().join("store.db")).unwrap();
                super::$test(std::sync::Arc::new(store)).await;
            })*
        }
    };
}

on_every_store! {
    queries_find_exactly_what_they_ask_for
    pages_repeat_nothing_and_miss_nothing_while_others_insert
    a_serial_number_finds_one_certificate_for_each_issuer
    tenants_see_nothing_of_each_other
    tags_are_replaced_and_found
    the_longest_values_fit_into_every_index
    imports_are_tracked_or_judged_and_keys_must_fit
    only_what_is_past_or_foreign_is_deleted
    an_impact_walk_streams_what_a_policy_would_newly_refuse
}

/// A second profile of the same policy, attached to the Application.
async fn second_profile(world: &World, name: &str) -> Profile {
    let product = world.session("root");
    let profile = product.save_profile(Preset::TlsServer.profile(slug(name), slug("root"), slug("web"))).await.unwrap();
    product.attach_profile(world.application.id, profile.id).await.unwrap();
    world.session("alice").set_methods(world.application.id, profile.id, Methods::api()).await.unwrap();
    profile
}

/// Number, names, and days to live; the odd ones come under the second profile, the first four are tagged.
const STOCK: [(u8, &[&str], u16); 9] = [
    (0, &["example.com"], 10),
    (1, &["api.example.com", "www.example.com", "example.com"], 20),
    (2, &["*.example.com"], 30),
    (3, &["a.b.example.com", "example.net"], 40),
    (4, &["example-a.com", "x.example-a.com"], 50),
    (5, &["notexample.com"], 60),
    (6, &["example.com.evil.org"], 70),
    (7, &["xn--bcher-kva.example"], 80),
    (8, &["com.example"], 90),
];

async fn stock(world: &World) -> (Profile, BTreeMap<CertificateId, u8>) {
    let second = second_profile(world, "second").await;
    let mut numbers = BTreeMap::new();
    for (number, names, days) in STOCK {
        let profile = if number % 2 == 1 { second.id } else { world.profile.id };
        let ask = Enrollment::managed(world.application.id, profile).ttl(Span::days(days));
        let ask = names.iter().fold(ask, |ask, name| ask.dns(name));
        let ask = if number < 4 { ask.tag("env", "prod") } else { ask.tag("env", "prod|x").tag("late", "yes") };
        numbers.insert(issued(world.session("otto").submit(&ask).await).record.id, number);
    }
    (second, numbers)
}

/// Everything that a query finds, page by page.
async fn all(session: &Session, query: &CertificateQuery) -> Vec<CertificateRecord> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = session.certificates(query, after.as_ref()).await.unwrap();
        assert!(page.items.len() <= query.page_size.max(1) || query.page_size == 0);
        found.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return found,
        }
    }
}

async fn queries_find_exactly_what_they_ask_for(store: AnyStore) {
    let world = World::over(store).await;
    let (second, numbers) = stock(&world).await;
    world.clock.advance(Duration::DAY * 35);
    let query = || CertificateQuery { application: Some(world.application.id), ..Default::default() };
    let under = |name: &str| CertificateQuery { name: Some(NameQuery::Under(name.into())), ..query() };
    let exact = |name: &str| CertificateQuery { name: Some(NameQuery::Exact(name.into())), ..query() };
    let status = |status| CertificateQuery { status: Some(status), ..query() };
    let tag = |value: &str| CertificateQuery { tag: Some(("env".into(), value.into())), ..query() };
    let day = |days: i64| Some(START - Duration::minutes(5) + Duration::DAY * days as i32);
    let ends = |from, before| CertificateQuery { ends_from: from, ends_before: before, ..query() };
    let of_second = CertificateQuery { profile: Some(second.id), ..query() };
    let table: Vec<(&str, CertificateQuery, &[u8])> = vec![
        ("all", query(), &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ("a domain, its wildcard and all below", under("example.com"), &[0, 1, 2, 3]),
        ("whatever its case, with a final dot", under("EXAMPLE.com."), &[0, 1, 2, 3]),
        ("a domain below", under("b.example.com"), &[3]),
        ("a sibling that begins alike", under("example-a.com"), &[4]),
        ("a top level", under("org"), &[6]),
        ("a U-label", under("bücher.example"), &[7]),
        ("nothing", under("ample.com"), &[]),
        ("exactly the domain", exact("example.com"), &[0, 1]),
        ("exactly, whatever its case", exact("API.Example.com"), &[1]),
        ("exactly the wildcard", exact("*.example.com"), &[2]),
        ("exactly a U-label", exact("BÜCHER.example"), &[7]),
        ("a profile", of_second.clone(), &[1, 3, 5, 7]),
        ("expired", status(CertificateStatus::Expired), &[0, 1, 2]),
        ("active", status(CertificateStatus::Active), &[3, 4, 5, 6, 7, 8]),
        ("a tag, and not one that begins alike", tag("prod"), &[0, 1, 2, 3]),
        ("a tag with the separator in it", tag("prod|x"), &[4, 5, 6, 7, 8]),
        ("no such tag", tag("pro"), &[]),
        ("from, inclusive", ends(day(80), None), &[7, 8]),
        ("before, exclusive", ends(None, day(20)), &[0]),
        ("a range", ends(day(20), day(40)), &[1, 2]),
        ("a range that runs backwards", ends(day(40), day(20)), &[]),
        ("name and profile", CertificateQuery { profile: Some(second.id), ..under("example.com") }, &[1, 3]),
        (
            "name and tag and end",
            CertificateQuery { ends_before: day(25), tag: tag("prod").tag, ..under("com") },
            &[0, 1],
        ),
        (
            "profile, status and end",
            CertificateQuery { ends_before: day(65), status: Some(CertificateStatus::Active), ..of_second },
            &[3, 5],
        ),
    ];
    for (label, query, expected) in table {
        for page_size in [0, 1, 2, 5] {
            for (name, application) in [("audra", query.application), ("root", None)] {
                let query = CertificateQuery { page_size, application, ..query.clone() };
                let found = all(&world.session(name), &query).await;
                // Issuers' own certificates are in nobody's Application.
                let found = found.iter().filter(|record| record.application.is_some());
                let mut seen: Vec<u8> = found.map(|record| numbers[&record.id]).collect();
                seen.sort_unstable();
                assert_eq!(seen, expected, "{label}, pages of {page_size}, asked by {name}");
            }
        }
    }
}

async fn pages_repeat_nothing_and_miss_nothing_while_others_insert(store: AnyStore) {
    let world = World::over(store).await;
    let (_, numbers) = stock(&world).await;
    let application = Some(world.application.id);
    let queries = [
        CertificateQuery { application, page_size: 2, ..Default::default() },
        CertificateQuery {
            application,
            page_size: 1,
            name: Some(NameQuery::Under("com".into())),
            ..Default::default()
        },
    ];
    for (round, query) in queries.into_iter().enumerate() {
        let expected: Vec<_> = all(&world.session("audra"), &query).await.into_iter().map(|record| record.id).collect();
        let (mut seen, mut after, mut inserted) = (Vec::new(), None, 0_u16);
        loop {
            let page = world.session("audra").certificates(&query, after.as_ref()).await.unwrap();
            seen.extend(page.items.into_iter().map(|record| record.id));
            let Some(next) = page.next else { break };
            after = Some(next);
            if inserted < 20 {
                // Both in front of the place that was reached, and behind it.
                for (name, days) in [("aaa", 1), ("zzz", 89)] {
                    let name = format!("{name}{inserted}.r{round}.com");
                    let ask = world.enrollment(&name).dns("again.com").ttl(Span::days(days));
                    issued(world.session("otto").submit(&ask).await);
                }
                inserted += 2;
            }
        }
        let mut unique = seen.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), seen.len(), "round {round}: nothing comes twice");
        assert!(expected.iter().all(|id| seen.contains(id)), "round {round}: nothing that was there is missed");
        assert!(inserted > 0 && numbers.len() == STOCK.len());
    }
}

async fn a_serial_number_finds_one_certificate_for_each_issuer(store: AnyStore) {
    let world = World::over(Arc::clone(&store)).await;
    let product = world.session("root");
    product.create_root(IssuerSpec::new(slug("other"), "Other Root")).await.unwrap();
    let profile =
        product.save_profile(Preset::TlsServer.profile(slug("other"), slug("other"), slug("web"))).await.unwrap();
    let application = support::application(&world.engine, "twins", &["web", "other"]).await;
    let mut twins = Vec::new();
    // The same seed draws the same serial number; only the clock keeps the ids apart.
    for profile in [world.profile.id, profile.id, world.profile.id] {
        world.clock.advance(Duration::SECOND);
        let engine = builder(Arc::clone(&store), &world.clock, 5).build().await.unwrap();
        let ask = Enrollment::managed(application.id, profile).dns("twin.example.com");
        twins.push(issued(engine.acting_as(user("otto")).submit(&ask).await).record);
    }
    assert_eq!(twins[0].serial, twins[1].serial);
    assert_ne!(twins[0].serial, twins[2].serial, "a number is given out once below an issuer");
    let audra = world.session("audra");
    let mut found = audra.certificates_by_serial(&twins[0].serial).await.unwrap();
    found.sort_by_key(|record| record.id);
    assert_eq!(found, twins[..2]);
    for twin in &twins {
        assert_eq!(audra.certificate(twin.id).await.unwrap(), *twin);
        let fingerprint = *twin.certificate().unwrap().fingerprint();
        assert_eq!(audra.certificates_by_fingerprint(&fingerprint).await.unwrap(), std::slice::from_ref(twin));
    }
}

/// An Application that only `user:bob` is a member of.
async fn bobs(world: &World) -> chancery::domain::Application {
    let product = world.session("root");
    let spec = ApplicationSpec::new(slug("bobs")).member(principal("user:bob"), Role::Admin);
    let made = product.create_application(spec.attach(slug("web"), Methods::api())).await.unwrap();
    product.remove_member(made.id, &principal("user:root")).await.unwrap()
}

async fn tenants_see_nothing_of_each_other(store: AnyStore) {
    let world = World::over(store).await;
    let (mine, bobs) = (world.issue("api.example.com").await, bobs(&world).await);
    let (bob, alice) = (world.session("bob"), world.session("alice"));
    let ask = Enrollment::managed(bobs.id, world.profile.id).dns("api.example.com");
    let his = issued(bob.submit(&ask).await);
    for (session, other, application) in [(&bob, &mine, &world.application), (&alice, &his, &bobs)] {
        let fingerprint = other.certificate().fingerprint();
        assert!(session.certificates_by_serial(&other.record.serial).await.unwrap().is_empty());
        assert!(session.certificates_by_fingerprint(fingerprint).await.unwrap().is_empty());
        for result in [
            session.certificate(other.record.id).await.map(drop),
            session.request(other.request).await.map(drop),
            session.private_key(other.record.id).await.map(drop),
            session.events(application.id, None).await.map(drop),
            session
                .certificates(&CertificateQuery { application: Some(application.id), ..Default::default() }, None)
                .await
                .map(drop),
        ] {
            assert!(matches!(result, Err(Error::NotFound { .. })), "{result:?}");
        }
    }
    let name = Some(NameQuery::Exact("api.example.com".into()));
    let query = CertificateQuery { application: Some(bobs.id), name, page_size: 1, ..Default::default() };
    let page = bob.certificates(&query, None).await.unwrap();
    assert_eq!(page.items, std::slice::from_ref(&his.record));
    // A token that one's own query gave leads nowhere else, whoever brings it.
    let query = CertificateQuery { application: Some(world.application.id), ..query };
    let moved = all(&alice, &query).await;
    assert_eq!(moved, std::slice::from_ref(&mine.record));
    let stolen = alice.certificates(&query, page.next.as_ref()).await.unwrap();
    assert!(stolen.items.iter().all(|record| record.application == Some(world.application.id)));
    // However many copies another tenant tracks, one's own certificate is found.
    for _ in 0..101 {
        import(&bob, bobs.id, &mine, |_| {}).await.unwrap();
    }
    let serial = &mine.record.serial;
    assert_eq!(alice.certificates_by_serial(serial).await.unwrap(), std::slice::from_ref(&mine.record));
    let fingerprint = mine.certificate().fingerprint();
    assert_eq!(alice.certificates_by_fingerprint(fingerprint).await.unwrap(), std::slice::from_ref(&mine.record));
    assert_eq!(bob.certificates_by_serial(serial).await.unwrap().len(), 101);
}

fn tags(pairs: &[(&str, &str)]) -> Metadata {
    let owned: BTreeMap<String, String> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Metadata::try_from(owned).unwrap()
}

async fn tags_are_replaced_and_found(store: AnyStore) {
    let world = World::over(store).await;
    let ask = world.enrollment("api.example.com").tag("team", "blue");
    let record = issued(world.session("otto").submit(&ask).await).record;
    let edited =
        world.session("otto").tag_certificate(record.id, tags(&[("team", "red"), ("a/b", "ü")])).await.unwrap();
    assert_eq!(edited.metadata, tags(&[("team", "red"), ("a/b", "ü")]));
    assert_eq!(
        CertificateRecord { metadata: record.metadata.clone(), ..edited.clone() },
        record,
        "nothing else changed"
    );
    for (key, value, expected) in [("team", "blue", 0), ("team", "red", 1), ("a/b", "ü", 1)] {
        let tag = Some((key.to_owned(), value.to_owned()));
        let query = CertificateQuery { application: Some(world.application.id), tag, ..Default::default() };
        assert_eq!(all(&world.session("audra"), &query).await.len(), expected, "{key}={value}");
    }
}

async fn the_longest_values_fit_into_every_index(store: AnyStore) {
    let world = World::over(store).await;
    let product = world.session("root");
    product.save_policy(Preset::Dual.policy(slug("dual"))).await.unwrap();
    let profile = product.save_profile(Preset::Dual.profile(slug("dual"), slug("root"), slug("dual"))).await.unwrap();
    let application = support::application(&world.engine, "long", &["dual"]).await;
    let (key, value) = ("k".repeat(64), "\u{1F511}".repeat(256));
    let uri = format!("https://example.com/{}", "a".repeat(1900));
    let ask = Enrollment::managed(application.id, profile.id).san(SanKind::Uri, &uri).tag(&key, &value);
    let record = issued(world.session("otto").submit(&ask).await).record;
    for query in [
        CertificateQuery { name: Some(NameQuery::Exact(uri.clone())), ..Default::default() },
        CertificateQuery { tag: Some((key.clone(), value.clone())), ..Default::default() },
    ] {
        let query = CertificateQuery { application: Some(application.id), ..query };
        assert_eq!(all(&world.session("audra"), &query).await, std::slice::from_ref(&record), "{query:?}");
    }
    let shorter = CertificateQuery { name: Some(NameQuery::Exact(uri[..1900].to_owned())), ..Default::default() };
    assert!(all(&product, &shorter).await.is_empty(), "the tail counts");
}

async fn import(
    session: &Session,
    application: chancery::domain::ApplicationId,
    of: &Issued,
    edit: impl FnOnce(&mut Import),
) -> Result<ImportOutcome, Error> {
    let (certificate, metadata) = (of.certificate().clone(), Metadata::default());
    let mut import = Import { application, profile: None, certificate, chain: Vec::new(), key: None, metadata };
    edit(&mut import);
    session.import_certificate(import).await
}

fn key_of(issued: &Issued) -> Option<Secret> {
    issued.private_key.as_ref().map(|key| Secret::new(key.pkcs8_der().expose().to_vec()))
}

async fn imports_are_tracked_or_judged_and_keys_must_fit(store: AnyStore) {
    // What is imported comes from another installation.
    let elsewhere = World::over(MemoryStore::new()).await;
    let (foreign, other) = (elsewhere.issue("api.example.com").await, elsewhere.issue("b.example.com").await);
    let root = foreign.chain.root().unwrap().clone();
    let world = World::over(Arc::clone(&store)).await;
    let (otto, id, web) = (world.session("otto"), world.application.id, world.profile.id);
    let before = bodies(&store, "certificate").await.len();

    let unattached = {
        let product = world.session("root");
        let spec = Preset::TlsServer.profile(slug("apart"), slug("root"), slug("web"));
        product.save_profile(spec).await.unwrap().id
    };
    let error = import(&otto, id, &foreign, |import| import.profile = Some(unattached)).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { what: "attachment", .. }), "{error:?}");
    let error = import(&otto, id, &foreign, |import| import.key = key_of(&other)).await.unwrap_err();
    assert!(matches!(error, Error::PrivateKey { .. }), "{error:?}");
    let error =
        import(&otto, id, &foreign, |import| import.chain = vec![other.certificate().clone()]).await.unwrap_err();
    assert!(matches!(error, Error::Certificate(_)), "{error:?}");
    let mut strict = Preset::TlsServer.policy(slug("web"));
    strict.validity.max = Some(Span::days(30));
    world.session("root").save_policy(strict).await.unwrap();
    let refused = import(&otto, id, &foreign, |import| import.profile = Some(web)).await.unwrap();
    assert!(matches!(&refused, ImportOutcome::Refused(violations) if violations[0].field == "validity"), "{refused:?}");
    assert_eq!(bodies(&store, "certificate").await.len(), before, "nothing of this was written");

    world.session("root").save_policy(Preset::TlsServer.policy(slug("web"))).await.unwrap();
    let edit = |import: &mut Import| {
        import.profile = Some(web);
        import.chain = vec![root.clone()];
        import.key = key_of(&foreign);
        import.metadata = tags(&[("from", "elsewhere")]);
    };
    let ImportOutcome::Imported(record) = import(&otto, id, &foreign, edit).await.unwrap() else { panic!("refused") };
    assert_eq!((record.origin, record.custody, record.issuer), (Origin::Import, KeyCustody::Managed, None));
    assert_eq!((record.profile, record.policy), (Some((web, 1)), Some((world.profile.policy, 3))));
    let key = otto.private_key(record.id).await.unwrap();
    assert_eq!(Some(key.pkcs8_der().expose()), key_of(&foreign).as_ref().map(Secret::expose));
    let chain = otto.chain(record.id).await.unwrap();
    assert_eq!(chain.certificates(Root::Include).collect::<Vec<_>>(), [foreign.certificate(), &root]);
    let found = otto.certificates_by_serial(foreign.certificate().serial()).await.unwrap();
    assert_eq!(found, [*record]);
    let ImportOutcome::Imported(tracked) = import(&otto, id, &other, |_| {}).await.unwrap() else { panic!("refused") };
    assert_eq!((tracked.profile, tracked.custody), (None, KeyCustody::Client));
}

async fn only_what_is_past_or_foreign_is_deleted(store: AnyStore) {
    let elsewhere = World::over(MemoryStore::new()).await;
    let foreign = elsewhere.issue("api.example.com").await;
    let world = World::over(Arc::clone(&store)).await;
    let mine = world.issue("api.example.com").await;
    let alice = world.session("alice");
    let error = alice.delete_certificate(mine.record.id).await.unwrap_err();
    assert!(matches!(error, Error::InUse { what: "certificate", .. }), "{error:?}");
    let imported =
        import(&alice, world.application.id, &foreign, |import| import.key = key_of(&foreign)).await.unwrap();
    let ImportOutcome::Imported(imported) = imported else { panic!("refused") };
    assert_eq!(bodies(&store, "private_key").await.len(), 2);
    alice.delete_certificate(imported.id).await.unwrap();
    assert_eq!(bodies(&store, "private_key").await.len(), 1, "its key goes, too");
    let last = mine.record.validity.not_after() - world_now(&world);
    world.clock.advance(last);
    assert!(alice.delete_certificate(mine.record.id).await.is_err(), "at notAfter it is still valid");
    world.clock.advance(Duration::SECOND);
    alice.delete_certificate(mine.record.id).await.unwrap();
    for id in [mine.record.id, imported.id] {
        assert!(matches!(alice.certificate(id).await, Err(Error::NotFound { .. })));
        assert!(matches!(alice.private_key(id).await, Err(Error::NotFound { .. })));
    }
    let left = bodies(&store, "private_key").await.len() + bodies(&store, "certificate").await.len();
    assert_eq!(left, 1, "the root's own");
    let query = CertificateQuery { application: Some(world.application.id), ..Default::default() };
    assert!(all(&alice, &query).await.is_empty());
}

fn world_now(world: &World) -> time::OffsetDateTime {
    use chancery::clock::Clock;
    world.clock.now()
}

async fn an_impact_walk_streams_what_a_policy_would_newly_refuse(store: AnyStore) {
    let world = World::over(store).await;
    let (_, numbers) = stock(&world).await;
    world.clock.advance(Duration::DAY * 25);
    let product = world.session("root");
    let mut new = Preset::TlsServer.policy(slug("web"));
    new.validity.max = Some(Span::days(65));
    let rules = new.sans.as_mut().unwrap().0.get_mut(&SanKind::DnsName).unwrap();
    rules.denied = vec!["example-a.com".into(), "example.com".into()];
    let mut walk = product.impact(world.profile.policy, new.clone()).await.unwrap();
    let mut seen = BTreeMap::new();
    while let Some(impact) = walk.next().await.unwrap() {
        assert!(impact.is_new() && !impact.after.permits());
        let again = seen.insert(numbers[&impact.certificate], impact.until);
        assert!(again.is_none(), "each comes once");
    }
    // 0 and 1 would be refused, too, but have expired; odd ones are of the second profile, 7 is one of them.
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [4, 6, 7, 8]);
    assert_eq!(seen[&7], START - Duration::minutes(5) + Duration::DAY * 80);
    assert_eq!(walk.judged(), 7);
    // What the saved policy refuses already is not the new one's doing.
    product.save_policy(new.clone()).await.unwrap();
    let mut walk = product.impact(world.profile.policy, new).await.unwrap();
    while let Some(impact) = walk.next().await.unwrap() {
        assert!(!impact.is_new());
    }
}
