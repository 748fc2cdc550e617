//! Policies, profiles and Applications: saving, changing, deleting.

use super::approvals::tell_unreachable;
use super::context::{Change, Context, Versioned};
use super::error::Error;
use super::schema::{Claim, Entity, PolicyRecord, Revision, index};
use crate::domain::{
    Action, Actor, Application, ApplicationId, ApplicationSpec, Attachment, EventKind, IssuerChoice, IssuerId,
    IssuerRecord, KeyRereading, Member, MethodSettings, Methods, Policy, PolicyId, PolicySpec, Principal, Profile,
    ProfileId, ProfileSpec, Role, Slug,
};
use crate::store::{Over, Scan};
use crate::x509::InvalidValue;

/// How often an edit is tried anew because others changed the same thing.
const MOST_ATTEMPTS: usize = 8;

impl Context {
    /// Makes a policy, or a new revision of the one of its name.
    pub(super) async fn save_policy(&self, actor: &Actor, spec: PolicySpec) -> Result<PolicyRecord, Error> {
        self.authorize_product(actor, "change policies")?;
        let policy = Policy::try_from(spec)?;
        let spec = policy.spec().clone();
        let mut change = self.change(actor, self.now())?;
        let earlier: Option<Versioned<PolicyRecord>> = self.find_named(&spec.name).await?;
        if let Some(unchanged) = earlier.as_ref().filter(|earlier| earlier.value.spec == spec) {
            return Ok(unchanged.value.clone());
        }
        let fresh = PolicyId::new(change.now, change.random.take()?);
        let (id, revision) = earlier.as_ref().map_or((fresh, 1), |e| (e.value.id, e.value.revision + 1));
        let record = PolicyRecord { id, revision, spec, updated_at: change.now };
        let name = record.spec.name.clone();
        save(&mut change, &record, earlier.as_ref(), &name)?;
        change.create(&Revision { id: id.to_string(), revision, value: record.clone() })?;
        if earlier.is_some() {
            change.wakes(id)?;
        }
        change.event(None, EventKind::PolicySaved { policy: id, revision })?;
        change.commit().await.map_err(|error| name_taken(error, PolicyRecord::KIND, &name))?;
        Ok(record)
    }

    /// Makes a profile, or a new revision of the one of its name. Its defaults must pass its policy.
    pub(super) async fn save_profile(&self, actor: &Actor, spec: ProfileSpec) -> Result<Profile, Error> {
        self.authorize_product(actor, "change profiles")?;
        let mut change = self.change(actor, self.now())?;
        let policy: PolicyId = self.resolve(PolicyRecord::KIND, spec.policy.as_str()).await?;
        let policy: Versioned<PolicyRecord> = self.load(&policy.to_string()).await?;
        spec.check(&Policy::try_from(policy.value.spec.clone())?, change.now)?;
        // Written anew, so that a deletion of the policy that is under way fails.
        change.update(&policy.value, policy.version)?;
        let issuer = self.issuer_choice(&spec.issuer).await?;
        let earlier: Option<Versioned<Profile>> = self.find_named(&spec.name).await?;
        let fresh = ProfileId::new(change.now, change.random.take()?);
        let (id, revision) = earlier.as_ref().map_or((fresh, 1), |e| (e.value.id, e.value.revision + 1));
        let ProfileSpec { name, description, defaults, backdate, auto_renew, .. } = spec;
        let (policy, updated_at) = (policy.value.id, change.now);
        let profile =
            Profile { id, revision, name, description, issuer, policy, defaults, backdate, auto_renew, updated_at };
        if let Some(unchanged) = earlier.as_ref().filter(|earlier| earlier.value.says_the_same(&profile)) {
            return Ok(unchanged.value.clone());
        }
        save(&mut change, &profile, earlier.as_ref(), &profile.name)?;
        change.create(&Revision { id: id.to_string(), revision, value: profile.clone() })?;
        if let Some(earlier) = &earlier {
            change.wakes(id)?;
            if earlier.value.auto_renew != profile.auto_renew {
                change.replans(id, None)?;
            }
        }
        change.event(None, EventKind::ProfileSaved { profile: id, revision })?;
        change.commit().await.map_err(|error| name_taken(error, Profile::KIND, &profile.name))?;
        Ok(profile)
    }

    async fn issuer_choice(&self, choice: &IssuerChoice<Slug>) -> Result<IssuerChoice<IssuerId>, Error> {
        Ok(match choice {
            IssuerChoice::Ca(name) => IssuerChoice::Ca(self.resolve("issuer", name.as_str()).await?),
            IssuerChoice::SelfSigned => IssuerChoice::SelfSigned,
        })
    }

    /// Deletes a policy that no profile uses.
    pub(super) async fn delete_policy(&self, actor: &Actor, id: PolicyId) -> Result<(), Error> {
        self.authorize_product(actor, "delete policies")?;
        let record: Versioned<PolicyRecord> = self.load(&id.to_string()).await?;
        let mut scan = Scan::new(Over::Index(index::PROFILE_POLICY.into()), 1);
        scan.from = Some(id.to_string());
        scan.to = Some(format!("{id}\u{1}"));
        if let Some(hit) = self.store.scan(&scan).await?.first() {
            let by = format!("profile {}", hit.document.key.id);
            return Err(Error::InUse { what: PolicyRecord::KIND, id: id.to_string(), by });
        }
        let name = record.value.spec.name.clone();
        self.delete_named(actor, record, &name).await
    }

    /// Deletes a profile: nothing more is issued under it; what was issued stays.
    pub(super) async fn delete_profile(&self, actor: &Actor, id: ProfileId) -> Result<(), Error> {
        self.authorize_product(actor, "delete profiles")?;
        let record: Versioned<Profile> = self.load(&id.to_string()).await?;
        let name = record.value.name.clone();
        self.delete_named(actor, record, &name).await
    }

    async fn delete_named<T: Entity>(&self, actor: &Actor, record: Versioned<T>, name: &Slug) -> Result<(), Error> {
        let claim_id = Claim::name(T::KIND, name.as_str(), String::new()).document_id();
        let claim: Versioned<Claim> = self.load(&claim_id).await?;
        let mut change = self.change(actor, self.now())?;
        change.delete(&claim.value, claim.version);
        change.delete(&record.value, record.version);
        let what = format!("{} deleted", record.value.key());
        change.event(None, EventKind::ConfigurationDeleted { what })?;
        match change.commit().await {
            Err(error) if error.is_conflict() => Err(Error::Contended),
            committed => committed.map(drop),
        }
    }

    /// Makes an Application; whoever makes it becomes an Admin of it.
    pub(super) async fn create_application(&self, actor: &Actor, spec: ApplicationSpec) -> Result<Application, Error> {
        self.authorize_product(actor, "create Applications")?;
        let faults = spec.faults();
        if !faults.is_empty() {
            return Err(Error::Invalid { faults });
        }
        let mut attachments = Vec::with_capacity(spec.attachments.len());
        for attachment in &spec.attachments {
            let id: ProfileId = self.resolve(Profile::KIND, attachment.profile.as_str()).await?;
            let profile: Versioned<Profile> = self.load(&id.to_string()).await?;
            fit_methods(&profile.value, &attachment.methods)?;
            fit_renewal(&profile.value, &attachment.methods)?;
            attachments.push(Attachment { profile: id, methods: attachment.methods.clone() });
        }
        let mut change = self.change(actor, self.now())?;
        let application = Application {
            id: ApplicationId::new(change.now, change.random.take()?),
            name: spec.name,
            description: spec.description,
            key_rereading: spec.key_rereading,
            attachments,
            members: with_creator(spec.members, actor),
            approval_policies: Vec::new(),
            created_at: change.now,
            updated_at: change.now,
        };
        save(&mut change, &application, None, &application.name)?;
        change.event(Some(application.id), EventKind::ApplicationCreated)?;
        change.commit().await.map_err(|error| name_taken(error, Application::KIND, &application.name))?;
        Ok(application)
    }

    /// Changes an Application's description, or switches off the rereading of keys for good.
    pub(super) async fn edit_application(
        &self,
        actor: &Actor,
        id: ApplicationId,
        description: Option<String>,
        key_rereading: Option<KeyRereading>,
    ) -> Result<Application, Error> {
        for _ in 0..MOST_ATTEMPTS {
            let application = self.permitted(actor, id, Action::ApplicationEdit).await?;
            let faults = edit_faults(&application.value, description.as_ref(), key_rereading);
            if !faults.is_empty() {
                return Err(Error::Invalid { faults });
            }
            let edit = |application: &mut Application| {
                application.description = description.clone().unwrap_or_else(|| application.description.clone());
                application.key_rereading = key_rereading.unwrap_or(application.key_rereading);
            };
            match self.change_application(actor, application, "description or settings", edit).await {
                Err(Error::Contended) => {}
                changed => return changed,
            }
        }
        Err(Error::Contended)
    }

    /// Attaches a profile, without methods, unless it is attached already.
    pub(super) async fn attach_profile(
        &self,
        actor: &Actor,
        id: ApplicationId,
        profile: ProfileId,
    ) -> Result<Application, Error> {
        let application = self.permitted(actor, id, Action::ApplicationManageProfiles).await?;
        self.load::<Profile>(&profile.to_string()).await?;
        if application.value.attachment(profile).is_some() {
            return Ok(application.value);
        }
        let attach = |application: &mut Application| {
            application.attachments.push(Attachment { profile, methods: Methods::default() });
        };
        self.change_application(actor, application, &format!("{profile} attached"), attach).await
    }

    /// Detaches a profile.
    pub(super) async fn detach_profile(
        &self,
        actor: &Actor,
        id: ApplicationId,
        profile: ProfileId,
    ) -> Result<Application, Error> {
        let application = self.permitted(actor, id, Action::ApplicationManageProfiles).await?;
        let detach = |application: &mut Application| application.attachments.retain(|each| each.profile != profile);
        self.change_application(actor, application, &format!("{profile} detached"), detach).await
    }

    /// Sets the enrollment methods of an attachment.
    pub(super) async fn set_methods(
        &self,
        actor: &Actor,
        at: (ApplicationId, ProfileId),
        methods: Methods,
    ) -> Result<Application, Error> {
        self.edit_methods(actor, at, |_| methods).await
    }

    /// Sets or disables one enrollment method of an attachment; the others stay.
    pub(super) async fn set_method(
        &self,
        actor: &Actor,
        at: (ApplicationId, ProfileId),
        settings: MethodSettings,
    ) -> Result<Application, Error> {
        self.edit_methods(actor, at, |methods| methods.with(settings)).await
    }

    async fn edit_methods(
        &self,
        actor: &Actor,
        (id, profile): (ApplicationId, ProfileId),
        edit: impl FnOnce(Methods) -> Methods,
    ) -> Result<Application, Error> {
        let application = self.permitted(actor, id, Action::EnrollmentEdit).await?;
        let attachment =
            application.value.attachment(profile).ok_or_else(|| Error::not_found("attachment", profile))?;
        let methods = edit(attachment.methods.clone());
        let faults = methods.faults();
        if !faults.is_empty() {
            return Err(Error::Invalid { faults });
        }
        let attached: Versioned<Profile> = self.load(&profile.to_string()).await?;
        fit_methods(&attached.value, &methods)?;
        fit_renewal(&attached.value, &methods)?;
        let set = |application: &mut Application| {
            let attachment = application.attachments.iter_mut().find(|each| each.profile == profile);
            if let Some(attachment) = attachment {
                attachment.methods = methods;
            }
        };
        self.change_application(actor, application, &format!("methods of {profile}"), set).await
    }

    /// Gives a member its role, making it a member if it is none.
    pub(super) async fn set_member(
        &self,
        actor: &Actor,
        id: ApplicationId,
        member: Member,
    ) -> Result<Application, Error> {
        let application = self.permitted(actor, id, Action::MembersAssignRole).await?;
        let what = format!("{} is {}", member.principal, member.role);
        let set = |application: &mut Application| {
            application.members.retain(|each| each.principal != member.principal);
            application.members.push(member);
        };
        self.change_application(actor, application, &what, set).await
    }

    /// Removes a member.
    pub(super) async fn remove_member(
        &self,
        actor: &Actor,
        id: ApplicationId,
        principal: &Principal,
    ) -> Result<Application, Error> {
        let application = self.permitted(actor, id, Action::MembersDelete).await?;
        let remove = |application: &mut Application| application.members.retain(|each| each.principal != *principal);
        self.change_application(actor, application, &format!("{principal} removed"), remove).await
    }

    /// Deletes an Application. Its certificates stay in the inventory, for product administrators to see.
    pub(super) async fn delete_application(&self, actor: &Actor, id: ApplicationId) -> Result<(), Error> {
        let application = self.permitted(actor, id, Action::ApplicationDelete).await?;
        self.demand_no_syncs(id).await?;
        self.delete_alerts_of(actor, id).await?;
        let name = application.value.name.clone();
        self.delete_named(actor, application, &name).await
    }

    /// An Application, for those who may see it.
    pub(super) async fn see_application(&self, actor: &Actor, id: ApplicationId) -> Result<Application, Error> {
        let application = self.permitted(actor, id, Action::ApplicationRead).await?.value;
        Ok(self.shown(actor, application))
    }

    /// An Application as the actor may see it: who may not read its members sees whether they are one.
    pub(super) fn shown(&self, actor: &Actor, mut application: Application) -> Application {
        if self.authorize(actor, Action::MembersRead, &application).is_err() {
            application.members.retain(|member| actor.answers_to(&member.principal));
        }
        application
    }

    /// An Application by its name, for those who may see it.
    pub(super) async fn application_named(&self, actor: &Actor, name: &Slug) -> Result<Application, Error> {
        let unknown = || Error::not_found(Application::KIND, name);
        let id: ApplicationId = self.resolve(Application::KIND, name.as_str()).await?;
        match self.see_application(actor, id).await {
            Err(Error::NotFound { .. }) => Err(unknown()),
            seen => seen,
        }
    }

    /// A policy by its name.
    pub(super) async fn policy_named(&self, actor: &Actor, name: &Slug) -> Result<PolicyRecord, Error> {
        self.authorize_product(actor, "read policies")?;
        self.named(name).await
    }

    /// A revision of a policy.
    pub(super) async fn policy_revision(
        &self,
        actor: &Actor,
        id: PolicyId,
        revision: u32,
    ) -> Result<PolicyRecord, Error> {
        self.authorize_product(actor, "read policies")?;
        let kept: Versioned<Revision<PolicyRecord>> = self.load(&format!("{id}/{revision}")).await?;
        Ok(kept.value.value)
    }

    /// A profile by its name.
    pub(super) async fn profile_named(&self, actor: &Actor, name: &Slug) -> Result<Profile, Error> {
        self.authorize_product(actor, "read profiles")?;
        self.named(name).await
    }

    /// The id of the issuer of a name.
    pub(super) async fn issuer_id(&self, name: &Slug) -> Result<Option<IssuerId>, Error> {
        match self.resolve(IssuerRecord::KIND, name.as_str()).await {
            Err(Error::NotFound { .. }) => Ok(None),
            found => found.map(Some),
        }
    }

    /// An issuer by its name.
    pub(super) async fn issuer_named(&self, actor: &Actor, name: &Slug) -> Result<IssuerRecord, Error> {
        self.authorize_product(actor, "read issuers")?;
        self.named(name).await
    }

    async fn named<T: Entity>(&self, name: &Slug) -> Result<T, Error> {
        let found = self.find_named::<T>(name).await?;
        found.map(|found| found.value).ok_or_else(|| Error::not_found(T::KIND, name))
    }

    /// An Application on which the actor may do `action`.
    pub(super) async fn permitted(
        &self,
        actor: &Actor,
        id: ApplicationId,
        action: Action,
    ) -> Result<Versioned<Application>, Error> {
        let application = self.application(id).await?;
        self.authorize(actor, action, &application.value)?;
        Ok(application)
    }

    pub(super) async fn change_application(
        &self,
        actor: &Actor,
        application: Versioned<Application>,
        what: &str,
        edit: impl FnOnce(&mut Application),
    ) -> Result<Application, Error> {
        let Versioned { value: mut application, version } = application;
        let unreachable = application.unreachable_approvals();
        let before = application.clone();
        edit(&mut application);
        if application == before {
            return Ok(application);
        }
        let mut change = self.change(actor, self.now())?;
        if application.attachments != before.attachments {
            change.wakes(application.id)?;
            for profile in replanned(&before.attachments, &application.attachments) {
                change.replans(profile, Some(application.id))?;
            }
        }
        application.updated_at = change.now;
        change.update(&application, version)?;
        change.event(Some(application.id), EventKind::ApplicationChanged { what: what.to_owned() })?;
        tell_unreachable(&unreachable, &application, &mut change)?;
        match change.commit().await {
            Ok(_) => Ok(application),
            Err(error) if error.is_conflict() => Err(Error::Contended),
            Err(error) => Err(error),
        }
    }

    /// The value of a kind by its unique name.
    async fn find_named<T: Entity>(&self, name: &Slug) -> Result<Option<Versioned<T>>, Error> {
        let claim = Claim::name(T::KIND, name.as_str(), String::new());
        match self.find::<Claim>(&claim.document_id()).await? {
            Some(claim) => self.find(&claim.value.owner).await,
            None => Ok(None),
        }
    }
}

fn edit_faults(
    application: &Application,
    description: Option<&String>,
    key_rereading: Option<KeyRereading>,
) -> Vec<(String, InvalidValue)> {
    let description = description.cloned().unwrap_or_default();
    let mut faults = ApplicationSpec { description, ..ApplicationSpec::new(application.name.clone()) }.faults();
    let is_allowed_again = key_rereading == Some(KeyRereading::Allowed);
    if application.key_rereading == KeyRereading::DisabledForGood && is_allowed_again {
        let error = InvalidValue::new("key_rereading", "allowed", "it was disabled for good");
        faults.push(("key_rereading".into(), error));
    }
    faults
}

/// Replaces what was there, or creates it and takes the name.
fn save<T: Entity>(
    change: &mut Change<'_>,
    value: &T,
    earlier: Option<&Versioned<T>>,
    name: &Slug,
) -> Result<(), Error> {
    match earlier {
        Some(earlier) => change.update(value, earlier.version),
        None => {
            change.create(&Claim::name(T::KIND, name.as_str(), value.document_id()))?;
            change.create(value)
        }
    }
}

/// A conflict on the name itself means that it is taken; any other, that somebody changed the same thing.
pub(super) fn name_taken(error: Error, what: &'static str, name: &Slug) -> Error {
    match error {
        Error::Store(crate::store::StoreError::Conflict { key }) if key.kind == Claim::KIND => {
            Error::NameTaken { what, name: name.clone() }
        }
        error if error.is_conflict() => Error::Contended,
        error => error,
    }
}

/// A self-signed profile can not sign a key that is elsewhere.
fn fit_methods(profile: &Profile, methods: &Methods) -> Result<(), Error> {
    match methods.needs_client_keys().filter(|_| profile.issuer == IssuerChoice::SelfSigned) {
        None => Ok(()),
        Some(method) => {
            let error = InvalidValue::new(
                "method",
                method.as_str(),
                "`api` alone: a self-signed profile signs only managed keys",
            );
            Err(Error::Invalid { faults: vec![("methods".into(), error)] })
        }
    }
}

/// The window of an attachment must open in time for certificates of the profile's usual length.
fn fit_renewal(profile: &Profile, methods: &Methods) -> Result<(), Error> {
    let auto_renew = methods.api.as_ref().and_then(|api| api.auto_renew.as_ref());
    match auto_renew.and_then(|auto_renew| auto_renew.fault(profile.defaults.ttl)) {
        None => Ok(()),
        Some(error) => Err(Error::Invalid { faults: vec![("methods.api.auto_renew".into(), error)] }),
    }
}

/// The profiles whose attachment says something else about renewal than before. What is detached needs no new plan: it is
/// found out when it is due.
fn replanned(before: &[Attachment], now: &[Attachment]) -> Vec<ProfileId> {
    let said = |attachment: &Attachment| attachment.methods.api.as_ref().map(|api| api.auto_renew.clone());
    let same = |each: &Attachment| before.iter().any(|old| old.profile == each.profile && said(old) == said(each));
    now.iter().filter(|each| !same(each)).map(|each| each.profile).collect()
}

fn with_creator(mut members: Vec<Member>, actor: &Actor) -> Vec<Member> {
    members.retain(|member| member.principal != *actor.principal());
    members.push(Member { principal: actor.principal().clone(), role: Role::Admin });
    members
}
