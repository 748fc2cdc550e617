//! Accounts: made once for each key, changed, given up, and given another key.

use chancery::domain::acme::{AccountStatus, ProblemKind};
use chancery::domain::{AcmeChecks, AcmeSettings, MethodSettings};
use chancery::engine::Error;
use chancery::engine::acme::AcmeError;
use chancery::engine::acme::{Created, Terms};
use time::Duration;

use super::scene::{Scene, account_key, ask, is_new, kind, problem};

#[tokio::test]
async fn a_key_has_one_account() {
    let scene = Scene::new().await;
    let made = scene.server.create_account(scene.new_account(1).await).await.unwrap();
    assert!(is_new(&made));
    let again = scene.server.create_account(scene.new_account(1).await).await.unwrap();
    assert!(!is_new(&again));
    assert_eq!(made.into_inner(), again.into_inner());
    let found = scene.server.account_with_key([1; 32]).await.unwrap();
    assert_eq!(found.contacts[0].as_str(), "mailto:ops@example.com");
    assert_eq!(kind(scene.server.account_with_key([2; 32]).await), ProblemKind::AccountDoesNotExist);
}

#[tokio::test]
async fn many_at_once_make_one_account() {
    let scene = Scene::new().await;
    let mut asks = Vec::new();
    for _ in 0..8 {
        asks.push(scene.new_account(1).await);
    }
    let made = futures_util::future::join_all(asks.into_iter().map(|ask| scene.server.create_account(ask))).await;
    let made: Vec<Created<_>> = made.into_iter().map(Result::unwrap).collect();
    assert_eq!(made.iter().filter(|each| is_new(each)).count(), 1);
}

#[tokio::test]
async fn terms_and_bindings_are_asked_for() {
    let terms = Some("https://ca.example.com/terms".to_owned());
    let scene = Scene::with(AcmeSettings { terms, ..AcmeSettings::default() }).await;
    let mut new = scene.new_account(1).await;
    new.binding = None;
    assert_eq!(kind(scene.server.create_account(new).await), ProblemKind::ExternalAccountRequired);
    let mut new = scene.new_account(1).await;
    new.terms = Terms::Unsaid;
    assert_eq!(kind(scene.server.create_account(new).await), ProblemKind::UserActionRequired);
    let mut new = scene.new_account(1).await;
    new.contacts = vec!["tel:123".into()];
    assert_eq!(kind(scene.server.create_account(new).await), ProblemKind::UnsupportedContact);
    let made = scene.account(1).await;
    assert!(made.terms_agreed_at.is_some() && made.bound.is_some());
}

#[tokio::test]
async fn contacts_are_changed_and_an_account_given_up_does_nothing_more() {
    let scene = Scene::new().await;
    let account = scene.account(1).await;
    let changed = scene.server.update_account(&account, Some(vec!["mailto:new@example.com".into()])).await.unwrap();
    assert_eq!(changed.contacts[0].as_str(), "mailto:new@example.com");
    assert_eq!(scene.server.update_account(&account, None).await.unwrap(), changed);
    let order = scene.order(&account, &["a.example.com"]).await;
    let gone = scene.server.deactivate_account(&account).await.unwrap();
    assert_eq!(gone.status(), AccountStatus::Deactivated);
    assert_eq!(kind(scene.server.account(account.id).await), ProblemKind::Unauthorized);
    // Its key makes no other, and whoever still holds what was read before gets nowhere with it.
    assert_eq!(kind(scene.server.create_account(scene.new_account(1).await).await), ProblemKind::Unauthorized);
    assert_eq!(kind(scene.server.new_order(&account, ask(&["a.example.com"])).await), ProblemKind::Unauthorized);
    assert_eq!(kind(scene.server.deactivate_account(&account).await), ProblemKind::Unauthorized);
    let answered = scene.prove(&account, &order).await;
    assert!(answered.error.is_some(), "nothing is looked at for an account that is gone: {answered:?}");
    assert!(scene.verifier.asked().is_empty());
}

#[tokio::test]
async fn a_key_is_rolled_over_and_no_two_accounts_share_one() {
    let scene = Scene::new().await;
    let (account, other) = (scene.account(1).await, scene.account(2).await);
    let taken = problem(scene.server.roll_key(&account, account_key(2)).await);
    assert_eq!(taken.account, Some(other.id));
    let rolled = scene.server.roll_key(&account, account_key(3)).await.unwrap();
    assert_eq!(scene.server.account_with_key([3; 32]).await.unwrap().id, account.id);
    assert_eq!(kind(scene.server.account_with_key([1; 32]).await), ProblemKind::AccountDoesNotExist);
    // What was signed with the old key a moment ago is not enough any more.
    assert_eq!(kind(scene.server.roll_key(&account, account_key(4)).await), ProblemKind::Unauthorized);
    let fresh = scene.account(1).await;
    assert_ne!(fresh.id, rolled.id, "the old key is free");
}

#[tokio::test]
async fn accounts_belong_to_their_directory_and_go_with_it() {
    let scene = Scene::new().await;
    let account = scene.account(1).await;
    let (application, profile) = (scene.world.application.id, scene.world.profile.id);
    let off = MethodSettings::Acme(None);
    scene.world.session("alice").set_method(application, profile, off).await.unwrap();
    let refused = scene.server.account(account.id).await.unwrap_err();
    assert!(matches!(refused, AcmeError::Failed(Error::NotFound { .. })), "{refused:?}");
    assert!(scene.server.new_order(&account, ask(&["a.example.com"])).await.is_err());
    assert!(scene.server.directory().await.is_err());
}

#[tokio::test]
async fn the_nonce_key_is_one_for_all_nodes() {
    let scene = Scene::new().await;
    let both = futures_util::future::join(scene.server.nonce_key(), scene.server.nonce_key()).await;
    assert_eq!(both.0.unwrap().expose(), both.1.unwrap().expose());
    assert_eq!(scene.server.nonce_key().await.unwrap().expose().len(), 32);
}

#[tokio::test]
async fn an_account_that_nobody_uses_is_collected_with_its_key() {
    let scene = Scene::with(AcmeSettings { checks: AcmeChecks::SkipAccountBinding, ..AcmeSettings::default() }).await;
    let (idle, used) = (scene.account(1).await, scene.account(2).await);
    scene.world.clock.advance(Duration::days(300));
    scene.order(&used, &["a.example.com"]).await;
    scene.world.clock.advance(Duration::days(101));
    scene.work().await;
    assert_eq!(kind(scene.server.account(idle.id).await), ProblemKind::AccountDoesNotExist);
    assert!(scene.server.account(used.id).await.is_ok());
    assert!(is_new(&scene.server.create_account(scene.new_account(1).await).await.unwrap()));
}
