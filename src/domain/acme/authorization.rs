//! Authorizations and their challenges: the state machine of RFC 8555 section 7.1.6.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{AcmeProblem, Challenge, ChallengeKind, ChallengeState, Identifier, ValidationError};
use crate::domain::{AcmeAccountId, AcmeAuthorizationId, ApplicationId, ProfileId, Span};

/// How long an authorization that is of no use any more can still be read.
const KEPT: Duration = Duration::days(7);
/// The time between two looks: three times as long after each.
const FIRST_PAUSE: Duration = Duration::seconds(5);
const LONGEST_PAUSE: Duration = Duration::minutes(10);
/// How long to wait for a verifier that can not look.
const OUTAGE_PAUSE: Duration = Duration::minutes(1);

/// What an account may ask certificates for, or is to prove (RFC 8555 section 7.1.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorization {
    /// Its id.
    pub id: AcmeAuthorizationId,
    /// Whose.
    pub account: AcmeAccountId,
    /// The account's URL, as its client knows it: what `accounturi` of CAA records is compared with (RFC 8657).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_url: Option<String>,
    /// The Application of its account.
    pub application: ApplicationId,
    /// The profile whose attachment says how control is proved.
    pub profile: ProfileId,
    /// Of what, as it was ordered: with its `*.`, if it is a wildcard.
    pub identifier: Identifier,
    /// The token of its challenges: 256 random bits, base64url.
    pub token: String,
    /// Where it stands.
    pub state: AuthorizationState,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Until when it can be proved, or is good.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// Where an authorization stands. That it has expired is computed from the clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AuthorizationState {
    /// Control is to be proved.
    Pending {
        /// By any of these.
        challenges: Vec<Challenge>,
    },
    /// It may be used.
    Valid {
        /// On which grounds.
        proof: Proof,
    },
    /// The proof failed.
    Invalid {
        /// The challenges, one of them with the reason.
        challenges: Vec<Challenge>,
    },
    /// Its account gave it up.
    Deactivated,
}

/// On which grounds an authorization is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Control was proved.
    Shown {
        /// How.
        kind: ChallengeKind,
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
    /// The attachment asks for no proof. Good for nothing but the order that it was made for.
    Waived,
}

/// How an authorization looks (RFC 8555 section 7.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthorizationStatus {
    /// Control is to be proved.
    Pending,
    /// It may be used.
    Valid,
    /// The proof failed.
    Invalid,
    /// Its account gave it up.
    Deactivated,
    /// Its time has passed.
    Expired,
}

impl AuthorizationStatus {
    /// The spelling of RFC 8555.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Deactivated => "deactivated",
            Self::Expired => "expired",
        }
    }
}

/// What time brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// The verifier looks at a challenge.
    Look(ChallengeKind, OffsetDateTime),
    /// It is collected.
    Collect(OffsetDateTime),
}

impl Due {
    pub(crate) fn at(self) -> OffsetDateTime {
        match self {
            Self::Look(_, at) | Self::Collect(at) => at,
        }
    }
}

impl Authorization {
    /// The challenges by which control of an identifier can be proved, of those that are offered: a wildcard by dns-01 alone (RFC 8555
    /// section 8.4, RFC 8737 section 3), an address by any but that (RFC 8738 section 4).
    pub fn kinds_for(identifier: &Identifier, offered: &[ChallengeKind]) -> Vec<ChallengeKind> {
        let fits = |kind: &ChallengeKind| match (identifier, kind) {
            (Identifier::Ip(_), kind) => *kind != ChallengeKind::Dns01,
            (Identifier::Dns(name), kind) => !name.is_wildcard() || *kind == ChallengeKind::Dns01,
        };
        offered.iter().copied().filter(fits).collect()
    }

    /// How it looks at `now`.
    pub fn status_at(&self, now: OffsetDateTime) -> AuthorizationStatus {
        match &self.state {
            AuthorizationState::Invalid { .. } => AuthorizationStatus::Invalid,
            AuthorizationState::Deactivated => AuthorizationStatus::Deactivated,
            _ if self.expires_at <= now => AuthorizationStatus::Expired,
            AuthorizationState::Pending { .. } => AuthorizationStatus::Pending,
            AuthorizationState::Valid { .. } => AuthorizationStatus::Valid,
        }
    }

    /// The challenges, as a client is shown them: of a valid one the one that was met (RFC 8555 section 7.1.4).
    pub fn challenges(&self) -> Vec<Challenge> {
        match &self.state {
            AuthorizationState::Pending { challenges } | AuthorizationState::Invalid { challenges } => {
                challenges.clone()
            }
            AuthorizationState::Valid { proof: Proof::Shown { kind, at } } => {
                vec![Challenge { kind: *kind, state: ChallengeState::Valid { at: *at } }]
            }
            AuthorizationState::Valid { proof: Proof::Waived } | AuthorizationState::Deactivated => Vec::new(),
        }
    }

    /// Whether the verifier looks, or will look again.
    pub fn is_processing(&self) -> bool {
        let AuthorizationState::Pending { challenges } = &self.state else { return false };
        challenges.iter().any(|challenge| matches!(challenge.state, ChallengeState::Processing { .. }))
    }

    /// Why it failed.
    pub fn error(&self) -> Option<ValidationError> {
        let AuthorizationState::Invalid { challenges } = &self.state else { return None };
        challenges.iter().find_map(|challenge| match &challenge.state {
            ChallengeState::Invalid { error, .. } => Some(error.clone()),
            _ => None,
        })
    }

    /// How control was proved; `None` if it was not, or not any more at `now`.
    pub fn shown_at(&self, now: OffsetDateTime) -> Option<ChallengeKind> {
        match self.state {
            AuthorizationState::Valid { proof: Proof::Shown { kind, .. } } if self.expires_at > now => Some(kind),
            _ => None,
        }
    }

    /// Says that a challenge can be looked at. What is looked at already, or decided, stays as it is: `None`.
    ///
    /// # Errors
    /// `malformed` for a challenge that it does not have; `unauthorized` for one whose time has passed, or that was given up.
    pub fn answered(&self, kind: ChallengeKind, now: OffsetDateTime) -> Result<Option<Self>, AcmeProblem> {
        match self.status_at(now) {
            AuthorizationStatus::Pending => {}
            AuthorizationStatus::Valid | AuthorizationStatus::Invalid => return Ok(None),
            status => return Err(AcmeProblem::unauthorized(format!("the authorization is {}", status.as_str()))),
        }
        let begun = ChallengeState::Processing { attempts: 0, due_at: now, error: None };
        let mut next = self.clone();
        let Some(challenge) = next.challenge(kind) else {
            return Err(AcmeProblem::malformed(format!("the authorization has no challenge {kind}")));
        };
        let is_pending = challenge.state == ChallengeState::Pending;
        challenge.state = begun;
        Ok(is_pending.then_some(next))
    }

    /// Gives it up.
    ///
    /// # Errors
    /// `unauthorized` if it is neither pending nor valid.
    pub fn deactivated(&self, now: OffsetDateTime) -> Result<Self, AcmeProblem> {
        match self.status_at(now) {
            AuthorizationStatus::Pending | AuthorizationStatus::Valid => {
                Ok(Self { state: AuthorizationState::Deactivated, ..self.clone() })
            }
            status => Err(AcmeProblem::unauthorized(format!("the authorization is {}", status.as_str()))),
        }
    }

    /// What time brings it next.
    pub(crate) fn due(&self) -> Due {
        let collected = Due::Collect(self.expires_at + KEPT);
        let AuthorizationState::Pending { challenges } = &self.state else { return collected };
        let looks = challenges.iter().filter_map(|challenge| match challenge.state {
            ChallengeState::Processing { due_at, .. } => Some((due_at, challenge.kind)),
            _ => None,
        });
        let first = looks.min().filter(|(due_at, _)| *due_at < self.expires_at);
        first.map_or(collected, |(due_at, kind)| Due::Look(kind, due_at))
    }

    /// The same while the verifier looks at a challenge: the attempt counts, and nobody else takes it before `until`.
    pub(crate) fn looking(mut self, looked_at: ChallengeKind, until: OffsetDateTime) -> Self {
        if let Some(ChallengeState::Processing { attempts, due_at, .. }) = self.state_of(looked_at) {
            *attempts = attempts.saturating_add(1);
            *due_at = until;
        }
        self
    }

    /// The same with its proof, good for `life`.
    pub(crate) fn met(self, kind: ChallengeKind, life: Span, now: OffsetDateTime) -> Self {
        let proof = Proof::Shown { kind, at: now };
        Self { state: AuthorizationState::Valid { proof }, expires_at: now + life.as_duration(), ..self }
    }

    /// The same after a look that found something wrong: it is looked at again, or, after `most` looks or for a reason that stays,
    /// invalid.
    pub(crate) fn failed(
        mut self,
        kind: ChallengeKind,
        (error, most): (ValidationError, u8),
        now: OffsetDateTime,
    ) -> Self {
        let Some(state) = self.state_of(kind) else { return self };
        let ChallengeState::Processing { attempts, .. } = *state else { return self };
        if attempts < most && !error.fault.is_final() {
            let pause = FIRST_PAUSE * 3_i32.pow(u32::from(attempts.saturating_sub(1).min(8)));
            let due_at = now + pause.min(LONGEST_PAUSE);
            *state = ChallengeState::Processing { attempts, due_at, error: Some(error) };
            return self;
        }
        *state = ChallengeState::Invalid { at: now, error };
        if let AuthorizationState::Pending { challenges } = self.state {
            self.state = AuthorizationState::Invalid { challenges };
        }
        self
    }

    /// The same after the verifier could not look: that counts as no attempt.
    pub(crate) fn not_looked(mut self, kind: ChallengeKind, now: OffsetDateTime) -> Self {
        if let Some(ChallengeState::Processing { attempts, due_at, .. }) = self.state_of(kind) {
            *attempts = attempts.saturating_sub(1);
            *due_at = now + OUTAGE_PAUSE;
        }
        self
    }

    /// The same when its time has passed: nobody looks any more.
    pub(crate) fn lapsed(mut self) -> Self {
        if let AuthorizationState::Pending { challenges } = &mut self.state {
            challenges.iter_mut().for_each(|challenge| challenge.state = ChallengeState::Pending);
        }
        self
    }

    fn challenge(&mut self, kind: ChallengeKind) -> Option<&mut Challenge> {
        let AuthorizationState::Pending { challenges } = &mut self.state else { return None };
        challenges.iter_mut().find(|challenge| challenge.kind == kind)
    }

    fn state_of(&mut self, kind: ChallengeKind) -> Option<&mut ChallengeState> {
        self.challenge(kind).map(|challenge| &mut challenge.state)
    }
}

#[cfg(test)]
#[path = "authorization_tests.rs"]
mod tests;
