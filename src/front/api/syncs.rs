//! Syncs and what they have delivered.

use schemars::JsonSchema;
use serde::Deserialize;

use super::answer::{Answer, Done, PageView};
use super::call::{Asking, At, Call, Json, Paging, With};
use super::endpoint::{Endpoint, delete, get, post};
use super::wire::{DeploymentView, SyncBody, SyncView, sync_field};
use crate::domain::{Action, ApplicationId, CertificateId, SyncId};
use crate::engine::PageToken;
use crate::front::Problem;

pub(super) fn endpoints() -> Vec<Endpoint> {
    const ONE: &str = "/syncs/{syncId}";
    vec![
        get(("/syncs", "listSyncs"), Action::SyncsList, list)
            .says("Lists an Application's syncs, those included that are deleted and not gone."),
        post(("/syncs", "saveSync"), Action::SyncsEdit, save)
            .says("Makes a sync, or changes the one of its name in the Application."),
        get((ONE, "getSync"), Action::SyncsRead, see).says("Gives a sync and how it is doing."),
        delete((ONE, "deleteSync"), Action::SyncsDelete, remove)
            .says("Deletes a sync: what it brought to its destination is removed, or left there, as it says."),
        get(("/syncs/{syncId}/certificates", "listDeployments"), Action::SyncsRead, deployments)
            .says("Lists what a sync has to do with, by lineage."),
        post(("/syncs/{syncId}/sync-certificates", "syncNow"), Action::SyncsSyncCertificates, sync_now)
            .says("Makes everything of a sync due at once."),
        post(("/syncs/{syncId}/remove-certificates", "removeFromSync"), Action::SyncsRemoveCertificates, take_out)
            .says("Takes a certificate, with all of its lineage, out of a sync."),
    ]
}

/// Which syncs to list.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SyncFilter {
    /// Those of this Application.
    application_id: ApplicationId,
    /// The `next` of the page before.
    after: Option<String>,
}

async fn list(call: Asking<(), SyncFilter>) -> Result<Answer<PageView<SyncView>>, Problem> {
    let after = call.query.after.as_deref().map(PageToken::new);
    let page = call.session.syncs(call.query.application_id, after.as_ref()).await?;
    Ok(Answer::new(PageView::of(page, Into::into)))
}

async fn save(call: With<(), SyncBody>) -> Result<Answer<SyncView>, Problem> {
    let Call { session, body: Json(body), .. } = call;
    let application = body.application_id;
    let saved = session.save_sync(application, body.spec()?).await;
    Ok(Answer::new(saved.map_err(|error| Problem::from(error).spelled(sync_field))?.into()))
}

async fn see(call: At<(SyncId,)>) -> Result<Answer<SyncView>, Problem> {
    Ok(Answer::new(call.session.sync(call.path.0).await?.into()))
}

async fn remove(call: At<(SyncId,)>) -> Result<Done, Problem> {
    call.session.delete_sync(call.path.0).await?;
    Ok(Done)
}

async fn deployments(call: Asking<(SyncId,), Paging>) -> Result<Answer<PageView<DeploymentView>>, Problem> {
    let page = call.session.deployments(call.path.0, call.query.token().as_ref()).await?;
    Ok(Answer::new(PageView::of(page, Into::into)))
}

async fn sync_now(call: At<(SyncId,)>) -> Result<Answer<SyncView>, Problem> {
    call.session.sync_now(call.path.0).await?;
    Ok(Answer::new(call.session.sync(call.path.0).await?.into()))
}

/// A certificate that a sync is not to be about.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RemoveBody {
    /// The certificate.
    certificate_id: CertificateId,
}

async fn take_out(call: With<(SyncId,), RemoveBody>) -> Result<Answer<SyncView>, Problem> {
    let Json(RemoveBody { certificate_id }) = call.body;
    Ok(Answer::new(call.session.remove_certificate(call.path.0, certificate_id).await?.into()))
}
