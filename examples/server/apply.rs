//! Brings the store in line with what is declared: what is equal stays as it is, and what was changed is told.

use std::time::Duration;

use chancery::domain::{IssuerRecord, IssuerSpec, IssuerState, PolicySpec, Principal, ProfileSpec, Slug};
use chancery::engine::{Error, Session};
use chancery::x509::Certificate;

use crate::applications;
use crate::configuration::{Above, Configuration};
use crate::fault::{Fault, of_engine};
use crate::office::Office;

/// How many seconds an issuer's signature is waited for: longer than due work leaves it to whoever began it.
const PATIENCE: u32 = 120;

/// What was done, or everything that stood against it.
pub(crate) type Applied<T> = Result<T, Vec<Fault>>;

/// In whose name the file acts: an administrator of the product, and an Admin of each Application that it declares.
pub(crate) fn principal() -> Principal {
    Principal::new(chancery::domain::PrincipalKind::Machine, "configuration").unwrap_or_else(|_| Principal::engine())
}

/// Applies all of it, in the order in which one thing needs the other.
pub(crate) async fn apply(office: &Office, configuration: &Configuration) -> Applied<Vec<String>> {
    let mut changes = Vec::new();
    let session = &office.session;
    for (at, declared) in configuration.issuers.iter().enumerate() {
        signed(office, &declared.spec.name).await.map_err(|error| of_engine(&format!("issuers[{at}]"), error))?;
        changes.extend(issuer(session, &format!("issuers[{at}]"), (&declared.spec, &declared.beside)).await?);
    }
    for (at, spec) in configuration.policies.iter().enumerate() {
        changes.extend(policy(session, spec).await.map_err(|error| of_engine(&format!("policies[{at}]"), error))?);
    }
    for (at, spec) in configuration.profiles.iter().enumerate() {
        changes.extend(profile(session, spec).await.map_err(|error| of_engine(&format!("profiles[{at}]"), error))?);
    }
    for (at, declared) in configuration.applications.iter().enumerate() {
        let path = format!("applications[{at}]");
        changes.extend(applications::apply(session, &path, (&declared.spec, &declared.beside)).await?);
    }
    changes.extend(applications::alerts(session, "alerts", None, &configuration.alerts).await?);
    Ok(changes)
}

/// What there is, or nothing.
pub(crate) fn found<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Err(Error::NotFound { .. }) => Ok(None),
        found => found.map(Some),
    }
}

/// An issuer that an earlier start was cut off from signing is finished by due work, before anything rests on it.
async fn signed(office: &Office, name: &Slug) -> Result<(), Error> {
    for _ in 0..PATIENCE {
        match found(office.session.issuer_named(name).await)? {
            Some(IssuerRecord { state: IssuerState::Signing { .. }, .. }) => office.engine.run_due(100).await?,
            _ => break,
        };
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

async fn issuer(session: &Session, path: &str, (spec, above): (&IssuerSpec, &Above)) -> Applied<Option<String>> {
    let said = |error| of_engine(path, error);
    match found(session.issuer_named(&spec.name).await).map_err(said)? {
        Some(record) => kept_issuer(session, path, (record, spec)).await,
        None => {
            match &above.parent {
                Some(parent) => {
                    let no_parent = |error| of_engine(&format!("{path}.parent"), error);
                    let parent = session.issuer_named(parent).await.map_err(no_parent)?;
                    session.create_intermediate(spec.clone(), parent.id).await.map_err(said)?
                }
                None => session.create_root(spec.clone()).await.map_err(said)?,
            };
            Ok(Some(format!("issuer {} made", spec.name)))
        }
    }
}

/// What an issuer's certificate says was said when it was made; what can still change is changed.
async fn kept_issuer(
    session: &Session,
    path: &str,
    (record, spec): (IssuerRecord, &IssuerSpec),
) -> Applied<Option<String>> {
    let mut faults = Vec::new();
    let fixed = |field: &str, is: String| {
        Fault::new(format!("{path}.{field}"), format!("the issuer was made with {is}, which can not be changed"))
    };
    if record.urls != spec.urls {
        faults.push(fixed("urls", "other URLs".to_owned()));
    }
    if let IssuerState::Active { chain } = &record.state
        && let Some(Ok(own)) = chain.first().map(|der| Certificate::from_der(&der.0))
    {
        let (is, said) = (own.public_key().algorithm(), spec.key_algorithm);
        if is != said {
            faults.push(fixed("key_algorithm", format!("`{}`", is.as_str())));
        }
        let subject = &own.content().subject;
        let declared =
            spec.subject.iter().flat_map(|(attribute, values)| values.as_slice().iter().map(|v| (*attribute, v)));
        let declared: Vec<_> = declared.collect();
        let has = |(attribute, value): &(_, &String)| subject.values(*attribute).any(|own| own == *value);
        if declared.len() != subject.iter().count() || !declared.iter().all(has) {
            faults.push(fixed("subject", format!("`{subject}`")));
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    if record.status == spec.status {
        return Ok(None);
    }
    let set = session.set_issuer_status(record.id, spec.status.clone()).await;
    set.map_err(|error| of_engine(&format!("{path}.status"), error))?;
    Ok(Some(format!("issuer {}: how it tells what is revoked", spec.name)))
}

pub(crate) async fn policy(session: &Session, spec: &PolicySpec) -> Result<Option<String>, Error> {
    let before = found(session.policy_named(&spec.name).await)?.map(|record| record.revision);
    let after = session.save_policy(spec.clone()).await?.revision;
    Ok(told("policy", &spec.name, (before, after)))
}

pub(crate) async fn profile(session: &Session, spec: &ProfileSpec) -> Result<Option<String>, Error> {
    let before = found(session.profile_named(&spec.name).await)?.map(|profile| profile.revision);
    let after = session.save_profile(spec.clone()).await?.revision;
    Ok(told("profile", &spec.name, (before, after)))
}

fn told(what: &str, name: &Slug, (before, after): (Option<u32>, u32)) -> Option<String> {
    match before {
        Some(before) if before == after => None,
        Some(_) => Some(format!("{what} {name}: revision {after}")),
        None => Some(format!("{what} {name} made")),
    }
}
