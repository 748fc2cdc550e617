//! What a change of policy would mean for certificates that exist.

use time::OffsetDateTime;

use super::{Policy, Verdict};
use crate::x509::Content;

/// A stored certificate that the new policy would refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impact<T> {
    /// The certificate, as the caller names it.
    pub certificate: T,
    /// What the old policy says of it today.
    pub before: Verdict,
    /// What the new policy says of it.
    pub after: Verdict,
    /// Until when it stays valid; its renewal, at the latest then, would be refused.
    pub until: OffsetDateTime,
}

impl<T> Impact<T> {
    /// Whether the change is what would refuse it, and not something that the old policy refuses, too.
    pub fn is_new(&self) -> bool {
        self.before.permits()
    }
}

/// The certificates of `inventory` that `new` would refuse, lazily, in the inventory's order.
///
/// Each is judged as its own renewal would be: the same content, at its own notBefore.
pub fn impact<'a, T: 'a>(
    old: &'a Policy,
    new: &'a Policy,
    inventory: impl IntoIterator<Item = (T, Content)> + 'a,
) -> impl Iterator<Item = Impact<T>> + 'a {
    inventory.into_iter().filter_map(move |(certificate, content)| {
        let judged_at = content.validity.not_before();
        let after = new.judge(&content, judged_at);
        (!after.permits()).then(|| Impact {
            certificate,
            before: old.judge(&content, judged_at),
            after,
            until: content.validity.not_after(),
        })
    })
}
