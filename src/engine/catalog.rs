//! Reading what is configured: by id, and page by page.

use super::context::Context;
use super::error::Error;
use super::query::{Page, PageToken};
use super::schema::{Entity, PolicyRecord};
use crate::domain::{
    Action, Actor, Application, ApplicationId, IssuerId, IssuerRecord, Member, Methods, PolicyId, Profile, ProfileId,
};
use crate::store::{Over, Scan};

impl Context {
    /// A policy by its id.
    pub(super) async fn policy(&self, actor: &Actor, id: PolicyId) -> Result<PolicyRecord, Error> {
        self.authorize_product(actor, "read policies")?;
        Ok(self.load(&id.to_string()).await?.value)
    }

    /// One page of the policies.
    pub(super) async fn policies(&self, actor: &Actor, after: Option<&PageToken>) -> Result<Page<PolicyRecord>, Error> {
        self.authorize_product(actor, "read policies")?;
        self.all_of(after).await
    }

    /// A profile by its id.
    pub(super) async fn profile(&self, actor: &Actor, id: ProfileId) -> Result<Profile, Error> {
        self.authorize_product(actor, "read profiles")?;
        Ok(self.load(&id.to_string()).await?.value)
    }

    /// One page of the profiles.
    pub(super) async fn profiles(&self, actor: &Actor, after: Option<&PageToken>) -> Result<Page<Profile>, Error> {
        self.authorize_product(actor, "read profiles")?;
        self.all_of(after).await
    }

    /// An issuer by its id.
    pub(super) async fn issuer_record(&self, actor: &Actor, id: IssuerId) -> Result<IssuerRecord, Error> {
        self.authorize_product(actor, "read issuers")?;
        Ok(self.load(&id.to_string()).await?.value)
    }

    /// One page of the issuers.
    pub(super) async fn issuers(&self, actor: &Actor, after: Option<&PageToken>) -> Result<Page<IssuerRecord>, Error> {
        self.authorize_product(actor, "read issuers")?;
        self.all_of(after).await
    }

    /// The profiles that are attached to an Application and still there.
    pub(super) async fn attached_profiles(&self, actor: &Actor, id: ApplicationId) -> Result<Vec<Profile>, Error> {
        let application = self.permitted(actor, id, Action::ProfilesRead).await?.value;
        let mut profiles = Vec::with_capacity(application.attachments.len());
        for attachment in &application.attachments {
            profiles.extend(self.find(&attachment.profile.to_string()).await?.map(|found| found.value));
        }
        Ok(profiles)
    }

    /// The methods of an attachment.
    pub(super) async fn methods(
        &self,
        actor: &Actor,
        (id, profile): (ApplicationId, ProfileId),
    ) -> Result<Methods, Error> {
        let application = self.permitted(actor, id, Action::EnrollmentRead).await?.value;
        let attachment = application.attachment(profile).ok_or_else(|| Error::not_found("attachment", profile))?;
        Ok(attachment.methods.clone())
    }

    /// The members of an Application.
    pub(super) async fn see_members(&self, actor: &Actor, id: ApplicationId) -> Result<Vec<Member>, Error> {
        Ok(self.permitted(actor, id, Action::MembersRead).await?.value.members)
    }

    /// The one Application in which the actor may ask for certificates under a profile.
    pub(super) async fn application_for(&self, actor: &Actor, profile: ProfileId) -> Result<ApplicationId, Error> {
        let may_ask = |application: &Application| {
            application.attachment(profile).is_some() && self.authorize_submit(actor, application).is_ok()
        };
        let own = self.applications_of(actor).await?;
        let found: Vec<ApplicationId> = own.iter().filter(|each| may_ask(each)).map(|each| each.id).collect();
        match found.as_slice() {
            [one] => Ok(*one),
            [] => Err(Error::not_found(Profile::KIND, profile)),
            _ => Err(Error::Ambiguous {
                what: "application",
                candidates: found.iter().map(ToString::to_string).collect(),
            }),
        }
    }

    async fn all_of<T: Entity>(&self, after: Option<&PageToken>) -> Result<Page<T>, Error> {
        let mut scan = Scan::new(Over::Kind(T::KIND.into()), 100);
        scan.after = after.map(PageToken::cursor).transpose()?;
        self.page(&scan).await
    }
}
