//! A due deployment: claimed with its target, acted on, and recorded.

use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use super::lease::{self, Access};
use crate::domain::{
    Application, CertificateRecord, Deployment, DeploymentState, EventKind, NameValues, OnRenewal, RemoteName,
    SyncRecord, Wish, back_off,
};
use crate::engine::context::{Change, Context, Versioned};
use crate::engine::due::{Work, hold, item};
use crate::engine::error::Error;
use crate::engine::schema::{Entity, RemoteClaim, deployment_id};
use crate::store::{Hit, Over, Scan, Version};
use crate::target::{SyncTarget, TargetError};

/// How long what can not be worked on is put off: its sync is paused, or this process has no such target.
const ASIDE: Duration = Duration::minutes(15);
/// How long to wait at most before looking again whether another worker is done with a target.
const WAIT: Duration = Duration::minutes(1);
/// How often what is deployed is looked at, at the latest; a random quarter earlier, so that it is spread.
const CHECK: Duration = Duration::hours(24);

/// A deployment in the hands of this worker, with its target.
pub(super) struct Held {
    pub(super) deployment: Deployment,
    /// The version of deployment and lease alike: one commit wrote both.
    pub(super) version: Version,
    pub(super) sync: Option<SyncRecord>,
    pub(super) record: Option<CertificateRecord>,
    pub(super) target: Arc<dyn SyncTarget>,
    /// Whether the place was known before this attempt.
    pub(super) known: bool,
}

/// What came of it.
pub(super) struct Pursued {
    pub(super) deployment: Deployment,
    pub(super) events: Vec<EventKind>,
    /// The SHA-256 of what was seen in the wanted place, hex.
    pub(super) seen: Option<String>,
    pub(super) cleared: Vec<RemoteName>,
    pub(super) trouble: Option<TargetError>,
}

/// What there is to do once the wish is known.
enum Next {
    /// Nothing at the target: these names are nobody's any more.
    End(Vec<RemoteName>),
    Rest,
    Park(String),
    Go,
}

impl Context {
    /// Works on a due deployment. First claims it together with its target, and the name that it heads for; then calls the
    /// target; then records what was seen.
    pub(in crate::engine) async fn deployment_due(&self, hit: &Hit) -> Result<Work, Error> {
        let deployment: Deployment = item(hit)?;
        let version = hit.document.version;
        let sync = self.find::<SyncRecord>(&deployment.sync.to_string()).await?.map(|sync| sync.value);
        let target = self.targets.get(deployment.target.as_str()).cloned();
        let mut change = self.change_by_engine()?;
        // A process without the target leaves it to those that have it.
        let Some(target) = target.filter(|_| sync.as_ref().is_none_or(SyncRecord::works)) else {
            let aside = change.now + ASIDE;
            return put_off(Versioned { value: deployment, version }, aside, change).await;
        };
        let leased = match self.access(&deployment.target, change.now).await? {
            Access::Free(leased) => leased,
            Access::Taken(until) => {
                let jitter = Duration::milliseconds(i64::from(change.random.take::<1>()?[0]) * 40);
                let again = until.min(change.now + WAIT) + jitter;
                return put_off(Versioned { value: deployment, version }, again, change).await;
            }
        };
        let mut held = Held { deployment, version, sync, record: None, target, known: false };
        match self.prepare_deployment(&mut held, &mut change).await? {
            Next::Go => self.go(held, leased, change).await,
            next => self.rest(held, next, change).await,
        }
    }

    /// Claims deployment and target in one commit, calls the target, and records what was seen.
    async fn go(&self, mut held: Held, leased: Option<Version>, mut change: Change<'_>) -> Result<Work, Error> {
        let until = change.now + lease::length(held.target.as_ref());
        held.deployment = held.deployment.begin(until);
        change.update(&held.deployment, held.version)?;
        lease::hold(&held.deployment.target, leased, until, &mut change)?;
        let Some(version) = hold(change).await? else { return Ok(Work::TakenByOthers) };
        held.version = version;
        let pursued = self.pursue(&held).await?;
        self.conclude(&held, pursued).await
    }

    /// Records what needs no call of the target.
    async fn rest(&self, mut held: Held, next: Next, mut change: Change<'_>) -> Result<Work, Error> {
        let work = match next {
            Next::End(names) => {
                self.release_names(&held.deployment, &names, &mut change).await?;
                change.delete(&held.deployment, held.version);
                Work::Deployed
            }
            Next::Park(reason) => {
                park(&mut held, reason, &mut change)?;
                change.update(&held.deployment, held.version)?;
                Work::Failed
            }
            Next::Rest | Next::Go => {
                change.update(&held.deployment, held.version)?;
                Work::Nothing
            }
        };
        change.commit().await?;
        Ok(work)
    }

    /// Takes over the present wish and the name to head for.
    async fn prepare_deployment(&self, held: &mut Held, change: &mut Change<'_>) -> Result<Next, Error> {
        if let (Some(wanted), Some(sync)) = (held.deployment.wanted, &held.sync) {
            let record = self.find::<CertificateRecord>(&wanted.to_string()).await?.map(|record| record.value);
            let (wish, wanted) = self.wish(sync, record.as_ref(), change.now).await?;
            held.record = wanted;
            if wish == Wish::GiveUp {
                return Ok(Next::End(held.deployment.places.iter().map(|place| place.remote.name.clone()).collect()));
            }
            held.deployment = held.deployment.clone().wish(wish, change.now);
        }
        if held.sync.is_none() {
            held.deployment = held.deployment.clone().wish(Wish::Withdraw, change.now);
        }
        if held.deployment.is_over() {
            return Ok(Next::End(Vec::new()));
        }
        if held.deployment.wanted.is_some() && held.record.is_none() {
            return Ok(Next::Rest);
        }
        match held.record.clone() {
            Some(record) => self.prepare_place(held, &record, change).await,
            None => Ok(Next::Go),
        }
    }

    /// Decides on the name, and takes it.
    async fn prepare_place(
        &self,
        held: &mut Held,
        record: &CertificateRecord,
        change: &mut Change<'_>,
    ) -> Result<Next, Error> {
        let name = match self.name_of(held, record).await? {
            Ok(name) => name,
            Err(reason) => return Ok(Next::Park(reason)),
        };
        let target = held.deployment.target.clone();
        let owner = deployment_id(held.deployment.sync, held.deployment.lineage);
        match self.find::<RemoteClaim>(&RemoteClaim::id(&target, &name)).await? {
            Some(claim) if claim.value.owner != owner => {
                return Ok(Next::Park(format!("the name {name} belongs to {}", claim.value.owner)));
            }
            Some(_) => {}
            None => {
                if let Some(full) = self.is_full(held).await? {
                    return Ok(Next::Park(full));
                }
                change.create(&RemoteClaim { target, name: name.clone(), owner })?;
            }
        }
        held.known = held.deployment.places.iter().any(|place| place.remote.name == name);
        held.deployment = held.deployment.clone().head_for(name, record.id);
        Ok(Next::Go)
    }

    /// The name that the wanted certificate has or gets; or why it can have none.
    async fn name_of(&self, held: &Held, record: &CertificateRecord) -> Result<Result<RemoteName, String>, Error> {
        let Some(sync) = &held.sync else { return Ok(Err("its sync is gone".to_owned())) };
        let last = held.deployment.places.last();
        let kept = last.filter(|place| sync.spec.on_renewal == OnRenewal::KeepName || place.certificate == record.id);
        if let Some(place) = kept {
            return Ok(Ok(place.remote.name.clone()));
        }
        let application: Versioned<Application> = match self.application(sync.application).await {
            Err(Error::NotFound { .. }) => return Ok(Err("its Application is gone".to_owned())),
            application => application?,
        };
        let values = NameValues { record, application: &application.value };
        let name = sync.spec.name_template.name(values, &held.target.limits().names);
        Ok(name.map_err(|error| error.to_string()))
    }

    /// Whether the target holds as many as it can: all claims on its names count.
    async fn is_full(&self, held: &Held) -> Result<Option<String>, Error> {
        let Some(most) = held.target.limits().max_items else { return Ok(None) };
        let prefix = RemoteClaim::prefix(&held.deployment.target);
        let mut scan = Scan::new(Over::Kind(RemoteClaim::KIND.into()), most.clamp(1, crate::store::MAX_SCAN_LIMIT));
        // `0` is the character behind the `/` that the prefix ends with.
        scan.to = Some(format!("{}0", held.deployment.target));
        scan.from = Some(prefix);
        let claimed = self.scan_all_up_to(scan, most).await?;
        Ok((claimed >= most).then(|| format!("the target holds {most} certificates at most")))
    }

    async fn scan_all_up_to(&self, mut scan: Scan, most: usize) -> Result<usize, Error> {
        let mut counted = 0;
        loop {
            let hits = self.store.scan(&scan).await?;
            counted += hits.len();
            if hits.len() < scan.limit || counted >= most {
                return Ok(counted);
            }
            scan.after = hits.last().map(Hit::cursor);
        }
    }

    /// Records what came of an attempt, and gives the target back.
    async fn conclude(&self, held: &Held, pursued: Pursued) -> Result<Work, Error> {
        let mut change = self.change_by_engine()?;
        let Pursued { deployment, events, seen, cleared, trouble } = pursued;
        let names: Vec<RemoteName> = deployment.places.iter().map(|place| place.remote.name.clone()).collect();
        for event in events {
            change.event(Some(deployment.application), event)?;
        }
        self.release_names(&deployment, &cleared, &mut change).await?;
        let rest = match &trouble {
            Some(TargetError::Unavailable { retry_after: Some(rest), .. }) => {
                Duration::try_from(*rest).unwrap_or(Duration::DAY)
            }
            _ => Duration::ZERO,
        };
        let free = change.now + rest;
        lease::hold(&deployment.target, Some(held.version), free, &mut change)?;
        let (deployment, work) = match trouble {
            None => (settled(deployment, held, seen, &mut change)?, Work::Deployed),
            Some(error) => troubled(deployment, held, &error, rest, &mut change)?,
        };
        if deployment.is_over() {
            change.delete(&deployment, held.version);
        } else {
            change.update(&deployment, held.version)?;
        }
        match change.commit().await {
            Err(error) if error.is_conflict() => {
                self.mend(held, &names).await?;
                Ok(Work::TakenByOthers)
            }
            committed => committed.map(|_| work),
        }
    }

    /// Gives back names at which nothing is any more.
    async fn release_names(
        &self,
        deployment: &Deployment,
        names: &[RemoteName],
        change: &mut Change<'_>,
    ) -> Result<(), Error> {
        let owner = deployment_id(deployment.sync, deployment.lineage);
        for name in names {
            let claim = self.find::<RemoteClaim>(&RemoteClaim::id(&deployment.target, name)).await?;
            if let Some(claim) = claim.filter(|claim| claim.value.owner == owner) {
                change.delete(&claim.value, claim.version);
            }
        }
        Ok(())
    }
}

async fn put_off(
    deployment: Versioned<Deployment>,
    until: OffsetDateTime,
    mut change: Change<'_>,
) -> Result<Work, Error> {
    change.update(&deployment.value.put_off(until), deployment.version)?;
    Ok(if hold(change).await?.is_some() { Work::Postponed } else { Work::TakenByOthers })
}

/// The state after an attempt without trouble.
fn settled(
    deployment: Deployment,
    held: &Held,
    seen: Option<String>,
    change: &mut Change<'_>,
) -> Result<Deployment, Error> {
    let Some(seen) = seen else { return Ok(deployment) };
    let early = CHECK * i32::from(change.random.take::<1>()?[0]) / 1024;
    let look = change.now + CHECK - early;
    let end = held.record.as_ref().map(after_end).filter(|end| *end > change.now);
    Ok(deployment.deployed(seen, change.now, end.map_or(look, |end| end.min(look))))
}

/// The state after an attempt that failed, and whether people must look.
fn troubled(
    deployment: Deployment,
    held: &Held,
    error: &TargetError,
    rest: Duration,
    change: &mut Change<'_>,
) -> Result<(Deployment, Work), Error> {
    let reason = error.to_string();
    if matches!(error, TargetError::Refused { .. }) {
        tell_failure(&deployment, reason.clone(), change)?;
        let wake_at = wake_at(&deployment, held.record.as_ref(), change.now);
        return Ok((deployment.parked(reason, wake_at), Work::Failed));
    }
    if deployment.attempts() <= 1 && !matches!(deployment.state, DeploymentState::Parked { .. }) {
        tell_failure(&deployment, reason.clone(), change)?;
    }
    let wait = back_off(deployment.attempts(), change.random.take::<1>()?[0]).max(rest);
    let retry_at = change.now + wait;
    Ok((deployment.failed(reason, retry_at), Work::Postponed))
}

fn park(held: &mut Held, reason: String, change: &mut Change<'_>) -> Result<(), Error> {
    tell_failure(&held.deployment, reason.clone(), change)?;
    let wake_at = wake_at(&held.deployment, held.record.as_ref(), change.now);
    held.deployment = held.deployment.clone().parked(reason, wake_at);
    Ok(())
}

/// What is parked and has left something at the target is looked at again: when the certificate has expired, or, if it is to
/// go, once a day.
fn wake_at(deployment: &Deployment, record: Option<&CertificateRecord>, now: OffsetDateTime) -> Option<OffsetDateTime> {
    if deployment.places.is_empty() {
        return None;
    }
    Some(record.map_or(now + CHECK, after_end))
}

fn after_end(record: &CertificateRecord) -> OffsetDateTime {
    record.validity.not_after() + Duration::SECOND
}

fn tell_failure(deployment: &Deployment, reason: String, change: &mut Change<'_>) -> Result<(), Error> {
    let last = deployment.places.last().map(|place| place.certificate);
    let certificate = deployment.wanted.or(last).unwrap_or(deployment.lineage);
    let kind = EventKind::DeploymentFailed { certificate, sync: deployment.sync, reason };
    change.event(Some(deployment.application), kind)
}
