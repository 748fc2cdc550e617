//! Verbs on Applications and their members.

use super::Session;
use crate::domain::{
    Application, ApplicationId, ApplicationSpec, Event, KeyRereading, Member, MethodSettings, Methods, Principal,
    ProfileId, Slug,
};
use crate::engine::error::Error;
use crate::engine::query::{Page, PageToken};

/// Applications.
impl Session {
    /// Makes an Application; the actor becomes an Admin of it. For product administrators.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every fault of the specification; [`Error::NameTaken`]; [`Error::NotFound`] for a profile that
    /// does not exist.
    #[tracing::instrument(level = "debug", skip_all, fields(name = %spec.name), err(level = "debug"))]
    pub async fn create_application(&self, spec: ApplicationSpec) -> Result<Application, Error> {
        verb!(self.create_application(spec))
    }

    /// An Application. Needs `application.read`; without `members.read` it comes with the actor's own memberships and no others.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn application(&self, id: ApplicationId) -> Result<Application, Error> {
        verb!(self.see_application(id))
    }

    /// An Application by its name; see [`application`](Self::application).
    ///
    /// # Errors
    /// [`Error::NotFound`] also for one that the actor may not see.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn application_named(&self, name: &Slug) -> Result<Application, Error> {
        verb!(self.application_named(name))
    }

    /// One page of the Applications that the actor may see.
    ///
    /// All of them, 100 a page, for a product administrator. Others get those that they are a member of, by themselves or
    /// through a group, on one page.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that is not one of this list's.
    #[tracing::instrument(level = "debug", skip_all, err(level = "debug"))]
    pub async fn applications(&self, after: Option<&PageToken>) -> Result<Page<Application>, Error> {
        verb!(self.applications(after))
    }

    /// Changes an Application's description, or switches the rereading of keys off for good; `None` leaves one as it is. What others
    /// change at the same time stays changed. Needs `application.edit`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a description of more than 1000 characters, or to allow the rereading of keys again.
    #[tracing::instrument(level = "debug", skip(self, description, key_rereading), err(level = "debug"))]
    pub async fn edit_application(
        &self,
        id: ApplicationId,
        description: impl Into<Option<String>>,
        key_rereading: impl Into<Option<KeyRereading>>,
    ) -> Result<Application, Error> {
        let (description, key_rereading) = (description.into(), key_rereading.into());
        verb!(self.edit_application(id, description, key_rereading))
    }

    /// Deletes an Application; its certificates stay known. Needs `application.delete`.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn delete_application(&self, id: ApplicationId) -> Result<(), Error> {
        verb!(self.delete_application(id))
    }

    /// Attaches a profile, without methods yet. Needs `application.manage-profiles`.
    /// What is attached already stays as it is.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a profile that does not exist; [`Error::Contended`] if somebody else changed the Application.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn attach_profile(&self, id: ApplicationId, profile: ProfileId) -> Result<Application, Error> {
        verb!(self.attach_profile(id, profile))
    }

    /// Detaches a profile. Needs `application.manage-profiles`.
    /// Nothing more is issued under it
    /// here; certificates stay.
    ///
    /// # Errors
    /// [`Error::Contended`] if somebody else changed the Application.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn detach_profile(&self, id: ApplicationId, profile: ProfileId) -> Result<Application, Error> {
        verb!(self.detach_profile(id, profile))
    }

    /// Sets the enrollment methods of an attachment. Needs `enrollment.edit`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for settings out of their bounds, or a method that a self-signed profile can not serve;
    /// [`Error::NotFound`] for a profile that is not attached; [`Error::Contended`] if somebody else changed the Application.
    #[tracing::instrument(level = "debug", skip(self, methods), err(level = "debug"))]
    pub async fn set_methods(
        &self,
        id: ApplicationId,
        profile: ProfileId,
        methods: Methods,
    ) -> Result<Application, Error> {
        verb!(self.set_methods((id, profile), methods))
    }

    /// Sets or disables one enrollment method of an attachment; the others stay as they are. Needs `enrollment.edit`.
    ///
    /// # Errors
    /// As [`set_methods`](Self::set_methods).
    #[tracing::instrument(level = "debug", skip(self, settings), err(level = "debug"))]
    pub async fn set_method(
        &self,
        id: ApplicationId,
        profile: ProfileId,
        settings: MethodSettings,
    ) -> Result<Application, Error> {
        verb!(self.set_method((id, profile), settings))
    }

    /// Gives somebody a role, making them a member if they are none. Needs `members.assign-role`.
    ///
    /// # Errors
    /// [`Error::Contended`] if somebody else changed the Application.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn set_member(&self, id: ApplicationId, member: Member) -> Result<Application, Error> {
        verb!(self.set_member(id, member))
    }

    /// Removes a member. Needs `members.delete`.
    /// The last Admin may be removed:
    /// product administrators can assign another.
    ///
    /// # Errors
    /// [`Error::Contended`] if somebody else changed the Application.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn remove_member(&self, id: ApplicationId, principal: &Principal) -> Result<Application, Error> {
        verb!(self.remove_member(id, principal))
    }

    /// One page of an Application's events, the latest first. Needs `application.read`.
    /// 100 a page.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that is not one of this list's.
    #[tracing::instrument(level = "debug", skip(self, after), err(level = "debug"))]
    pub async fn events(&self, id: ApplicationId, after: Option<&PageToken>) -> Result<Page<Event>, Error> {
        verb!(self.events(id, after))
    }
}
