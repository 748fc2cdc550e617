//! The simulated signer of an issuer: elsewhere, slow, at times unreachable, and its answers may be lost.

use std::sync::Arc;

use async_trait::async_trait;

use super::stage::{Stage, lock};
use crate::signer::{Locality, SignError, Signer, SoftwareSigner};
use crate::x509::{PublicKey, SignatureAlgorithm};

/// A key that is held outside the process.
#[derive(Clone, Debug)]
pub(super) struct SimulatedSigner {
    pub(super) stage: Arc<Stage>,
    pub(super) key: Arc<SoftwareSigner>,
}

#[async_trait]
impl Signer for SimulatedSigner {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn algorithms(&self) -> &[SignatureAlgorithm] {
        self.key.algorithms()
    }

    fn locality(&self) -> Locality {
        Locality::Remote
    }

    async fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.stage.hesitate().await;
        let mishap = self.stage.mishap(self.stage.rates().signer);
        if mishap == Some(0) || lock(&self.stage.model).is_signer_out(self.stage.now()) {
            return Err(SignError::Unavailable { reason: "simulated".into() });
        }
        let signature = self.key.sign(algorithm, message).await?;
        let judged = lock(&self.stage.model).sign(message);
        self.stage.judge(judged);
        self.stage.hesitate().await;
        match mishap {
            Some(1) => std::future::pending().await,
            Some(_) => Err(SignError::Unknown { reason: "simulated".into() }),
            None => Ok(signature),
        }
    }
}
