//! Applications, their members and their events.

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::{Answer, Done, PageView};
use super::call::{Asking, At, Call, Json, Paging, With};
use super::endpoint::{Endpoint, Needs, delete, get, patch, post, put};
use super::spelling::camel;
use super::wire::{
    ApplicationBody, ApplicationPatch, ApplicationView, EventView, MemberBody, MemberRoute, MemberView, RoleBody,
};
use crate::domain::{Action, ApplicationId, ApplicationSpec, KeyRereading, Member, Methods, Slug};
use crate::front::Problem;

pub(super) fn endpoints() -> Vec<Endpoint> {
    const ONE: &str = "/applications/{applicationId}";
    const MEMBER: &str = "/applications/{applicationId}/members/{memberKind}/{memberId}";
    vec![
        get(("/applications", "listApplications"), Needs::Known, list)
            .says("Lists the Applications that the caller may see."),
        post(("/applications", "createApplication"), Needs::Product, create)
            .says("Makes an Application; its maker becomes an Admin of it."),
        get((ONE, "getApplication"), Action::ApplicationRead, see).says("Gives an Application."),
        get(("/applications/by-name/{name}", "getApplicationByName"), Action::ApplicationRead, by_name)
            .says("Gives an Application by its name."),
        patch((ONE, "editApplication"), Action::ApplicationEdit, edit)
            .says("Changes an Application, or switches the rereading of keys off for good."),
        delete((ONE, "deleteApplication"), Action::ApplicationDelete, remove)
            .says("Deletes an Application; its certificates stay known."),
        get(("/applications/{applicationId}/permissions", "getPermissions"), Action::ApplicationRead, permissions)
            .says("Says what the caller may do."),
        get(("/applications/{applicationId}/members", "listMembers"), Action::MembersRead, members)
            .says("Lists an Application's members."),
        post(("/applications/{applicationId}/members", "addMember"), Action::MembersAssignRole, add_member)
            .says("Gives somebody a role."),
        put((MEMBER, "setMemberRole"), Action::MembersAssignRole, set_role)
            .says("Gives a user, identity or group a role."),
        delete((MEMBER, "removeMember"), Action::MembersDelete, remove_member).says("Removes a member."),
        get(("/applications/{applicationId}/events", "listEvents"), Action::ApplicationRead, events)
            .says("Lists an Application's events, the latest first."),
    ]
}

async fn list(call: Asking<(), Paging>) -> Result<Answer<PageView<ApplicationView>>, Problem> {
    let page = call.session.applications(call.query.token().as_ref()).await?;
    let actor = call.session.actor();
    Ok(Answer::new(PageView::of(page, |application| ApplicationView::of(application, actor))))
}

async fn create(call: With<(), ApplicationBody>) -> Result<Answer<ApplicationView>, Problem> {
    let Call { session, body: Json(body), .. } = call;
    let mut spec = ApplicationSpec { description: body.description, ..ApplicationSpec::new(body.name) };
    for id in body.profile_ids {
        spec = spec.attach(session.profile(id).await?.name, Methods::default());
    }
    spec.members = body.members.into_iter().map(Into::into).collect();
    let created = session.create_application(spec).await?;
    Ok(Answer::new(ApplicationView::of(created, session.actor())))
}

async fn see(call: At<(ApplicationId,)>) -> Result<Answer<ApplicationView>, Problem> {
    let seen = call.session.application(call.path.0).await?;
    Ok(Answer::new(ApplicationView::of(seen, call.session.actor())))
}

async fn by_name(call: At<(Slug,)>) -> Result<Answer<ApplicationView>, Problem> {
    let seen = call.session.application_named(&call.path.0).await?;
    Ok(Answer::new(ApplicationView::of(seen, call.session.actor())))
}

async fn edit(call: With<(ApplicationId,), ApplicationPatch>) -> Result<Answer<ApplicationView>, Problem> {
    let Call { session, path, body: Json(patch), .. } = call;
    let rereading = patch.key_rereading.map(|allowed| match allowed {
        true => KeyRereading::Allowed,
        false => KeyRereading::DisabledForGood,
    });
    let edited = session.edit_application(path.0, patch.description, rereading).await;
    let edited = edited.map_err(|error| Problem::from(error).spelled(camel))?;
    Ok(Answer::new(ApplicationView::of(edited, session.actor())))
}

async fn remove(call: At<(ApplicationId,)>) -> Result<Done, Problem> {
    call.session.delete_application(call.path.0).await?;
    Ok(Done)
}

/// What the caller may do on an Application.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PermissionsAnswer {
    /// The rows of the permission matrix that are granted.
    permissions: Vec<Action>,
}

async fn permissions(call: At<(ApplicationId,)>) -> Result<Answer<PermissionsAnswer>, Problem> {
    Ok(Answer::new(PermissionsAnswer { permissions: call.session.permissions(call.path.0).await? }))
}

async fn members(call: At<(ApplicationId,)>) -> Result<Answer<PageView<MemberView>>, Problem> {
    let members = call.session.members(call.path.0).await?;
    Ok(Answer::new(PageView::whole(members.into_iter().map(Into::into).collect())))
}

async fn add_member(call: With<(ApplicationId,), MemberBody>) -> Result<Answer<MemberView>, Problem> {
    give(&call.session, call.path.0, call.body.0.into()).await
}

async fn set_role(call: With<(ApplicationId, MemberRoute, String), RoleBody>) -> Result<Answer<MemberView>, Problem> {
    let (id, kind, member) = call.path;
    let member = Member { principal: kind.principal(member)?, role: call.body.0.role };
    give(&call.session, id, member).await
}

async fn give(
    session: &crate::engine::Session,
    id: ApplicationId,
    member: Member,
) -> Result<Answer<MemberView>, Problem> {
    session.set_member(id, member.clone()).await?;
    Ok(Answer::new(member.into()))
}

async fn remove_member(call: At<(ApplicationId, MemberRoute, String)>) -> Result<Done, Problem> {
    let (id, kind, member) = call.path;
    call.session.remove_member(id, &kind.principal(member)?).await?;
    Ok(Done)
}

async fn events(call: Asking<(ApplicationId,), Paging>) -> Result<Answer<PageView<EventView>>, Problem> {
    let page = call.session.events(call.path.0, call.query.token().as_ref()).await?;
    Ok(Answer::new(PageView::of(page, Into::into)))
}
