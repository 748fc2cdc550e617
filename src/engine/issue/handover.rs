//! Handing a managed key over to the one who asked, once, when no answer could hold it at the moment of issue.

use crate::domain::{Action, Actor, CertificateRequest, EventKind, KeyHandover, RequestState};
use crate::engine::context::{Context, Versioned};
use crate::engine::error::Error;
use crate::engine::outcome::SubjectKey;
use crate::engine::schema::Entity;

impl Context {
    /// The key that a request owes to the actor, which is not owed any more then. Only the requester gets it, and only
    /// while they may ask for certificates here.
    ///
    /// It is marked before it is given: an answer that is lost on the way is not given again.
    pub(in crate::engine) async fn hand_over(
        &self,
        actor: &Actor,
        request: &Versioned<CertificateRequest>,
    ) -> Result<Option<SubjectKey>, Error> {
        let RequestState::Issued { certificate, handover: KeyHandover::Owed } = request.value.state else {
            return Ok(None);
        };
        if *actor.principal() != request.value.requester {
            return Ok(None);
        }
        let application = self.application(request.value.application).await?;
        if self.authorize(actor, Action::CertificatesCreate, &application.value).is_err() {
            return Ok(None);
        }
        let Some(key) = self.open_key(certificate).await? else { return Ok(None) };
        let mut change = self.change(actor, self.now())?;
        let state = RequestState::Issued { certificate, handover: KeyHandover::Done };
        let handed = CertificateRequest { state, updated_at: change.now, ..request.value.clone() };
        change.check(application.value.key(), application.version);
        change.update(&handed, request.version)?;
        change.event(Some(handed.application), EventKind::PrivateKeyRead { certificate })?;
        change.commit().await?;
        Ok(Some(key))
    }
}
