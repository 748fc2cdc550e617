//! Approval policies of an Application: saving, ordering, deleting, and whether members are enough.

use crate::domain::{
    Action, Actor, Application, ApplicationId, ApprovalPolicy, ApprovalPolicySpec, EventKind, Profile, ProfileId, Slug,
    UnreachableStep,
};
use crate::engine::context::{Change, Context};
use crate::engine::error::Error;
use crate::engine::schema::Entity;
use crate::x509::InvalidValue;

const MOST_POLICIES: usize = 50;

impl Context {
    /// Makes an approval policy, the last in order, or changes the one of its name where it stands.
    pub(in crate::engine) async fn save_approval_policy(
        &self,
        actor: &Actor,
        id: ApplicationId,
        spec: ApprovalPolicySpec,
    ) -> Result<ApprovalPolicy, Error> {
        let application = self.permitted(actor, id, Action::ApplicationRead).await?;
        let place = application.value.approval_policies.iter().position(|policy| policy.name == spec.name);
        let action = if place.is_some() { Action::ApprovalPoliciesEdit } else { Action::ApprovalPoliciesCreate };
        self.authorize(actor, action, &application.value)?;
        let mut faults = spec.faults(&application.value.members);
        if place.is_none() && application.value.approval_policies.len() >= MOST_POLICIES {
            faults.push((
                "name".into(),
                InvalidValue::new("approval policy", spec.name.as_str(), "at most 50 in an Application"),
            ));
        }
        if !faults.is_empty() {
            return Err(Error::Invalid { faults });
        }
        let mut profiles: Vec<ProfileId> = Vec::with_capacity(spec.conditions.profiles.len());
        for profile in &spec.conditions.profiles {
            profiles.push(self.resolve(Profile::KIND, profile.as_str()).await?);
        }
        let policy = spec.kept(profiles);
        let what = format!("approval policy {}", policy.name);
        let save = |application: &mut Application| match place {
            Some(place) => application.approval_policies[place] = policy.clone(),
            None => application.approval_policies.push(policy.clone()),
        };
        self.change_application(actor, application, &what, save).await?;
        Ok(policy)
    }

    /// Puts the approval policies in order.
    pub(in crate::engine) async fn order_approval_policies(
        &self,
        actor: &Actor,
        id: ApplicationId,
        names: &[Slug],
    ) -> Result<Vec<ApprovalPolicy>, Error> {
        let application = self.permitted(actor, id, Action::ApprovalPoliciesEdit).await?;
        let ordered: Vec<ApprovalPolicy> =
            names.iter().filter_map(|name| application.value.approval_policy(name).cloned()).collect();
        let is_each_once = names.iter().enumerate().all(|(at, name)| !names[..at].contains(name));
        if !is_each_once || ordered.len() != names.len() || ordered.len() != application.value.approval_policies.len() {
            let seen = names.iter().map(Slug::as_str).collect::<Vec<_>>().join(", ");
            let error = InvalidValue::new("order", seen, "the name of each approval policy, once");
            return Err(Error::Invalid { faults: vec![("names".into(), error)] });
        }
        let order = |application: &mut Application| application.approval_policies = ordered;
        let application = self.change_application(actor, application, "order of approval policies", order).await?;
        Ok(application.approval_policies)
    }

    /// Deletes an approval policy. Requests that wait go on as they began.
    pub(in crate::engine) async fn delete_approval_policy(
        &self,
        actor: &Actor,
        id: ApplicationId,
        name: &Slug,
    ) -> Result<(), Error> {
        let application = self.permitted(actor, id, Action::ApprovalPoliciesDelete).await?;
        if application.value.approval_policy(name).is_none() {
            return Err(Error::not_found("approval policy", name));
        }
        let delete = |application: &mut Application| application.approval_policies.retain(|each| each.name != *name);
        let what = format!("approval policy {name} deleted");
        self.change_application(actor, application, &what, delete).await.map(drop)
    }

    /// The approval policies, in order.
    pub(in crate::engine) async fn approval_policies(
        &self,
        actor: &Actor,
        id: ApplicationId,
    ) -> Result<Vec<ApprovalPolicy>, Error> {
        let application = self.permitted(actor, id, Action::ApprovalPoliciesRead).await?;
        Ok(application.value.approval_policies)
    }

    /// The steps that can not be completed by the members as they are.
    pub(in crate::engine) async fn unreachable_approvals(
        &self,
        actor: &Actor,
        id: ApplicationId,
    ) -> Result<Vec<UnreachableStep>, Error> {
        let application = self.permitted(actor, id, Action::ApprovalPoliciesRead).await?;
        Ok(application.value.unreachable_approvals())
    }
}

/// Tells of every step that a change of members puts out of reach.
pub(in crate::engine) fn tell_unreachable(
    before: &[UnreachableStep],
    after: &Application,
    change: &mut Change<'_>,
) -> Result<(), Error> {
    for lost in after.unreachable_approvals() {
        if !before.contains(&lost) {
            let kind = EventKind::ApprovalUnreachable { approval_policy: lost.policy.to_string(), step: lost.step };
            change.event(Some(after.id), kind)?;
        }
    }
    Ok(())
}
