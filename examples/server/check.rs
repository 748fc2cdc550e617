//! Every fault of a configuration that shows before the store is opened.

use std::net::{IpAddr, SocketAddr};

use chancery::domain::{
    ApplicationId, ApplicationSpec, Member, Policy, PolicySpec, Principal, PrincipalKind, ProfileSpec, Role, Slug,
};
use time::OffsetDateTime;

use crate::configuration::{Configuration, Within};
use crate::fault::{Fault, of_policy};
use crate::office::destinations;
use crate::{apply, tls};

pub(crate) fn faults(configuration: &Configuration) -> Vec<Fault> {
    let mut faults = of_the_process(configuration);
    faults.extend(repeated("targets", configuration.targets.iter().map(|each| &each.name), tls::OWN));
    faults.extend(repeated("issuers", configuration.issuers.iter().map(|each| &each.spec.name), ""));
    faults.extend(repeated("policies", configuration.policies.iter().map(|each| &each.name), tls::OWN));
    faults.extend(repeated("profiles", configuration.profiles.iter().map(|each| &each.name), tls::OWN));
    faults.extend(repeated("applications", configuration.applications.iter().map(|each| &each.spec.name), tls::OWN));
    for (at, issuer) in configuration.issuers.iter().enumerate() {
        let (urls, status) = (issuer.spec.urls.faults(), issuer.spec.status.faults(&issuer.spec.urls));
        faults.extend(Fault::below(&format!("issuers[{at}]"), urls.into_iter().chain(status)));
    }
    faults.extend(of_rules(&configuration.policies, &configuration.profiles));
    for (at, application) in configuration.applications.iter().enumerate() {
        let path = format!("applications[{at}]");
        faults.extend(Fault::below(&path, application.spec.faults()));
        faults.extend(of_application(&path, (&application.spec, &application.beside), configuration));
    }
    let rules = destinations(configuration);
    for (at, alert) in configuration.alerts.iter().enumerate() {
        faults.extend(Fault::below(&format!("alerts[{at}]"), alert.faults(None, &rules)));
    }
    faults
}

fn of_the_process(configuration: &Configuration) -> Vec<Fault> {
    let mut faults = Vec::new();
    let is_person = |principal: &Principal| matches!(principal.kind(), PrincipalKind::User | PrincipalKind::Machine);
    if !configuration.administrators.first().is_some_and(is_person) {
        faults.push(Fault::new("administrators", "the first is to be a `user:…` or `machine:…`: it gets a token"));
    }
    if configuration.administrators.contains(&apply::principal()) {
        faults.push(Fault::new("administrators", format!("`{}` is what this file acts as", apply::principal())));
    }
    let service: SocketAddr = configuration.listen.service;
    match &configuration.tls {
        None if !service.ip().is_loopback() => {
            let said = format!("plain HTTP is for loopback, and {service} is not; add a section [tls]");
            faults.push(Fault::new("listen.service", said));
        }
        Some(tls) if tls.names.is_empty() => faults.push(Fault::new("tls.names", "at least one name")),
        Some(tls) => {
            let bad = tls.names.iter().enumerate().filter(|(_, name)| !is_name(name));
            let said = |name: &str| format!("`{name}` is neither a DNS name nor an IP address");
            faults.extend(bad.map(|(at, name)| Fault::new(format!("tls.names[{at}]"), said(name))));
        }
        None => {}
    }
    let needs_url = configuration.acme.as_ref().is_some_and(|acme| acme.url.is_none() && configuration.tls.is_none());
    if needs_url {
        faults.push(Fault::new(
            "acme.url",
            "ACME is served over TLS: without a section [tls], say where clients find it",
        ));
    }
    faults
}

fn is_name(name: &str) -> bool {
    name.parse::<IpAddr>().is_ok() || name.parse::<chancery::x509::DnsName>().is_ok()
}

fn repeated<'a>(list: &str, names: impl Iterator<Item = &'a Slug> + Clone, own: &str) -> Vec<Fault> {
    let said = |at: usize, said: &str| Fault::new(format!("{list}[{at}].name"), said);
    let judge = |(at, name): (usize, &'a Slug)| match name.as_str() == own {
        true => Some(said(at, "the server has one of that name for itself")),
        false => names.clone().take(at).any(|earlier| earlier == name).then(|| said(at, "the name stands here twice")),
    };
    names.clone().enumerate().filter_map(judge).collect()
}

/// Policies, and profiles whose policy stands in the file, too.
fn of_rules(policies: &[PolicySpec], profiles: &[ProfileSpec]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut sound = Vec::new();
    for (at, spec) in policies.iter().enumerate() {
        match Policy::try_from(spec.clone()) {
            Ok(policy) => sound.push(policy),
            Err(error) => {
                faults.extend(error.faults.into_iter().map(|each| of_policy(&format!("policies[{at}]"), each)));
            }
        }
    }
    for (at, profile) in profiles.iter().enumerate() {
        let Some(policy) = sound.iter().find(|policy| policy.spec().name == profile.policy) else { continue };
        if let Err(error) = profile.check(policy, OffsetDateTime::now_utc()) {
            faults.extend(crate::fault::of_engine(&format!("profiles[{at}]"), error.into()));
        }
    }
    faults
}

fn of_application(
    path: &str,
    (spec, within): (&ApplicationSpec, &Within),
    configuration: &Configuration,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut members = spec.members.clone();
    members.push(Member { principal: apply::principal(), role: Role::Admin });
    for (at, policy) in within.approval_policies.iter().enumerate() {
        faults.extend(Fault::below(&format!("{path}.approval_policies[{at}]"), policy.faults(&members)));
    }
    for (at, sync) in within.syncs.iter().enumerate() {
        faults.extend(Fault::below(&format!("{path}.syncs[{at}]"), sync.faults(None)));
        if !configuration.targets.iter().any(|target| target.name == sync.target) {
            let said = format!("there is no target `{}` in this file", sync.target);
            faults.push(Fault::new(format!("{path}.syncs[{at}].target"), said));
        }
    }
    let (rules, some) = (destinations(configuration), ApplicationId::new(OffsetDateTime::UNIX_EPOCH, [0; 10]));
    for (at, alert) in within.alerts.iter().enumerate() {
        faults.extend(Fault::below(&format!("{path}.alerts[{at}]"), alert.faults(Some(some), &rules)));
    }
    faults
}
