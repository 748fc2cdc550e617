//! Approvals: which requests people must agree to, who they are, and what exactly they agree to.
//!
//! An [`ApprovalPolicySpec`] is what people write. The first policy that is active and matches a completed draft makes the
//! request wait, with an [`Approval`] that holds all that the decision needs: the [`Ask`], the steps as they were then, and
//! the digest of what is shown. See [approvals](crate::manual::approvals).

mod ask;
mod conditions;
mod policy;
mod reach;
mod shown;
#[cfg(test)]
mod tests;
mod votes;

pub use ask::{Ask, AskedKey, AskedSource};
pub use conditions::{Conditions, RequesterKind};
pub use policy::{ApprovalPolicy, ApprovalPolicySpec, ApprovalPolicyState, ApprovalStep, MachineBypass, SelfApproval};
pub use reach::UnreachableStep;
pub use votes::{Approval, Ballot, Vote, VoteRefusal};

pub(crate) use conditions::Candidate;
pub(crate) use reach::unreachable_steps;
pub(crate) use shown::{drift, shown_octets};
pub(crate) use votes::Count;
