//! Due work on mass revocations: one page of the search, or one batch of revocations, at a time.
//!
//! Each step is one commit that also says how far the incident is, so that a crash repeats a step and never half of one.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use crate::crypto;
use crate::domain::{
    Actor, CertificateId, CertificateRecord, CertificateState, EventKind, Incident, IncidentState, IssuerId, Origin,
    UnderIncident,
};
use crate::engine::context::{Change, Context, Versioned, decode};
use crate::engine::due::{Work, item};
use crate::engine::error::Error;
use crate::engine::query::{CertificateQuery, NameQuery, PageToken};
use crate::engine::schema::{Entity, index, sortable};
use crate::store::{Hit, Key, Over, Scan};
use crate::x509::Serial;

/// How many certificates one step looks at.
const STEP: usize = 100;

impl Context {
    /// Takes one step of a mass revocation.
    pub(in crate::engine) async fn incident_due(&self, hit: &Hit) -> Result<Work, Error> {
        let engine = Actor::engine();
        let incident: Versioned<Incident> = Versioned { value: item(hit)?, version: hit.document.version };
        match incident.value.state.clone() {
            IncidentState::Selecting { cursor } => self.select_step(&engine, incident, cursor).await,
            IncidentState::Open => self.revoke_step(&engine, incident).await,
            IncidentState::CalledOff | IncidentState::Closed => self.let_go_step(&engine, incident).await,
        }
    }

    /// Puts the next certificates that are found under the incident.
    async fn select_step(
        &self,
        engine: &Actor,
        incident: Versioned<Incident>,
        cursor: Option<String>,
    ) -> Result<Work, Error> {
        let Versioned { value: mut incident, version } = incident;
        let (found, next) = self.selected(&incident, cursor).await?;
        let mut change = self.change(engine, self.now())?;
        let keys: Vec<Key> = found.iter().map(|record| Key::new(UnderIncident::KIND, record.id.to_string())).collect();
        let taken = if keys.is_empty() { Vec::new() } else { self.store.get(&keys).await? };
        for (record, taken) in found.iter().zip(taken) {
            // One that is under another incident stays there: its owner has been told a time. What was issued since it was opened is not
            // meant: the successors of those that were found first are among the next.
            if taken.is_some() || record.created_at > incident.opened_at || !is_to_revoke(record, change.now) {
                continue;
            }
            let under = UnderIncident {
                certificate: record.id,
                incident: incident.id,
                revoke_at: incident.spec.revoke_at(digest(record.id)),
                explanation: incident.spec.explanation.clone(),
            };
            change.create(&under)?;
            incident.progress.selected += 1;
            self.bring_forward(record, None).await?;
        }
        incident.state = match next {
            Some(cursor) => IncidentState::Selecting { cursor: Some(cursor) },
            None => IncidentState::Open,
        };
        incident.due = Some(change.now);
        change.update(&incident, version)?;
        change.commit().await?;
        Ok(Work::Revoked)
    }

    /// One page of what an incident selects, and where the next begins.
    async fn selected(
        &self,
        incident: &Incident,
        cursor: Option<String>,
    ) -> Result<(Vec<CertificateRecord>, Option<String>), Error> {
        let select = &incident.spec.select;
        let query = CertificateQuery {
            application: select.application,
            profile: select.profile,
            issuer: select.issuer,
            name: select.domain.clone().map(NameQuery::Under),
            ends_from: select.ends_from.max(Some(self.now())),
            ends_before: select.ends_before,
            page_size: STEP,
            ..CertificateQuery::default()
        };
        let (Some(issuer), false) = (select.issuer, select.serials.is_empty()) else {
            let page = self.find_certificates(&query, cursor.map(PageToken::new).as_ref()).await?;
            return Ok((page.items, page.next.map(|next| next.as_str().to_owned())));
        };
        let from: usize = cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or_default();
        let serials = select.serials.get(from..).unwrap_or_default();
        let some = &serials[..serials.len().min(STEP)];
        let mut found = self.with_serials(issuer, some).await?;
        found.retain(|record| query.matches(record, self.now()));
        let next = from + some.len();
        Ok((found, (next < select.serials.len()).then(|| next.to_string())))
    }

    async fn with_serials(&self, issuer: IssuerId, serials: &[Serial]) -> Result<Vec<CertificateRecord>, Error> {
        let mut found: Vec<CertificateRecord> = Vec::with_capacity(serials.len());
        for serial in serials {
            let record = self.with_serial(issuer, serial).await?.map(|record| record.value);
            found.extend(record.filter(|record| found.iter().all(|each| each.id != record.id)));
        }
        Ok(found)
    }

    /// Revokes the next certificates whose time has come, in one commit.
    async fn revoke_step(&self, engine: &Actor, incident: Versioned<Incident>) -> Result<Work, Error> {
        let Versioned { value: mut incident, version } = incident;
        let mut change = self.change(engine, self.now())?;
        let due = self.members(&incident, Some(change.now)).await?;
        let mut shards = BTreeSet::new();
        for Versioned { value: under, version } in &due {
            change.delete(under, *version);
            let record = self.find::<CertificateRecord>(&under.certificate.to_string()).await?;
            match self.revoke_member(&incident, record, &mut change).await? {
                None => incident.progress.failed += 1,
                Some(revoked) => {
                    incident.progress.revoked += 1;
                    incident.progress.renewed += u64::from(revoked.replaced_by.is_some());
                    shards.extend(revoked.issuer.map(|issuer| (issuer, revoked.crl_shard)));
                }
            }
        }
        self.want_crls(&shards, &mut change).await?;
        incident.due = match due.len() {
            STEP => Some(change.now),
            _ => self.next_member(&incident, change.now).await?,
        };
        if incident.due.is_none() {
            incident.state = IncidentState::Closed;
            let closed = EventKind::IncidentClosed { incident: incident.id, revoked: incident.progress.revoked };
            change.event(incident.spec.select.application, closed)?;
        }
        change.update(&incident, version)?;
        change.commit().await?;
        Ok(Work::Revoked)
    }

    /// Puts one revocation into the change; `None` if there is nothing left to revoke.
    async fn revoke_member(
        &self,
        incident: &Incident,
        record: Option<Versioned<CertificateRecord>>,
        change: &mut Change<'_>,
    ) -> Result<Option<CertificateRecord>, Error> {
        let Some(record) = record else { return Ok(None) };
        match self.put_revocation(record, (incident.spec.reason.into(), Some(incident.id)), change).await {
            Err(Error::Revocation { .. }) => Ok(None),
            put => put,
        }
    }

    /// Lets the certificates of an incident go that was called off.
    async fn let_go_step(&self, engine: &Actor, incident: Versioned<Incident>) -> Result<Work, Error> {
        let Versioned { value: mut incident, version } = incident;
        let mut change = self.change(engine, self.now())?;
        let left = self.members(&incident, None).await?;
        for Versioned { value: under, version } in &left {
            change.delete(under, *version);
        }
        incident.due = (left.len() == STEP).then_some(change.now);
        change.update(&incident, version)?;
        change.commit().await?;
        Ok(Work::Revoked)
    }

    /// The first certificates under an incident; with an instant, those that are to be revoked by then.
    async fn members(
        &self,
        incident: &Incident,
        until: Option<OffsetDateTime>,
    ) -> Result<Vec<Versioned<UnderIncident>>, Error> {
        let mut scan = Scan::new(Over::Index(index::INCIDENT_CERTIFICATE.into()), STEP);
        scan.from = Some(format!("{}|", incident.id));
        scan.to = Some(format!("{}|{}~", incident.id, until.map(sortable).unwrap_or_default()));
        let hits = self.store.scan(&scan).await?;
        let read = |hit: &Hit| {
            let value = decode(&hit.document.key, &hit.document.body)?;
            Ok(Versioned { value, version: hit.document.version })
        };
        hits.iter().map(read).collect()
    }

    /// When the next certificate is to be revoked after those until `now`.
    async fn next_member(&self, incident: &Incident, now: OffsetDateTime) -> Result<Option<OffsetDateTime>, Error> {
        let mut scan = Scan::new(Over::Index(index::INCIDENT_CERTIFICATE.into()), 1);
        scan.from = Some(format!("{}|{}~", incident.id, sortable(now)));
        scan.to = Some(format!("{}|~", incident.id));
        let hits = self.store.scan(&scan).await?;
        let read = |hit: &Hit| decode::<UnderIncident>(&hit.document.key, &hit.document.body);
        Ok(hits.first().map(read).transpose()?.map(|under| under.revoke_at))
    }
}

/// Whether an incident is about it: issued here under a profile, still valid, and not revoked for good.
fn is_to_revoke(record: &CertificateRecord, now: OffsetDateTime) -> bool {
    let is_revoked = match record.state {
        CertificateState::Revoked { reason, .. } => reason != crate::x509::RevocationReason::CertificateHold,
        CertificateState::Active => false,
    };
    record.origin == Origin::Profile && record.issuer.is_some() && !is_revoked && record.validity.not_after() >= now
}

fn digest(certificate: CertificateId) -> [u8; 8] {
    let mut digest = [0; 8];
    digest.copy_from_slice(&crypto::sha256(certificate.to_string().as_bytes())[..8]);
    digest
}
