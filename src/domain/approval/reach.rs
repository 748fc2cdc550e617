//! Whether the steps of an approval policy can be completed at all, by people who each vote once.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{ApprovalPolicyState, ApprovalStep, SelfApproval};
use crate::domain::{Action, Application, Member, Principal, PrincipalKind, Slug, Standing};

/// A step that too few are left to complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreachableStep {
    /// The approval policy.
    pub policy: Slug,
    /// The step, from 0.
    pub step: usize,
}

impl Application {
    /// The steps of approval policies in force that can not be completed by the members as they are: requests that need
    /// them would only expire. A group that is a member counts as enough, for its size is the host's to know.
    pub fn unreachable_approvals(&self) -> Vec<UnreachableStep> {
        let in_force = self.approval_policies.iter().filter(|policy| policy.state == ApprovalPolicyState::Active);
        let steps = in_force.flat_map(|policy| {
            let steps = unreachable_steps(&policy.steps, policy.self_approval, &self.members);
            steps.into_iter().map(|step| UnreachableStep { policy: policy.name.clone(), step })
        });
        steps.collect()
    }
}

/// The steps that no request could complete, whoever of the members asks.
///
/// Without self-approval it depends on who asks: the steps are fine if they are for somebody.
pub(crate) fn unreachable_steps(steps: &[ApprovalStep], self_approval: SelfApproval, members: &[Member]) -> Vec<usize> {
    let askers = match self_approval {
        SelfApproval::Allowed => Vec::new(),
        SelfApproval::Forbidden => askers(steps, members),
    };
    let without = |asker: Option<&Principal>| unreachable_for(steps, asker, members);
    let mut least = without(askers.first().copied());
    for asker in askers.iter().skip(1) {
        if least.is_empty() {
            break;
        }
        let steps = without(Some(asker));
        if steps.len() < least.len() {
            least = steps;
        }
    }
    least
}

/// The approvers that may also ask, if nobody else may; empty if a request need not be an approver's own.
fn askers<'a>(steps: &[ApprovalStep], members: &'a [Member]) -> Vec<&'a Principal> {
    let may_ask = |member: &&Member| Action::CertificatesCreate.is_granted_to(Standing::Member(member.role));
    let is_approver = |member: &Member| steps.iter().any(|step| step.approvers.contains(&member.principal));
    let (approvers, others): (Vec<&Member>, Vec<&Member>) = members
        .iter()
        .filter(may_ask)
        .partition(|member| member.principal.kind() == PrincipalKind::User && is_approver(member));
    if others.is_empty() { approvers.into_iter().map(|member| &member.principal).collect() } else { Vec::new() }
}

/// The steps that the members can not complete without the vote of `asker`.
pub(super) fn unreachable_for(steps: &[ApprovalStep], asker: Option<&Principal>, members: &[Member]) -> Vec<usize> {
    let present: BTreeSet<&Principal> = members.iter().map(|member| &member.principal).collect();
    unreachable_by(steps, |approver| present.contains(approver) && Some(approver) != asker)
}

/// The steps that can not be completed by those approvers that `may` vote, each once.
pub(super) fn unreachable_by(steps: &[ApprovalStep], may: impl Fn(&Principal) -> bool) -> Vec<usize> {
    let mut seats = Seats::default();
    let mut unreachable = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let left = step.approvers.iter().filter(|approver| may(approver));
        let (groups, users): (Vec<&Principal>, Vec<&Principal>) =
            left.partition(|approver| approver.kind() == PrincipalKind::Group);
        // Its users may serve other steps: the group can complete this one.
        seats.candidates.push(if groups.is_empty() { users } else { Vec::new() });
        let required = usize::try_from(step.required).unwrap_or(usize::MAX);
        let is_complete = !groups.is_empty() || (0..required).all(|_| seats.seat(at, &mut BTreeSet::new()));
        if !is_complete {
            unreachable.push(at);
        }
    }
    unreachable
}

/// Who votes in which step, found by augmenting paths: a bipartite matching in which a step has several seats.
#[derive(Default)]
struct Seats<'a> {
    candidates: Vec<Vec<&'a Principal>>,
    taken: BTreeMap<&'a Principal, usize>,
}

impl<'a> Seats<'a> {
    /// Finds one more voter for `step`, moving others where they can be moved.
    fn seat(&mut self, step: usize, tried: &mut BTreeSet<&'a Principal>) -> bool {
        for at in 0..self.candidates[step].len() {
            let user = self.candidates[step][at];
            let elsewhere = self.taken.get(user).copied();
            if elsewhere == Some(step) || !tried.insert(user) {
                continue;
            }
            if elsewhere.is_none_or(|other| self.seat(other, tried)) {
                self.taken.insert(user, step);
                return true;
            }
        }
        false
    }
}
