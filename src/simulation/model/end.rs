//! What must hold when nothing has gone wrong for a while.

use std::collections::{BTreeMap, BTreeSet};

use time::{Duration, OffsetDateTime};

use super::{Model, is_revoked};
use crate::domain::{
    CertificateId, CertificateRecord, CertificateState, IssuerId, KeyCustody, Method, Origin, ProfileId, RequestState,
};
use crate::simulation::failure::{Invariant, Verdict};
use crate::x509::{CertificateList, Serial};

/// The time in which nothing went wrong.
#[derive(Clone, Copy, Debug)]
pub(in crate::simulation) struct FairTime {
    pub(in crate::simulation) from: OffsetDateTime,
    pub(in crate::simulation) until: OffsetDateTime,
}

/// What lies behind by less may still be under way: workers look once an hour.
const RECENT: Duration = Duration::hours(3);
/// How long a target may keep what has expired: until it is looked at again.
const LINGERING: Duration = Duration::hours(27);
/// How long before its end a certificate's end is told.
pub(in crate::simulation) const WARNING: Duration = Duration::hours(12);

impl FairTime {
    fn settled(self) -> OffsetDateTime {
        self.until - RECENT
    }

    /// Whether an instant is in it, and neither at its very beginning nor recent.
    fn covers(self, at: OffsetDateTime) -> bool {
        at > self.from + RECENT * 2 && at < self.settled()
    }
}

impl Model {
    pub(in crate::simulation) fn judge_end(&self, fair: FairTime) -> Verdict {
        self.trail.judge_end(fair.settled())?;
        self.told.judge_end(fair.settled())?;
        self.judge_promises()?;
        self.judge_requests(fair)?;
        self.certificates.values().try_for_each(|record| self.judge_fate(record, fair))
    }

    fn judge_promises(&self) -> Verdict {
        for (id, fingerprint) in &self.promised {
            let kept = self.certificates.get(id).is_some_and(|record| record.fingerprint == *fingerprint);
            Invariant::Promises.holds(kept, || format!("{id} was handed out and is gone"))?;
        }
        for id in &self.revoked {
            let kept = self.certificates.get(id).is_some_and(is_revoked);
            Invariant::Promises.holds(kept, || format!("{id} was said to be revoked, and is not"))?;
        }
        let lost = self.signed.iter().find(|serial| !self.accounts_for(serial));
        Invariant::Serials.holds(lost.is_none(), || format!("{lost:?} was signed and is nowhere"))
    }

    fn judge_requests(&self, fair: FairTime) -> Verdict {
        for request in self.requests.values() {
            let is_stuck = match &request.state {
                RequestState::Issuing(_) => request.created_at < fair.settled(),
                RequestState::AwaitingApproval(approval) => approval.expires_at < fair.settled(),
                _ => false,
            };
            let told = || format!("{} is still {}", request.id, request.state.status());
            Invariant::Requests.holds(!is_stuck, told)?;
        }
        Ok(())
    }

    /// Of what is valid and not replaced: its end was told, and if it renews by itself it did not come to it.
    pub(super) fn judge_fate(&self, record: &CertificateRecord, fair: FairTime) -> Verdict {
        if record.origin != Origin::Profile || is_revoked(record) || record.replaced_by.is_some() {
            return Ok(());
        }
        let (id, end) = (record.id, record.validity.not_after());
        let is_told = !fair.covers(end - WARNING) || self.told.warned_of(id);
        Invariant::Alerts.holds(is_told, || format!("nobody was told that {id} expires at {end}"))?;
        let renews_itself = record.custody == KeyCustody::Managed
            && record.method == Some(Method::Api)
            && !self.not_renewing.contains(&record.lineage);
        let told = || format!("{id} expired at {end} and could have been renewed");
        Invariant::Renewal.holds(!(renews_itself && fair.covers(end)), told)
    }

    /// A target has the newest valid certificate of each lineage below a profile, and nothing else.
    pub(in crate::simulation) fn judge_target(
        &self,
        profile: ProfileId,
        there: &[CertificateId],
        fair: FairTime,
    ) -> Verdict {
        let mut there_by_lineage: BTreeMap<CertificateId, CertificateId> = BTreeMap::new();
        for id in there {
            let found =
                self.certificates.get(id).filter(|record| record.profile.is_some_and(|(own, _)| own == profile));
            let lineage = found.map(|record| record.lineage);
            let told = || format!("the target has {id}, which its sync is not about");
            Invariant::Syncs.holds(lineage.is_some(), told)?;
            let other = lineage.and_then(|lineage| there_by_lineage.insert(lineage, *id));
            Invariant::Syncs.holds(other.is_none(), || format!("the target has {id} and {other:?} of one lineage"))?;
        }
        let of_profile = |record: &&CertificateRecord| record.profile.is_some_and(|(own, _)| own == profile);
        let lineages: BTreeSet<CertificateId> =
            self.certificates.values().filter(of_profile).map(|r| r.lineage).collect();
        lineages.iter().try_for_each(|lineage| self.judge_lineage(*lineage, there_by_lineage.get(lineage), fair))
    }

    fn judge_lineage(&self, lineage: CertificateId, there: Option<&CertificateId>, fair: FairTime) -> Verdict {
        let is_valid = |record: &&CertificateRecord| {
            record.state == CertificateState::Active && record.validity.not_after() >= fair.until
        };
        let of_lineage = self.certificates.values().filter(|record| record.lineage == lineage);
        let newest = of_lineage.filter(is_valid).max_by_key(|record| (record.created_at, record.id));
        let is_right = match (newest, there) {
            (None, None) => true,
            (Some(newest), _) if newest.created_at >= fair.settled() => true,
            (Some(newest), there) => there == Some(&newest.id),
            (None, Some(there)) => self
                .certificates
                .get(there)
                .is_some_and(|record| !is_revoked(record) && record.validity.not_after() > fair.until - LINGERING),
        };
        let told = || format!("the target has {there:?} of {lineage}, not {:?}", newest.map(|record| record.id));
        Invariant::Syncs.holds(is_right, told)
    }

    /// The last list of an issuer, if it ever revoked anything, names exactly what is revoked; what has expired may have left it, or stand there once more.
    pub(in crate::simulation) fn judge_list(&self, issuer: IssuerId, list: Option<&CertificateList>) -> Verdict {
        let number = list.and_then(|list| list.number);
        let named: BTreeSet<Serial> = list.iter().flat_map(|list| &list.entries).map(|entry| entry.serial).collect();
        let of_issuer = || self.certificates.values().filter(|record| record.issuer == Some(issuer));
        for record in of_issuer().filter(|record| is_revoked(record)) {
            let has_ended = list.is_some_and(|list| record.validity.not_after() < list.this_update);
            let told = || format!("{} is revoked, and not on the list {number:?}", record.id);
            Invariant::RevocationList.holds(has_ended || named.contains(&record.serial), told)?;
        }
        let revoked: BTreeSet<Serial> =
            of_issuer().filter(|record| is_revoked(record)).map(|record| record.serial).collect();
        let wrong = named.difference(&revoked).find(|serial| !self.forgotten.contains(serial));
        let told = || format!("{wrong:?} is on the list {number:?}, and not revoked");
        Invariant::RevocationList.holds(wrong.is_none(), told)
    }
}
