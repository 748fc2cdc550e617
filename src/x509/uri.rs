//! E-mail addresses and URIs as certificates hold them.

use std::fmt;
use std::str::FromStr;

use super::{DnsName, InvalidValue};

/// An e-mail address for an rfc822Name (RFC 5280 section 4.2.1.6): an ASCII local part and a lower-case domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the `@`, whose case matters.
    pub fn local_part(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(local, _)| local)
    }

    /// The domain in A-labels, lower case.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl FromStr for EmailAddress {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let refuse =
            || InvalidValue::new("email", text, "`local@domain`, the local part a dot-atom of RFC 5322 without `*`");
        let (local, domain) = text.rsplit_once('@').ok_or_else(refuse)?;
        let domain: DnsName = domain.parse().map_err(|_| refuse())?;
        if !is_dot_atom(local) || domain.is_wildcard() {
            return Err(refuse());
        }
        Ok(Self(format!("{local}@{domain}")))
    }
}

fn is_dot_atom(local: &str) -> bool {
    // RFC 5322 has `*`, too; in a certificate somebody could take it for a wildcard.
    let is_atext = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'+-/=?^_`{|}~".contains(&b);
    (1..=64).contains(&local.len()) && local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An absolute URI (RFC 3986) of at most 2048 characters, kept as written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uri(String);

impl Uri {
    /// The URI's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Scheme, host and path, as rules compare them: scheme and host in lower case, the path in normal form.
    pub(crate) fn parts(&self) -> UriParts {
        // Parsed once already when the value was made; an empty answer matches no rule.
        let Ok(uri) = fluent_uri::Uri::parse(self.0.as_str()) else { return UriParts::default() };
        let authority = uri.authority();
        UriParts {
            scheme: uri.scheme().as_str().to_ascii_lowercase(),
            host: authority.map(|a| a.host().to_ascii_lowercase()),
            has_user_or_port: authority.is_some_and(|a| a.has_userinfo() || a.has_port()),
            path: normal_path(uri.path().as_str()),
            has_query_or_fragment: uri.has_query() || uri.has_fragment(),
        }
    }
}

/// What rules look at in a URI.
#[derive(Clone, Debug, Default)]
pub(crate) struct UriParts {
    pub(crate) scheme: String,
    pub(crate) host: Option<String>,
    pub(crate) has_user_or_port: bool,
    pub(crate) path: String,
    pub(crate) has_query_or_fragment: bool,
}

impl FromStr for Uri {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let accepted = "an absolute URI (RFC 3986) of at most 2048 characters, its host (if any) plainly spelled, without `.` \
                        segments in the path";
        let refuse = || InvalidValue::new("uri", text, accepted);
        if text.len() > 2048 {
            return Err(refuse());
        }
        let uri = fluent_uri::Uri::parse(text).map_err(|_| refuse())?;
        let climbs = uri.path().as_str().split('/').any(is_dot_segment);
        let says_something = match uri.authority() {
            Some(authority) => is_plain_host(authority.host()),
            None => !uri.path().as_str().is_empty(),
        };
        if climbs || !says_something {
            return Err(refuse());
        }
        Ok(Self(text.to_owned()))
    }
}

/// A host that is there and has one spelling (RFC 5280 section 4.2.1.6): no percent-encoding, no empty label, no dot at the
/// end. Underscores are for SPIFFE trust domains.
fn is_plain_host(host: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    host.starts_with('[') || host.split('.').all(|label| !label.is_empty() && label.bytes().all(is_plain))
}

/// A path with percent-encodings decoded where they are not needed and in capitals elsewhere (RFC 3986 section 6.2.2).
pub(crate) fn normal_path(path: &str) -> String {
    let mut pieces = path.split('%');
    let mut normal = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let code = piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => normal.push(char::from(byte)),
            Some(byte) => normal.push_str(&format!("%{byte:02X}")),
            None => normal.push('%'),
        }
        normal.push_str(if code.is_some() { &piece[2..] } else { piece });
    }
    normal
}

/// `.` and `..`, also percent-encoded: a rule on a path prefix would not see where they lead.
fn is_dot_segment(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    plain == "." || plain == ".."
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_mail_addresses() {
        assert_eq!("Jane.Doe@EXAMPLE.com".parse::<EmailAddress>().unwrap().as_str(), "Jane.Doe@example.com");
        for text in
            ["", "a", "@b.c", "a@", "a@@b.c", ".a@b.c", "a..b@c.d", "ä@b.c", "a b@c.d", "a@*.b.c", "a@1.2.3.4", "*@b.c"]
        {
            assert!(text.parse::<EmailAddress>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn uris() {
        for text in ["spiffe://example.org/ns/a", "https://Example.org:8443/x?y#z", "urn:uuid:f81d4fae-7dec-11d0-a765"]
        {
            assert_eq!(text.parse::<Uri>().unwrap().as_str(), text);
        }
        for text in [
            "",
            "/relative",
            "no scheme",
            "https://exämple.org",
            "x:",
            "spiffe://a/../b",
            "spiffe://a/%2E%2e/b",
            "https://%61dmin.example/",
            "https://a.example./",
            "https:///x",
            "https://a..b/",
        ] {
            assert!(text.parse::<Uri>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn parts_are_lower_case_where_case_does_not_matter() {
        let parts = "HTTPS://Example.ORG/Path".parse::<Uri>().unwrap().parts();
        assert_eq!((parts.scheme.as_str(), parts.host.as_deref()), ("https", Some("example.org")));
        assert_eq!(parts.path, "/Path");
        assert_eq!(normal_path("/%61%2fb%c3%A9%zz%"), "/a%2Fb%C3%A9%zz%");
    }
}
