//! Patterns over e-mail addresses and user principal names: a local part, or any, at a DNS pattern.

use super::dns::DnsPattern;
use super::text::fold;
use crate::x509::InvalidValue;

const ACCEPTED: &str = "`local@domain`, `*@domain` or `domain`, the domain also as `*.name` or `**.name`; `*` in a local \
                        part only as the whole of it";

/// `local@domain` or `*@domain`, where the domain is a DNS pattern; a bare domain stands for `*@domain`.
#[derive(Clone, Debug)]
pub(in crate::domain::policy) struct MailboxPattern {
    local: Option<String>,
    domain: DnsPattern,
}

impl MailboxPattern {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidValue> {
        let refuse = || InvalidValue::new("pattern", text, ACCEPTED);
        let (local, domain) = text.rsplit_once('@').unwrap_or(("*", text));
        let domain = DnsPattern::parse(domain).map_err(|_| refuse())?;
        match local {
            "*" => Ok(Self { local: None, domain }),
            local if local.is_empty() || local.contains(['*', '@', ' ']) => Err(refuse()),
            local => Ok(Self { local: Some(local.to_owned()), domain }),
        }
    }

    /// Letters of ASCII in a local part match in either case, as every mail system in use has it.
    pub(super) fn covers(&self, address: &str) -> bool {
        self.fits(address, |own, seen| own.eq_ignore_ascii_case(seen))
    }

    /// As [`covers`](Self::covers), but all letters match in either case.
    pub(super) fn overlaps(&self, address: &str) -> bool {
        self.fits(address, |own, seen| own.eq_ignore_ascii_case(seen) || fold(own) == fold(seen))
    }

    pub(super) fn takes_in(&self, other: &Self) -> bool {
        let local_fits = match (&self.local, &other.local) {
            (None, _) => true,
            (Some(own), Some(other)) => own.eq_ignore_ascii_case(other),
            (Some(_), None) => false,
        };
        local_fits && self.domain.takes_in(&other.domain)
    }

    fn fits(&self, address: &str, same: impl Fn(&str, &str) -> bool) -> bool {
        let Some((local, domain)) = address.rsplit_once('@') else { return false };
        self.domain.covers(domain) && self.local.as_deref().is_none_or(|own| same(own, local))
    }
}
