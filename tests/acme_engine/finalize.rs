//! Finalizing: exactly what was ordered, once, through the policies and past the people.

use std::collections::BTreeSet;
use std::sync::Arc;

use chancery::domain::acme::{OrderStatus, ProblemKind};
use chancery::domain::{ApprovalPolicySpec, ApprovalStep, Method, RequestStatus, SelfApproval};
use chancery::engine::{RequestQuery, Root};
use chancery::store::MemoryStore;
use chancery::x509::San;
use time::Duration;

use super::scene::{Scene, ask, csr, csr_with_key, kind, problem};
use super::support::{Yielding, bodies, events, principal, slug};

#[tokio::test]
async fn a_ready_order_becomes_a_certificate_in_the_inventory() {
    let store = MemoryStore::new();
    let settings = chancery::domain::AcmeSettings {
        checks: chancery::domain::AcmeChecks::SkipAccountBinding,
        ..Default::default()
    };
    let scene = Scene::over(store.clone(), settings).await;
    let account = scene.account(1).await;
    let order = scene.issue(&account, &["b.example.com", "a.example.com"]).await;
    assert_eq!(order.status, OrderStatus::Valid);
    let certificate = scene.server.certificate(&account, order.certificate.unwrap()).await.unwrap();
    let leaf = certificate.chains[0].leaf();
    let names: BTreeSet<San> = leaf.content().sans.iter().cloned().collect();
    assert_eq!(names, BTreeSet::from([San::dns("a.example.com").unwrap(), San::dns("b.example.com").unwrap()]));
    assert_eq!(certificate.chains[0].certificates(Root::Exclude).count(), 1, "the root itself issued");
    let record = scene.world.session("otto").certificate(order.certificate.unwrap()).await.unwrap();
    assert_eq!((record.method, &record.requester), (Some(Method::Acme), &account.principal()));
    let requests =
        scene.world.session("otto").requests(scene.world.application.id, RequestQuery::default(), None).await;
    assert_eq!(requests.unwrap().items[0].status, RequestStatus::Issued);
    let told = events(&store).await;
    for event in ["acme-account-made", "acme-order-placed", "acme-identifier-proved", "certificate-issued"] {
        assert!(told.iter().any(|each| each == event), "{event}: {told:?}");
    }
    // Somebody else's account does not get it.
    let other = scene.account(2).await;
    assert_eq!(kind(scene.server.certificate(&other, order.certificate.unwrap()).await), ProblemKind::Malformed);
    assert_eq!(kind(scene.server.order(&other, order.order.id).await), ProblemKind::Malformed);
}

#[tokio::test]
async fn the_request_names_exactly_what_was_ordered() {
    let scene = Scene::trusting().await;
    let account = scene.account(1).await;
    let order = scene.order(&account, &["a.example.com", "B.example.com"]).await;
    for (names, said) in [
        (&["a.example.com"][..], "dns:b.example.com"),
        (&["a.example.com", "b.example.com", "c.example.com"], "dns:c.example.com"),
        (&["a.example.com", "b.example.com", "10.0.0.1"], "ip:10.0.0.1"),
    ] {
        let refused = problem(scene.finalize(&account, order.order.id, &csr(names)).await);
        assert_eq!(refused.kind, ProblemKind::BadCsr);
        let about: Vec<String> =
            refused.subproblems.iter().filter_map(|each| Some(each.identifier.as_ref()?.to_string())).collect();
        assert_eq!(about, [said]);
        assert_eq!(scene.server.order(&account, order.order.id).await.unwrap().status, OrderStatus::Ready);
    }
    assert_eq!(kind(scene.finalize(&account, order.order.id, b"no request").await), ProblemKind::BadCsr);
    // The common name is one of them, and in whatever case.
    let mut params = rcgen::CertificateParams::new(vec!["A.EXAMPLE.com".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "b.example.com");
    let request = params.serialize_request(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let done = scene.finalize(&account, order.order.id, request.der()).await.unwrap();
    let issued = scene.server.certificate(&account, done.certificate.unwrap()).await.unwrap();
    assert_eq!(issued.chains[0].leaf().content().sans.len(), 2, "a common name is a name, too");
}

#[tokio::test]
async fn the_account_key_is_not_certified() {
    let scene = Scene::trusting().await;
    let key = rcgen::KeyPair::generate().unwrap();
    let spki = rcgen::PublicKeyData::subject_public_key_info(&key);
    let mut new = scene.new_account(1).await;
    new.key =
        chancery::domain::acme::AccountKey::new([1; 32], &chancery::x509::PublicKey::from_spki_der(&spki).unwrap());
    let account = scene.server.create_account(new).await.unwrap().into_inner();
    let order = scene.order(&account, &["a.example.com"]).await;
    let request = csr_with_key(&["a.example.com"], &key);
    assert_eq!(kind(scene.finalize(&account, order.order.id, &request).await), ProblemKind::BadCsr);
}

#[tokio::test]
async fn what_was_not_proved_is_not_finalized() {
    let scene = Scene::new().await;
    let account = scene.account(1).await;
    let order = scene.order(&account, &["a.example.com"]).await;
    assert_eq!(order.status, OrderStatus::Pending);
    let refused = scene.finalize(&account, order.order.id, &csr(&["a.example.com"])).await;
    assert_eq!(kind(refused), ProblemKind::OrderNotReady);
    // Nor what was waived under rules that hold no more.
    let trusting = Scene::trusting().await;
    let account = trusting.account(1).await;
    let order = trusting.order(&account, &["a.example.com"]).await;
    assert_eq!(order.status, OrderStatus::Ready);
    trusting.set(Default::default()).await;
    let refused = trusting.finalize(&account, order.order.id, &csr(&["a.example.com"])).await;
    assert_eq!(kind(refused), ProblemKind::OrderNotReady);
    assert_eq!(trusting.server.order(&account, order.order.id).await.unwrap().status, OrderStatus::Invalid);
}

#[tokio::test]
async fn the_same_request_again_is_answered_the_same_and_another_is_refused() {
    let scene = Scene::trusting().await;
    let account = scene.account(1).await;
    let order = scene.order(&account, &["a.example.com"]).await;
    let request = csr(&["a.example.com"]);
    let first = scene.finalize(&account, order.order.id, &request).await.unwrap();
    let second = scene.finalize(&account, order.order.id, &request).await.unwrap();
    assert_eq!(first.certificate, second.certificate);
    let other = scene.finalize(&account, order.order.id, &csr(&["a.example.com"])).await;
    assert_eq!(kind(other), ProblemKind::OrderNotReady);
}

/// OpenBao gave 159 certificates for 20 such orders, step-ca at least 2 for each.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_orders_with_eight_requests_each_at_once_give_twenty_certificates() {
    let store = MemoryStore::new();
    let settings =
        chancery::domain::AcmeSettings { checks: chancery::domain::AcmeChecks::SkipOwnership, ..Default::default() };
    let scene = Arc::new(Scene::over(Yielding(store.clone()), settings).await);
    let account = scene.account(1).await;
    let mut calls = Vec::new();
    for at in 0..20 {
        let name = format!("host{at}.example.com");
        let order = scene.order(&account, &[&name]).await.order.id;
        for _ in 0..8 {
            let (scene, account, request) = (Arc::clone(&scene), account.clone(), csr(&[&name]));
            calls.push(tokio::spawn(async move { (order, scene.finalize(&account, order, &request).await) }));
        }
    }
    let mut issued = BTreeSet::new();
    for call in calls {
        let (order, answer) = call.await.unwrap();
        match answer {
            Ok(view) => {
                assert!(issued.insert((order, view.certificate.unwrap())), "two requests of {order} were fulfilled")
            }
            refused => assert_eq!(kind(refused), ProblemKind::OrderNotReady),
        }
    }
    assert_eq!(issued.len(), 20);
    let certificates = bodies(&store, "certificate").await;
    assert_eq!(certificates.iter().filter(|each| each["origin"] == "profile").count(), 20);
}

#[tokio::test]
async fn a_policy_refuses_with_a_subproblem_for_each_name() {
    let scene = Scene::trusting().await;
    let account = scene.account(1).await;
    let mut spec = chancery::domain::Preset::TlsServer.policy(slug("web"));
    let rules = serde_json::json!({ "dns_name": { "allowed": ["**.example.com"] } });
    spec.sans = Some(serde_json::from_value(rules).unwrap());
    let order = scene.order(&account, &["a.example.com", "b.other.example"]).await;
    scene.world.session("root").save_policy(spec).await.unwrap();
    let refused = problem(scene.finalize(&account, order.order.id, &csr(&["a.example.com", "b.other.example"])).await);
    assert_eq!(refused.kind, ProblemKind::RejectedIdentifier);
    let about: Vec<String> =
        refused.subproblems.iter().map(|each| each.identifier.as_ref().unwrap().to_string()).collect();
    assert_eq!(about, ["dns:b.other.example"]);
    // The next one is refused before anybody has to prove anything.
    let early = problem(scene.server.new_order(&account, ask(&["a.example.com", "b.other.example"])).await);
    assert_eq!((early.kind, early.subproblems.len()), (ProblemKind::RejectedIdentifier, 1));
}

async fn guarded() -> (Scene, chancery::domain::acme::Account) {
    let scene = Scene::trusting().await;
    let step = ApprovalStep::new(1, [principal("user:otto")]);
    let policy = ApprovalPolicySpec::new(slug("all"), [step]);
    assert_eq!(policy.self_approval, SelfApproval::Forbidden);
    scene.world.session("alice").save_approval_policy(scene.world.application.id, policy).await.unwrap();
    let account = scene.account(1).await;
    (scene, account)
}

#[tokio::test]
async fn people_agree_and_the_order_becomes_valid() {
    let (scene, account) = guarded().await;
    let order = scene.order(&account, &["a.example.com"]).await;
    let request = csr(&["a.example.com"]);
    let waiting = scene.finalize(&account, order.order.id, &request).await.unwrap();
    assert_eq!(waiting.status, OrderStatus::Processing);
    assert!(waiting.retry_after.is_some());
    assert_eq!(scene.finalize(&account, order.order.id, &request).await.unwrap().status, OrderStatus::Processing);
    let otto = scene.world.session("otto");
    let open = otto.approval_requests(scene.world.application.id, RequestStatus::AwaitingApproval, None).await.unwrap();
    let open = &open.items[0];
    assert_eq!(open.requester, account.principal());
    otto.approve(open.id, &open.approval.digest, "").await.unwrap();
    let done = scene.server.order(&account, order.order.id).await.unwrap();
    assert_eq!(done.status, OrderStatus::Valid);
    scene.server.certificate(&account, done.certificate.unwrap()).await.unwrap();
}

#[tokio::test]
async fn people_refuse_or_forget_and_the_order_becomes_invalid() {
    let (scene, account) = guarded().await;
    for name in ["a.example.com", "b.example.com", "c.example.com"] {
        let order = scene.order(&account, &[name]).await;
        scene.finalize(&account, order.order.id, &csr(&[name])).await.unwrap();
    }
    let otto = scene.world.session("otto");
    let application = scene.world.application.id;
    let open = otto.approval_requests(application, RequestStatus::AwaitingApproval, None).await.unwrap().items;
    otto.reject(open[0].id, &open[0].approval.digest, "no").await.unwrap();
    // The account of the second is taken away before people agree: what it asked comes to nothing.
    let alice = scene.world.session("alice");
    alice.revoke_acme_account(account.id).await.unwrap();
    otto.approve(open[1].id, &open[1].approval.digest, "").await.unwrap();
    scene.world.clock.advance(Duration::days(40));
    scene.work().await;
    let all = otto.requests(application, RequestQuery::default(), None).await.unwrap().items;
    let mut ended: Vec<RequestStatus> = all.iter().map(|each| each.status).collect();
    ended.sort_by_key(|status| status.as_str());
    assert_eq!(ended, [RequestStatus::Expired, RequestStatus::Rejected, RequestStatus::Voided]);
}

#[tokio::test]
async fn a_rejected_order_says_why() {
    let (scene, account) = guarded().await;
    let order = scene.order(&account, &["a.example.com"]).await;
    scene.finalize(&account, order.order.id, &csr(&["a.example.com"])).await.unwrap();
    let otto = scene.world.session("otto");
    let open =
        otto.approval_requests(scene.world.application.id, RequestStatus::AwaitingApproval, None).await.unwrap().items;
    otto.reject(open[0].id, &open[0].approval.digest, "no").await.unwrap();
    let done = scene.server.order(&account, order.order.id).await.unwrap();
    assert_eq!(done.status, OrderStatus::Invalid);
    assert!(done.error.is_some());
}
