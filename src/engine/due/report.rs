//! What a round of due work did.

/// What one round of due work did: counts of items, each counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DueReport {
    /// Requests and issuers whose certificate was signed.
    pub issued: usize,
    /// Challenges of ACME whose proof was found.
    pub validated: usize,
    /// Certificates that were renewed.
    pub renewed: usize,
    /// Renewals whose date was set anew, and walks over them, because settings were changed.
    pub rescheduled: usize,
    /// Requests that nobody decided on in time, and proofs that nobody could look at in time.
    pub expired: usize,
    /// Steps of mass revocations.
    pub revoked: usize,
    /// Certificate revocation lists and kept OCSP answers that were signed.
    pub published: usize,
    /// Steps that found out what is to be deployed.
    pub planned: usize,
    /// Deployments that were brought to the state they should have.
    pub deployed: usize,
    /// Alerts that looked for what ends soon, and reminders.
    pub watched: usize,
    /// Notifications that were delivered to all their channels.
    pub notified: usize,
    /// Events that were sealed into the audit chain.
    pub sealed: usize,
    /// Records whose time had passed and that were removed.
    pub removed: usize,
    /// Items that were given up: what can not be signed, renewed, delivered or deployed without people.
    pub failed: usize,
    /// Items that could not be done and come up again later.
    pub postponed: usize,
    /// Items that another worker took or changed first.
    pub taken_by_others: usize,
}

/// What became of one due item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Work {
    Issued,
    Expired,
    Validated,
    Revoked,
    Published,
    Notified,
    Watched,
    Renewed,
    Rescheduled,
    Planned,
    Deployed,
    Removed,
    Failed,
    Postponed,
    TakenByOthers,
    /// The item was not due any more when it was looked at.
    Nothing,
}

impl DueReport {
    /// How many items were looked at.
    pub fn total(&self) -> usize {
        let done = self.issued + self.renewed + self.expired + self.revoked + self.published + self.deployed;
        let told = self.validated
            + self.planned
            + self.rescheduled
            + self.notified
            + self.watched
            + self.sealed
            + self.removed;
        done + told + self.failed + self.postponed + self.taken_by_others
    }

    /// How many items were brought forward; the others wait, or are somebody else's.
    pub fn done(&self) -> usize {
        self.total() - self.postponed - self.taken_by_others
    }

    pub(in crate::engine) fn count(&mut self, work: Work) {
        match work {
            Work::Issued => self.issued += 1,
            Work::Expired => self.expired += 1,
            Work::Validated => self.validated += 1,
            Work::Revoked => self.revoked += 1,
            Work::Published => self.published += 1,
            Work::Notified => self.notified += 1,
            Work::Watched => self.watched += 1,
            Work::Renewed => self.renewed += 1,
            Work::Rescheduled => self.rescheduled += 1,
            Work::Planned => self.planned += 1,
            Work::Deployed => self.deployed += 1,
            Work::Removed => self.removed += 1,
            Work::Failed => self.failed += 1,
            Work::Postponed => self.postponed += 1,
            Work::TakenByOthers => self.taken_by_others += 1,
            Work::Nothing => {}
        }
    }
}
