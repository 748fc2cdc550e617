//! Patterns over names, each in the terms of its kind: labels for DNS, prefixes for IP, segments for URI paths.
//!
//! A rule that allows asks whether the pattern *covers* the name: everything that the name stands for. A rule that
//! denies asks whether the two *overlap*: a wildcard name stands for the denied host below it, too.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::x509::{Attribute, DnsName, EmailAddress, InvalidValue, San, SanKind, Uri};

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

impl Pattern {
    pub(super) fn for_san(kind: SanKind, text: &str) -> Result<Self, InvalidValue> {
        if text == "*" {
            return Ok(Self::Any);
        }
        match kind {
            SanKind::DnsName => DnsPattern::parse(text).map(Self::Dns),
            SanKind::IpAddress => parse_net(text).map(Self::Ip),
            SanKind::Email | SanKind::Upn => MailboxPattern::parse(text).map(Self::Mailbox),
            SanKind::Uri => UriPattern::parse(text).map(Self::Uri),
        }
    }

    pub(super) fn for_attribute(attribute: Attribute, text: &str) -> Result<Self, InvalidValue> {
        if text.is_empty() || text.len() > 1024 || text.chars().any(char::is_control) {
            return Err(InvalidValue::new("pattern", text, "1 to 1024 bytes without control characters"));
        }
        let is_dns = attribute == Attribute::CommonName && (text.starts_with("*.") || text.starts_with("**."));
        match text {
            "*" => Ok(Self::Any),
            _ if is_dns => DnsPattern::parse(text).map(Self::Dns),
            _ => Ok(Self::Text(TextPattern::parse(text))),
        }
    }

    /// Whether the pattern takes in all that `san` stands for.
    pub(super) fn covers_san(&self, san: &San) -> bool {
        match (self, san) {
            (Self::Any, _) => true,
            (Self::Dns(pattern), San::Dns(name)) => pattern.covers(name),
            (Self::Ip(net), San::Ip(address)) => net.contains(address),
            (Self::Mailbox(pattern), San::Email(address)) => pattern.covers_email(address),
            (Self::Mailbox(pattern), San::Upn(name)) => pattern.covers_upn(name),
            (Self::Uri(pattern), San::Uri(uri)) => pattern.covers(uri),
            _ => false,
        }
    }

    /// Whether the pattern and what `san` stands for have anything in common.
    pub(super) fn overlaps_san(&self, san: &San) -> bool {
        match (self, san) {
            (Self::Dns(pattern), San::Dns(name)) => pattern.overlaps(name),
            (Self::Uri(pattern), San::Uri(uri)) => pattern.overlaps(uri),
            _ => self.covers_san(san),
        }
    }

    /// Whether the pattern takes in all that a subject attribute's value stands for.
    pub(super) fn covers_text(&self, value: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Text(pattern) => pattern.matches(value),
            Self::Dns(pattern) => value.parse::<DnsName>().is_ok_and(|name| pattern.covers(&name)),
            _ => false,
        }
    }

    /// Whether the pattern and a subject attribute's value have anything in common; letter case is looked past, so that
    /// `ADMIN.example.com` does not slip by a rule on `admin.example.com`.
    pub(super) fn overlaps_text(&self, value: &str) -> bool {
        match self {
            Self::Text(pattern) => {
                let host = DnsPattern::parse(&pattern.0).ok().zip(value.parse::<DnsName>().ok());
                pattern.matches_any_case(value) || host.is_some_and(|(denied, name)| denied.overlaps(&name))
            }
            Self::Dns(pattern) => value.parse::<DnsName>().is_ok_and(|name| pattern.overlaps(&name)),
            _ => self.covers_text(value),
        }
    }
}

fn parse_net(text: &str) -> Result<IpNet, InvalidValue> {
    let accepted = "an IP address or CIDR block without host bits, such as `192.0.2.7` or `10.0.0.0/8`";
    let refuse = || InvalidValue::new("pattern", text, accepted);
    let address = text.parse::<IpAddr>().map(IpNet::from);
    let net = address.or_else(|_| text.parse::<IpNet>()).map_err(|_| refuse())?;
    if net.trunc() == net { Ok(net) } else { Err(refuse()) }
}

/// A DNS name, one whole label below a name (`*.`), or any number of labels below it (`**.`).
#[derive(Clone, Debug)]
pub(super) enum DnsPattern {
    Exact(DnsName),
    OneLabelBelow(String),
    Below(String),
}

impl DnsPattern {
    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let accepted = "a DNS name, `*.name` (one label below it), `**.name` (any number of labels below it) or `*`";
        let parse = |base: &str| base.parse::<DnsName>().ok().filter(|name| !name.is_wildcard());
        let parsed = if let Some(base) = text.strip_prefix("**.") {
            parse(base).map(|name| Self::Below(name.to_string()))
        } else if let Some(base) = text.strip_prefix("*.") {
            parse(base).map(|name| Self::OneLabelBelow(name.to_string()))
        } else {
            parse(text).map(Self::Exact)
        };
        parsed.ok_or_else(|| InvalidValue::new("pattern", text, accepted))
    }

    fn covers(&self, name: &DnsName) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::OneLabelBelow(base) => parent(name.as_str()) == Some(base),
            Self::Below(base) => is_below(name.as_str(), base),
        }
    }

    fn overlaps(&self, name: &DnsName) -> bool {
        if !name.is_wildcard() {
            return self.covers(name);
        }
        match self {
            Self::Exact(exact) => parent(exact.as_str()) == Some(name.base()),
            Self::OneLabelBelow(base) => base == name.base(),
            Self::Below(base) => base == name.base() || is_below(name.base(), base),
        }
    }
}

fn parent(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, parent)| parent)
}

fn is_below(name: &str, base: &str) -> bool {
    name.strip_suffix(base).is_some_and(|labels| labels.len() > 1 && labels.ends_with('.'))
}

/// `local@domain` or `*@domain`, where the domain is a DNS pattern; a bare domain stands for `*@domain`.
#[derive(Clone, Debug)]
pub(super) struct MailboxPattern {
    local: Option<String>,
    domain: DnsPattern,
}

impl MailboxPattern {
    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let accepted = "`local@domain`, `*@domain` or `domain`, the domain also as `*.name` or `**.name`";
        let (local, domain) = text.rsplit_once('@').unwrap_or(("*", text));
        let domain = DnsPattern::parse(domain).map_err(|_| InvalidValue::new("pattern", text, accepted))?;
        match local {
            "*" => Ok(Self { local: None, domain }),
            "" => Err(InvalidValue::new("pattern", text, accepted)),
            local => Ok(Self { local: Some(local.to_owned()), domain }),
        }
    }

    fn covers_email(&self, address: &EmailAddress) -> bool {
        self.covers(address.local_part(), address.domain())
    }

    fn covers_upn(&self, name: &str) -> bool {
        name.rsplit_once('@').is_some_and(|(user, realm)| self.covers(user, realm))
    }

    fn covers(&self, local: &str, domain: &str) -> bool {
        let local_fits = self.local.as_deref().is_none_or(|pattern| pattern.eq_ignore_ascii_case(local));
        local_fits && domain.parse::<DnsName>().is_ok_and(|name| self.domain.covers(&name))
    }
}

/// A whole URI, or scheme, host pattern and path pattern.
#[derive(Clone, Debug)]
pub(super) enum UriPattern {
    Exact(Uri),
    Parts {
        scheme: String,
        host: DnsPatternOrAny,
        path: String,
    },
    /// Without a host: `urn:example:*`.
    Prefix {
        scheme: String,
        path: String,
    },
}

#[derive(Clone, Debug)]
pub(super) enum DnsPatternOrAny {
    Any,
    Dns(DnsPattern),
}

impl UriPattern {
    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let accepted = "an absolute URI, or `scheme://host/path` with a host pattern (`*.name`, `**.name`, `*`) and a path \
                        in which `*` stands for one segment and a final `**` for any, or `scheme:prefix*`";
        let refuse = || InvalidValue::new("pattern", text, accepted);
        if !text.contains('*') {
            return text.parse().map(Self::Exact).map_err(|_| refuse());
        }
        let (scheme, rest) = text.split_once(':').ok_or_else(refuse)?;
        let scheme_fits =
            !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        if !scheme_fits || !text.is_ascii() || rest.contains(['?', '#']) {
            return Err(refuse());
        }
        let scheme = scheme.to_ascii_lowercase();
        match rest.strip_prefix("//") {
            Some(rest) => Self::with_host(scheme, rest).ok_or_else(refuse),
            None => match rest.strip_suffix('*').filter(|prefix| !prefix.contains('*')) {
                Some(prefix) => Ok(Self::Prefix { scheme, path: prefix.to_owned() }),
                None => Err(refuse()),
            },
        }
    }

    fn with_host(scheme: String, rest: &str) -> Option<Self> {
        let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let host = match host {
            "*" => DnsPatternOrAny::Any,
            host => DnsPatternOrAny::Dns(DnsPattern::parse(host).ok()?),
        };
        let segments: Vec<&str> = path.split('/').collect();
        let (last, others) = segments.split_last()?;
        let fits = |segment: &str| segment == "*" || !segment.contains('*');
        let path_fits = others.iter().all(|segment| fits(segment)) && (fits(last) || *last == "**");
        path_fits.then(|| Self::Parts { scheme, host, path: path.to_owned() })
    }

    /// User, port, query and fragment are covered only by naming the whole URI.
    fn covers(&self, uri: &Uri) -> bool {
        match self {
            Self::Exact(exact) => exact == uri,
            _ => {
                let parts = uri.parts();
                !parts.has_user_or_port && !parts.has_query_or_fragment && self.overlaps(uri)
            }
        }
    }

    fn overlaps(&self, uri: &Uri) -> bool {
        let parts = uri.parts();
        match self {
            Self::Exact(exact) => {
                let denied = exact.parts();
                (denied.scheme, denied.host, denied.path) == (parts.scheme, parts.host, parts.path)
            }
            Self::Parts { scheme, host, path } => {
                *scheme == parts.scheme
                    && parts.host.is_some_and(|name| host_covers(host, &name))
                    && path_matches(path, &parts.path)
            }
            Self::Prefix { scheme, path } => {
                *scheme == parts.scheme && parts.host.is_none() && parts.path.starts_with(path.as_str())
            }
        }
    }
}

fn host_covers(pattern: &DnsPatternOrAny, host: &str) -> bool {
    match pattern {
        DnsPatternOrAny::Any => true,
        DnsPatternOrAny::Dns(pattern) => host.parse::<DnsName>().is_ok_and(|name| pattern.covers(&name)),
    }
}

fn path_matches(pattern: &str, path: &str) -> bool {
    let mut wanted = pattern.split('/').peekable();
    let mut seen = path.split('/');
    while let Some(want) = wanted.next() {
        let is_rest = want == "**" && wanted.peek().is_none();
        match seen.next() {
            Some(segment) if is_rest => return !segment.is_empty() || seen.next().is_some(),
            Some(segment) if want == segment || (want == "*" && !segment.is_empty()) => {}
            _ => return false,
        }
    }
    seen.next().is_none()
}

/// Text in which `*` stands for any run of characters.
#[derive(Clone, Debug)]
pub(super) struct TextPattern(String);

impl TextPattern {
    fn parse(text: &str) -> Self {
        Self(text.to_owned())
    }

    fn matches(&self, value: &str) -> bool {
        matches_glob(&self.0, value)
    }

    fn matches_any_case(&self, value: &str) -> bool {
        matches_glob(&self.0.to_lowercase(), &value.to_lowercase())
    }
}

/// Linear in the value for each star: after the first part, each next part is taken where it first occurs.
fn matches_glob(pattern: &str, value: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = value.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dns(pattern: &str, name: &str) -> (bool, bool) {
        let pattern = Pattern::for_san(SanKind::DnsName, pattern).unwrap();
        let name = San::dns(name).unwrap();
        (pattern.covers_san(&name), pattern.overlaps_san(&name))
    }

    #[test]
    fn dns_patterns_cover_whole_labels_and_overlap_through_wildcards() {
        let table = [
            ("example.com", "Example.com", (true, true)),
            ("example.com", "www.example.com", (false, false)),
            ("*.example.com", "www.example.com", (true, true)),
            ("*.example.com", "a.b.example.com", (false, false)),
            ("*.example.com", "example.com", (false, false)),
            ("*.example.com", "*.example.com", (true, true)),
            ("*.example.com", "*.b.example.com", (false, false)),
            ("**.example.com", "a.b.example.com", (true, true)),
            ("**.example.com", "*.b.example.com", (true, true)),
            ("**.example.com", "example.com", (false, false)),
            ("**.example.com", "badexample.com", (false, false)),
            ("admin.example.com", "*.example.com", (false, true)),
            ("**.b.example.com", "*.example.com", (false, false)),
            ("*", "anything.example", (true, true)),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(dns(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn other_kinds() {
        let covers = |kind, pattern: &str, name: &str| {
            Pattern::for_san(kind, pattern).unwrap().covers_san(&San::parse(kind, name).unwrap())
        };
        let table = [
            (SanKind::IpAddress, "10.0.0.0/8", "10.1.2.3", true),
            (SanKind::IpAddress, "10.0.0.0/8", "11.1.2.3", false),
            (SanKind::IpAddress, "2001:db8::/32", "2001:db8::1", true),
            (SanKind::IpAddress, "192.0.2.7", "192.0.2.7", true),
            (SanKind::Email, "example.com", "jane@Example.com", true),
            (SanKind::Email, "*@example.com", "jane@sub.example.com", false),
            (SanKind::Email, "jane@example.com", "Jane@example.com", true),
            (SanKind::Email, "jane@example.com", "john@example.com", false),
            (SanKind::Upn, "*@corp.example", "jané@corp.example", true),
            (SanKind::Uri, "spiffe://example.org/ns/*/sa/*", "spiffe://example.org/ns/a/sa/b", true),
            (SanKind::Uri, "spiffe://example.org/ns/*", "spiffe://example.org/ns/a/sa/b", false),
            (SanKind::Uri, "spiffe://example.org/ns/**", "spiffe://EXAMPLE.org/ns/a/sa/b", true),
            (SanKind::Uri, "spiffe://example.org/ns/**", "spiffe://example.org/ns", false),
            (SanKind::Uri, "spiffe://example.org/ns/**", "spiffe://evil.example/ns/a", false),
            (SanKind::Uri, "https://*.example.org/**", "https://a.example.org:8443/x", false),
            (SanKind::Uri, "https://*.example.org/**", "https://user@a.example.org/x", false),
            (SanKind::Uri, "https://a.example/x?y", "https://a.example/x?y", true),
            (SanKind::Uri, "urn:example:*", "urn:example:1", true),
            (SanKind::Uri, "urn:example:*", "urn:other:1", false),
        ];
        for (kind, pattern, name, expected) in table {
            assert_eq!(covers(kind, pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_no_pattern() {
        let table = [
            (SanKind::DnsName, "a*.example.com"),
            (SanKind::DnsName, "*.*.example.com"),
            (SanKind::DnsName, "10.0.0.1"),
            (SanKind::IpAddress, "10.0.0.1/8"),
            (SanKind::IpAddress, "10.0.0.0/33"),
            (SanKind::IpAddress, "*.example.com"),
            (SanKind::Email, "@"),
            (SanKind::Uri, "*://x/"),
            (SanKind::Uri, "https://a/**/b"),
            (SanKind::Uri, "https://a/b*c"),
        ];
        for (kind, text) in table {
            assert!(Pattern::for_san(kind, text).is_err(), "{text}");
        }
    }

    #[test]
    fn common_names_match_as_host_names_where_the_pattern_does() {
        let pattern = Pattern::for_attribute(Attribute::CommonName, "*.example.com").unwrap();
        assert!(pattern.covers_text("www.example.com"));
        assert!(!pattern.covers_text("a.b.example.com"));
        assert!(!pattern.covers_text("evil /.example.com"));
        let text = Pattern::for_attribute(Attribute::Organization, "Example * GmbH").unwrap();
        assert!(text.covers_text("Example Trading GmbH"));
        assert!(!text.covers_text("example trading gmbh"));
        assert!(text.overlaps_text("EXAMPLE TRADING GMBH"));
    }

    #[test]
    fn a_denied_common_name_is_denied_in_any_case_and_behind_a_wildcard() {
        let pattern = Pattern::for_attribute(Attribute::CommonName, "admin.example.com").unwrap();
        assert!(pattern.overlaps_text("ADMIN.example.com"));
        assert!(pattern.overlaps_text("*.example.com"));
        assert!(!pattern.covers_text("*.example.com"));
    }

    proptest! {
        #[test]
        fn what_is_covered_overlaps(
            pattern in "(\\*\\.|\\*\\*\\.)?[a-c](\\.[a-c]){0,3}",
            name in "(\\*\\.)?[a-c](\\.[a-c]){0,3}",
        ) {
            let (covers, overlaps) = dns(&pattern, &name);
            prop_assert!(!covers || overlaps);
        }

        #[test]
        fn globs_agree_with_a_simple_model(pattern in "[ab*]{0,6}", value in "[ab]{0,8}") {
            prop_assert_eq!(matches_glob(&pattern, &value), model(pattern.as_bytes(), value.as_bytes()));
        }
    }

    fn model(pattern: &[u8], value: &[u8]) -> bool {
        match pattern.split_first() {
            None => value.is_empty(),
            Some((b'*', rest)) => (0..=value.len()).any(|at| model(rest, &value[at..])),
            Some((c, rest)) => value.split_first().is_some_and(|(v, others)| v == c && model(rest, others)),
        }
    }
}
