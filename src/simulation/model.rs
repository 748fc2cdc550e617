//! What the store holds, as the invariants see it: followed commit by commit, so that judging costs what changed.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use time::{Duration, OffsetDateTime};

use super::failure::Summary;
use crate::domain::{CertificateId, CertificateRecord, CertificateState, Event, EventId, Origin, Policy, PolicyId};
use crate::engine::PolicyRecord;
use crate::store::{Batch, Key, Version, Write};
use crate::x509::{CertificateError, Serial, serial_of_tbs};

/// What the store holds, and what was promised to callers.
#[derive(Debug, Default)]
pub(super) struct Model {
    versions: BTreeMap<String, Version>,
    serials: BTreeSet<Serial>,
    policies: BTreeMap<(PolicyId, u32), Policy>,
    pub(super) certificates: BTreeMap<CertificateId, CertificateRecord>,
    successors: BTreeMap<CertificateId, CertificateId>,
    events: BTreeMap<EventId, Option<u64>>,
    promised: BTreeMap<CertificateId, String>,
    first_breach: Option<String>,
    signer_out_until: Option<OffsetDateTime>,
    pub(super) signatures: u64,
    /// A certificate younger than this never renews by itself.
    pub(super) floor: Duration,
}

type Verdict = Result<(), String>;

impl Model {
    pub(super) fn breach(&mut self, breach: String) {
        self.first_breach.get_or_insert(breach);
    }

    pub(super) fn first_breach(&self) -> Option<&str> {
        self.first_breach.as_deref()
    }

    pub(super) fn send_signer_away(&mut self, until: OffsetDateTime) {
        self.signer_out_until = Some(until);
    }

    pub(super) fn is_signer_out(&self, now: OffsetDateTime) -> bool {
        self.signer_out_until.is_some_and(|until| now < until)
    }

    /// A caller was told that a certificate is issued.
    pub(super) fn promise(&mut self, record: &CertificateRecord) -> Verdict {
        self.promised.insert(record.id, record.fingerprint.clone());
        let kept = self.certificates.get(&record.id).is_some_and(|kept| kept.fingerprint == record.fingerprint);
        holds(kept, || format!("{} was handed out and is not in the inventory", record.id))
    }

    /// A key outside the process has signed.
    pub(super) fn sign(&mut self, message: &[u8]) -> Verdict {
        self.signatures += 1;
        let Some(serial) = serial_of_tbs(message) else { return Ok(()) };
        holds(self.serials.contains(&serial), || format!("serial {serial} was signed before it was recorded"))
    }

    /// A batch was committed.
    pub(super) fn see(&mut self, batch: &Batch, version: Version, now: OffsetDateTime) -> Verdict {
        for write in &batch.writes {
            if matches!(write, Write::Check { .. }) || self.is_old(write.key(), version) {
                continue;
            }
            match write {
                Write::Put { key, body, .. } => self.put(key, body, now)?,
                Write::Delete { key, .. } => self.delete(key)?,
                Write::Check { .. } => {}
            }
        }
        Ok(())
    }

    /// Over a store that takes real time, commits may be heard of in another order than they were applied in.
    fn is_old(&mut self, key: &Key, version: Version) -> bool {
        let known = self.versions.entry(key.to_string()).or_insert(version);
        let is_old = *known > version;
        *known = version.max(*known);
        is_old
    }

    fn put(&mut self, key: &Key, body: &[u8], now: OffsetDateTime) -> Verdict {
        match key.kind.as_ref() {
            "serial" => self.claim(key),
            "certificate" => self.keep(read(key, body)?, now),
            "policy" => self.rule(read(key, body)?),
            "event" => self.record(read(key, body)?),
            _ => Ok(()),
        }
    }

    fn delete(&mut self, key: &Key) -> Verdict {
        match key.kind.as_ref() {
            "serial" => {
                let serial = serial_of(key)?;
                self.serials.remove(&serial);
                Ok(())
            }
            "certificate" => self.forget(key),
            _ => Ok(()),
        }
    }

    fn claim(&mut self, key: &Key) -> Verdict {
        let is_new = self.serials.insert(serial_of(key)?);
        holds(is_new, || format!("{key} is claimed twice"))
    }

    fn rule(&mut self, record: PolicyRecord) -> Verdict {
        let policy = Policy::try_from(record.spec).map_err(|error| format!("a stored policy is not valid: {error}"))?;
        self.policies.insert((record.id, record.revision), policy);
        Ok(())
    }

    fn keep(&mut self, record: CertificateRecord, now: OffsetDateTime) -> Verdict {
        let earlier = self.certificates.get(&record.id);
        if let Some(successor) = earlier.and_then(|earlier| earlier.replaced_by) {
            let is_same = record.replaced_by == Some(successor);
            holds(is_same, || format!("{} had the successor {successor} and now {:?}", record.id, record.replaced_by))?;
        }
        if earlier.is_none() {
            holds(self.serials.contains(&record.serial), || format!("{}: its serial is not claimed", record.id))?;
            self.judge(&record)?;
            self.succeed(&record, now)?;
        }
        self.certificates.insert(record.id, record);
        Ok(())
    }

    /// Nothing is outside the policy that is said to have permitted it, as of when it was judged, which is when its id was
    /// made.
    fn judge(&self, record: &CertificateRecord) -> Verdict {
        let Some(revision) = record.policy.filter(|_| record.origin == Origin::Profile) else { return Ok(()) };
        let policy = self.policies.get(&revision).ok_or_else(|| format!("{}: judged by no policy", record.id))?;
        let unreadable = |error: CertificateError| format!("{}: {error}", record.id);
        let certificate = record.certificate().map_err(unreadable)?;
        let verdict = policy.judge(certificate.content(), record.id.made_at());
        holds(verdict.permits(), || format!("{} breaks its policy: {verdict}", record.id))
    }

    /// A certificate has one successor at most, and none while it is younger than the floor.
    fn succeed(&mut self, record: &CertificateRecord, now: OffsetDateTime) -> Verdict {
        let Some(replaces) = record.replaces else { return Ok(()) };
        if let Some(other) = self.successors.insert(replaces, record.id) {
            return Err(format!("{replaces} has two successors: {other} and {}", record.id));
        }
        let age = self.certificates.get(&replaces).map(|predecessor| now - predecessor.created_at);
        holds(age.is_none_or(|age| age >= self.floor), || format!("{replaces} was renewed when it was {age:?} old"))
    }

    fn forget(&mut self, key: &Key) -> Verdict {
        let id: CertificateId = key.id.parse().map_err(|error| format!("{key}: {error}"))?;
        self.promised.remove(&id);
        self.certificates.remove(&id);
        Ok(())
    }

    fn record(&mut self, event: Event) -> Verdict {
        let sealed = event.sealed;
        match self.events.insert(event.id, sealed) {
            Some(Some(block)) => Err(format!("{} was sealed in block {block} and is written again", event.id)),
            Some(None) => holds(sealed.is_some(), || format!("{} is written twice", event.id)),
            None => holds(sealed.is_none(), || format!("{} was sealed before it happened", event.id)),
        }
    }

    pub(super) fn summary(&self) -> Summary {
        let own = || self.certificates.values().filter(|record| record.origin == Origin::Profile);
        let is_revoked = |record: &&CertificateRecord| matches!(record.state, CertificateState::Revoked { .. });
        Summary {
            issued: own().count(),
            renewed: self.successors.len(),
            revoked: own().filter(is_revoked).count(),
            events: self.events.len(),
            ..Summary::default()
        }
    }

    /// Events that are in no block of the audit chain.
    pub(super) fn unsealed(&self) -> usize {
        self.events.values().filter(|sealed| sealed.is_none()).count()
    }
}

fn holds(holds: bool, breach: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(breach()) }
}

fn read<T: DeserializeOwned>(key: &Key, body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("{key} can not be read: {error}"))
}

fn serial_of(key: &Key) -> Result<Serial, String> {
    let digits = key.id.split('/').next().unwrap_or_default();
    digits.parse().map_err(|error| format!("{key}: {error}"))
}
