//! Profiles.

use super::answer::{Answer, Done, PageView};
use super::call::{Asking, At, Call, Json, Paging, With};
use super::endpoint::{Endpoint, Needs, delete, get, post};
use super::spelling::camel;
use super::wire::{ProfileBody, ProfileView};
use crate::domain::{ProfileId, Slug};
use crate::front::Problem;

pub(super) fn endpoints() -> Vec<Endpoint> {
    const ONE: &str = "/certificate-profiles/{profileId}";
    vec![
        get(("/certificate-profiles", "listProfiles"), Needs::Product, list).says("Lists the profiles."),
        post(("/certificate-profiles", "saveProfile"), Needs::Product, save)
            .says("Makes a profile, or a new revision of the one of its name."),
        get((ONE, "getProfile"), Needs::Product, see).says("Gives a profile."),
        get(("/certificate-profiles/slug/{slug}", "getProfileBySlug"), Needs::Product, by_slug)
            .says("Gives a profile by its name."),
        delete((ONE, "deleteProfile"), Needs::Product, remove)
            .says("Deletes a profile: nothing more is issued under it."),
    ]
}

async fn list(call: Asking<(), Paging>) -> Result<Answer<PageView<ProfileView>>, Problem> {
    let page = call.session.profiles(call.query.token().as_ref()).await?;
    Ok(Answer::new(PageView::of(page, Into::into)))
}

async fn save(call: With<(), ProfileBody>) -> Result<Answer<ProfileView>, Problem> {
    let Call { session, body: Json(body), .. } = call;
    let saved = session.save_profile(body.spec()?).await;
    Ok(Answer::new(saved.map_err(|error| Problem::from(error).spelled(camel))?.into()))
}

async fn see(call: At<(ProfileId,)>) -> Result<Answer<ProfileView>, Problem> {
    Ok(Answer::new(call.session.profile(call.path.0).await?.into()))
}

async fn by_slug(call: At<(Slug,)>) -> Result<Answer<ProfileView>, Problem> {
    Ok(Answer::new(call.session.profile_named(&call.path.0).await?.into()))
}

async fn remove(call: At<(ProfileId,)>) -> Result<Done, Problem> {
    call.session.delete_profile(call.path.0).await?;
    Ok(Done)
}
