//! Administration of ACME: binding keys and accounts. Clients speak ACME itself.

use super::answer::{Answer, Done, PageView};
use super::call::{Asking, At, Call, Json, Paging, With};
use super::endpoint::{Endpoint, delete, get, post};
use super::wire::{AcmeAccountView, BindingAnswer, BindingBody, BindingSecret, BindingView, binding_field};
use crate::domain::{AcmeAccountId, AcmeBindingId, Action, ApplicationId, ProfileId};
use crate::front::Problem;

type Attachment = (ApplicationId, ProfileId);

pub(super) fn endpoints() -> Vec<Endpoint> {
    const BINDINGS: &str = "/applications/{applicationId}/profiles/{profileId}/acme/bindings";
    const ONE: &str = "/acme/bindings/{bindingId}";
    vec![
        get((BINDINGS, "listAcmeBindings"), Action::EnrollmentRead, bindings)
            .says("Lists the keys with which clients bind accounts of an attachment."),
        post((BINDINGS, "createAcmeBinding"), Action::EnrollmentRotateAcmeEabSecret, create)
            .says("Makes a key with which clients bind accounts."),
        post(("/acme/bindings/{bindingId}/reveal", "revealAcmeBinding"), Action::EnrollmentRevealAcmeEabSecret, reveal)
            .says("Gives the secret of a binding key again; an event tells of it."),
        delete((ONE, "revokeAcmeBinding"), Action::EnrollmentRotateAcmeEabSecret, revoke)
            .says("Revokes a binding key; accounts that were made with it stay."),
        get(
            ("/applications/{applicationId}/profiles/{profileId}/acme/accounts", "listAcmeAccounts"),
            Action::EnrollmentRead,
            accounts,
        )
        .says("Lists the ACME accounts of an attachment."),
        post(("/acme/accounts/{accountId}/revoke", "revokeAcmeAccount"), Action::EnrollmentEdit, revoke_account)
            .says("Takes an ACME account away; its certificates stay."),
    ]
}

async fn bindings(call: Asking<Attachment, Paging>) -> Result<Answer<PageView<BindingView>>, Problem> {
    let (application, profile) = call.path;
    let page = call.session.acme_bindings(application, profile, call.query.token().as_ref()).await?;
    Ok(Answer::new(PageView::of(page, Into::into)))
}

async fn create(call: With<Attachment, BindingBody>) -> Result<Answer<BindingAnswer>, Problem> {
    let Call { session, path: (application, profile), body: Json(body), .. } = call;
    let made = session.create_acme_binding(application, profile, body.into()).await;
    let made = made.map_err(|error| Problem::from(error).spelled(binding_field))?;
    Ok(Answer::new(BindingAnswer::new(made)))
}

async fn reveal(call: At<(AcmeBindingId,)>) -> Result<Answer<BindingSecret>, Problem> {
    Ok(Answer::new(call.session.reveal_acme_binding(call.path.0).await?.into()))
}

async fn revoke(call: At<(AcmeBindingId,)>) -> Result<Done, Problem> {
    call.session.revoke_acme_binding(call.path.0).await?;
    Ok(Done)
}

async fn accounts(call: Asking<Attachment, Paging>) -> Result<Answer<PageView<AcmeAccountView>>, Problem> {
    let (application, profile) = call.path;
    let page = call.session.acme_accounts(application, profile, call.query.token().as_ref()).await?;
    Ok(Answer::new(PageView::of(page, Into::into)))
}

async fn revoke_account(call: At<(AcmeAccountId,)>) -> Result<Answer<AcmeAccountView>, Problem> {
    Ok(Answer::new(call.session.revoke_acme_account(call.path.0).await?.into()))
}
