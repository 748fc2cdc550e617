//! Mass revocations as incidents: opening one, seeing how far it is, calling it off.

use crate::domain::{
    Action, Actor, ApplicationId, CertificateId, EventKind, Incident, IncidentId, IncidentProgress, IncidentSpec,
    IncidentState, UnderIncident,
};
use crate::engine::context::{Context, Versioned};
use crate::engine::error::Error;
use crate::engine::schema::Entity;

impl Context {
    /// Opens a mass revocation; due work goes on with it.
    pub(in crate::engine) async fn open_incident(&self, actor: &Actor, spec: IncidentSpec) -> Result<Incident, Error> {
        self.may_incident(actor, spec.select.application, Action::CertificatesDelete).await?;
        let faults = spec.faults();
        if !faults.is_empty() {
            return Err(Error::Invalid { faults });
        }
        let mut change = self.change(actor, self.now())?;
        let incident = Incident {
            id: IncidentId::new(change.now, change.random.take()?),
            opened_by: actor.principal().clone(),
            opened_at: change.now,
            state: IncidentState::Selecting { cursor: None },
            progress: IncidentProgress::default(),
            due: Some(change.now),
            spec,
        };
        change.create(&incident)?;
        let opened = EventKind::IncidentOpened { incident: incident.id, reason: incident.spec.reason };
        change.event(incident.spec.select.application, opened)?;
        change.commit().await?;
        Ok(incident)
    }

    /// A mass revocation, and how far it is.
    pub(in crate::engine) async fn incident(&self, actor: &Actor, id: IncidentId) -> Result<Incident, Error> {
        self.seen_incident(actor, id, Action::CertificatesRead).await.map(|incident| incident.value)
    }

    /// Calls a mass revocation off: what it has not revoked is let go.
    pub(in crate::engine) async fn call_off_incident(&self, actor: &Actor, id: IncidentId) -> Result<Incident, Error> {
        for _ in 0..super::MOST_ATTEMPTS {
            let found = self.seen_incident(actor, id, Action::CertificatesDelete).await?;
            let Versioned { value: mut incident, version } = found;
            if matches!(incident.state, IncidentState::CalledOff | IncidentState::Closed) {
                return Ok(incident);
            }
            let mut change = self.change(actor, self.now())?;
            incident.state = IncidentState::CalledOff;
            incident.due = Some(change.now);
            change.update(&incident, version)?;
            let closed = EventKind::IncidentClosed { incident: id, revoked: incident.progress.revoked };
            change.event(incident.spec.select.application, closed)?;
            match change.commit().await {
                Ok(_) => return Ok(incident),
                // Due work takes a step; the next reading knows of it.
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Contended)
    }

    /// The mass revocation that a certificate is under, for those who may see the certificate.
    pub(in crate::engine) async fn certificate_incident(
        &self,
        actor: &Actor,
        certificate: CertificateId,
    ) -> Result<Option<UnderIncident>, Error> {
        self.readable(actor, certificate, Action::CertificatesRead).await?;
        self.incident_of(certificate).await
    }

    /// The mass revocation that a certificate is under, whoever asks.
    pub(in crate::engine) async fn incident_of(
        &self,
        certificate: CertificateId,
    ) -> Result<Option<UnderIncident>, Error> {
        Ok(self.find::<UnderIncident>(&certificate.to_string()).await?.map(|found| found.value))
    }

    async fn seen_incident(&self, actor: &Actor, id: IncidentId, action: Action) -> Result<Versioned<Incident>, Error> {
        let hidden = || Error::not_found(Incident::KIND, id);
        let found = self.find::<Incident>(&id.to_string()).await?;
        let Some(incident) = found else { return Err(hidden()) };
        match self.may_incident(actor, incident.value.spec.select.application, action).await {
            Err(Error::NotFound { .. } | Error::NotAdministrator { .. }) => Err(hidden()),
            may => may.map(|()| incident),
        }
    }

    /// Incidents are for product administrators, those of one Application also for whoever may do `action` there.
    async fn may_incident(
        &self,
        actor: &Actor,
        application: Option<ApplicationId>,
        action: Action,
    ) -> Result<(), Error> {
        match application {
            _ if self.is_administrator(actor) => Ok(()),
            Some(application) => self.permitted(actor, application, action).await.map(drop),
            None => self.authorize_product(actor, "revoke the certificates of all Applications"),
        }
    }
}
