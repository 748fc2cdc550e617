//! The key that nonces are made with: one for a store, so that every node knows the nonces of the others.

use super::AcmeError;
use super::accounts::At;
use crate::domain::Octets;
use crate::engine::context::Context;
use crate::engine::error::Error;
use crate::engine::schema::{Entity, NonceKey};
use crate::engine::submit::MOST_ATTEMPTS;
use crate::sealer::Secret;

impl Context {
    /// The key, made when it is first asked for.
    pub(super) async fn acme_nonce_key(&self, _: At) -> Result<Secret, AcmeError> {
        for _ in 0..MOST_ATTEMPTS {
            let mut kept = NonceKey { envelope: Octets(Vec::new()) };
            let bound_to = kept.key().to_string();
            if let Some(found) = self.find::<NonceKey>(&kept.document_id()).await? {
                return Ok(self.sealer.open(&found.value.envelope.0, &bound_to).await.map_err(Error::from)?);
            }
            let mut change = self.change_by_engine()?;
            let key = Secret::new(change.random.take::<32>().map_err(Error::from)?.to_vec());
            let random = change.random.take().map_err(Error::from)?;
            kept.envelope = Octets(self.sealer.seal(&key, &bound_to, random).await.map_err(Error::from)?);
            change.create(&kept)?;
            match change.commit().await {
                Ok(_) => return Ok(key),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Contended.into())
    }
}
