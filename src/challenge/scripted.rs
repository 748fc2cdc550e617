//! A verifier that answers as a test says, and remembers what it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{CaaCheck, Challenge, ChallengeFailure, ChallengeVerifier};
use crate::domain::acme::{Identifier, ValidationError, ValidationFault};

/// Finds everything in order, unless told otherwise. Clones share what they know.
#[derive(Clone, Debug, Default)]
pub struct ScriptedVerifier {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    next: VecDeque<Answer>,
    always: BTreeMap<Identifier, Answer>,
    outage: bool,
    asked: Vec<Challenge>,
    caa: Vec<CaaCheck>,
    caa_forbids: bool,
}

/// How a [`ScriptedVerifier`] answers a call of [`ChallengeVerifier::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// What was asked for is there.
    There,
    /// Something is wrong that the client must mend.
    Failed(ValidationFault),
    /// The verifier can not look.
    Unavailable,
    /// The call never ends.
    Hangs,
}

impl ScriptedVerifier {
    /// Answers the next calls so, and then as it usually does.
    pub fn will(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state().next.extend(answers);
    }

    /// Answers so whenever it is asked about `identifier`.
    pub fn always(&self, identifier: Identifier, answer: Answer) {
        self.state().always.insert(identifier, answer);
    }

    /// Can not look from now on.
    pub fn goes_down(&self) {
        self.state().outage = true;
    }

    /// Can look again.
    pub fn comes_back(&self) {
        self.state().outage = false;
    }

    /// CAA records forbid everything from now on.
    pub fn caa_forbids(&self) {
        self.state().caa_forbids = true;
    }

    /// Every challenge that it was asked about, in order.
    pub fn asked(&self) -> Vec<Challenge> {
        self.state().asked.clone()
    }

    /// Every CAA check that it was asked for, in order.
    pub fn caa_asked(&self) -> Vec<CaaCheck> {
        self.state().caa.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, challenge: &Challenge) -> Answer {
        let mut state = self.state();
        state.asked.push(challenge.clone());
        if state.outage {
            return Answer::Unavailable;
        }
        let next = state.next.pop_front();
        next.or_else(|| state.always.get(&challenge.identifier).cloned()).unwrap_or(Answer::There)
    }
}

#[async_trait]
impl ChallengeVerifier for ScriptedVerifier {
    fn longest_call(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn verify(&self, challenge: &Challenge) -> Result<(), ChallengeFailure> {
        match self.answer(challenge) {
            Answer::There => Ok(()),
            Answer::Failed(fault) => Err(ValidationError::new(fault, "as the script says").into()),
            Answer::Unavailable => Err(ChallengeFailure::unavailable("as the script says")),
            Answer::Hangs => pending().await,
        }
    }

    async fn check_caa(&self, check: &CaaCheck) -> Result<(), ChallengeFailure> {
        let mut state = self.state();
        state.caa.push(check.clone());
        if state.outage {
            return Err(ChallengeFailure::unavailable("as the script says"));
        }
        match state.caa_forbids {
            true => Err(ValidationError::new(ValidationFault::Caa, "as the script says").into()),
            false => Ok(()),
        }
    }
}
