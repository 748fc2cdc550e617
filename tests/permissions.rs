//! The permission matrix row by row, and every verb by everybody: allowed, forbidden, or kept secret, and then unwritten.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "support/engine.rs"]
mod support;

use std::collections::BTreeMap;

use chancery::domain::{
    Action, Actor, ApplicationSpec, AutoRenewal, CertificateId, Enrollment, IssuerSpec, KeyRereading, Member, Metadata,
    Methods, Preset, RenewalBudget, RenewalKey, RequestId, Role, Span, Standing,
};
use chancery::engine::{CertificateQuery, Error, Import, Session};
use chancery::store::MemoryStore;
use chancery::x509::Certificate;
use support::{HOURS, World, everything, principal, slug, user};

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Submit,
    SubmitNoProfile,
    DryRun,
    DryRunNoProfile,
    Request,
    Certificate,
    Chain,
    PrivateKey,
    Tag,
    Renew,
    SubmitRenewal,
    Renewal,
    SetRenewal,
    ExpediteRenewal,
    SetRenewalBudget,
    Delete,
    ImportTracked,
    List,
    ListAll,
    Application,
    ApplicationNamed,
    EditApplication,
    DeleteApplication,
    Attach,
    Detach,
    SetMethods,
    SetMember,
    RemoveMember,
    Events,
    CreateApplication,
    CreateRoot,
    CreateIntermediate,
    RequestIssuer,
    InstallIssuer,
    ImportIssuer,
    IssuerNamed,
    SavePolicy,
    PolicyNamed,
    PolicyRevision,
    DeletePolicy,
    Impact,
    SaveProfile,
    ProfileNamed,
    DeleteProfile,
}

/// Verb by actor: admin, operator, auditor, product, product + operator, through a group, stranger.
const VERBS: [(Verb, [Answer; 7]); 44] = [
    (Verb::Submit, [Y, Y, F, F, Y, Y, S]),
    (Verb::SubmitNoProfile, [Y, Y, F, F, Y, Y, S]),
    (Verb::DryRun, [Y, Y, F, F, Y, Y, S]),
    (Verb::DryRunNoProfile, [Y, Y, F, F, Y, Y, S]),
    (Verb::Request, [Y, Y, Y, Y, Y, Y, S]),
    (Verb::Certificate, [Y, Y, Y, Y, Y, Y, S]),
    (Verb::Chain, [Y, Y, Y, Y, Y, Y, S]),
    (Verb::PrivateKey, [Y, Y, F, F, Y, Y, S]),
    (Verb::Tag, [Y, Y, F, F, Y, Y, S]),
    (Verb::Renew, [Y, Y, F, F, Y, Y, S]),
    (Verb::SubmitRenewal, [Y, Y, F, F, Y, Y, S]),
    (Verb::Renewal, [Y, Y, Y, Y, Y, Y, S]),
    (Verb::SetRenewal, [Y, Y, F, F, Y, Y, S]),
    (Verb::ExpediteRenewal, [Y, Y, F, F, Y, Y, S]),
    (Verb::SetRenewalBudget, [P, P, P, Y, Y, P, P]),
    (Verb::Delete, [Y, F, F, F, F, F, S]),
    (Verb::ImportTracked, [Y, Y, F, F, Y, Y, S]),
    (Verb::List, [Y, Y, Y, Y, Y, Y, S]),
    (Verb::ListAll, [P, P, P, Y, Y, P, P]),
    (Verb::Application, [Y, Y, Y, Y, Y, Y, S]),
    (Verb::ApplicationNamed, [Y, Y, Y, Y, Y, Y, S]),
    (Verb::EditApplication, [Y, F, F, F, F, F, S]),
    (Verb::DeleteApplication, [Y, F, F, F, F, F, S]),
    (Verb::Attach, [F, F, F, Y, Y, F, S]),
    (Verb::Detach, [F, F, F, Y, Y, F, S]),
    (Verb::SetMethods, [Y, F, F, F, F, F, S]),
    (Verb::SetMember, [Y, F, F, Y, Y, F, S]),
    (Verb::RemoveMember, [Y, F, F, Y, Y, F, S]),
    (Verb::Events, [Y, Y, Y, Y, Y, Y, S]),
    (Verb::CreateApplication, [P, P, P, Y, Y, P, P]),
    (Verb::CreateRoot, [P, P, P, Y, Y, P, P]),
    (Verb::CreateIntermediate, [P, P, P, Y, Y, P, P]),
    (Verb::RequestIssuer, [P, P, P, Y, Y, P, P]),
    (Verb::InstallIssuer, [P, P, P, Y, Y, P, P]),
    (Verb::ImportIssuer, [P, P, P, Y, Y, P, P]),
    (Verb::IssuerNamed, [P, P, P, Y, Y, P, P]),
    (Verb::SavePolicy, [P, P, P, Y, Y, P, P]),
    (Verb::PolicyNamed, [P, P, P, Y, Y, P, P]),
    (Verb::PolicyRevision, [P, P, P, Y, Y, P, P]),
    (Verb::DeletePolicy, [P, P, P, Y, Y, P, P]),
    (Verb::Impact, [P, P, P, Y, Y, P, P]),
    (Verb::SaveProfile, [P, P, P, Y, Y, P, P]),
    (Verb::ProfileNamed, [P, P, P, Y, Y, P, P]),
    (Verb::DeleteProfile, [P, P, P, Y, Y, P, P]),
];

struct Scene {
    store: MemoryStore,
    world: World,
    certificate: CertificateId,
    request: RequestId,
    outside: Certificate,
}

impl Scene {
    async fn new() -> Self {
        let store = MemoryStore::new();
        let world = World::over(store.clone()).await;
        let first = world.issue("api.example.com").await;
        let outside = world.issue("outside.example.com").await.certificate().clone();
        // Expired, so that it may be deleted.
        world.clock.advance(HOURS * 12 * 100);
        Self { store, certificate: first.record.id, request: first.request, outside, world }
    }

    async fn call(&self, verb: Verb, session: &Session) -> Result<(), Error> {
        let World { application, profile, root, .. } = &self.world;
        let (id, web) = (application.id, slug("web"));
        let ask = self.world.enrollment("new.example.com");
        let no_profile = {
            let mut ask = ask.clone();
            ask.profile = chancery::domain::ProfileId::new(support::START, [9; 10]);
            ask
        };
        let operator = || Member { principal: principal("user:new"), role: Role::Operator };
        let issuer = || IssuerSpec { ttl: Span::days(30), ..IssuerSpec::new(slug("another"), "Another") };
        let policy = profile.policy;
        let root_chain = || vec![self.outside.clone()];
        match verb {
            Verb::Submit => session.submit(&ask).await.map(drop),
            Verb::SubmitNoProfile => session.submit(&no_profile).await.map(drop),
            Verb::DryRun => session.dry_run(&ask).await.map(drop),
            Verb::DryRunNoProfile => session.dry_run(&no_profile).await.map(drop),
            Verb::Request => session.request(self.request).await.map(drop),
            Verb::Certificate => session.certificate(self.certificate).await.map(drop),
            Verb::Chain => session.chain(self.certificate).await.map(drop),
            Verb::PrivateKey => session.private_key(self.certificate).await.map(drop),
            Verb::Tag => {
                let tags = Metadata::try_from(BTreeMap::from([("a".to_owned(), "b".to_owned())])).unwrap();
                session.tag_certificate(self.certificate, tags).await.map(drop)
            }
            Verb::Renew => session.renew(self.certificate, RenewalKey::New).await.map(drop),
            Verb::SubmitRenewal => {
                let record = self.world.session("alice").certificate(self.certificate).await.unwrap();
                session.submit(&Enrollment::renewal(&record).unwrap().dns("edited.example.com")).await.map(drop)
            }
            Verb::Renewal => session.renewal(self.certificate).await.map(drop),
            Verb::SetRenewal => session.set_renewal(self.certificate, Some(AutoRenewal::Off)).await.map(drop),
            Verb::ExpediteRenewal => session.expedite_renewal(self.certificate).await.map(drop),
            Verb::SetRenewalBudget => session.set_renewal_budget(root.id, RenewalBudget::default()).await.map(drop),
            Verb::Delete => session.delete_certificate(self.certificate).await,
            Verb::ImportTracked => {
                let (certificate, chain) = (self.outside.clone(), Vec::new());
                let metadata = Metadata::default();
                let import = Import { application: id, profile: None, certificate, chain, key: None, metadata };
                session.import_certificate(import).await.map(drop)
            }
            Verb::List => {
                let query = CertificateQuery { application: Some(id), ..Default::default() };
                session.certificates(&query, None).await.map(drop)
            }
            Verb::ListAll => session.certificates(&CertificateQuery::default(), None).await.map(drop),
            Verb::Application => session.application(id).await.map(drop),
            Verb::ApplicationNamed => session.application_named(&application.name).await.map(drop),
            Verb::EditApplication => {
                session.edit_application(id, "new".into(), KeyRereading::DisabledForGood).await.map(drop)
            }
            Verb::DeleteApplication => session.delete_application(id).await,
            Verb::Attach => session.attach_profile(id, profile.id).await.map(drop),
            Verb::Detach => session.detach_profile(id, profile.id).await.map(drop),
            Verb::SetMethods => session.set_methods(id, profile.id, Methods::default()).await.map(drop),
            Verb::SetMember => session.set_member(id, operator()).await.map(drop),
            Verb::RemoveMember => session.remove_member(id, &principal("user:audra")).await.map(drop),
            Verb::Events => session.events(id, None).await.map(drop),
            Verb::CreateApplication => session.create_application(ApplicationSpec::new(slug("mine"))).await.map(drop),
            Verb::CreateRoot => session.create_root(issuer()).await.map(drop),
            Verb::CreateIntermediate => session.create_intermediate(issuer(), root.id).await.map(drop),
            Verb::RequestIssuer => session.request_issuer(issuer()).await.map(drop),
            Verb::InstallIssuer => session.install_issuer(root.id, root_chain()).await.map(drop),
            Verb::ImportIssuer => {
                session.import_issuer(slug("another"), Default::default(), root_chain(), None).await.map(drop)
            }
            Verb::IssuerNamed => session.issuer_named(&slug("root")).await.map(drop),
            Verb::SavePolicy => session.save_policy(Preset::Dual.policy(web)).await.map(drop),
            Verb::PolicyNamed => session.policy_named(&web).await.map(drop),
            Verb::PolicyRevision => session.policy_revision(policy, 1).await.map(drop),
            Verb::DeletePolicy => session.delete_policy(policy).await,
            Verb::Impact => session.impact(policy, Preset::Dual.policy(web)).await.map(drop),
            Verb::SaveProfile => {
                let mut spec = Preset::TlsServer.profile(web.clone(), slug("root"), web);
                spec.description = "new".into();
                session.save_profile(spec).await.map(drop)
            }
            Verb::ProfileNamed => session.profile_named(&web).await.map(drop),
            Verb::DeleteProfile => session.delete_profile(profile.id).await,
        }
    }
}

/// A profile that does not exist may be told of to those who may ask; to a stranger, only the Application is unknown.
fn answer(verb: Verb, result: &Result<(), Error>) -> Answer {
    match result {
        Err(Error::Forbidden { .. }) => F,
        Err(Error::NotAdministrator { .. }) => P,
        Err(Error::NotFound { what: "profile", .. }) => Y,
        Err(Error::NotFound { .. }) => S,
        // These calls can not succeed here: what counts is that they got past the door.
        Err(Error::Issuer { .. }) if matches!(verb, Verb::InstallIssuer | Verb::ImportIssuer) => Y,
        Err(Error::InUse { .. }) if verb == Verb::DeletePolicy => Y,
        Ok(()) => Y,
        Err(other) => panic!("{verb:?}: {other:?}"),
    }
}

#[tokio::test]
async fn every_verb_by_everybody() {
    for (verb, expected) in VERBS {
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
    nowhere.application = chancery::domain::ApplicationId::new(support::START, [9; 10]);
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
