//! Certificates that ended long ago, with what is kept beside them; and what keeps them longer.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use time::OffsetDateTime;

use super::{Sweep, Swept};
use crate::domain::{CertificateRecord, CertificateRequest, Origin, RenewalPlan, UnderIncident};
use crate::engine::context::{Change, Context, decode};
use crate::engine::error::Error;
use crate::engine::issue::serial_claim;
use crate::engine::schema::{CrlRecord, Entity, RevokedCertificate, SealedKey, SerialClaim, index, plan_key};
use crate::store::{Document, Key, MAX_SCAN_LIMIT, Over, Scan};

impl Context {
    /// Certificates that ended long ago go with their serial number, key, request, and what is left of their renewal and
    /// revocation. A page costs three reads and a commit, however many certificates are in it.
    pub(super) async fn sweep_certificates(&self, before: OffsetDateTime, sweep: &Sweep) -> Result<Swept, Error> {
        let hits = self.page_before(index::CERTIFICATE_EXPIRY, before, sweep).await?;
        let mut ended = Vec::with_capacity(hits.len());
        for hit in &hits {
            let record: CertificateRecord = decode(&hit.document.key, &hit.document.body)?;
            // An issuer's own certificates stay with it.
            if record.origin != Origin::Issuer {
                ended.push((record, &hit.document));
            }
        }
        let named = self.named_elsewhere(ended.iter().map(|(record, _)| record.id.to_string()).collect()).await?;
        ended.retain(|(record, _)| !named.contains(&record.id.to_string()));
        let beside = self.beside(ended.iter().map(|(record, _)| record)).await?;
        let mut change = self.change_by_engine()?;
        let mut removed = 0;
        for (record, document) in &ended {
            if !beside.keeps(record) {
                beside.remove(record, &mut change)?;
                change.remove(document);
                removed += 1;
            }
        }
        self.commit_sweep(change, ("certificate", removed), &hits).await
    }

    /// Those of some certificates that a deployment wants or has placed, or that an open request is to replace.
    ///
    /// One range of an index from the first id to the last; another one only if more than 1000 entries lie between.
    async fn named_elsewhere(&self, mut ids: Vec<String>) -> Result<BTreeSet<String>, Error> {
        ids.sort_unstable();
        let mut named = BTreeSet::new();
        let Some(last) = ids.last() else { return Ok(named) };
        let mut scan = Scan::new(Over::Index(index::CERTIFICATE_NEEDED.into()), MAX_SCAN_LIMIT);
        scan.to = Some(format!("{last}\u{1}"));
        let mut left = ids.as_slice();
        while let Some(first) = left.first() {
            scan.from = Some(first.clone());
            let hits = self.store.scan(&scan).await?;
            named.extend(hits.iter().filter(|hit| left.binary_search(&hit.value).is_ok()).map(|hit| hit.value.clone()));
            let seen = hits.last().filter(|_| hits.len() == scan.limit);
            let Some(seen) = seen.map(|hit| hit.value.as_str()) else { break };
            left = &left[left.partition_point(|id| id.as_str() <= seen)..];
        }
        Ok(named)
    }

    /// What is kept beside some certificates, in two reads.
    async fn beside(&self, records: impl Iterator<Item = &CertificateRecord> + Clone) -> Result<Beside, Error> {
        let keys: Vec<Key> = records.clone().flat_map(|record| beside_keys(record).into_iter().flatten()).collect();
        let documents = self.store.get(&keys).await?;
        let found: HashMap<Key, Document> =
            documents.into_iter().flatten().map(|document| (document.key.clone(), document)).collect();
        let lists: BTreeSet<String> = records
            .filter(|record| revoked_key(record).is_some_and(|key| found.contains_key(&key)))
            .filter_map(crl_id)
            .collect();
        let keys: Vec<Key> = lists.into_iter().map(|id| Key::new(CrlRecord::KIND, id)).collect();
        let mut lists = BTreeMap::new();
        for document in self.store.get(&keys).await?.into_iter().flatten() {
            let crl: CrlRecord = decode(&document.key, &document.body)?;
            lists.insert(crl.document_id(), crl.due.is_some());
        }
        Ok(Beside { found, lists })
    }
}

/// What was found beside the certificates of a page.
struct Beside {
    found: HashMap<Key, Document>,
    /// CRLs by whether another one is going to be made.
    lists: BTreeMap<String, bool>,
}

impl Beside {
    /// Whether it is under an incident, or stands on a CRL that will be made once more without it.
    fn keeps(&self, record: &CertificateRecord) -> bool {
        let has = |key: Option<Key>| key.is_some_and(|key| self.found.contains_key(&key));
        let is_listed = || crl_id(record).is_some_and(|id| self.lists.get(&id).copied().unwrap_or_default());
        has(Some(under_key(record))) || has(revoked_key(record)) && is_listed()
    }

    fn remove(&self, record: &CertificateRecord, change: &mut Change<'_>) -> Result<(), Error> {
        let Self { found, .. } = self;
        for document in beside_keys(record).into_iter().flatten().filter_map(|key| found.get(&key)) {
            let is_plan = document.key.kind == RenewalPlan::KIND;
            // The plan of a lineage that goes on is about another certificate.
            if is_plan && decode::<RenewalPlan>(&document.key, &document.body)?.certificate != record.id {
                continue;
            }
            change.remove(document);
        }
        Ok(())
    }
}

/// Everything that goes with a certificate, or tells whether it may go.
fn beside_keys(record: &CertificateRecord) -> [Option<Key>; 6] {
    let claim = serial_claim(record.issuer, &record.serial, record.id);
    [
        Some(Key::new(SerialClaim::KIND, claim.document_id())),
        Some(Key::new(SealedKey::KIND, record.id.to_string())),
        record.request.map(|request| Key::new(CertificateRequest::KIND, request.to_string())),
        Some(plan_key(record.lineage)),
        Some(under_key(record)),
        revoked_key(record),
    ]
}

fn under_key(record: &CertificateRecord) -> Key {
    Key::new(UnderIncident::KIND, record.id.to_string())
}

fn revoked_key(record: &CertificateRecord) -> Option<Key> {
    let id = RevokedCertificate::id(record.issuer?, record.crl_shard, &record.serial);
    Some(Key::new(RevokedCertificate::KIND, id))
}

fn crl_id(record: &CertificateRecord) -> Option<String> {
    Some(CrlRecord::id(record.issuer?, record.crl_shard))
}
