//! A world with one of everything that verbs act on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::support::{HOURS, World, principal, slug};
use chancery::clock::ManualClock;
use chancery::domain::acme::BindingSpec;
use chancery::domain::{
    AcmeAccountId, AcmeBindingId, AlertId, AlertOn, AlertSpec, ApplicationId, ApplicationSpec, ApprovalPolicySpec,
    ApprovalStep, AutoRenewal, CertificateId, Channel, ChannelKind, Enrollment, IncidentId, IncidentSelection,
    IncidentSpec, IssuerSpec, KeyProof, KeyRereading, Member, Metadata, MethodSettings, Methods, Preset, RenewalBudget,
    RenewalKey, RequestId, RequestStatus, Role, Selection, Span, SyncId, SyncSpec, TokenId, TokenSpec,
};
use chancery::engine::{CertificateQuery, Error, Import, Outcome, RequestQuery, Session};
use chancery::notify::conformance::RecordingNotifier;
use chancery::store::MemoryStore;
use chancery::target::memory::MemoryTarget;
use chancery::x509::{Certificate, RevocationReason, SignatureAlgorithm};
use time::Duration;

use super::verbs::Verb;
use super::{Answer, F, P, S, Y, support};

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

pub(super) struct Scene {
    pub(super) store: MemoryStore,
    pub(super) world: World,
    pub(super) certificate: CertificateId,
    pub(super) request: RequestId,
    /// Asked by the Operator, and waits for approval.
    pub(super) waiting: RequestId,
    pub(super) incident: IncidentId,
    pub(super) outside: Certificate,
    pub(super) sync: SyncId,
    /// Of the Application, and of the product.
    pub(super) alerts: [AlertId; 2],
    /// Somebody else's.
    pub(super) token: TokenId,
    pub(super) binding: AcmeBindingId,
    pub(super) account: AcmeAccountId,
}

fn alert(name: &str) -> AlertSpec {
    let channel = Channel::Custom { notifier: slug("recorder"), to: "desk".into() };
    AlertSpec::new(slug(name), AlertOn::Issuance).channel(channel)
}

impl Scene {
    pub(super) async fn new() -> Self {
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
        let token = world.session("root").create_token(TokenSpec::new("hers", principal("user:zoe"))).await.unwrap();
        let token = token.0.id;
        let (binding, account) = support::acme(&world).await;
        let (certificate, request) = (first.record.id, first.request);
        let sync = world.session("alice").save_sync(world.application.id, sync_spec("edge")).await.unwrap().id;
        Self {
            store,
            alerts,
            certificate,
            request,
            waiting: waiting.id,
            sync,
            incident: opened.id,
            outside,
            token,
            binding,
            account,
            world,
        }
    }

    pub(super) async fn call(&self, verb: Verb, session: &Session) -> Result<(), Error> {
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
            Verb::CreateAcmeBinding => {
                session.create_acme_binding(id, profile.id, BindingSpec::new("new")).await.map(drop)
            }
            Verb::AcmeBindings => session.acme_bindings(id, profile.id, None).await.map(drop),
            Verb::RevealAcmeBinding => session.reveal_acme_binding(self.binding).await.map(drop),
            Verb::RevokeAcmeBinding => session.revoke_acme_binding(self.binding).await,
            Verb::AcmeAccounts => session.acme_accounts(id, profile.id, None).await.map(drop),
            Verb::AcmeAccountOrders => session.acme_account_orders(self.account, None).await.map(drop),
            Verb::RevokeAcmeAccount => session.revoke_acme_account(self.account).await.map(drop),
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
                session.edit_application(id, "new".to_owned(), KeyRereading::DisabledForGood).await.map(drop)
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
            Verb::CertificateDeployments => session.certificate_deployments(self.certificate).await.map(drop),
            Verb::Endings => session.endings(Some(id), &[support::START, support::START]).await.map(drop),
            Verb::EndingsOfAll => session.endings(None, &[support::START, support::START]).await.map(drop),
            Verb::SyncNow => session.sync_now(self.sync).await,
            Verb::RemoveCertificate => session.remove_certificate(self.sync, self.certificate).await.map(drop),
            Verb::Attach => session.attach_profile(id, profile.id).await.map(drop),
            Verb::Detach => session.detach_profile(id, profile.id).await.map(drop),
            Verb::SetMethods => session.set_methods(id, profile.id, Methods::default()).await.map(drop),
            Verb::SetMember => session.set_member(id, operator()).await.map(drop),
            Verb::RemoveMember => session.remove_member(id, &principal("user:audra")).await.map(drop),
            Verb::Events => session.events(id, None).await.map(drop),
            Verb::AllEvents => session.all_events(None).await.map(drop),
            Verb::AuditHead => session.audit_head().await.map(drop),
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
            Verb::Policy => session.policy(policy).await.map(drop),
            Verb::Policies => session.policies(None).await.map(drop),
            Verb::ProfileById => session.profile(profile.id).await.map(drop),
            Verb::Profiles => session.profiles(None).await.map(drop),
            Verb::Issuer => session.issuer(root.id).await.map(drop),
            Verb::Issuers => session.issuers(None).await.map(drop),
            Verb::AttachedProfiles => session.attached_profiles(id).await.map(drop),
            Verb::Methods => session.methods(id, profile.id).await.map(drop),
            Verb::SetMethod => session.set_method(id, profile.id, MethodSettings::Acme(None)).await.map(drop),
            Verb::Members => session.members(id).await.map(drop),
            Verb::Permissions => session.permissions(id).await.map(drop),
            Verb::RequestSummary => session.request_summary(self.request).await.map(drop),
            Verb::CreateToken => {
                let own = session.actor().principal().clone();
                session.create_token(TokenSpec::new("own", own)).await.map(drop)
            }
            Verb::CreateTokenForOthers => {
                session.create_token(TokenSpec::new("hers", principal("user:zoe"))).await.map(drop)
            }
            Verb::Tokens => session.tokens(None, None).await.map(drop),
            Verb::TokensOfOthers => session.tokens(Some(&principal("user:zoe")), None).await.map(drop),
            Verb::RevokeToken => session.revoke_token(self.token).await,
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
pub(super) fn answer(verb: Verb, result: &Result<(), Error>) -> Answer {
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
