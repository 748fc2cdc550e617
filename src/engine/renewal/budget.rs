//! Budgets of issuers: how many renewals a round may do, and how many at once, counted in one document for each issuer.

use time::{Duration, OffsetDateTime};

use crate::domain::{IssuerId, RenewalBudget};
use crate::engine::context::{Context, Versioned};
use crate::engine::due::AT_ONCE;
use crate::engine::error::Error;
use crate::engine::schema::{MeterPlace, RenewalMeter};

/// How long a worker may keep its places; it stops before. Longer than it takes to begin any one renewal.
pub(super) const PLACE: Duration = Duration::minutes(10);
const MOST_ATTEMPTS: usize = 8;

/// What an issuer allows a round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    pub(super) issuer: IssuerId,
    /// How many it may begin.
    pub(super) granted: usize,
    /// How many of them at once; `None` without limit.
    pub(super) at_once: Option<u16>,
    /// When those beyond it may hope, the `n`th in so many minutes.
    pub(super) next: OffsetDateTime,
    pub(super) per_minute: Option<u32>,
    worker: Option<u64>,
}

impl Allowance {
    pub(super) fn unlimited(issuer: IssuerId, now: OffsetDateTime) -> Self {
        Self { issuer, granted: usize::MAX, at_once: None, next: now, per_minute: None, worker: None }
    }

    /// When the `nth` that is put off comes up again: about when it can be its turn.
    pub(super) fn turn(&self, nth: usize) -> OffsetDateTime {
        let minutes = self.per_minute.map_or(0, |per_minute| nth / per_minute.max(1) as usize);
        self.next + Duration::minutes(i64::try_from(minutes).unwrap_or_default().min(24 * 60))
    }
}

impl Context {
    /// Takes as much of an issuer's budget as there is, up to `wanted`: one commit for a whole round, so that workers do
    /// not stand in each other's way.
    pub(super) async fn take_budget(
        &self,
        issuer: IssuerId,
        budget: RenewalBudget,
        wanted: usize,
    ) -> Result<Allowance, Error> {
        for _ in 0..MOST_ATTEMPTS {
            let mut change = self.change_by_engine()?;
            let worker = u64::from_be_bytes(change.random.take()?);
            let earlier: Option<Versioned<RenewalMeter>> = self.find(&issuer.to_string()).await?;
            let fresh = RenewalMeter { issuer, minute: 0, used: 0, places: Vec::new() };
            let mut meter = earlier.as_ref().map_or(fresh, |earlier| earlier.value.clone());
            let allowance = meter.take((budget, wanted), worker, change.now);
            if allowance.granted == 0 {
                return Ok(allowance);
            }
            match &earlier {
                Some(earlier) => change.update(&meter, earlier.version)?,
                None => change.create(&meter)?,
            }
            match change.commit().await {
                Err(error) if error.is_conflict() => {}
                committed => return committed.map(|_| allowance),
            }
        }
        Err(Error::Contended)
    }

    /// Gives its places back. That it fails costs nothing but time.
    pub(super) async fn give_back(&self, allowance: &Allowance) -> Result<(), Error> {
        let Some(worker) = allowance.worker else { return Ok(()) };
        for _ in 0..MOST_ATTEMPTS {
            let Some(mut meter) = self.find::<RenewalMeter>(&allowance.issuer.to_string()).await? else {
                return Ok(());
            };
            meter.value.places.retain(|place| place.worker != worker);
            let mut change = self.change_by_engine()?;
            change.update(&meter.value, meter.version)?;
            match change.commit().await {
                Err(error) if error.is_conflict() => {}
                committed => return committed.map(drop),
            }
        }
        Ok(())
    }
}

impl RenewalMeter {
    fn take(&mut self, (budget, wanted): (RenewalBudget, usize), worker: u64, now: OffsetDateTime) -> Allowance {
        let minute = now.unix_timestamp().div_euclid(60);
        if self.minute != minute {
            (self.minute, self.used) = (minute, 0);
        }
        self.places.retain(|place| place.until > now);
        let taken = self.places.iter().map(|place| place.count).fold(0, u16::saturating_add);
        let free = budget.concurrent.map(|most| most.saturating_sub(taken));
        let is_crowded = free == Some(0);
        let left = budget.per_minute.map_or(usize::MAX, |most| most.saturating_sub(self.used) as usize);
        let granted = if is_crowded { 0 } else { wanted.min(left) };
        let most = u16::try_from(AT_ONCE.min(granted)).unwrap_or(u16::MAX);
        let at_once = free.map(|free| free.min(most));
        if granted > 0 {
            self.used = self.used.saturating_add(u32::try_from(granted).unwrap_or(u32::MAX));
            self.places.extend(at_once.map(|count| MeterPlace { worker, count, until: now + PLACE }));
        }
        let next_minute = OffsetDateTime::from_unix_timestamp((minute + 1) * 60).unwrap_or(now);
        let next = if is_crowded { now + Duration::seconds(10) } else { next_minute };
        let worker = budget.concurrent.filter(|_| granted > 0).map(|_| worker);
        Allowance { issuer: self.issuer, granted, at_once, next, per_minute: budget.per_minute, worker }
    }
}
