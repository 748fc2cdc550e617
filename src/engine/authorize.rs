//! Who may do what: the permission matrix, asked by every verb.

use super::context::Context;
use super::error::Error;
use crate::domain::{Action, Actor, Application, Standing};

impl Context {
    /// Lets the actor pass if the matrix grants it `action` on `application`.
    ///
    /// Who may not even see the Application is told that there is none.
    pub(super) fn authorize(&self, actor: &Actor, action: Action, application: &Application) -> Result<(), Error> {
        let standings = self.standings(actor, application);
        let grants = |action: Action| standings.iter().flatten().any(|standing| action.is_granted_to(*standing));
        if grants(action) {
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

    pub(super) fn is_administrator(&self, actor: &Actor) -> bool {
        self.administrators.iter().any(|administrator| actor.answers_to(administrator))
    }

    fn standings(&self, actor: &Actor, application: &Application) -> [Option<Standing>; 2] {
        let member = application.role_of(actor).map(Standing::Member);
        let product = self.is_administrator(actor).then_some(Standing::ProductAdministrator);
        [member, product]
    }
}
