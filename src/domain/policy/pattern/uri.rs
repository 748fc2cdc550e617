//! Patterns over URIs: scheme, host and path segments, or a prefix where there is no host.

use super::dns::DnsPattern;
use crate::x509::{InvalidValue, Uri, UriParts, normal_path};

const ACCEPTED: &str = "an absolute URI, or `scheme://host/path` with a host pattern (`*.name`, `**.name`, `*`) and a path in \
                        which `*` stands for one segment and a final `**` for any, or `scheme:prefix*`";

/// A whole URI, or scheme, host pattern and path pattern.
#[derive(Clone, Debug)]
pub(in crate::domain::policy) enum UriPattern {
    Exact {
        uri: Uri,
        parts: UriParts,
    },
    Hierarchical {
        scheme: String,
        host: HostPattern,
        segments: Vec<String>,
    },
    /// Without a host: `urn:example:*`. An empty prefix takes in every URI of the scheme.
    Prefix {
        scheme: String,
        path: String,
    },
}

#[derive(Clone, Debug)]
pub(in crate::domain::policy) enum HostPattern {
    Any,
    Dns(DnsPattern),
}

impl UriPattern {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidValue> {
        let refuse = || InvalidValue::new("pattern", text, ACCEPTED);
        if !text.contains('*') {
            let uri: Uri = text.parse()?;
            let parts = uri.parts();
            return Ok(Self::Exact { uri, parts });
        }
        let (scheme, rest) = text.split_once(':').ok_or_else(refuse)?;
        let is_plain = !text.contains(['?', '#', '\\', ' ']) && text.is_ascii();
        if !is_scheme(scheme) || !is_plain {
            return Err(refuse());
        }
        let scheme = scheme.to_ascii_lowercase();
        match rest.strip_prefix("//") {
            Some(rest) => Self::with_host(scheme, rest).ok_or_else(refuse),
            None => match rest.strip_suffix('*').filter(|prefix| !prefix.contains('*')) {
                Some(prefix) => Ok(Self::Prefix { scheme, path: normal_path(prefix) }),
                None => Err(refuse()),
            },
        }
    }

    fn with_host(scheme: String, rest: &str) -> Option<Self> {
        let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let host = match host {
            "*" => HostPattern::Any,
            host => HostPattern::Dns(DnsPattern::parse(host).ok()?),
        };
        let segments: Vec<String> = normal_path(path).split('/').map(str::to_owned).collect();
        let (last, others) = segments.split_last()?;
        let fits = |segment: &String| segment == "*" || !segment.contains('*');
        let path_fits = others.iter().all(fits) && (fits(last) || last == "**");
        path_fits.then_some(Self::Hierarchical { scheme, host, segments })
    }

    /// User, port, query and fragment are covered only by naming the whole URI.
    pub(super) fn covers(&self, uri: &Uri, parts: &UriParts) -> bool {
        let is_plain = !parts.has_user_or_port && !parts.has_query_or_fragment;
        match self {
            Self::Exact { uri: exact, .. } => exact == uri,
            Self::Hierarchical { scheme, host, segments } => {
                is_plain && *scheme == parts.scheme && host.covers(parts) && path_covers(segments, &parts.path)
            }
            Self::Prefix { scheme, path } => {
                let fits = path.is_empty() || parts.host.is_none() && parts.path.starts_with(path);
                is_plain && *scheme == parts.scheme && fits
            }
        }
    }

    /// User, port, query, fragment and empty path segments are looked past, and so is letter case where there is no host.
    pub(super) fn overlaps(&self, parts: &UriParts) -> bool {
        match self {
            Self::Exact { parts: denied, .. } => {
                (&denied.scheme, &denied.host) == (&parts.scheme, &parts.host) && same_path(denied, parts)
            }
            Self::Hierarchical { scheme, host, segments } => {
                *scheme == parts.scheme && host.covers(parts) && path_overlaps(segments, &parts.path)
            }
            Self::Prefix { scheme, path } => {
                let start = parts.path.get(..path.len());
                let fits = parts.host.is_none() && start.is_some_and(|start| start.eq_ignore_ascii_case(path));
                *scheme == parts.scheme && (path.is_empty() || fits)
            }
        }
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

impl HostPattern {
    fn covers(&self, parts: &UriParts) -> bool {
        let Some(host) = &parts.host else { return false };
        match self {
            Self::Any => true,
            Self::Dns(pattern) => pattern.covers(host),
        }
    }
}

/// Splits off a final `**`; with it, the rest of a path is free.
fn without_rest(segments: &[String]) -> (&[String], bool) {
    match segments.split_last() {
        Some((last, fixed)) if last == "**" => (fixed, true),
        _ => (segments, false),
    }
}

fn path_covers(wanted: &[String], path: &str) -> bool {
    let (fixed, is_free) = without_rest(wanted);
    let mut seen = path.split('/');
    let fits = |want: &String| seen.next().is_some_and(|segment| want == segment || want == "*" && !segment.is_empty());
    if !fixed.iter().all(fits) {
        return false;
    }
    match (is_free, seen.next()) {
        (false, rest) => rest.is_none(),
        (true, rest) => rest.is_some_and(|segment| !segment.is_empty() || seen.next().is_some()),
    }
}

/// As [`path_covers`], but `**` takes in the place itself, and empty segments do not count.
fn path_overlaps(wanted: &[String], path: &str) -> bool {
    let (fixed, is_free) = without_rest(wanted);
    let mut seen = path.split('/').filter(|segment| !segment.is_empty());
    let mut wanted = fixed.iter().filter(|want| !want.is_empty());
    wanted.all(|want| seen.next().is_some_and(|segment| want == segment || want == "*"))
        && (is_free || seen.next().is_none())
}

fn same_path(denied: &UriParts, seen: &UriParts) -> bool {
    if denied.host.is_none() {
        return denied.path.eq_ignore_ascii_case(&seen.path);
    }
    let segments =
        |path: &'_ str| path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    segments(&denied.path) == segments(&seen.path)
}
