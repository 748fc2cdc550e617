//! Patterns over names, each in the terms of its kind: labels for DNS, prefixes for IP, segments for URI paths.
//!
//! A rule that allows asks whether the pattern *covers* the name: everything that the name stands for. A rule that
//! denies asks whether the two *overlap*: a wildcard name stands for the denied host below it, too, and other spellings
//! of a name are that name.

mod dns;
mod mailbox;
mod text;
mod uri;

#[cfg(test)]
mod tests;

use std::cell::OnceCell;
use std::net::IpAddr;

use ipnet::IpNet;

use self::dns::DnsPattern;
use self::mailbox::MailboxPattern;
use self::text::{SeenText, TextPattern};
use self::uri::UriPattern;
use crate::x509::{Attribute, InvalidValue, San, SanKind, Subject, UriParts};

/// Longest pattern, in bytes; no name is longer.
const MAX_BYTES: usize = 2048;

/// Which names a rule is about.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// `*`: every name.
    Any,
    Dns(DnsPattern),
    Ip(IpNet),
    Mailbox(MailboxPattern),
    Uri(UriPattern),
    Text(TextPattern),
}

/// A name that is judged, with what several patterns need of it worked out once, when the first asks.
pub(super) enum Seen<'a> {
    San(&'a San, OnceCell<UriParts>),
    Text(SeenText<'a>),
}

impl<'a> Seen<'a> {
    pub(super) fn san(san: &'a San) -> Self {
        Self::San(san, OnceCell::new())
    }

    pub(super) fn text(value: &'a str) -> Self {
        Self::Text(SeenText::new(value))
    }
}

impl Pattern {
    pub(super) fn for_san(kind: SanKind, text: &str) -> Result<Self, InvalidValue> {
        check_text(text)?;
        match kind {
            _ if text == "*" => Ok(Self::Any),
            SanKind::DnsName => DnsPattern::parse(text).map(Self::Dns),
            SanKind::IpAddress => parse_net(text).map(Self::Ip),
            SanKind::Email | SanKind::Upn => MailboxPattern::parse(text).map(Self::Mailbox),
            SanKind::Uri => UriPattern::parse(text).map(Self::Uri),
        }
    }

    pub(super) fn for_attribute(attribute: Attribute, text: &str) -> Result<Self, InvalidValue> {
        check_text(text)?;
        let is_name = attribute == Attribute::CommonName;
        if text == "*" {
            return Ok(Self::Any);
        }
        if is_name && (text.starts_with("*.") || text.starts_with("**.")) {
            return DnsPattern::parse(text).map(Self::Dns);
        }
        if !text.contains('*') {
            // A value that no subject can hold would be a rule that never applies.
            Subject::from_parts([(attribute, text)])?;
        }
        let host = is_name.then(|| DnsPattern::parse(text).ok()).flatten();
        Ok(Self::Text(TextPattern::new(text, host)))
    }

    /// Whether the pattern takes in all that the name stands for.
    pub(super) fn covers(&self, seen: &Seen<'_>) -> bool {
        match (self, seen) {
            (Self::Any, _) => true,
            (Self::Text(pattern), Seen::Text(value)) => pattern.covers(value),
            (Self::Dns(pattern), Seen::Text(value)) => value.host().is_some_and(|name| pattern.covers(name)),
            (Self::Dns(pattern), Seen::San(San::Dns(name), _)) => pattern.covers(name.as_str()),
            (Self::Ip(net), Seen::San(San::Ip(address), _)) => net.contains(address),
            (Self::Mailbox(pattern), Seen::San(San::Email(address), _)) => pattern.covers(address.as_str()),
            (Self::Mailbox(pattern), Seen::San(San::Upn(name), _)) => pattern.covers(name),
            (Self::Uri(pattern), Seen::San(San::Uri(uri), parts)) => {
                pattern.covers(uri, parts.get_or_init(|| uri.parts()))
            }
            _ => false,
        }
    }

    /// Whether the pattern and what the name stands for have anything in common.
    pub(super) fn overlaps(&self, seen: &Seen<'_>) -> bool {
        match (self, seen) {
            (Self::Text(pattern), Seen::Text(value)) => pattern.overlaps(value),
            (Self::Dns(pattern), Seen::Text(value)) => value.may_be_host_of(pattern),
            (Self::Dns(pattern), Seen::San(San::Dns(name), _)) => pattern.overlaps(name.as_str()),
            (Self::Mailbox(pattern), Seen::San(San::Email(address), _)) => pattern.overlaps(address.as_str()),
            (Self::Mailbox(pattern), Seen::San(San::Upn(name), _)) => pattern.overlaps(name),
            (Self::Uri(pattern), Seen::San(San::Uri(uri), parts)) => {
                pattern.overlaps(parts.get_or_init(|| uri.parts()))
            }
            _ => self.covers(seen),
        }
    }

    /// Whether denying `self` surely refuses every name that the pattern `other` covers.
    pub(super) fn takes_in(&self, other: &Pattern) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Dns(denied), Self::Dns(required)) => denied.takes_in(required),
            (Self::Ip(denied), Self::Ip(required)) => denied.contains(required),
            (Self::Mailbox(denied), Self::Mailbox(required)) => denied.takes_in(required),
            _ => false,
        }
    }
}

fn check_text(text: &str) -> Result<(), InvalidValue> {
    if text.is_empty() || text.len() > MAX_BYTES || text.chars().any(char::is_control) {
        return Err(InvalidValue::new("pattern", text, "1 to 2048 bytes without control characters"));
    }
    Ok(())
}

fn parse_net(text: &str) -> Result<IpNet, InvalidValue> {
    let accepted = "an IP address or CIDR block without host bits, such as `192.0.2.7` or `10.0.0.0/8`; IPv4 not mapped \
                    into IPv6";
    let refuse = || InvalidValue::new("pattern", text, accepted);
    let address = text.parse::<IpAddr>().map(IpNet::from);
    let net = address.or_else(|_| text.parse::<IpNet>()).map_err(|_| refuse())?;
    let is_mapped = matches!(net, IpNet::V6(net) if net.prefix_len() >= 96 && net.addr().to_ipv4_mapped().is_some());
    if net.trunc() == net && !is_mapped { Ok(net) } else { Err(refuse()) }
}
