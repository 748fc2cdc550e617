//! How much may be asked: meters that are written in the commit of what they count.

use super::AcmeError;
use super::accounts::At;
use crate::domain::acme::{Account, AcmeProblem, Identifier, Meter, ProblemKind};
use crate::domain::{AcmeLimits, Rate, Span};
use crate::engine::context::{Change, Context, Versioned, decode};
use crate::engine::error::Error;
use crate::engine::schema::Entity;
use crate::store::Key;

impl Context {
    /// Counts an order of an account. Without limits nothing is read or written.
    pub(super) async fn count_order(
        &self,
        limits: AcmeLimits,
        (at, account): (At, &Account),
        identifiers: &[Identifier],
        change: &mut Change<'_>,
    ) -> Result<(), AcmeError> {
        let counted = counted(limits, (at, account), identifiers);
        if counted.is_empty() {
            return Ok(());
        }
        let keys: Vec<Key> = counted.iter().map(|(name, ..)| Key::new(Meter::KIND, name.clone())).collect();
        let found = self.store.get(&keys).await.map_err(Error::from)?;
        let mut waits = Vec::new();
        for ((name, rate, what), document) in counted.into_iter().zip(found) {
            let kept = document
                .map(|found| {
                    Ok::<_, Error>(Versioned { value: decode(&found.key, &found.body)?, version: found.version })
                })
                .transpose()?;
            let version = kept.as_ref().map(|kept| kept.version);
            let meter = kept.map_or_else(|| Meter::new(name, change.now), |kept| kept.value);
            match (meter.taken(rate, change.now), version) {
                (Ok(meter), Some(version)) => change.update(&meter, version)?,
                (Ok(meter), None) => change.create(&meter)?,
                (Err(wait), _) => waits.push((wait, what)),
            }
        }
        match waits.into_iter().max() {
            None => Ok(()),
            Some((wait, what)) => Err(limited(wait, &what).into()),
        }
    }
}

/// What an order counts towards: the meter's name, its rate, and what a client is told.
fn counted(
    limits: AcmeLimits,
    (at, account): (At, &Account),
    identifiers: &[Identifier],
) -> Vec<(String, Rate, String)> {
    let of_account = limits.orders_per_account.map(|rate| {
        let what = format!("the account may place {} orders in {}", rate.count, rate.per);
        (format!("account/{}", account.id), rate, what)
    });
    let of_identifiers = limits.orders_per_identifier.into_iter().flat_map(|rate| {
        identifiers.iter().map(move |identifier| {
            let what = format!("{} orders in {} may name {identifier}", rate.count, rate.per);
            (format!("identifier/{}/{}/{identifier}", at.0, at.1), rate, what)
        })
    });
    of_account.into_iter().chain(of_identifiers).collect()
}

fn limited(wait: time::Duration, what: &str) -> AcmeProblem {
    // Rounded up: who comes exactly then is let in.
    let seconds = wait.whole_seconds() + i64::from(wait.subsec_nanoseconds() > 0);
    let retry_after = format!("{seconds}s").parse::<Span>().ok();
    AcmeProblem { retry_after, ..AcmeProblem::new(ProblemKind::RateLimited, format!("too many orders: {what}")) }
}
