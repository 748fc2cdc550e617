//! What settings set going: blocked renewals wake up, and plans follow what is said now. The verb that saves leaves one small
//! document; due work walks over the plans page by page.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::succeed::{Standing, plan_by, renews_itself};
use crate::domain::{
    ApplicationId, CertificateId, CertificateRecord, CertificateState, EventId, ProfileId, RenewalPlan, RenewalState,
};
use crate::engine::context::{Change, Context, Versioned, decode};
use crate::engine::due::{Work, hold, item};
use crate::engine::error::Error;
use crate::engine::schema::{Entity, RENEWAL_BLOCKED, RenewalWalk, WalkOver, index, plan_key, sortable};
use crate::store::{Cursor, Hit, Key, Over, Scan};

/// How many documents a page has: each may be written, and a batch has its bound.
const PAGE: usize = 200;
/// How many pages one item of due work walks.
const PAGES: usize = 20;

impl Change<'_> {
    /// Sets going, with this change, that whatever waits for the thing with this id is taken up.
    pub(in crate::engine) fn wakes(&mut self, id: impl std::fmt::Display) -> Result<(), Error> {
        self.walk(WalkOver::Blocked(id.to_string()))
    }

    /// Sets going, with this change, that renewals below a profile are planned by what is said now.
    pub(in crate::engine) fn replans(
        &mut self,
        profile: ProfileId,
        application: Option<ApplicationId>,
    ) -> Result<(), Error> {
        self.walk(WalkOver::Certificates { profile, application })
    }

    fn walk(&mut self, over: WalkOver) -> Result<(), Error> {
        let id = EventId::new(self.now, self.random.take()?).to_string();
        let since = self.now;
        self.create(&RenewalWalk { id, over, after: None, since })
    }
}

/// A plan that a walk writes: a new one, or in place of one that has this version.
type Written = (RenewalPlan, Option<crate::store::Version>);

impl Context {
    /// Walks on from where a walk stands; it goes when it has come to its end.
    pub(in crate::engine) async fn renewal_walk_due(&self, hit: &Hit) -> Result<Work, Error> {
        let mut walk: RenewalWalk = item(hit)?;
        let mut version = hit.document.version;
        let mut written = 0;
        for _ in 0..PAGES {
            let hits = self.store.scan(&page_of(&walk)).await?;
            let (plans, standing) = self.plans_of(&walk, &hits).await?;
            written += plans.len();
            let mut change = self.change_by_engine()?;
            for plan in &plans {
                put(plan, &mut change)?;
            }
            standing.check(&mut change);
            let is_last = hits.len() < PAGE;
            walk.after = hits.last().map(|hit| (hit.value.clone(), hit.document.key.id.clone())).or(walk.after);
            if is_last {
                change.delete(&walk, version);
            } else {
                change.update(&walk, version)?;
            }
            match hold(change).await? {
                Some(_) if is_last => return Ok(if written > 0 { Work::Rescheduled } else { Work::Nothing }),
                Some(next) => version = next,
                // A plan or a setting was changed meanwhile: the page again, next time. Plans one by one, so that a busy
                // one does not stop the others.
                None => return self.one_by_one(&plans, &standing).await,
            }
        }
        Ok(Work::Rescheduled)
    }

    async fn one_by_one(&self, plans: &[Written], standing: &Standing) -> Result<Work, Error> {
        for plan in plans {
            let mut change = self.change_by_engine()?;
            put(plan, &mut change)?;
            standing.check(&mut change);
            hold(change).await?;
        }
        Ok(Work::TakenByOthers)
    }

    async fn plans_of(&self, walk: &RenewalWalk, hits: &[Hit]) -> Result<(Vec<Written>, Standing), Error> {
        match &walk.over {
            WalkOver::Blocked(_) => {
                let woken = hits.iter().filter_map(|hit| self.woken(hit).transpose());
                Ok((woken.collect::<Result<_, _>>()?, Standing::default()))
            }
            WalkOver::Certificates { application, .. } => {
                let mut plans = Vec::new();
                let mut standings: HashMap<ApplicationId, Standing> = HashMap::new();
                let records: Vec<CertificateRecord> = hits.iter().map(item).collect::<Result<_, _>>()?;
                let of_application = |record: &&CertificateRecord| {
                    application.is_none_or(|application| record.application == Some(application))
                };
                let fit: Vec<&CertificateRecord> = records.iter().filter(is_newest).filter(of_application).collect();
                let existing = self.existing(&fit).await?;
                for record in fit {
                    let Some(plan) = RenewalPlan::new(record, 0) else { continue };
                    let standing = match standings.entry(plan.application) {
                        Entry::Occupied(known) => known.into_mut(),
                        Entry::Vacant(new) => new.insert(self.standing(&plan).await?),
                    };
                    plans.extend(self.replanned(record, existing.get(&record.lineage), standing)?);
                }
                // One Application's is checked by the commit. Over all of them, each later change walks again.
                let checked = application.and_then(|application| standings.remove(&application));
                Ok((plans, checked.unwrap_or_default()))
            }
        }
    }

    async fn existing(
        &self,
        records: &[&CertificateRecord],
    ) -> Result<HashMap<CertificateId, Versioned<RenewalPlan>>, Error> {
        let keys: Vec<Key> = records.iter().map(|record| plan_key(record.lineage)).collect();
        let found = self.store.get(&keys).await?.into_iter().flatten();
        found
            .map(|document| {
                let value: RenewalPlan = decode(&document.key, &document.body)?;
                Ok((value.lineage, Versioned { value, version: document.version }))
            })
            .collect()
    }

    /// A blocked plan that is tried again soon.
    fn woken(&self, hit: &Hit) -> Result<Option<Written>, Error> {
        let mut plan: RenewalPlan = item(hit)?;
        if !matches!(plan.state, RenewalState::Blocked { .. }) {
            return Ok(None);
        }
        let now = self.now();
        let due_at = plan.life().wake_at((now, plan.spread));
        plan.state = RenewalState::Scheduled { opens_at: now, due_at };
        Ok(Some((plan, Some(hit.document.version))))
    }

    /// The plan of a certificate by what is said now; `None` if that changes nothing, or the plan is being worked on.
    fn replanned(
        &self,
        record: &CertificateRecord,
        existing: Option<&Versioned<RenewalPlan>>,
        standing: &Standing,
    ) -> Result<Option<Written>, Error> {
        let Some(existing) = existing else {
            let mut change = self.change_by_engine()?;
            let spread = u64::from_be_bytes(change.random.take()?);
            let Some(mut plan) = RenewalPlan::new(record, spread) else { return Ok(None) };
            plan_by(&mut plan, record, standing);
            return Ok((plan.state != RenewalState::Off).then_some((plan, None)));
        };
        let mut plan = existing.value.clone();
        let is_idle = matches!(plan.state, RenewalState::Scheduled { .. } | RenewalState::Off);
        if !is_idle || plan.urgency == crate::domain::Urgency::Urgent || plan.certificate != record.id {
            return Ok(None);
        }
        plan_by(&mut plan, record, standing);
        Ok((plan != existing.value).then_some((plan, Some(existing.version))))
    }
}

fn page_of(walk: &RenewalWalk) -> Scan {
    let (index, kind, from, to) = match &walk.over {
        WalkOver::Blocked(id) => (RENEWAL_BLOCKED, RenewalPlan::KIND, id.clone(), format!("{id}\u{1}")),
        WalkOver::Certificates { profile, .. } => {
            let from = format!("{profile}|{}", sortable(walk.since));
            (index::CERTIFICATE_PROFILE, CertificateRecord::KIND, from, format!("{profile}|~"))
        }
    };
    let mut scan = Scan::new(Over::Index(index.into()), PAGE);
    (scan.from, scan.to) = (Some(from), Some(to));
    scan.after = walk.after.clone().map(|(value, id)| Cursor { value, key: Key::new(kind, id) });
    scan
}

fn put((plan, version): &Written, change: &mut Change<'_>) -> Result<(), Error> {
    match version {
        Some(version) => change.update(plan, *version),
        None => change.create(plan),
    }
}

fn is_newest(record: &&CertificateRecord) -> bool {
    record.replaced_by.is_none() && record.state == CertificateState::Active && renews_itself(record)
}
