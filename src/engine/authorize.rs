//! Who may do what: the permission matrix, asked by every verb.

use super::context::Context;
use super::error::Error;
use crate::domain::{Action, Actor, Application, ApplicationId, Standing};

impl Context {
    /// Lets the actor pass if the matrix grants it `action` on `application`.
    ///
    /// Who may not even see the Application is told that there is none.
    pub(super) fn authorize(&self, actor: &Actor, action: Action, application: &Application) -> Result<(), Error> {
        let standings = self.standings(actor, application);
        let grants = |action: Action| standings.iter().flatten().any(|standing| action.is_granted_to(*standing));
        if grants(action) && actor.is_let(action) {
            return Ok(());
        }
        if grants(Action::ApplicationRead) {
            return Err(Error::Forbidden { actor: actor.principal().to_string(), action });
        }
        Err(Error::not_found("application", application.id))
    }

    /// Lets the actor pass if it is a product administrator; `what` completes "only one may …".
    pub(super) fn authorize_product(&self, actor: &Actor, what: &'static str) -> Result<(), Error> {
        if self.is_administrator(actor) {
            return Ok(());
        }
        Err(Error::NotAdministrator { actor: actor.principal().to_string(), what })
    }

    /// Whether the actor administers the product, and its right reaches that.
    pub(super) fn is_administrator(&self, actor: &Actor) -> bool {
        actor.is_unbounded() && self.is_named_administrator(actor)
    }

    /// Whether the actor is named as an administrator of the product, however far its right reaches.
    pub(super) fn is_named_administrator(&self, actor: &Actor) -> bool {
        self.administrators.iter().any(|administrator| actor.answers_to(administrator))
    }

    /// What the actor may do on an Application, in the order of the matrix.
    pub(super) async fn permissions(&self, actor: &Actor, id: ApplicationId) -> Result<Vec<Action>, Error> {
        let application = self.permitted(actor, id, Action::ApplicationRead).await?.value;
        let all = Action::ALL.iter().copied();
        Ok(all.filter(|action| self.authorize(actor, *action, &application).is_ok()).collect())
    }

    fn standings(&self, actor: &Actor, application: &Application) -> [Option<Standing>; 3] {
        if !actor.reaches(application.id) {
            return [None; 3];
        }
        let member = application.role_of(actor).map(Standing::Member);
        let product = self.is_named_administrator(actor).then_some(Standing::ProductAdministrator);
        [member, product, actor.is_client().then_some(Standing::Client)]
    }
}
