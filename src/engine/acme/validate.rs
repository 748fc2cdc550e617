//! Proofs of control, as due work: the attempt is recorded, the verifier looks, and what it saw is recorded.

use time::Duration;

use crate::challenge::{CaaCheck, Challenge, ChallengeFailure, ChallengeVerifier, Networks};
use crate::domain::acme::{Account, Authorization, AuthorizationState, ChallengeKind, Due, Identifier};
use crate::domain::{AcmeNetworks, AcmeSettings, Actor, Application, EventKind};
use crate::engine::context::{Context, Versioned};
use crate::engine::due::{Work, hold, item};
use crate::engine::error::Error;
use crate::store::{Hit, Version};

use super::accounts::settings_of;

/// Time for reading and writing beside the calls.
const SLACK: Duration = Duration::minutes(1);

/// An authorization that a worker looks at, by the version of its claim.
struct Looking<'a> {
    authorization: Authorization,
    version: Version,
    kind: ChallengeKind,
    settings: &'a AcmeSettings,
}

impl Context {
    /// Looks at a challenge, or collects an authorization whose time has passed.
    pub(in crate::engine) async fn authorization_due(&self, hit: &Hit) -> Result<Work, Error> {
        let authorization: Authorization = item(hit)?;
        let found = Versioned { value: authorization, version: hit.document.version };
        match found.value.due() {
            Due::Look(_, at) | Due::Collect(at) if at > self.now() => Ok(Work::Nothing),
            Due::Look(..) if found.value.expires_at <= self.now() => self.lapse(found).await,
            Due::Look(kind, _) => self.look(found, kind).await,
            Due::Collect(_) => {
                self.remove(&found).await?;
                Ok(Work::Removed)
            }
        }
    }

    async fn look(&self, found: Versioned<Authorization>, kind: ChallengeKind) -> Result<Work, Error> {
        let application = self.find::<Application>(&found.value.application.to_string()).await?;
        let at = (found.value.application, found.value.profile);
        let settings = application.as_ref().and_then(|application| settings_of(&application.value, at).ok());
        let account = self.find::<Account>(&found.value.account.to_string()).await?;
        let account = account.filter(|account| account.value.in_use().is_ok());
        let (Some(account), Some(settings)) = (account, settings) else { return self.drop_proof(found).await };
        // This process has none: another may.
        let Some(verifier) = self.verifier.as_deref() else { return self.leave_to_others(found, kind).await };
        let lease = Duration::try_from(verifier.longest_call() * 2).unwrap_or(SLACK) + SLACK;
        let mut change = self.change_by_engine()?;
        let authorization = found.value.looking(kind, change.now + lease);
        change.update(&authorization, found.version)?;
        let Some(version) = hold(change).await? else { return Ok(Work::TakenByOthers) };
        let looked = look_with(verifier, (&authorization, kind), (&account.value, settings)).await;
        self.seen(&account.value, Looking { authorization, version, kind, settings }, looked).await
    }

    /// Records what the verifier saw, on the version of the claim.
    async fn seen(
        &self,
        account: &Account,
        looking: Looking<'_>,
        looked: Result<(), ChallengeFailure>,
    ) -> Result<Work, Error> {
        let Looking { authorization, version, kind, settings } = looking;
        let actor = Actor::acme_account(account);
        let mut change = self.change(&actor, self.now())?;
        let (id, profile) = (authorization.id, authorization.profile);
        let identifier = authorization.identifier.to_string();
        let application = authorization.application;
        let (next, work) = match looked {
            _ if authorization.expires_at <= change.now => (authorization.lapsed(), Work::Expired),
            Ok(()) => {
                change.event(
                    Some(application),
                    EventKind::AcmeIdentifierProved { authorization: id, identifier, challenge: kind },
                )?;
                (authorization.met(kind, settings.proof_life, change.now), Work::Validated)
            }
            Err(ChallengeFailure::Failed(error)) => {
                let reason = error.detail.clone();
                let next = authorization.failed(kind, (error, settings.attempts), change.now);
                let is_over = matches!(next.state, AuthorizationState::Invalid { .. });
                if is_over {
                    let kind = EventKind::AcmeIdentifierNotProved {
                        authorization: id,
                        profile,
                        identifier,
                        challenge: kind,
                        reason,
                    };
                    change.event(Some(application), kind)?;
                }
                (next, if is_over { Work::Failed } else { Work::Postponed })
            }
            Err(ChallengeFailure::Unavailable { reason }) => {
                tracing::warn!(%id, %reason, "the challenge verifier is unavailable; it is asked again");
                (authorization.not_looked(kind, change.now), Work::Postponed)
            }
        };
        change.update(&next, version)?;
        Ok(hold(change).await?.map_or(Work::TakenByOthers, |_| work))
    }

    /// Its time passed before anybody could look: it waits to be collected.
    async fn lapse(&self, found: Versioned<Authorization>) -> Result<Work, Error> {
        let mut change = self.change_by_engine()?;
        change.update(&found.value.lapsed(), found.version)?;
        Ok(hold(change).await?.map_or(Work::TakenByOthers, |_| Work::Expired))
    }

    async fn leave_to_others(&self, found: Versioned<Authorization>, kind: ChallengeKind) -> Result<Work, Error> {
        let mut change = self.change_by_engine()?;
        // One attempt on and one back: only the time changes.
        let later = found.value.looking(kind, change.now).not_looked(kind, change.now);
        change.update(&later, found.version)?;
        Ok(hold(change).await?.map_or(Work::TakenByOthers, |_| Work::Postponed))
    }

    /// Nobody may use it any more: its account is gone, or ACME is not enabled there.
    async fn drop_proof(&self, found: Versioned<Authorization>) -> Result<Work, Error> {
        let mut change = self.change_by_engine()?;
        change.update(&Authorization { state: AuthorizationState::Deactivated, ..found.value }, found.version)?;
        Ok(hold(change).await?.map_or(Work::TakenByOthers, |_| Work::Removed))
    }
}

/// One look, and one at CAA records where they are asked.
async fn look_with(
    verifier: &dyn ChallengeVerifier,
    (authorization, kind): (&Authorization, ChallengeKind),
    (account, settings): (&Account, &AcmeSettings),
) -> Result<(), ChallengeFailure> {
    let networks = match settings.networks {
        AcmeNetworks::Public => Networks::Public,
        AcmeNetworks::AlsoPrivate => Networks::AlsoPrivate,
    };
    let (identifier, token) = (authorization.identifier.clone(), authorization.token.clone());
    let key_authorization = account.key.authorize(&token);
    verifier.verify(&Challenge { kind, identifier, token, key_authorization, networks }).await?;
    match &authorization.identifier {
        Identifier::Dns(name) if !settings.caa.is_empty() => {
            let (issuers, account_url) = (settings.caa.clone(), authorization.account_url.clone());
            let check = CaaCheck { name: name.clone(), issuers, method: kind, account_url };
            verifier.check_caa(&check).await
        }
        // CAA is about domain names (RFC 8659 section 1).
        _ => Ok(()),
    }
}
