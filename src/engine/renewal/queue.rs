//! The queue of renewals: in the order in which they come due, or, when there is a backlog, in that of their ends.

use crate::domain::RenewalPlan;
use crate::engine::context::Context;
use crate::engine::due::{LEASE, item};
use crate::engine::error::Error;
use crate::engine::schema::{READY_BOUND, RENEWAL_DUE, RENEWAL_READY, sortable};
use crate::store::{Batch, Claim, Document, Expect, Hit, IndexEntry, MAX_SCAN_LIMIT, StoreError, Write};

/// How many pages of what is due are put into order in a round, when more is due than the round does.
const PAGES: usize = 8;
/// How many are put into order in one commit: so many wait for their lease if somebody changes one of them meanwhile.
const READIED: usize = 100;

impl Context {
    /// Takes at most `limit` renewals that are due; if more are, those whose certificates end first, incidents before everything.
    ///
    /// Two claims, unless there is a backlog. Then what is due is first put into the order of its end, a few pages a round.
    pub(in crate::engine) async fn due_renewals(&self, limit: usize) -> Result<Vec<Hit>, Error> {
        let mut due = self.take_due(RENEWAL_DUE, limit).await?;
        if due.len() < limit {
            due.extend(self.take_ready(limit - due.len()).await?);
            return Ok(due);
        }
        for _ in 0..PAGES {
            self.make_ready(&due).await?;
            due = self.take_due(RENEWAL_DUE, MAX_SCAN_LIMIT).await?;
            if due.is_empty() {
                break;
            }
        }
        self.make_ready(&due).await?;
        self.take_ready(limit).await
    }

    /// Takes those that end first of what is ready.
    async fn take_ready(&self, limit: usize) -> Result<Vec<Hit>, Error> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let lease = IndexEntry::new(RENEWAL_DUE, sortable(self.now() + LEASE));
        let claim = Claim { index: RENEWAL_READY.into(), to: READY_BOUND.to_owned(), lease, limit };
        Ok(self.store.claim(&claim).await?)
    }

    /// Puts what was taken, because it is due, into the order of its end.
    async fn make_ready(&self, due: &[Hit]) -> Result<(), Error> {
        for hits in due.chunks(READIED) {
            let put = |hit: &Hit| {
                let plan: RenewalPlan = item(hit).ok()?;
                let Document { key, version, body } = hit.document.clone();
                Some(Write::Put { key, expect: Expect::Version(version), body, entries: vec![plan.ready()] })
            };
            match self.store.commit(Batch { writes: hits.iter().filter_map(put).collect() }).await {
                // What somebody else has changed meanwhile is due again, or not any more; its neighbours when the lease has passed.
                Err(StoreError::Conflict { .. }) => {}
                committed => drop(committed?),
            }
        }
        Ok(())
    }
}
