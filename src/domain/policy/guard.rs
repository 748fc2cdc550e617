//! Patterns over names for whoever guards names without being an issuance policy.

use super::pattern::{Pattern, Seen};
use crate::x509::{Content, InvalidValue, San, SanKind};

/// A pattern that guards names of one kind, in the sense in which a policy denies: whatever has anything in common with it
/// is met by it.
#[derive(Debug)]
pub(in crate::domain) struct NameGuard {
    kind: SanKind,
    pattern: Pattern,
}

impl NameGuard {
    pub(in crate::domain) fn parse(kind: SanKind, text: &str) -> Result<Self, InvalidValue> {
        Pattern::for_san(kind, text).map(|pattern| Self { kind, pattern })
    }

    /// Whether a subject alternative name, or a common name that could be taken for a host, is guarded.
    pub(in crate::domain) fn is_met_by(&self, content: &Content) -> bool {
        let mut sans = content.sans.iter().filter(|san| san.kind() == self.kind);
        let common_name = content.subject.common_name().filter(|_| self.kind == SanKind::DnsName);
        sans.any(|san| self.pattern.overlaps(&Seen::san(san)))
            || common_name.is_some_and(|name| self.pattern.overlaps(&Seen::text(name)))
    }
}

/// A pattern that allows names of one kind, in the sense in which a policy allows: it takes in all that a name stands for.
#[derive(Debug)]
pub(in crate::domain) struct NamePattern(Pattern);

impl NamePattern {
    pub(in crate::domain) fn parse(kind: SanKind, text: &str) -> Result<Self, InvalidValue> {
        Pattern::for_san(kind, text).map(Self)
    }

    pub(in crate::domain) fn covers(&self, san: &San) -> bool {
        self.0.covers(&Seen::san(san))
    }
}
