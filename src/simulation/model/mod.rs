//! What the store holds, as the invariants see it: followed commit by commit, so that judging costs what changed.

mod certificates;
mod end;
mod orders;
mod told;
mod trail;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use end::{FairTime, WARNING};
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use told::Told;
use trail::Trail;

use super::failure::{Breach, Invariant, Summary, Verdict};
use crate::domain::{
    AcmeOrderId, AuditBlock, AutoRenewal, CertificateId, CertificateRecord, CertificateRequest, CertificateState,
    Event, Octets, Origin, Policy, PolicyId, RenewalPlan, RequestId, RequestState, Revocation, Span,
};
use crate::engine::{Notification, PolicyRecord};
use crate::store::{Batch, Key, Version, Write};
use crate::x509::{RevocationReason, Serial, serial_of_tbs};

/// What the store holds, and what was promised to callers.
#[derive(Debug, Default)]
pub(super) struct Model {
    versions: BTreeMap<String, Version>,
    serials: BTreeSet<Serial>,
    signed: BTreeSet<Serial>,
    policies: BTreeMap<(PolicyId, u32), Policy>,
    pub(super) certificates: BTreeMap<CertificateId, CertificateRecord>,
    successors: BTreeMap<CertificateId, CertificateId>,
    requests: BTreeMap<RequestId, CertificateRequest>,
    /// The orders of requests that came by ACME.
    ordered: BTreeMap<RequestId, AcmeOrderId>,
    /// How many certificates came by ACME, also those that are long over.
    by_acme: usize,
    /// The open renewals, by lineage.
    renewing: BTreeMap<CertificateId, RequestId>,
    /// Lineages that somebody said shall not renew.
    not_renewing: BTreeSet<CertificateId>,
    /// The numbers of revocation lists: the last taken, and the last published.
    lists: BTreeMap<String, (u64, u64)>,
    /// What was revoked and has left the inventory.
    forgotten: BTreeSet<Serial>,
    approved: usize,
    pub(super) trail: Trail,
    pub(super) told: Told,
    promised: BTreeMap<CertificateId, String>,
    revoked: BTreeSet<CertificateId>,
    first_breach: Option<Breach>,
    signer_out_until: Option<OffsetDateTime>,
    /// Since when nothing has gone wrong.
    fair_from: Option<OffsetDateTime>,
}

/// What names end with that people must agree to.
pub(super) const GUARDED: &str = ".pay.example.com";
/// How long a certificate stays in the inventory after its end.
pub(super) const KEPT: Span = Span::days(2);

impl Model {
    pub(super) fn breach(&mut self, breach: Breach) {
        self.first_breach.get_or_insert(breach);
    }

    pub(super) fn first_breach(&self) -> Option<&Breach> {
        self.first_breach.as_ref()
    }

    pub(super) fn send_signer_away(&mut self, until: OffsetDateTime) {
        self.signer_out_until = Some(until);
    }

    pub(super) fn begin_fair_time(&mut self, now: OffsetDateTime) {
        self.fair_from = Some(now);
    }

    pub(super) fn is_signer_out(&self, now: OffsetDateTime) -> bool {
        self.signer_out_until.is_some_and(|until| now < until)
    }

    /// A caller was told that a certificate is issued.
    pub(super) fn promise(&mut self, record: &CertificateRecord) -> Verdict {
        self.promised.insert(record.id, record.fingerprint.clone());
        let kept = self.certificates.get(&record.id).is_some_and(|kept| kept.fingerprint == record.fingerprint);
        Invariant::Promises.holds(kept, || format!("{} was handed out and is not in the inventory", record.id))
    }

    /// A caller was told that a certificate is revoked.
    pub(super) fn promise_revoked(&mut self, id: CertificateId, revocation: Revocation) -> Verdict {
        if revocation.reason == RevocationReason::CertificateHold {
            return Ok(());
        }
        self.revoked.insert(id);
        let kept = self.certificates.get(&id).is_some_and(is_revoked);
        Invariant::Promises.holds(kept, || format!("{id} was said to be revoked, and is not"))
    }

    /// A key outside the process has signed.
    pub(super) fn sign(&mut self, message: &[u8]) -> Verdict {
        let Some(serial) = serial_of_tbs(message) else { return Ok(()) };
        self.signed.insert(serial);
        let is_known = self.serials.contains(&serial);
        Invariant::Serials.holds(is_known, || format!("serial {serial} was signed before it was recorded"))
    }

    /// A batch was committed: first what surrounds certificates, then these.
    pub(super) fn see(&mut self, batch: &Batch, version: Version, now: OffsetDateTime) -> Verdict {
        let is_new = |write: &&Write| !matches!(write, Write::Check { .. });
        let mut writes: Vec<&Write> = batch.writes.iter().filter(is_new).collect();
        writes.retain(|write| !self.is_old(write.key(), version));
        let is_certificate = |write: &&&Write| write.key().kind == "certificate";
        for write in writes.iter().filter(|write| !is_certificate(write)) {
            self.apply(write, now)?;
        }
        for write in writes.iter().filter(is_certificate) {
            self.apply(write, now)?;
        }
        self.trail.judge()
    }

    /// Over a store that takes real time, commits may be heard of in another order than they were applied in.
    fn is_old(&mut self, key: &Key, version: Version) -> bool {
        let known = self.versions.entry(key.to_string()).or_insert(version);
        let is_old = *known > version;
        *known = version.max(*known);
        is_old
    }

    fn apply(&mut self, write: &Write, now: OffsetDateTime) -> Verdict {
        match write {
            Write::Put { key, body, .. } => self.put(key, body, now),
            Write::Delete { key, .. } => self.delete(key, now),
            Write::Check { .. } => Ok(()),
        }
    }

    fn put(&mut self, key: &Key, body: &[u8], now: OffsetDateTime) -> Verdict {
        match key.kind.as_ref() {
            "serial" => self.claim(key),
            "certificate" => self.keep(read(key, body)?, now),
            "policy" => self.rule(read(key, body)?),
            "request" => self.ask(read(key, body)?),
            "acme_order" => self.order(&read(key, body)?),
            "renewal" => self.plan(&read(key, body)?),
            "crl" => self.list(key, &read(key, body)?),
            "audit_block" => self.trail.seal(&read::<AuditBlock>(key, body)?),
            "notification" => self.told.write(&read::<Notification<Octets>>(key, body)?),
            "event" => {
                let event: Event = read(key, body)?;
                self.told.record(&event);
                self.trail.record(&event)
            }
            _ => Ok(()),
        }
    }

    fn delete(&mut self, key: &Key, now: OffsetDateTime) -> Verdict {
        match key.kind.as_ref() {
            "serial" => {
                let serial = serial_of(key)?;
                self.serials.remove(&serial);
                self.signed.remove(&serial);
                Ok(())
            }
            "certificate" => self.forget(key, now),
            "event" => self.trail.prune(key),
            "request" => {
                let _ = key.id.parse().ok().and_then(|id: RequestId| self.requests.remove(&id));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn claim(&mut self, key: &Key) -> Verdict {
        let is_new = self.serials.insert(serial_of(key)?);
        Invariant::Serials.holds(is_new, || format!("{key} is claimed twice"))
    }

    fn rule(&mut self, record: PolicyRecord) -> Verdict {
        let invalid = |error| Invariant::Policy.broken(format_args!("a stored policy is not valid: {error}"));
        let policy = Policy::try_from(record.spec).map_err(invalid)?;
        self.policies.insert((record.id, record.revision), policy);
        Ok(())
    }

    /// One renewal is open at most in a lineage.
    fn ask(&mut self, request: CertificateRequest) -> Verdict {
        let replaced = request.replaces.and_then(|replaced| self.certificates.get(&replaced));
        if let Some(lineage) = replaced.map(|replaced| replaced.lineage) {
            let is_open = matches!(request.state, RequestState::AwaitingApproval(_) | RequestState::Issuing(_));
            let open = self.renewing.get(&lineage).copied();
            if is_open && open.is_some_and(|open| open != request.id) {
                let id = request.id;
                return Err(Invariant::Succession.broken(format_args!("{open:?} and {id} both renew {lineage}")));
            }
            match is_open {
                true => self.renewing.insert(lineage, request.id),
                false => self.renewing.remove(&lineage).filter(|open| *open == request.id),
            };
        }
        self.requests.insert(request.id, request);
        Ok(())
    }

    fn plan(&mut self, plan: &RenewalPlan) -> Verdict {
        match plan.own {
            Some(AutoRenewal::Off) => self.not_renewing.insert(plan.lineage),
            _ => self.not_renewing.remove(&plan.lineage),
        };
        Ok(())
    }

    /// Numbers are taken one by one, and published in their order.
    fn list(&mut self, key: &Key, list: &serde_json::Value) -> Verdict {
        let number = |value: &serde_json::Value| value["number"].as_u64().unwrap_or(0);
        let (taken, published) = (number(list), number(&list["published"]));
        let before = self.lists.insert(key.id.clone(), (taken, published)).unwrap_or_default();
        let grows = before.0 <= taken && before.1 <= published && published <= taken;
        let told = || format!("{key} goes from {before:?} to {:?}", (taken, published));
        Invariant::RevocationList.holds(grows, told)
    }

    pub(super) fn summary(&self) -> Summary {
        let own = || self.certificates.values().filter(|record| record.origin == Origin::Profile);
        Summary {
            issued: own().count(),
            ordered: self.by_acme,
            renewed: self.successors.len(),
            revoked: own().filter(|record| is_revoked(record)).count(),
            approved: self.approved,
            told: self.told.arrivals,
            events: self.trail.len(),
            ..Summary::default()
        }
    }
}

fn is_revoked(record: &CertificateRecord) -> bool {
    matches!(record.state, CertificateState::Revoked { .. })
}

fn read<T: DeserializeOwned>(key: &Key, body: &[u8]) -> Result<T, Breach> {
    serde_json::from_slice(body)
        .map_err(|error| Invariant::Course.broken(format_args!("{key} can not be read: {error}")))
}

fn serial_of(key: &Key) -> Result<Serial, Breach> {
    let digits = key.id.split('/').next().unwrap_or_default();
    digits.parse().map_err(|error| Invariant::Course.broken(format_args!("{key}: {error}")))
}
