//! The profiles that are attached to an Application, and the methods by which certificates are asked for under them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::answer::{Answer, Done, PageView};
use super::call::{At, Json, With};
use super::endpoint::{Endpoint, delete, get, post, put};
use super::spelling::camel;
use super::wire::{AcmeBody, ApiBody, ApplicationView, EnrollmentView, EstBody, MethodBody, ProfileView, ScepBody};
use crate::domain::{Action, ApplicationId, ProfileId};
use crate::front::Problem;

type Attachment = (ApplicationId, ProfileId);

macro_rules! methods {
    ($($name:literal = $body:ident: $set:literal, $unset:literal;)*) => {
        [$(
            put(
                (concat!("/applications/{applicationId}/profiles/{profileId}/enrollment/", $name), $set),
                Action::EnrollmentEdit,
                set::<$body>,
            )
            .says(concat!("Enables or changes ", $name, " enrollment.")),
            delete(
                (concat!("/applications/{applicationId}/profiles/{profileId}/enrollment/", $name), $unset),
                Action::EnrollmentEdit,
                unset::<$body>,
            )
            .says(concat!("Disables ", $name, " enrollment.")),
        )*]
    };
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    const ALL: &str = "/applications/{applicationId}/profiles";
    let profiles = [
        get((ALL, "listAttachedProfiles"), Action::ProfilesRead, attached)
            .says("Lists the profiles that are attached to an Application."),
        post((ALL, "attachProfile"), Action::ApplicationManageProfiles, attach)
            .says("Attaches profiles, without methods yet; what is attached already stays as it is."),
        delete(
            ("/applications/{applicationId}/profiles/{profileId}", "detachProfile"),
            Action::ApplicationManageProfiles,
            detach,
        )
        .says("Detaches a profile: nothing more is issued under it here."),
        get(
            ("/applications/{applicationId}/profiles/{profileId}/enrollment", "getEnrollment"),
            Action::EnrollmentRead,
            see,
        )
        .says("Gives the enrollment methods of an attachment."),
    ];
    let methods = methods! {
        "api" = ApiBody: "setApiEnrollment", "disableApiEnrollment";
        "acme" = AcmeBody: "setAcmeEnrollment", "disableAcmeEnrollment";
        "est" = EstBody: "setEstEnrollment", "disableEstEnrollment";
        "scep" = ScepBody: "setScepEnrollment", "disableScepEnrollment";
    };
    profiles.into_iter().chain(methods).collect()
}

async fn attached(call: At<(ApplicationId,)>) -> Result<Answer<PageView<ProfileView>>, Problem> {
    let profiles = call.session.attached_profiles(call.path.0).await?;
    Ok(Answer::new(PageView::whole(profiles.into_iter().map(Into::into).collect())))
}

/// Profiles to attach.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AttachBody {
    /// Their ids.
    profile_ids: Vec<ProfileId>,
}

async fn attach(call: With<(ApplicationId,), AttachBody>) -> Result<Answer<ApplicationView>, Problem> {
    let (id, Json(AttachBody { profile_ids })) = (call.path.0, call.body);
    for profile in profile_ids {
        call.session.attach_profile(id, profile).await?;
    }
    Ok(Answer::new(ApplicationView::of(call.session.application(id).await?, call.session.actor())))
}

async fn detach(call: At<Attachment>) -> Result<Done, Problem> {
    call.session.detach_profile(call.path.0, call.path.1).await?;
    Ok(Done)
}

async fn see(call: At<Attachment>) -> Result<Answer<EnrollmentView>, Problem> {
    Ok(Answer::new(call.session.methods(call.path.0, call.path.1).await?.into()))
}

async fn set<B: MethodBody>(call: With<Attachment, B>) -> Result<Answer<EnrollmentView>, Problem> {
    let ((id, profile), settings) = (call.path, B::settings(Some(call.body.0))?);
    let set = call.session.set_method(id, profile, settings).await;
    set.map_err(|error| Problem::from(error).spelled(|field| camel(field.split('.').next_back().unwrap_or(field))))?;
    Ok(Answer::new(call.session.methods(id, profile).await?.into()))
}

async fn unset<B: MethodBody>(call: At<Attachment>) -> Result<Done, Problem> {
    call.session.set_method(call.path.0, call.path.1, B::settings(None)?).await?;
    Ok(Done)
}
