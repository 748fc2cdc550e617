//! The permission matrix row by row, and every verb by everybody: allowed, forbidden, or kept secret, and then unwritten.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "support/engine.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery::clock::ManualClock;
use chancery::domain::{
    Action, Actor, AlertId, AlertOn, AlertSpec, ApplicationId, ApplicationSpec, ApprovalPolicySpec, ApprovalStep,
    AutoRenewal, CertificateId, Channel, ChannelKind, Enrollment, IncidentId, IncidentSelection, IncidentSpec,
    IssuerSpec, KeyProof, KeyRereading, Member, Metadata, Methods, Preset, RenewalBudget, RenewalKey, RequestId,
    RequestStatus, Role, Selection, Span, Standing, SyncId, SyncSpec,
};
use chancery::engine::{CertificateQuery, Error, Import, Outcome, RequestQuery, Session};
use chancery::notify::conformance::RecordingNotifier;
use chancery::store::MemoryStore;
use chancery::target::memory::MemoryTarget;
use chancery::x509::{Certificate, RevocationReason, SignatureAlgorithm};
use support::{HOURS, World, everything, principal, slug, user};
use time::Duration;

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
    Revoke,
    RevokeByKeyProof,
    ReleaseHold,
    OpenIncident,
    OpenIncidentOfAll,
    Incident,
    CallOffIncident,
    CertificateIncident,
    SetIssuerStatus,
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
    SaveNewApprovalPolicy,
    SaveApprovalPolicy,
    OrderApprovalPolicies,
    DeleteApprovalPolicy,
    ApprovalPolicies,
    UnreachableApprovals,
    Approve,
    Reject,
    Cancel,
    ApprovalRequest,
    ApprovalRequests,
    Requests,
    SaveSync,
    EditSync,
    DeleteSync,
    Syncs,
    Sync,
    Deployments,
    SyncNow,
    RemoveCertificate,
    SaveAlert,
    SaveProductAlert,
    EditAlert,
    DeleteAlert,
    Alert,
    ProductAlert,
    Alerts,
    ProductAlerts,
    PreviewAlert,
    TestAlert,
    Notifications,
    VerifyAudit,
    PruneAudit,
}

/// Verb by actor: admin, operator, auditor, product, product + operator, through a group, stranger.
const VERBS: &[(Verb, [Answer; 7])] = &[
    (Verb::Submit, [Y, Y, F, F, Y, Y, S]),
    (Verb::SubmitNoProfile, [Y, Y, F, F, Y, Y, S]),
    (Verb::DryRun, [Y, Y, F, F, Y, Y, S]),
    (Verb::DryRunNoProfile, [Y, Y, F, F, Y, Y, S]),
    (Verb::Request, [Y, Y, Y, Y, Y, Y, S]),
    (Verb::Certificate, [Y, Y, Y, Y, Y, Y, S]),
    (Verb::Chain, [Y, Y, Y, Y, Y, Y, S]),
    (Verb::PrivateKey, [Y, Y, F, F, Y, Y, S]),
    (Verb::Tag, [Y, Y, F, F, Y, Y, S]),
    (Verb::Revoke, [Y, Y, F, F, Y, Y, S]),
    (Verb::RevokeByKeyProof, [Y, Y, Y, Y, Y, Y, S]),
    (Verb::ReleaseHold, [Y, Y, F, F, Y, Y, S]),
    (Verb::OpenIncident, [Y, F, F, Y, Y, F, S]),
    (Verb::OpenIncidentOfAll, [P, P, P, Y, Y, P, P]),
    (Verb::Incident, [Y, Y, Y, Y, Y, Y, S]),
    (Verb::CallOffIncident, [Y, F, F, Y, Y, F, S]),
    (Verb::CertificateIncident, [Y, Y, Y, Y, Y, Y, S]),
    (Verb::SetIssuerStatus, [P, P, P, Y, Y, P, P]),
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
    (Verb::SaveNewApprovalPolicy, [Y, F, F, F, F, F, S]),
    (Verb::SaveApprovalPolicy, [Y, F, F, F, F, F, S]),
    (Verb::OrderApprovalPolicies, [Y, F, F, F, F, F, S]),
    (Verb::DeleteApprovalPolicy, [Y, F, F, F, F, F, S]),
    (Verb::ApprovalPolicies, [Y, Y, Y, F, Y, Y, S]),
    (Verb::UnreachableApprovals, [Y, Y, Y, F, Y, Y, S]),
    (Verb::Approve, [Y, Y, Y, F, Y, Y, S]),
    (Verb::Reject, [Y, Y, Y, F, Y, Y, S]),
    (Verb::Cancel, [Y, Y, Y, F, Y, Y, S]),
    (Verb::ApprovalRequest, [Y, Y, Y, F, Y, Y, S]),
    (Verb::ApprovalRequests, [Y, Y, Y, F, Y, Y, S]),
    (Verb::Requests, [Y, Y, Y, Y, Y, Y, S]),
    (Verb::SaveSync, [Y, F, F, F, F, F, S]),
    (Verb::EditSync, [Y, F, F, F, F, F, S]),
    (Verb::DeleteSync, [Y, F, F, F, F, F, S]),
    (Verb::Syncs, [Y, Y, Y, F, Y, Y, S]),
    (Verb::Sync, [Y, Y, Y, F, Y, Y, S]),
    (Verb::Deployments, [Y, Y, Y, F, Y, Y, S]),
    (Verb::SyncNow, [Y, Y, F, F, Y, Y, S]),
    (Verb::RemoveCertificate, [Y, F, F, F, F, F, S]),
    (Verb::SaveAlert, [Y, F, F, F, F, F, S]),
    (Verb::SaveProductAlert, [P, P, P, Y, Y, P, P]),
    (Verb::EditAlert, [Y, F, F, F, F, F, S]),
    (Verb::DeleteAlert, [Y, F, F, F, F, F, S]),
    (Verb::Alert, [Y, Y, Y, F, Y, Y, S]),
    (Verb::ProductAlert, [S, S, S, Y, Y, S, S]),
    (Verb::Alerts, [Y, Y, Y, F, Y, Y, S]),
    (Verb::ProductAlerts, [P, P, P, Y, Y, P, P]),
    (Verb::PreviewAlert, [Y, Y, Y, F, Y, Y, S]),
    (Verb::TestAlert, [Y, F, F, F, F, F, S]),
    (Verb::Notifications, [Y, Y, Y, F, Y, Y, S]),
    (Verb::VerifyAudit, [P, P, P, Y, Y, P, P]),
    (Verb::PruneAudit, [P, P, P, Y, Y, P, P]),
];

/// Anybody of `ops` must agree to certificates for `name`.
fn approval_policy(policy: &str, name: &str) -> ApprovalPolicySpec {
    let mut spec = ApprovalPolicySpec::new(slug(policy), [ApprovalStep::new(1, [principal("group:ops")])]);
    spec.conditions.sans.0.insert(chancery::x509::SanKind::DnsName, vec![name.to_owned()]);
    spec
}

/// Two of them differ in what they select, so that they do not want the same names.
fn sync_spec(name: &str) -> SyncSpec {
    SyncSpec::new(slug(name), slug("edge"), Selection::tag("sync", name))
}

struct Scene {
    store: MemoryStore,
    world: World,
    certificate: CertificateId,
    request: RequestId,
    /// Asked by the Operator, and waits for approval.
    waiting: RequestId,
    incident: IncidentId,
    outside: Certificate,
    sync: SyncId,
    /// Of the Application, and of the product.
    alerts: [AlertId; 2],
}

fn alert(name: &str) -> AlertSpec {
    let channel = Channel::Custom { notifier: slug("recorder"), to: "desk".into() };
    AlertSpec::new(slug(name), AlertOn::Issuance).channel(channel)
}

impl Scene {
    async fn new() -> Self {
        let store = MemoryStore::new();
        let clock = Arc::new(ManualClock::new(support::START));
        let recorder = ChannelKind::Custom(slug("recorder"));
        let builder = support::builder(store.clone(), &clock, 1).target(slug("edge"), MemoryTarget::default());
        let world = World::of(builder.notifier(recorder, RecordingNotifier::new()), clock).await;
        let ours = world.session("alice").save_alert(Some(world.application.id), alert("alert")).await.unwrap();
        let all = world.session("root").save_alert(None, alert("alert")).await.unwrap();
        let alerts = [ours.id, all.id];
        let first = world.issue("api.example.com").await;
        let outside = world.issue("outside.example.com").await.certificate().clone();
        // Expired, so that it may be deleted.
        world.clock.advance(HOURS * 12 * 100);
        let opened = world.session("root").open_incident(incident(Some(world.application.id))).await.unwrap();
        let (admin, id) = (world.session("alice"), world.application.id);
        admin.save_approval_policy(id, approval_policy("guarded", "pay.example.com")).await.unwrap();
        let waiting = world.session("otto").submit(&world.enrollment("pay.example.com")).await;
        let Ok(Outcome::Pending(waiting)) = waiting else { panic!("{waiting:?}") };
        let (certificate, request) = (first.record.id, first.request);
        let sync = world.session("alice").save_sync(world.application.id, sync_spec("edge")).await.unwrap().id;
        Self { store, alerts, certificate, request, waiting: waiting.id, sync, incident: opened.id, outside, world }
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
            Verb::SaveNewApprovalPolicy => {
                session.save_approval_policy(id, approval_policy("new", "new.example.org")).await.map(drop)
            }
            Verb::SaveApprovalPolicy => {
                session.save_approval_policy(id, approval_policy("guarded", "new.example.org")).await.map(drop)
            }
            Verb::OrderApprovalPolicies => session.order_approval_policies(id, &[slug("guarded")]).await.map(drop),
            Verb::DeleteApprovalPolicy => session.delete_approval_policy(id, &slug("guarded")).await,
            Verb::ApprovalPolicies => session.approval_policies(id).await.map(drop),
            Verb::UnreachableApprovals => session.unreachable_approvals(id).await.map(drop),
            Verb::Approve => session.approve(self.waiting, &"0".repeat(64), "").await.map(drop),
            Verb::Reject => session.reject(self.waiting, &"0".repeat(64), "").await.map(drop),
            Verb::Cancel => session.cancel(self.waiting).await.map(drop),
            Verb::ApprovalRequest => session.approval_request(self.waiting).await.map(drop),
            Verb::ApprovalRequests => {
                session.approval_requests(id, RequestStatus::AwaitingApproval, None).await.map(drop)
            }
            Verb::Requests => session.requests(id, RequestQuery::default(), None).await.map(drop),
            Verb::Certificate => session.certificate(self.certificate).await.map(drop),
            Verb::Chain => session.chain(self.certificate).await.map(drop),
            Verb::PrivateKey => session.private_key(self.certificate).await.map(drop),
            Verb::Tag => {
                let tags = Metadata::try_from(BTreeMap::from([("a".to_owned(), "b".to_owned())])).unwrap();
                session.tag_certificate(self.certificate, tags).await.map(drop)
            }
            Verb::Revoke => session.revoke(self.certificate, RevocationReason::Superseded).await.map(drop),
            Verb::RevokeByKeyProof => {
                let proof = KeyProof { algorithm: SignatureAlgorithm::EcdsaSha256, signature: vec![1] };
                session.revoke_by_key_proof(*self.outside.fingerprint(), &proof).await.map(drop)
            }
            Verb::ReleaseHold => session.release_hold(self.certificate).await.map(drop),
            Verb::OpenIncident => session.open_incident(incident(Some(id))).await.map(drop),
            Verb::OpenIncidentOfAll => session.open_incident(incident(None)).await.map(drop),
            Verb::Incident => session.incident(self.incident).await.map(drop),
            Verb::CallOffIncident => session.call_off_incident(self.incident).await.map(drop),
            Verb::CertificateIncident => session.certificate_incident(self.certificate).await.map(drop),
            Verb::SetIssuerStatus => session.set_issuer_status(root.id, Default::default()).await.map(drop),
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
            Verb::SaveSync => session.save_sync(id, sync_spec("another")).await.map(drop),
            Verb::EditSync => {
                let spec = SyncSpec { description: "new".into(), ..sync_spec("edge") };
                session.save_sync(id, spec).await.map(drop)
            }
            Verb::DeleteSync => session.delete_sync(self.sync).await,
            Verb::Syncs => session.syncs(id, None).await.map(drop),
            Verb::Sync => session.sync(self.sync).await.map(drop),
            Verb::Deployments => session.deployments(self.sync, None).await.map(drop),
            Verb::SyncNow => session.sync_now(self.sync).await,
            Verb::RemoveCertificate => session.remove_certificate(self.sync, self.certificate).await.map(drop),
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
            Verb::SaveAlert => session.save_alert(Some(id), alert("new")).await.map(drop),
            Verb::SaveProductAlert => session.save_alert(None, alert("new")).await.map(drop),
            Verb::EditAlert => session.save_alert(Some(id), alert("alert")).await.map(drop),
            Verb::DeleteAlert => session.delete_alert(self.alerts[0]).await,
            Verb::Alert => session.alert(self.alerts[0]).await.map(drop),
            Verb::ProductAlert => session.alert(self.alerts[1]).await.map(drop),
            Verb::Alerts => session.alerts(Some(id), None).await.map(drop),
            Verb::ProductAlerts => session.alerts(None, None).await.map(drop),
            Verb::PreviewAlert => session.preview_alert(Some(id), &alert("alert"), None).await.map(drop),
            Verb::TestAlert => session.test_alert(self.alerts[0]).await.map(drop),
            Verb::Notifications => session.notifications(self.alerts[0], None).await.map(drop),
            Verb::VerifyAudit => session.verify_audit(1, None).await.map(drop),
            Verb::PruneAudit => session.prune_audit(support::START, 1).await.map(drop),
        }
    }
}

/// A mass revocation of what ends in a far future, which is nothing.
fn incident(application: Option<ApplicationId>) -> IncidentSpec {
    let far = support::START + Duration::days(9000);
    IncidentSpec {
        reason: RevocationReason::Superseded,
        select: IncidentSelection { application, ends_from: Some(far), ..Default::default() },
        deadline: far,
        spread: Span::minutes(0),
        explanation: None,
        note: String::new(),
    }
}

/// A profile that does not exist may be told of to those who may ask; to a stranger, only the Application is unknown.
fn answer(verb: Verb, result: &Result<(), Error>) -> Answer {
    match result {
        Err(Error::Forbidden { .. }) => F,
        Err(Error::NotAdministrator { .. }) => P,
        Err(Error::NotFound { what: "profile", .. }) => Y,
        Err(Error::NotFound { .. }) => S,
        // Who is no approver, or did not ask, got past the door.
        Err(Error::Vote(_)) => Y,
        // These calls can not succeed here: what counts is that they got past the door.
        Err(Error::Issuer { .. }) if matches!(verb, Verb::InstallIssuer | Verb::ImportIssuer) => Y,
        // Past the door it is what the certificate is like that counts.
        Err(Error::Revocation { .. }) => Y,
        Err(Error::InUse { .. }) if matches!(verb, Verb::DeletePolicy | Verb::DeleteApplication) => Y,
        Ok(()) => Y,
        Err(other) => panic!("{verb:?}: {other:?}"),
    }
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
