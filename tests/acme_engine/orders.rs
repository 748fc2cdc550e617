//! Orders: what may be ordered, when it ends, and where the others are.

use chancery::domain::acme::{IdentifierSpec, OrderStatus, ProblemKind};
use chancery::domain::{AcmeChecks, AcmeSettings, MethodSettings, Preset};
use chancery::engine::PageToken;
use chancery::engine::acme::NewOrder;
use time::{Duration, OffsetDateTime};

use super::scene::{Scene, ask, csr, kind, problem};
use super::support::{START, slug};

#[tokio::test]
async fn identifiers_are_normal_and_each_once() {
    let scene = Scene::new().await;
    let account = scene.account(1).await;
    let order = scene.order(&account, &["B.example.com", "b.EXAMPLE.com", "bücher.example", "2001:db8:0:0::1"]).await;
    let named: Vec<String> = order.order.identifiers.iter().map(ToString::to_string).collect();
    assert_eq!(named, ["dns:b.example.com", "dns:xn--bcher-kva.example", "ip:2001:db8::1"]);
    assert_eq!(order.order.authorizations.len(), 3);
    for (bad, expected) in [
        (("dns", "a.*.example.com"), ProblemKind::Malformed),
        (("dns", "10.0.0.1"), ProblemKind::Malformed),
        (("ip", "example.com"), ProblemKind::Malformed),
        (("ip", "::ffff:10.0.0.1"), ProblemKind::Malformed),
        (("email", "a@example.com"), ProblemKind::UnsupportedIdentifier),
    ] {
        let identifiers = vec![IdentifierSpec { kind: bad.0.into(), value: bad.1.into() }];
        let refused = scene.server.new_order(&account, NewOrder { identifiers, ..NewOrder::default() }).await;
        assert_eq!(kind(refused), expected, "{bad:?}");
    }
    assert_eq!(kind(scene.server.new_order(&account, NewOrder::default()).await), ProblemKind::Malformed);
    let many: Vec<String> = (0..101).map(|at| format!("h{at}.example.com")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(kind(scene.server.new_order(&account, ask(&many)).await), ProblemKind::Malformed);
}

#[tokio::test]
async fn dates_are_what_the_policy_permits() {
    let scene = Scene::trusting().await;
    let account = scene.account(1).await;
    let days = |days: i64| Some(START + Duration::days(days));
    let with =
        |not_before: Option<OffsetDateTime>, not_after| NewOrder { not_before, not_after, ..ask(&["a.example.com"]) };
    let order = scene.server.new_order(&account, with(days(1), days(11))).await.unwrap();
    let done = scene.finalize(&account, order.order.id, &csr(&["a.example.com"])).await.unwrap();
    let issued = scene.server.certificate(&account, done.certificate.unwrap()).await.unwrap();
    let validity = issued.chains[0].leaf().content().validity;
    assert_eq!((Some(validity.not_before()), Some(validity.not_after())), (days(1), days(11)));
    assert_eq!(kind(scene.server.new_order(&account, with(days(2), days(1))).await), ProblemKind::Malformed);
    let too_long = problem(scene.server.new_order(&account, with(None, days(10_000))).await);
    assert_eq!(too_long.kind, ProblemKind::Malformed);
    assert!(!too_long.subproblems.is_empty(), "before anybody proves anything");
}

#[tokio::test]
async fn an_order_ends_after_a_day() {
    let scene = Scene::new().await;
    let account = scene.account(1).await;
    let order = scene.ready(&account, &["a.example.com"]).await;
    assert_eq!(order.order.expires_at, START + Duration::hours(24));
    scene.world.clock.advance(Duration::hours(24));
    let over = scene.server.order(&account, order.order.id).await.unwrap();
    assert_eq!(over.status, OrderStatus::Invalid);
    let refused = scene.finalize(&account, order.order.id, &csr(&["a.example.com"])).await;
    assert_eq!(kind(refused), ProblemKind::OrderNotReady);
}

#[tokio::test]
async fn orders_are_listed_page_by_page() {
    let scene = Scene::trusting().await;
    let (account, other) = (scene.account(1).await, scene.account(2).await);
    for at in 0..105 {
        scene.world.clock.advance(Duration::SECOND);
        scene.order(&account, &[&format!("h{at}.example.com")]).await;
    }
    scene.order(&other, &["other.example.com"]).await;
    let (mut seen, mut after): (Vec<_>, Option<PageToken>) = (Vec::new(), None);
    loop {
        let page = scene.server.orders(&account, after.as_ref()).await.unwrap();
        seen.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    sorted.reverse();
    assert_eq!((seen.len(), &seen), (105, &sorted), "each once, the latest first");
    let foreign = PageToken::new("x");
    assert_eq!(kind(scene.server.orders(&account, Some(&foreign)).await), ProblemKind::Malformed);
}

#[tokio::test]
async fn an_order_may_choose_another_attached_profile() {
    let scene = Scene::new().await;
    let product = scene.world.session("root");
    let application = scene.world.application.id;
    let spec = Preset::TlsServer.profile(slug("short"), slug("root"), slug("web"));
    let short = product.save_profile(spec).await.unwrap();
    let account = scene.account(1).await;
    let chosen = |name: &str| NewOrder { profile: Some(name.into()), ..ask(&["a.example.com"]) };
    assert_eq!(kind(scene.server.new_order(&account, chosen("short")).await), ProblemKind::InvalidProfile);
    product.attach_profile(application, short.id).await.unwrap();
    assert_eq!(kind(scene.server.new_order(&account, chosen("short")).await), ProblemKind::InvalidProfile);
    let checks = AcmeSettings { checks: AcmeChecks::SkipAccountBinding, ..AcmeSettings::default() };
    let alice = scene.world.session("alice");
    alice.set_method(application, short.id, MethodSettings::Acme(Some(checks))).await.unwrap();
    let names: Vec<String> =
        scene.server.directory().await.unwrap().profiles.iter().map(|each| each.name.to_string()).collect();
    assert_eq!(names, ["web", "short"]);
    let order = scene.server.new_order(&account, chosen("short")).await.unwrap();
    assert_eq!((order.order.profile, order.order.chosen.clone()), (short.id, Some(slug("short"))));
    let order = scene.prove(&account, &order).await;
    let done = scene.finalize(&account, order.order.id, &csr(&["a.example.com"])).await.unwrap();
    let record = scene.world.session("otto").certificate(done.certificate.unwrap()).await.unwrap();
    assert_eq!(record.profile.unwrap().0, short.id);
    // A proof below the one is none below the other.
    assert_eq!(scene.order(&account, &["a.example.com"]).await.status, OrderStatus::Pending);
    // Nor is an account without a binding one with.
    alice.set_method(application, short.id, MethodSettings::Acme(Some(AcmeSettings::default()))).await.unwrap();
    assert_eq!(kind(scene.server.new_order(&account, chosen("short")).await), ProblemKind::Unauthorized);
    for unknown in ["nothing", "Web", ""] {
        assert_eq!(
            kind(scene.server.new_order(&account, chosen(unknown)).await),
            ProblemKind::InvalidProfile,
            "{unknown}"
        );
    }
}
