//! The simulated notifier: slow, at times unreachable, and its answers may be lost.

use std::sync::Arc;

use async_trait::async_trait;

use super::Sabotage;
use super::stage::{Stage, lock};
use crate::notify::{Destination, Message, Notifier, NotifyError};

/// Tells whoever is simulated to listen.
#[derive(Clone, Debug)]
pub(super) struct SimulatedNotifier {
    pub(super) stage: Arc<Stage>,
    pub(super) sabotage: Option<Sabotage>,
}

#[async_trait]
impl Notifier for SimulatedNotifier {
    async fn notify(&self, _to: &Destination, message: &Message) -> Result<(), NotifyError> {
        self.stage.hesitate().await;
        let mishap = self.stage.mishap(self.stage.rates().notifier);
        if mishap == Some(0) {
            return Err(NotifyError::Unavailable { reason: "simulated".into(), retry_after: None });
        }
        if self.sabotage == Some(Sabotage::MessagesDropped) && self.stage.strikes(8) {
            return Ok(());
        }
        let judged = lock(&self.stage.model).told.arrive(message);
        self.stage.judge(judged);
        self.stage.hesitate().await;
        match mishap {
            Some(1) => std::future::pending().await,
            Some(_) => Err(NotifyError::Unknown),
            None => Ok(()),
        }
    }
}
