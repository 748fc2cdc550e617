//! Binding keys: made by people, used by clients, bounded in time, uses and names.

use chancery::domain::acme::{BindingSpec, BindingUses, ProblemKind};
use chancery::domain::{AcmeSettings, Span};
use chancery::engine::Error;
use chancery::engine::acme::NewAccount;
use chancery::store::MemoryStore;
use time::Duration;

use super::scene::{Scene, account_key, ask, kind, problem};
use super::support::{bodies, everything};

fn spec(text: &str) -> BindingSpec {
    serde_json::from_str(text).unwrap()
}

#[cfg(feature = "acme")]
mod mac {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use chancery::domain::acme::BindingMac;
    use chancery::engine::acme::BindingProof;

    use super::*;

    fn tag(mac: BindingMac, secret: &str, message: &[u8]) -> Vec<u8> {
        use aws_lc_rs::hmac;
        let algorithm = match mac {
            BindingMac::Hs256 => hmac::HMAC_SHA256,
            BindingMac::Hs384 => hmac::HMAC_SHA384,
            BindingMac::Hs512 => hmac::HMAC_SHA512,
        };
        let key = hmac::Key::new(algorithm, &URL_SAFE_NO_PAD.decode(secret).unwrap());
        hmac::sign(&key, message).as_ref().to_vec()
    }

    #[tokio::test]
    async fn a_binding_is_good_with_each_algorithm_and_its_own_secret() {
        let scene = Scene::with(AcmeSettings::default()).await;
        let at = (scene.world.application.id, scene.world.profile.id);
        let alice = scene.world.session("alice");
        let (binding, secret) = alice.create_acme_binding(at.0, at.1, BindingSpec::new("fleet")).await.unwrap();
        let (_, other) = alice.create_acme_binding(at.0, at.1, BindingSpec::new("other")).await.unwrap();
        let message = b"protected.payload";
        for mac in [BindingMac::Hs256, BindingMac::Hs384, BindingMac::Hs512] {
            let good = tag(mac, secret.expose_text(), message);
            let proof = BindingProof { kid: binding.id, mac, signing_input: message, tag: &good };
            assert_eq!(scene.server.verify_binding(&proof).await.unwrap(), binding);
            let foreign = tag(mac, other.expose_text(), message);
            for (input, tag) in
                [(&b"other.payload"[..], &good[..]), (message, &good[1..]), (message, &foreign), (message, b"")]
            {
                let proof = BindingProof { kid: binding.id, mac, signing_input: input, tag };
                assert_eq!(kind(scene.server.verify_binding(&proof).await), ProblemKind::Unauthorized, "{mac:?}");
            }
        }
        let good = tag(BindingMac::Hs256, secret.expose_text(), message);
        let proof = BindingProof { kid: binding.id, mac: BindingMac::Hs256, signing_input: message, tag: &good };
        alice.revoke_acme_binding(binding.id).await.unwrap();
        assert_eq!(kind(scene.server.verify_binding(&proof).await), ProblemKind::Unauthorized);
    }
}

#[tokio::test]
async fn a_key_is_good_for_one_account_or_many_and_until_it_expires() {
    let scene = Scene::with(AcmeSettings::default()).await;
    let at = (scene.world.application.id, scene.world.profile.id);
    let alice = scene.world.session("alice");
    let new = |seed: u8, binding| NewAccount {
        key: account_key(seed),
        contacts: Vec::new(),
        terms: chancery::engine::acme::Terms::Agreed,
        binding: Some(binding),
    };
    let (once, _) = alice.create_acme_binding(at.0, at.1, spec(r#"{"name":"once"}"#)).await.unwrap();
    let both = futures_util::future::join(
        scene.server.create_account(new(1, once.clone())),
        scene.server.create_account(new(2, once.clone())),
    );
    let (first, second) = both.await;
    assert_eq!(usize::from(first.is_ok()) + usize::from(second.is_ok()), 1, "{first:?} {second:?}");
    assert_eq!(kind(scene.server.create_account(new(3, once)).await), ProblemKind::Unauthorized);
    let (many, _) =
        alice.create_acme_binding(at.0, at.1, spec(r#"{"name":"many","uses":"many","ttl":"1h"}"#)).await.unwrap();
    assert_eq!(many.uses, BindingUses::Many);
    let made = scene.server.create_account(new(4, many.clone())).await.unwrap().into_inner();
    assert_eq!(made.bound.as_ref().map(|bound| bound.by), Some(many.id));
    scene.server.create_account(new(5, many.clone())).await.unwrap();
    let listed = alice.acme_bindings(at.0, at.1, None).await.unwrap().items;
    assert_eq!(listed.iter().find(|each| each.id == many.id).unwrap().used, 2);
    scene.world.clock.advance(Duration::HOUR);
    assert_eq!(kind(scene.server.create_account(new(6, many)).await), ProblemKind::Unauthorized);
    scene.work().await;
    assert_eq!(alice.acme_bindings(at.0, at.1, None).await.unwrap().items.len(), 1, "what has expired is collected");
    // The accounts that were made with it stay.
    assert!(scene.server.account(made.id).await.is_ok());
    assert_eq!(alice.acme_accounts(at.0, at.1, None).await.unwrap().items.len(), 3);
}

#[tokio::test]
async fn a_scope_bounds_what_its_accounts_order() {
    let scene = Scene::with(AcmeSettings::default()).await;
    let at = (scene.world.application.id, scene.world.profile.id);
    let scoped = spec(r#"{"name":"edge","identifiers":{"dns_name":["**.edge.example.com"]}}"#);
    let (binding, _) = scene.world.session("alice").create_acme_binding(at.0, at.1, scoped).await.unwrap();
    let terms = chancery::engine::acme::Terms::Agreed;
    let new = NewAccount { key: account_key(1), contacts: Vec::new(), terms, binding: Some(binding) };
    let account = scene.server.create_account(new).await.unwrap().into_inner();
    scene.order(&account, &["a.edge.example.com", "*.b.edge.example.com"]).await;
    let refused =
        problem(scene.server.new_order(&account, ask(&["a.edge.example.com", "www.example.com", "10.0.0.1"])).await);
    assert_eq!(refused.kind, ProblemKind::RejectedIdentifier);
    let about: Vec<String> = refused.subproblems.iter().map(|each| each.identifier.as_ref().unwrap().value()).collect();
    assert_eq!(about, ["www.example.com", "10.0.0.1"]);
}

#[tokio::test]
async fn secrets_are_sealed_shown_and_revealed_with_an_event() {
    let store = MemoryStore::new();
    let scene = Scene::over(store.clone(), AcmeSettings::default()).await;
    let at = (scene.world.application.id, scene.world.profile.id);
    let alice = scene.world.session("alice");
    let (binding, secret) = alice.create_acme_binding(at.0, at.1, BindingSpec::new("fleet")).await.unwrap();
    assert_eq!(secret.expose_text().len(), 86, "64 octets in base64url");
    let revealed = alice.reveal_acme_binding(binding.id).await.unwrap();
    assert_eq!(revealed.expose_text(), secret.expose_text());
    let told = bodies(&store, "event").await;
    assert!(told.iter().any(|event| event["event"] == "acme-binding-read"));
    for (key, (_, body)) in everything(&store).await {
        assert!(!body.contains(secret.expose_text()), "{key}");
    }
    let faulty = BindingSpec { ttl: Some("1s".parse::<Span>().unwrap()), ..BindingSpec::new("") };
    let Err(Error::Invalid { faults }) = alice.create_acme_binding(at.0, at.1, faulty).await else { panic!() };
    assert_eq!(faults.len(), 2);
    let nowhere = chancery::domain::ProfileId::new(super::support::START, [9; 10]);
    let missing = alice.create_acme_binding(at.0, nowhere, BindingSpec::new("x")).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }), "{missing:?}");
}
