//! The calls on a target: deliver, look, clear.

use super::work::{Held, Pursued};
use crate::domain::{CertificateRecord, EventKind, KeyCustody, KeyNeed, Placed, RemoteName, RootInChain, TargetLimits};
use crate::engine::context::Context;
use crate::engine::error::Error;
use crate::engine::outcome::Root;
use crate::engine::schema::{Entity, SealedKey};
use crate::engine::submit::hex;
use crate::sealer::{SealError, Secret};
use crate::target::{Bundle, Observed, SyncTarget, TargetError};

/// The most places that are cleared under one lease.
const MOST_CLEARED: u32 = 2;
/// The most calls that are made under one lease: to look, deliver and look, and for each place that is cleared as many.
pub(super) const MOST_CALLS: u32 = 3 + 3 * MOST_CLEARED;

impl Context {
    /// Does what the deployment wants. What went wrong at the target is part of the answer.
    pub(super) async fn pursue(&self, held: &Held) -> Result<Pursued, Error> {
        let deployment = held.deployment.clone();
        let mut pursued = Pursued { deployment, events: Vec::new(), seen: None, cleared: Vec::new(), trouble: None };
        if let Some(record) = &held.record {
            pursued.trouble = self.deliver(held, record, &mut pursued).await?.err();
        }
        let mut cleared = 0;
        while pursued.trouble.is_none() && cleared < MOST_CLEARED {
            let Some(place) = pursued.deployment.leftover().cloned() else { break };
            pursued.trouble = clear(held, &place, &mut pursued).await.err();
            cleared += 1;
        }
        if pursued.trouble.is_none() && pursued.deployment.leftover().is_some() {
            pursued.trouble = Some(TargetError::unavailable("more is to be removed"));
        }
        Ok(pursued)
    }

    /// Brings the wanted certificate to its place, unless it is there, and looks whether it is.
    async fn deliver(
        &self,
        held: &Held,
        record: &CertificateRecord,
        pursued: &mut Pursued,
    ) -> Result<Result<(), TargetError>, Error> {
        let Some(place) = held.deployment.place() else { return Ok(Ok(())) };
        if place.seen {
            match held.target.observe(&place.remote).await {
                Ok(seen) if shows(&seen, record) => {
                    pursued.seen = Some(record.fingerprint.clone());
                    return Ok(Ok(()));
                }
                Ok(_) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
        let bundle = match self.bundle(held, record).await? {
            Ok(bundle) => bundle,
            Err(error) => return Ok(Err(error)),
        };
        Ok(send(held, place, (&bundle, record), pursued).await)
    }

    /// What the target is given; or why it can not be.
    async fn bundle(&self, held: &Held, record: &CertificateRecord) -> Result<Result<Bundle, TargetError>, Error> {
        let limits = held.target.limits();
        let takes = limits.key_algorithms.is_empty() || limits.key_algorithms.contains(&record.key_algorithm);
        if !takes {
            let reason = format!("the target does not take keys of {}", record.key_algorithm);
            return Ok(Err(TargetError::refused(reason)));
        }
        let key = match self.key_for(limits, record).await? {
            Ok(key) => key,
            Err(error) => return Ok(Err(error)),
        };
        let root = match held.sync.as_ref().map(|sync| sync.spec.root) {
            Some(RootInChain::Include) => Root::Include,
            Some(RootInChain::Exclude) | None => Root::Exclude,
        };
        let chain = self.chain_of(record).await?;
        let above = chain.certificates(root).skip(1).cloned().collect();
        let tags = record.metadata.clone();
        Ok(Ok(Bundle { certificate: record.id, leaf: chain.leaf().clone(), chain: above, key, tags }))
    }

    async fn key_for(
        &self,
        limits: &TargetLimits,
        record: &CertificateRecord,
    ) -> Result<Result<Option<Secret>, TargetError>, Error> {
        match (limits.key, record.custody) {
            (KeyNeed::Never, _) | (KeyNeed::Accepted, KeyCustody::Client) => return Ok(Ok(None)),
            (KeyNeed::Required, KeyCustody::Client) => {
                let reason = "the target needs the private key, and the client holds it";
                return Ok(Err(TargetError::refused(reason)));
            }
            (KeyNeed::Required | KeyNeed::Accepted, KeyCustody::Managed) => {}
        }
        let Some(sealed) = self.find::<SealedKey>(&record.id.to_string()).await? else {
            return Ok(Err(TargetError::refused("the private key is not kept here any more")));
        };
        let bound_to = sealed.value.key().to_string();
        Ok(match self.sealer.open(&sealed.value.envelope.0, &bound_to).await {
            Ok(key) => Ok(Some(key)),
            Err(SealError::Damaged) => Err(TargetError::refused(SealError::Damaged.to_string())),
            Err(error) => Err(TargetError::unavailable(error.to_string())),
        })
    }
}

async fn send(
    held: &Held,
    place: &Placed,
    (bundle, record): (&Bundle, &CertificateRecord),
    pursued: &mut Pursued,
) -> Result<(), TargetError> {
    let previous = held.known.then_some(&place.remote);
    let remote = held.target.deploy(bundle, &place.remote.name, previous).await?;
    let seen = held.target.observe(&remote).await?;
    if !shows(&seen, record) {
        return Err(TargetError::unknown(format!("it was delivered, and then was seen: {}", described(&seen))));
    }
    pursued.deployment = pursued.deployment.clone().seen_at(remote.clone());
    pursued.seen = Some(record.fingerprint.clone());
    let (certificate, sync) = (record.id, held.deployment.sync);
    pursued.events.push(EventKind::CertificateDeployed { certificate, sync, remote: remote.to_string() });
    Ok(())
}

/// Removes what is at a place, and looks whether it is gone. Somebody else's thing there is none of ours.
async fn clear(held: &Held, place: &Placed, pursued: &mut Pursued) -> Result<(), TargetError> {
    let target: &dyn SyncTarget = held.target.as_ref();
    let before = target.observe(&place.remote).await?;
    if matches!(before, Observed::Present { .. } | Observed::Damaged { .. }) {
        target.withdraw(&place.remote).await?;
        let after = target.observe(&place.remote).await?;
        if !matches!(after, Observed::Absent | Observed::Foreign { .. }) {
            return Err(TargetError::unknown(format!("it was removed, and then was seen: {}", described(&after))));
        }
    }
    let name: RemoteName = place.remote.name.clone();
    pursued.deployment = pursued.deployment.clone().gone(&name);
    pursued.cleared.push(name);
    let (certificate, sync) = (place.certificate, held.deployment.sync);
    pursued.events.push(EventKind::CertificateWithdrawn { certificate, sync });
    Ok(())
}

fn shows(seen: &Observed, record: &CertificateRecord) -> bool {
    matches!(seen, Observed::Present { fingerprint } if hex(fingerprint) == record.fingerprint)
}

fn described(seen: &Observed) -> String {
    match seen {
        Observed::Absent => "nothing".to_owned(),
        Observed::Present { fingerprint } => format!("the certificate {}", hex(fingerprint)),
        Observed::Damaged { reason } => format!("something damaged: {reason}"),
        Observed::Foreign { reason } => format!("something of somebody else's: {reason}"),
    }
}
