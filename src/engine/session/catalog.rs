//! Verbs that read what is configured.

use super::Session;
use crate::domain::{Action, ApplicationId, IssuerId, IssuerRecord, Member, Methods, PolicyId, Profile, ProfileId};
use crate::engine::error::Error;
use crate::engine::query::{Page, PageToken};
use crate::engine::schema::PolicyRecord;

/// Reading what is configured. Policies, profiles and issuers are for product administrators; lists give 100 a page, in the
/// order of their making.
impl Session {
    /// A policy by its id.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn policy(&self, id: PolicyId) -> Result<PolicyRecord, Error> {
        verb!(self.policy(id))
    }

    /// One page of the policies.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that is not one of this list's.
    #[tracing::instrument(level = "debug", skip_all, err(level = "debug"))]
    pub async fn policies(&self, after: Option<&PageToken>) -> Result<Page<PolicyRecord>, Error> {
        verb!(self.policies(after))
    }

    /// A profile by its id.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn profile(&self, id: ProfileId) -> Result<Profile, Error> {
        verb!(self.profile(id))
    }

    /// One page of the profiles.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that is not one of this list's.
    #[tracing::instrument(level = "debug", skip_all, err(level = "debug"))]
    pub async fn profiles(&self, after: Option<&PageToken>) -> Result<Page<Profile>, Error> {
        verb!(self.profiles(after))
    }

    /// An issuer by its id.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn issuer(&self, id: IssuerId) -> Result<IssuerRecord, Error> {
        verb!(self.issuer_record(id))
    }

    /// One page of the issuers.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that is not one of this list's.
    #[tracing::instrument(level = "debug", skip_all, err(level = "debug"))]
    pub async fn issuers(&self, after: Option<&PageToken>) -> Result<Page<IssuerRecord>, Error> {
        verb!(self.issuers(after))
    }

    /// The profiles that are attached to an Application. Needs `certificate-profiles.read`.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn attached_profiles(&self, id: ApplicationId) -> Result<Vec<Profile>, Error> {
        verb!(self.attached_profiles(id))
    }

    /// The enrollment methods of an attachment. Needs `enrollment.read`.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn methods(&self, id: ApplicationId, profile: ProfileId) -> Result<Methods, Error> {
        verb!(self.methods((id, profile)))
    }

    /// The members of an Application. Needs `members.read`.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn members(&self, id: ApplicationId) -> Result<Vec<Member>, Error> {
        verb!(self.see_members(id))
    }

    /// What the actor may do on an Application, in the order of the matrix. Needs `application.read`.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn permissions(&self, id: ApplicationId) -> Result<Vec<Action>, Error> {
        verb!(self.permissions(id))
    }

    /// The Application in which the actor may ask for certificates under a profile, for requests that name the profile alone.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none; [`Error::Ambiguous`] if there are several.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn application_for(&self, profile: ProfileId) -> Result<ApplicationId, Error> {
        verb!(self.application_for(profile))
    }
}
