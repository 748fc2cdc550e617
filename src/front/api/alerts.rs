//! Alerts: of an Application, and of the product.

use super::answer::{Answer, Done, PageView};
use super::call::{Asking, At, Call, Json, Paging, With};
use super::endpoint::{Endpoint, Needs, delete, get, post};
use super::wire::{AlertBody, AlertView, CertificateView, ChannelTestView, NotificationView, alert_field};
use crate::domain::{Action, AlertId, ApplicationId};
use crate::engine::Session;
use crate::front::Problem;

pub(super) fn endpoints() -> Vec<Endpoint> {
    const OURS: &str = "/applications/{applicationId}/alerts";
    const ONE: &str = "/alerts/{alertId}";
    vec![
        get((OURS, "listAlerts"), Action::AlertsRead, list).says("Lists an Application's alerts."),
        post((OURS, "saveAlert"), Action::AlertsEdit, save)
            .says("Makes an alert, or changes the one of its name. Secrets are never shown again."),
        post(("/applications/{applicationId}/alerts/preview", "previewAlert"), Action::AlertsRead, preview)
            .says("Says of which certificates an alert would tell if it were made now."),
        get(("/alerts", "listProductAlerts"), Needs::Product, list_all).says("Lists the alerts of the product."),
        post(("/alerts", "saveProductAlert"), Needs::Product, save_all)
            .says("Makes an alert of the product, or changes the one of its name."),
        get((ONE, "getAlert"), Action::AlertsRead, see).says("Gives an alert."),
        delete((ONE, "deleteAlert"), Action::AlertsDelete, remove).says("Deletes an alert."),
        post(("/alerts/{alertId}/test", "testAlert"), Action::AlertsEdit, test)
            .says("Sends a test through every channel of an alert, once."),
        get(("/alerts/{alertId}/notifications", "listNotifications"), Action::AlertsRead, notifications)
            .says("Lists an alert's notifications, the latest first."),
    ]
}

async fn list(call: Asking<(ApplicationId,), Paging>) -> Result<Answer<PageView<AlertView>>, Problem> {
    let page = call.session.alerts(Some(call.path.0), call.query.token().as_ref()).await?;
    Ok(Answer::new(PageView::of(page, Into::into)))
}

async fn list_all(call: Asking<(), Paging>) -> Result<Answer<PageView<AlertView>>, Problem> {
    let page = call.session.alerts(None, call.query.token().as_ref()).await?;
    Ok(Answer::new(PageView::of(page, Into::into)))
}

async fn save(call: With<(ApplicationId,), AlertBody>) -> Result<Answer<AlertView>, Problem> {
    saved(&call.session, Some(call.path.0), call.body.0).await
}

async fn save_all(call: With<(), AlertBody>) -> Result<Answer<AlertView>, Problem> {
    saved(&call.session, None, call.body.0).await
}

async fn saved(
    session: &Session,
    application: Option<ApplicationId>,
    body: AlertBody,
) -> Result<Answer<AlertView>, Problem> {
    let saved = session.save_alert(application, body.spec()?).await;
    Ok(Answer::new(saved.map_err(|error| Problem::from(error).spelled(alert_field))?.into()))
}

async fn preview(call: With<(ApplicationId,), AlertBody>) -> Result<Answer<PageView<CertificateView>>, Problem> {
    let Call { engine, session, path, body: Json(body), .. } = call;
    let page = session.preview_alert(Some(path.0), &body.spec()?, None).await?;
    Ok(Answer::new(PageView::of(page, |record| CertificateView::of(&record, engine.now()))))
}

async fn see(call: At<(AlertId,)>) -> Result<Answer<AlertView>, Problem> {
    Ok(Answer::new(call.session.alert(call.path.0).await?.into()))
}

async fn remove(call: At<(AlertId,)>) -> Result<Done, Problem> {
    call.session.delete_alert(call.path.0).await?;
    Ok(Done)
}

async fn test(call: At<(AlertId,)>) -> Result<Answer<PageView<ChannelTestView>>, Problem> {
    let tests = call.session.test_alert(call.path.0).await?;
    Ok(Answer::new(PageView::whole(tests.into_iter().map(Into::into).collect())))
}

async fn notifications(call: Asking<(AlertId,), Paging>) -> Result<Answer<PageView<NotificationView>>, Problem> {
    let page = call.session.notifications(call.path.0, call.query.token().as_ref()).await?;
    Ok(Answer::new(PageView::of(page, Into::into)))
}
