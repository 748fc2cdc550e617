//! What a worker does that came back too late.

use time::OffsetDateTime;

use super::work::Held;
use crate::domain::{Deployment, RemoteName};
use crate::engine::context::Context;
use crate::engine::error::Error;
use crate::engine::schema::{RemoteClaim, deployment_id};

impl Context {
    /// This worker came back too late: what it did at the target may not be what is recorded. Whoever has the names now
    /// looks at once; what nobody has is recorded anew, to be removed.
    pub(super) async fn mend(&self, held: &Held, names: &[RemoteName]) -> Result<(), Error> {
        let mut change = self.change_by_engine()?;
        let own = deployment_id(held.deployment.sync, held.deployment.lineage);
        let mut owners = vec![own.clone()];
        let mut orphans = Vec::new();
        for name in names {
            match self.find::<RemoteClaim>(&RemoteClaim::id(&held.deployment.target, name)).await? {
                Some(claim) if !owners.contains(&claim.value.owner) => owners.push(claim.value.owner),
                Some(_) => {}
                None => orphans.push(name.clone()),
            }
        }
        for owner in &owners {
            match self.find::<Deployment>(owner).await? {
                Some(found) => change.update(&found.value.wake(change.now), found.version)?,
                None if *owner == own && !orphans.is_empty() => {
                    change.create(&remains(&held.deployment, &orphans, change.now))?;
                    let target = &held.deployment.target;
                    for name in &orphans {
                        let (target, name, owner) = (target.clone(), name.clone(), own.clone());
                        change.create(&RemoteClaim { target, name, owner })?;
                    }
                }
                None => {}
            }
        }
        match change.commit().await {
            // Somebody is at it.
            Err(error) if error.is_conflict() => Ok(()),
            committed => committed.map(drop),
        }
    }
}

/// What is left of a deployment that was recorded as gone.
fn remains(deployment: &Deployment, orphans: &[RemoteName], now: OffsetDateTime) -> Deployment {
    let mut remains = deployment.clone();
    remains.places.retain(|place| orphans.contains(&place.remote.name));
    remains.wanted = None;
    remains.wake(now)
}
