//! Authorizations: read, answered and given up by their account.

use super::AcmeError;
use super::accounts::At;
use super::answers::AuthorizationView;
use crate::domain::acme::{Account, AcmeProblem, Authorization, ChallengeKind};
use crate::domain::{AcmeAuthorizationId, Actor};
use crate::engine::context::{Context, Versioned};
use crate::engine::error::Error;
use crate::engine::submit::MOST_ATTEMPTS;

impl Context {
    /// An authorization of the account.
    pub(super) async fn acme_authorization(
        &self,
        _: At,
        account: &Account,
        id: AcmeAuthorizationId,
    ) -> Result<AuthorizationView, AcmeError> {
        let found = self.own_authorization(account, id).await?;
        Ok(AuthorizationView::of(found.value, self.now()))
    }

    /// Says that a challenge can be looked at: due work will.
    pub(super) async fn answer_acme_challenge(
        &self,
        _: At,
        account: &Account,
        id: AcmeAuthorizationId,
        kind: ChallengeKind,
    ) -> Result<AuthorizationView, AcmeError> {
        let now = self.now();
        self.edit_authorization(account, id, |authorization| authorization.answered(kind, now)).await
    }

    /// Gives an authorization up.
    pub(super) async fn deactivate_acme_authorization(
        &self,
        _: At,
        account: &Account,
        id: AcmeAuthorizationId,
    ) -> Result<AuthorizationView, AcmeError> {
        let now = self.now();
        self.edit_authorization(account, id, |authorization| authorization.deactivated(now).map(Some)).await
    }

    async fn edit_authorization(
        &self,
        account: &Account,
        id: AcmeAuthorizationId,
        edit: impl Fn(&Authorization) -> Result<Option<Authorization>, AcmeProblem>,
    ) -> Result<AuthorizationView, AcmeError> {
        let actor = Actor::acme_account(account);
        for _ in 0..MOST_ATTEMPTS {
            let Versioned { value, version } = self.own_authorization(account, id).await?;
            let Some(edited) = edit(&value)? else { return Ok(AuthorizationView::of(value, self.now())) };
            let mut change = self.change(&actor, self.now())?;
            change.update(&edited, version)?;
            match change.commit().await {
                Err(error) if error.is_conflict() => {}
                committed => {
                    committed?;
                    return Ok(AuthorizationView::of(edited, self.now()));
                }
            }
        }
        Err(Error::Contended.into())
    }

    async fn own_authorization(
        &self,
        account: &Account,
        id: AcmeAuthorizationId,
    ) -> Result<Versioned<Authorization>, AcmeError> {
        let found = self.find::<Authorization>(&id.to_string()).await?;
        let own = found.filter(|authorization| authorization.value.account == account.id);
        own.ok_or_else(|| AcmeProblem::malformed("the account has no such authorization").into())
    }
}
