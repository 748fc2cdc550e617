//! The simulated challenge verifier: slow, at times away, and not always satisfied.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::stage::{Stage, lock};
use crate::challenge::{CaaCheck, Challenge, ChallengeFailure, ChallengeVerifier};
use crate::domain::acme::{ValidationError, ValidationFault};

/// A node's verifier.
#[derive(Clone, Debug)]
pub(super) struct SimulatedVerifier {
    pub(super) stage: Arc<Stage>,
}

#[async_trait]
impl ChallengeVerifier for SimulatedVerifier {
    fn longest_call(&self) -> Duration {
        Duration::from_secs(300)
    }

    async fn verify(&self, _: &Challenge) -> Result<(), ChallengeFailure> {
        self.stage.hesitate().await;
        let mishap = self.stage.mishap(self.stage.rates().verifier);
        // It has no network while the signer is away.
        if mishap == Some(0) || lock(&self.stage.model).is_signer_out(self.stage.now()) {
            return Err(ChallengeFailure::unavailable("simulated"));
        }
        match mishap {
            Some(1) => std::future::pending().await,
            Some(_) => Err(ValidationError::new(ValidationFault::Connection, "simulated").into()),
            None => Ok(()),
        }
    }

    async fn check_caa(&self, _: &CaaCheck) -> Result<(), ChallengeFailure> {
        Ok(())
    }
}
