//! What should become of a lineage at a target.

use time::OffsetDateTime;

use crate::domain::{CertificateRecord, CertificateState, Fate, Removal, SyncRecord, SyncState, Wish};
use crate::engine::context::Context;
use crate::engine::error::Error;

/// The most successors that are followed, and the most predecessors that are tried.
const FURTHEST: usize = 64;

impl Context {
    /// The wish of a sync for the lineage of `record`, and the certificate that should be there: the newest of the lineage
    /// that the sync is about and that is valid. Without a record the certificate was deleted.
    pub(super) async fn wish(
        &self,
        sync: &SyncRecord,
        record: Option<&CertificateRecord>,
        now: OffsetDateTime,
    ) -> Result<(Wish, Option<CertificateRecord>), Error> {
        let remove = sync.spec.remove;
        let Some(record) = record.filter(|_| sync.state == SyncState::Active) else {
            return Ok((detached(remove), None));
        };
        let newest = self.newest(record).await?;
        let mut next = Some(newest.clone());
        for _ in 0..FURTHEST {
            let Some(candidate) = next else { break };
            if sync.spec.select.matches(&candidate) && is_valid(&candidate, now) {
                return Ok((Wish::Have(candidate.id), Some(candidate)));
            }
            next = match candidate.replaces {
                Some(earlier) => self.find(&earlier.to_string()).await?.map(|found| found.value),
                None => None,
            };
        }
        Ok((unwanted(sync, record, &newest), None))
    }

    /// The last of a certificate's successors.
    async fn newest(&self, record: &CertificateRecord) -> Result<CertificateRecord, Error> {
        let mut newest = record.clone();
        for _ in 0..FURTHEST {
            let Some(next) = newest.replaced_by else { break };
            let Some(found) = self.find::<CertificateRecord>(&next.to_string()).await? else { break };
            newest = found.value;
        }
        Ok(newest)
    }
}

fn is_valid(record: &CertificateRecord, now: OffsetDateTime) -> bool {
    record.state == CertificateState::Active && now <= record.validity.not_after()
}

/// What becomes of a lineage of which nothing is valid, or that the sync is not about.
fn unwanted(sync: &SyncRecord, record: &CertificateRecord, newest: &CertificateRecord) -> Wish {
    let select = &sync.spec.select;
    if !select.matches(record) && !select.matches(newest) {
        return detached(sync.spec.remove);
    }
    let fate = match newest.state {
        CertificateState::Revoked { .. } => sync.spec.remove.revocation,
        CertificateState::Active => sync.spec.remove.expiry,
    };
    match fate {
        Fate::Withdraw => Wish::Withdraw,
        Fate::Leave => Wish::Leave,
    }
}

/// What becomes of what a sync is not about any more.
pub(super) fn detached(remove: Removal) -> Wish {
    match remove.detach {
        Fate::Withdraw => Wish::Withdraw,
        Fate::Leave => Wish::GiveUp,
    }
}
