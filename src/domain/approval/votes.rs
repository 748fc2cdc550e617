//! A request in the hands of its approvers: votes, one each, step by step.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{ApprovalPolicy, ApprovalStep, Ask, SelfApproval, reach};
use crate::domain::policy::{Problem, Violation};
use crate::domain::{Actor, Application, Decision, Principal, PrincipalKind, Slug};
use crate::x509::{Content, InvalidValue};

const MOST_COMMENT: usize = 1000;

/// All that a decision on a request needs, as it was when the request was made: later edits of the policy change nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The approval policy that asks for it.
    pub policy: Slug,
    /// What was asked.
    pub ask: Ask,
    /// What the certificate would have said at that moment.
    pub content: Content,
    /// SHA-256, in hex, over what approvers are shown: profile, content, key source and public key. The validity is part
    /// of it as it was asked: a length, or dates.
    pub digest: String,
    /// Those of the requester's groups that were members of the Application: by what right it was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requester_groups: Vec<Principal>,
    /// The steps and their approvers.
    pub steps: Vec<ApprovalStep>,
    /// Whether the requester may approve.
    pub self_approval: SelfApproval,
    /// The votes, in the order in which they came.
    pub votes: Vec<Vote>,
    /// When it expires, undecided.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// A vote that was cast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who.
    pub voter: Principal,
    /// In which step, from 0.
    pub step: usize,
    /// How.
    pub decision: Decision,
    /// What they had to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// A vote to be cast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// How.
    pub decision: Decision,
    /// The digest of what the voter was shown.
    pub digest: String,
    /// What they have to say, at most 1000 characters.
    pub comment: String,
}

/// Why a vote or a cancellation does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VoteRefusal {
    /// The voter is no approver of the current step.
    #[error("only an approver of step {} may vote now", step + 1)]
    NotApprover {
        /// The current step, from 0.
        step: usize,
    },
    /// The voter asked for it, and requesters may not approve.
    #[error("requesters do not decide on what they asked for")]
    OwnRequest,
    /// The voter has voted otherwise, or elsewhere, before.
    #[error("each approver votes once, and {voter} did in step {}", step + 1)]
    AlreadyVoted {
        /// Who.
        voter: Principal,
        /// In which step, from 0.
        step: usize,
    },
    /// Each votes once, and a later step can not do without this voter.
    #[error("the vote is needed in step {}: another approver must agree to this one", step + 1)]
    NeededLater {
        /// The later step, from 0.
        step: usize,
    },
    /// The voter was shown something else.
    #[error("the vote is on {seen}, and the request is {digest}")]
    OtherDigest {
        /// The digest that came with the vote.
        seen: String,
        /// The request's.
        digest: String,
    },
    /// Somebody else wants to take a request back.
    #[error("only who asked may take the request back")]
    NotRequester,
    /// The request does not wait for approval.
    #[error("the request does not wait for approval: it is {status}")]
    Closed {
        /// How it stands.
        status: crate::domain::RequestStatus,
    },
}

/// What one vote made of an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// It was cast before.
    Repeated,
    /// More must agree.
    Open(Approval),
    /// Everybody who must agree has.
    Agreed(Approval),
    /// It ends the request.
    Rejected(Approval),
}

impl Approval {
    /// What a policy asks of a request.
    pub(crate) fn new(
        policy: &ApprovalPolicy,
        (ask, content): (Ask, Content),
        digest: String,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            policy: policy.name.clone(),
            ask,
            content,
            digest,
            requester_groups: Vec::new(),
            steps: policy.steps.clone(),
            self_approval: policy.self_approval,
            votes: Vec::new(),
            expires_at: now + policy.max_age.as_duration(),
        }
    }

    /// Asked by `actor` by the right of its groups, too.
    pub(crate) fn asked_by(mut self, actor: &Actor, application: &Application) -> Self {
        let groups = application.members.iter().map(|member| &member.principal);
        let groups = groups.filter(|member| member.kind() == PrincipalKind::Group && actor.answers_to(member));
        self.requester_groups = groups.cloned().collect();
        self
    }

    /// The step whose approvers may vote, from 0; `None` when all are completed.
    pub fn current_step(&self) -> Option<usize> {
        (0..self.steps.len()).find(|step| self.still_required(*step) > 0)
    }

    /// How many must still agree in a step.
    pub fn still_required(&self, step: usize) -> u32 {
        let agreed = self.votes.iter().filter(|vote| vote.step == step && vote.decision == Decision::Approve);
        let required = self.steps.get(step).map_or(0, |step| step.required);
        required.saturating_sub(u32::try_from(agreed.count()).unwrap_or(u32::MAX))
    }

    /// The vote that somebody cast.
    pub fn vote_of(&self, voter: &Principal) -> Option<&Vote> {
        self.votes.iter().find(|vote| vote.voter == *voter)
    }

    /// Whether everybody's votes could ever complete it for this requester; if not, every step that keeps it.
    pub(crate) fn hopeless_for(&self, requester: &Principal, application: &Application) -> Vec<Violation> {
        let asker = Some(requester).filter(|_| self.self_approval == SelfApproval::Forbidden);
        let report = |step: usize| {
            let seen = format!(
                "too few approvers are left who did not ask for it, and {} must agree",
                self.steps[step].required
            );
            let rule = format!("approval policy `{}`: step {}", self.policy, step + 1);
            Violation::of(Problem::NotApproved, "approval", rule).seen(seen)
        };
        reach::unreachable_for(&self.steps, asker, &application.members).into_iter().map(report).collect()
    }

    /// Nobody decided in time, as the requester is told.
    pub(crate) fn expired(&self) -> Violation {
        self.refused(format!("nobody decided before {}", self.expires_at))
    }

    /// Who voted against it and why, as the requester is told.
    pub(crate) fn rejected(&self) -> Violation {
        let against = self.votes.iter().find(|vote| vote.decision == Decision::Reject);
        self.refused(against.map_or_else(String::new, |vote| match vote.comment.as_str() {
            "" => format!("{} rejected it", vote.voter),
            comment => format!("{} rejected it: {comment}", vote.voter),
        }))
    }

    /// The requester took it back.
    pub(crate) fn cancelled(&self) -> Violation {
        self.refused("the requester took it back".into())
    }

    fn refused(&self, seen: String) -> Violation {
        Violation::of(Problem::NotApproved, "approval", format!("approval policy `{}`", self.policy)).seen(seen)
    }

    /// Counts a vote on what `requester` asked for. A repetition changes nothing.
    pub(crate) fn count(
        &self,
        (voter, requester): (&Actor, &Principal),
        ballot: &Ballot,
        now: OffsetDateTime,
    ) -> Result<Count, VoteRefusal> {
        if self.has_counted(voter.principal(), ballot) {
            return Ok(Count::Repeated);
        }
        let step = self.current_step().unwrap_or(self.steps.len());
        self.admit((voter, requester), step)?;
        if ballot.digest != self.digest {
            return Err(VoteRefusal::OtherDigest { seen: ballot.digest.clone(), digest: self.digest.clone() });
        }
        let mut counted = self.clone();
        let Ballot { decision, comment, .. } = ballot.clone();
        counted.votes.push(Vote { voter: voter.principal().clone(), step, decision, comment, at: now });
        if decision == Decision::Approve {
            self.keep_reachable(&counted, requester)?;
        }
        Ok(match (decision, counted.current_step()) {
            (Decision::Reject, _) => Count::Rejected(counted),
            (Decision::Approve, Some(_)) => Count::Open(counted),
            (Decision::Approve, None) => Count::Agreed(counted),
        })
    }

    /// Whether the same vote was cast before.
    pub(crate) fn has_counted(&self, voter: &Principal, ballot: &Ballot) -> bool {
        let is_same = |vote: &Vote| vote.decision == ballot.decision && self.digest == ballot.digest;
        self.vote_of(voter).is_some_and(is_same)
    }

    /// Refuses a vote that would leave a later step without enough approvers who have not voted yet.
    fn keep_reachable(&self, counted: &Self, requester: &Principal) -> Result<(), VoteRefusal> {
        let out_of_reach = counted.out_of_reach(requester);
        match out_of_reach.first().filter(|_| self.out_of_reach(requester).is_empty()) {
            Some(step) => Err(VoteRefusal::NeededLater { step: *step }),
            None => Ok(()),
        }
    }

    /// The steps that those who have not voted yet can not complete.
    fn out_of_reach(&self, requester: &Principal) -> Vec<usize> {
        let open =
            |(at, step): (usize, &ApprovalStep)| ApprovalStep { required: self.still_required(at), ..step.clone() };
        let open: Vec<ApprovalStep> = self.steps.iter().enumerate().map(open).collect();
        let is_own = |approver: &Principal| approver == requester && self.self_approval == SelfApproval::Forbidden;
        reach::unreachable_by(&open, |approver| !is_own(approver) && self.vote_of(approver).is_none())
    }

    fn admit(&self, (voter, requester): (&Actor, &Principal), step: usize) -> Result<(), VoteRefusal> {
        if let Some(vote) = self.vote_of(voter.principal()) {
            return Err(VoteRefusal::AlreadyVoted { voter: vote.voter.clone(), step: vote.step });
        }
        let approvers = self.steps.get(step).map_or(&[][..], |step| &step.approvers);
        // A machine in a group of people is no person.
        let is_person = voter.principal().kind() == PrincipalKind::User;
        if !is_person || !approvers.iter().any(|approver| voter.answers_to(approver)) {
            return Err(VoteRefusal::NotApprover { step });
        }
        if voter.principal() == requester && self.self_approval == SelfApproval::Forbidden {
            return Err(VoteRefusal::OwnRequest);
        }
        Ok(())
    }
}

impl Ballot {
    /// A comment that is too long, with its path.
    pub(crate) fn faults(&self) -> Vec<(String, InvalidValue)> {
        let fits = self.comment.chars().count() <= MOST_COMMENT;
        let fault = || InvalidValue::new("comment", &self.comment, "at most 1000 characters");
        (!fits).then(|| ("comment".to_owned(), fault())).into_iter().collect()
    }
}
