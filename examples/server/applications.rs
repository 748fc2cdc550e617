//! Applications as they are declared: attachments, methods and members are exactly those of the file; approval policies, syncs
//! and alerts that it does not name stay.

use chancery::domain::{
    Alert, AlertSpec, Application, ApplicationId, ApplicationSpec, ApprovalPolicySpec, Member, Role, SyncRecord,
    SyncSpec,
};
use chancery::engine::{Error, Session};

use crate::apply::{Applied, found, principal};
use crate::configuration::Within;
use crate::fault::of_engine;

type Changes = Vec<String>;

pub(crate) async fn apply(
    session: &Session,
    path: &str,
    (spec, within): (&ApplicationSpec, &Within),
) -> Applied<Changes> {
    let said = |error| of_engine(path, error);
    let named = |what: String| format!("Application {}: {what}", spec.name);
    let mut changes = Changes::new();
    let id = match found(session.application_named(&spec.name).await).map_err(said)? {
        Some(application) => {
            let changed = adjust(session, &application, spec).await.map_err(said)?;
            changes.extend(changed.into_iter().map(named));
            application.id
        }
        None => {
            let made = session.create_application(spec.clone()).await.map_err(said)?;
            changes.push(format!("Application {} made", spec.name));
            made.id
        }
    };
    changes.extend(approval_policies(session, path, (id, &within.approval_policies)).await?.into_iter().map(named));
    changes.extend(syncs(session, path, (id, &within.syncs)).await?.into_iter().map(named));
    let path = format!("{path}.alerts");
    changes.extend(alerts(session, &path, Some(id), &within.alerts).await?.into_iter().map(named));
    Ok(changes)
}

/// Brings an Application in line that there is.
async fn adjust(session: &Session, application: &Application, spec: &ApplicationSpec) -> Result<Changes, Error> {
    // Who acts here must be an Admin to change anything but members and profiles.
    let own = Member { principal: principal(), role: Role::Admin };
    let mut changes = Changes::new();
    for member in spec.members.iter().filter(|member| member.principal != own.principal).chain([&own]) {
        if !application.members.contains(member) {
            session.set_member(application.id, member.clone()).await?;
            changes.push(format!("{} is {}", member.principal, member.role));
        }
    }
    for member in &application.members {
        let is_declared = spec.members.iter().any(|declared| declared.principal == member.principal);
        if !is_declared && member.principal != own.principal {
            session.remove_member(application.id, &member.principal).await?;
            changes.push(format!("{} is no member any more", member.principal));
        }
    }
    if (&application.description, application.key_rereading) != (&spec.description, spec.key_rereading) {
        session.edit_application(application.id, spec.description.clone(), spec.key_rereading).await?;
        changes.push("description or rereading of keys".to_owned());
    }
    changes.extend(attachments(session, application, spec).await?);
    Ok(changes)
}

async fn attachments(session: &Session, application: &Application, spec: &ApplicationSpec) -> Result<Changes, Error> {
    let (mut changes, mut declared) = (Changes::new(), Vec::new());
    for attachment in &spec.attachments {
        let profile = session.profile_named(&attachment.profile).await?.id;
        declared.push(profile);
        let present = application.attachment(profile).map(|attachment| &attachment.methods);
        if present.is_none() {
            session.attach_profile(application.id, profile).await?;
            changes.push(format!("profile {} attached", attachment.profile));
        }
        if *present.unwrap_or(&Default::default()) != attachment.methods {
            session.set_methods(application.id, profile, attachment.methods.clone()).await?;
            changes.push(format!("methods of profile {}", attachment.profile));
        }
    }
    for gone in application.attachments.iter().filter(|attachment| !declared.contains(&attachment.profile)) {
        session.detach_profile(application.id, gone.profile).await?;
        changes.push(format!("{} detached", gone.profile));
    }
    Ok(changes)
}

async fn approval_policies(
    session: &Session,
    path: &str,
    (id, declared): (ApplicationId, &[ApprovalPolicySpec]),
) -> Applied<Changes> {
    let mut changes = Changes::new();
    for (at, spec) in declared.iter().enumerate() {
        let said = |error| of_engine(&format!("{path}.approval_policies[{at}]"), error);
        let before = session.approval_policies(id).await.map_err(said)?;
        let after = session.save_approval_policy(id, spec.clone()).await.map_err(said)?;
        if !before.contains(&after) {
            changes.push(format!("approval policy {}", spec.name));
        }
    }
    Ok(changes)
}

async fn syncs(session: &Session, path: &str, (id, declared): (ApplicationId, &[SyncSpec])) -> Applied<Changes> {
    let mut changes = Changes::new();
    for (at, spec) in declared.iter().enumerate() {
        let said = |error| of_engine(&format!("{path}.syncs[{at}]"), error);
        let before = every_sync(session, id).await.map_err(said)?;
        let saved = session.save_sync(id, spec.clone()).await.map_err(said)?;
        if !before.contains(&saved) {
            changes.push(format!("sync {}", spec.name));
        }
    }
    Ok(changes)
}

async fn every_sync(session: &Session, id: ApplicationId) -> Result<Vec<SyncRecord>, Error> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = session.syncs(id, after.as_ref()).await?;
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

/// The alerts of an Application, or of the product.
pub(crate) async fn alerts(
    session: &Session,
    path: &str,
    application: Option<ApplicationId>,
    declared: &[AlertSpec],
) -> Applied<Changes> {
    let mut changes = Changes::new();
    for (at, spec) in declared.iter().enumerate() {
        let said = |error| of_engine(&format!("{path}[{at}]"), error);
        let before: Vec<Alert> = session.alerts(application, None).await.map_err(said)?.items;
        let saved = session.save_alert(application, spec.clone()).await.map_err(said)?;
        if !before.contains(&saved) {
            changes.push(format!("alert {}", spec.name));
        }
    }
    Ok(changes)
}
