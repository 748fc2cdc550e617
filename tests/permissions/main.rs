//! The permission matrix row by row, and every verb by everybody: allowed, forbidden, or kept secret, and then unwritten.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod scene;
#[path = "../support/engine.rs"]
mod support;
mod verbs;

use chancery::domain::{Action, Actor, ApplicationId, ApplicationSpec, KeyRereading, Metadata, Role, Standing};
use chancery::engine::{CertificateQuery, Error};
use scene::{Scene, answer};
use support::{everything, slug, user};
use verbs::{VERBS, Verb};

/// Domain 1.8 as it is written there: subject, actions, and who: Admin, Operator, Auditor, Product administrator.
const MATRIX: [(&str, &str, [bool; 4]); 27] = {
    const X: bool = true;
    const O: bool = false;
    [
        ("application", "read", [X, X, X, X]),
        ("application", "edit delete", [X, O, O, O]),
        ("application", "manage-profiles", [O, O, O, X]),
        ("enrollment", "read", [X, X, X, O]),
        ("enrollment", "edit reveal-acme-eab-secret rotate-acme-eab-secret", [X, O, O, O]),
        ("enrollment", "generate-scep-challenge", [X, X, O, O]),
        ("approval-policies", "read", [X, X, X, O]),
        ("approval-policies", "create edit delete", [X, O, O, O]),
        ("certificates", "read list", [X, X, X, X]),
        ("certificates", "create edit read-private-key import", [X, X, O, O]),
        ("certificates", "delete", [X, O, O, O]),
        ("inventory-views", "read", [X, X, X, O]),
        ("inventory-views", "create edit delete", [X, X, O, O]),
        ("pki-syncs", "read list", [X, X, X, O]),
        ("pki-syncs", "sync-certificates", [X, X, O, O]),
        ("pki-syncs", "create edit delete import-certificates remove-certificates", [X, O, O, O]),
        ("pki-syncs", "set-post-sync-command", [X, O, O, O]),
        ("pki-alerts", "read", [X, X, X, O]),
        ("pki-alerts", "create edit delete", [X, O, O, O]),
        ("approval-requests", "read", [X, X, X, O]),
        ("approval-requests", "create", [X, X, O, O]),
        ("approval-request-grants", "read", [X, X, X, O]),
        ("approval-request-grants", "revoke", [X, O, O, O]),
        ("members", "read create edit delete", [X, O, O, X]),
        ("members", "grant-privileges assign-role", [X, O, O, X]),
        ("certificate-profiles", "read", [X, X, X, O]),
        ("certificate-profiles", "issue-cert", [X, X, O, O]),
    ]
};

const STANDINGS: [Standing; 4] = [
    Standing::Member(Role::Admin),
    Standing::Member(Role::Operator),
    Standing::Member(Role::Auditor),
    Standing::ProductAdministrator,
];

#[test]
fn oracle_28_permission_matrix() {
    let mut seen = Vec::new();
    for (subject, actions, grants) in MATRIX {
        for action in actions.split(' ') {
            let name = format!("{subject}.{action}");
            let action = Action::ALL.iter().find(|action| action.as_str() == name);
            let action = action.unwrap_or_else(|| panic!("{name} is missing"));
            assert_eq!(STANDINGS.map(|standing| action.is_granted_to(standing)), grants, "{name}");
            seen.push(*action);
        }
    }
    for action in Action::ALL {
        assert_eq!(seen.iter().filter(|each| *each == action).count(), 1, "{action} is a row of the matrix");
    }
}

/// What an actor gets from a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// It is done, or fails for a reason that has nothing to do with permissions.
    Yes,
    Forbidden,
    /// It is not even told that there is such a thing.
    Secret,
    NotAdministrator,
}

use Answer::{Forbidden as F, NotAdministrator as P, Secret as S, Yes as Y};

/// Everybody, in the order of the columns of [`VERBS`].
fn everybody() -> [(&'static str, Actor); 7] {
    [
        ("admin", user("alice")),
        ("operator", user("otto")),
        ("auditor", user("audra")),
        ("product administrator", user("root")),
        ("product administrator who is also operator", user("root").in_group("ops").unwrap()),
        ("operator through a group", user("gina").in_group("ops").unwrap()),
        ("stranger", user("mallory").in_group("other").unwrap()),
    ]
}

#[tokio::test]
async fn every_verb_by_everybody() {
    for (verb, expected) in VERBS.iter().copied() {
        let scene = Scene::new().await;
        // First those who are denied, in one store that must not change; the others may change it as they like.
        for ((who, actor), expected) in everybody().into_iter().zip(expected).filter(|(_, answer)| *answer != Y) {
            let before = everything(&scene.store).await;
            let result = scene.call(verb, &scene.world.engine.acting_as(actor)).await;
            assert_eq!(answer(verb, &result), expected, "{verb:?} by {who}: {result:?}");
            assert_eq!(everything(&scene.store).await, before, "{verb:?} by {who} was denied, and wrote");
        }
        for ((who, actor), _) in everybody().into_iter().zip(expected).filter(|(_, answer)| *answer == Y) {
            let scene = Scene::new().await;
            let result = scene.call(verb, &scene.world.engine.acting_as(actor)).await;
            assert_eq!(answer(verb, &result), Y, "{verb:?} by {who}: {result:?}");
        }
    }
}

#[tokio::test]
async fn what_is_secret_sounds_like_what_does_not_exist() {
    let scene = Scene::new().await;
    let stranger = scene.world.engine.acting_as(user("mallory"));
    let mut nowhere = scene.world.enrollment("a.example.com");
    nowhere.application = ApplicationId::new(support::START, [9; 10]);
    for verb in [Verb::Submit, Verb::SubmitNoProfile, Verb::Application, Verb::List, Verb::Events, Verb::Tag] {
        let secret = scene.call(verb, &stranger).await.unwrap_err();
        let Error::NotFound { what, id } = &secret else { panic!("{secret:?}") };
        match verb {
            Verb::Tag => assert_eq!((*what, id), ("certificate", &scene.certificate.to_string())),
            _ => assert_eq!((*what, id), ("application", &scene.world.application.id.to_string()), "{verb:?}"),
        }
    }
    let unknown = stranger.submit(&nowhere).await.unwrap_err();
    assert!(matches!(unknown, Error::NotFound { what: "application", .. }), "{unknown:?}");
    let found = stranger.certificates_by_serial(scene.outside.serial()).await.unwrap();
    assert!(
        found.is_empty() && stranger.certificates_by_fingerprint(scene.outside.fingerprint()).await.unwrap().is_empty()
    );
    assert!(stranger.applications(None).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn everybody_lists_the_applications_they_may_see() {
    let scene = Scene::new().await;
    support::application(&scene.world.engine, "other", &["web"]).await;
    let product = scene.world.session("root");
    product.create_application(ApplicationSpec::new(slug("lonely"))).await.unwrap();
    for ((who, actor), expected) in everybody().into_iter().zip([2, 2, 2, 3, 3, 2, 0]) {
        let seen = scene.world.engine.acting_as(actor).applications(None).await.unwrap().items;
        assert_eq!(seen.len(), expected, "{who}: {seen:?}");
    }
}

/// `members.read` is of Admins and product administrators: others learn from the Application only what they are themselves.
#[tokio::test]
async fn members_are_shown_to_those_who_may_read_them() {
    let scene = Scene::new().await;
    let application = &scene.world.application;
    for ((who, actor), expected) in everybody().into_iter().zip([None, Some(1), Some(1), None, None, Some(1)]) {
        let session = scene.world.engine.acting_as(actor);
        let seen = [
            session.application(application.id).await.unwrap(),
            session.application_named(&application.name).await.unwrap(),
            session.applications(None).await.unwrap().items.remove(0),
        ];
        for seen in seen {
            assert_eq!(seen.members.len(), expected.unwrap_or(application.members.len()), "{who}: {:?}", seen.members);
            assert_eq!(seen.role_of(session.actor()), application.role_of(session.actor()), "{who}");
        }
    }
}

/// Two who edit at once: each keeps what the other changed.
#[tokio::test]
async fn edits_of_an_application_leave_alone_what_they_do_not_name() {
    let scene = Scene::new().await;
    let (alice, id) = (scene.world.session("alice"), scene.world.application.id);
    let (described, switched) = tokio::join!(
        alice.edit_application(id, "new".to_owned(), None),
        alice.edit_application(id, None, KeyRereading::DisabledForGood),
    );
    described.unwrap();
    switched.unwrap();
    let seen = alice.application(id).await.unwrap();
    assert_eq!((seen.description.as_str(), seen.key_rereading), ("new", KeyRereading::DisabledForGood));
    let before = everything(&scene.store).await;
    alice.edit_application(id, "new".to_owned(), KeyRereading::DisabledForGood).await.unwrap();
    assert_eq!(everything(&scene.store).await, before, "what is so already is not written");
}

#[tokio::test]
async fn issuers_own_certificates_are_for_product_administrators_to_see_and_for_nobody_to_change() {
    let scene = Scene::new().await;
    let product = scene.world.session("root");
    let all = product.certificates(&CertificateQuery::default(), None).await.unwrap().items;
    let own = all.iter().find(|record| record.application.is_none()).unwrap();
    product.certificate(own.id).await.unwrap();
    let denied = product.tag_certificate(own.id, Metadata::default()).await.unwrap_err();
    assert!(matches!(denied, Error::Forbidden { .. }), "{denied:?}");
    let denied = product.delete_certificate(own.id).await.unwrap_err();
    assert!(matches!(denied, Error::Forbidden { .. }), "{denied:?}");
    let denied = product.private_key(own.id).await.unwrap_err();
    assert!(matches!(denied, Error::Forbidden { .. }), "{denied:?}");
    let hidden = scene.world.session("alice").certificate(own.id).await.unwrap_err();
    assert!(matches!(hidden, Error::NotFound { .. }), "{hidden:?}");
}
