//! Patterns over DNS names: a name, one whole label below it (RFC 9525 section 6.3), or any depth below it.

use crate::x509::{DnsName, InvalidValue};

/// A DNS name, one whole label below a name (`*.`), or any number of labels below it (`**.`). Names are canonical.
#[derive(Clone, Debug)]
pub(in crate::domain::policy) enum DnsPattern {
    Exact(String),
    OneLabelBelow(String),
    Below(String),
}

impl DnsPattern {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidValue> {
        let accepted = "a DNS name, `*.name` (one label below it), `**.name` (any number of labels below it) or `*`";
        let canonical = |base: &str| {
            let name = base.parse::<DnsName>().ok().filter(|name| !name.is_wildcard());
            name.map(|name| name.to_string()).ok_or_else(|| InvalidValue::new("pattern", text, accepted))
        };
        if let Some(base) = text.strip_prefix("**.") {
            canonical(base).map(Self::Below)
        } else if let Some(base) = text.strip_prefix("*.") {
            canonical(base).map(Self::OneLabelBelow)
        } else {
            canonical(text).map(Self::Exact)
        }
    }

    /// Whether all that `name` stands for is below the pattern; `name` is canonical and may begin with `*.`.
    pub(super) fn covers(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::OneLabelBelow(base) => parent(name) == Some(base),
            Self::Below(base) => is_below(name, base),
        }
    }

    pub(super) fn overlaps(&self, name: &str) -> bool {
        let Some(wild) = name.strip_prefix("*.") else { return self.covers(name) };
        match self {
            Self::Exact(exact) => parent(exact) == Some(wild),
            Self::OneLabelBelow(base) => base == wild,
            Self::Below(base) => base == wild || is_below(wild, base),
        }
    }

    pub(super) fn takes_in(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Exact(name)) => self.covers(name),
            (Self::OneLabelBelow(outer), Self::OneLabelBelow(inner)) => outer == inner,
            (Self::Below(outer), Self::OneLabelBelow(inner) | Self::Below(inner)) => {
                inner == outer || is_below(inner, outer)
            }
            _ => false,
        }
    }

    /// The pattern as text in which `*` stands for any run of characters; wider than the pattern where it has a `*`.
    pub(super) fn glob(&self) -> String {
        match self {
            Self::Exact(name) => name.clone(),
            Self::OneLabelBelow(base) | Self::Below(base) => format!("*.{base}"),
        }
    }
}

fn parent(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, parent)| parent)
}

fn is_below(name: &str, base: &str) -> bool {
    name.strip_suffix(base).is_some_and(|labels| labels.len() > 1 && labels.ends_with('.'))
}
