//! Mass revocations.

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::call::{At, Call, Json, With};
use super::endpoint::{Endpoint, get, post};
use super::wire::{IncidentBody, IncidentView, UnderIncidentView, incident_field};
use crate::domain::{Action, CertificateId, IncidentId};
use crate::front::Problem;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post(("/incidents", "openIncident"), Action::CertificatesDelete, open)
            .says("Opens a mass revocation of certificates. Product administrators may, too, and only they of several Applications'."),
        get(("/incidents/{incidentId}", "getIncident"), Action::CertificatesRead, see)
            .says("Gives a mass revocation and how far it is."),
        post(("/incidents/{incidentId}/call-off", "callOffIncident"), Action::CertificatesDelete, call_off)
            .says("Calls a mass revocation off: what it has not revoked is let go. Product administrators may, too."),
        get(("/certificates/{certificateId}/incident", "getCertificateIncident"), Action::CertificatesRead, under)
            .says("Gives the mass revocation that a certificate is under."),
    ]
}

async fn open(call: With<(), IncidentBody>) -> Result<Answer<IncidentView>, Problem> {
    let Call { session, body: Json(body), .. } = call;
    let opened = session.open_incident(body.into()).await;
    Ok(Answer::new(opened.map_err(|error| Problem::from(error).spelled(incident_field))?.into()))
}

async fn see(call: At<(IncidentId,)>) -> Result<Answer<IncidentView>, Problem> {
    Ok(Answer::new(call.session.incident(call.path.0).await?.into()))
}

async fn call_off(call: At<(IncidentId,)>) -> Result<Answer<IncidentView>, Problem> {
    Ok(Answer::new(call.session.call_off_incident(call.path.0).await?.into()))
}

/// Whether a certificate is under a mass revocation.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct UnderAnswer {
    /// The mass revocation; `null` if there is none.
    incident: Option<UnderIncidentView>,
}

async fn under(call: At<(CertificateId,)>) -> Result<Answer<UnderAnswer>, Problem> {
    let incident = call.session.certificate_incident(call.path.0).await?.map(Into::into);
    Ok(Answer::new(UnderAnswer { incident }))
}
