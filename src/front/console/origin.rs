//! Where a form was sent from: pages of other origins are refused.

use http::HeaderMap;
use http::header::{HOST, ORIGIN};

use crate::front::{Code, Problem};

/// Lets a form pass that a page of this origin sent. Browsers say so by `Sec-Fetch-Site`, older ones by `Origin`; what says
/// neither is refused.
pub(super) fn check(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let is_ours = match (text("sec-fetch-site"), text(ORIGIN.as_str())) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => is_at(origin, text(HOST.as_str()).unwrap_or_default()),
        (None, None) => false,
    };
    if is_ours { Ok(()) } else { Err(forged()) }
}

/// Whether an origin is that of a host, with its port.
fn is_at(origin: &str, host: &str) -> bool {
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    authority.is_some_and(|authority| !host.is_empty() && authority.eq_ignore_ascii_case(host))
}

/// A form that no page of this session sent.
pub(super) fn forged() -> Problem {
    Problem::new(
        Code::Forbidden,
        "The form did not come from a page of this session. Go back, reload the page, and try again.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_other_origins_are_refused() {
        let table: [(&[(&str, &str)], bool); 9] = [
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "same-site"), ("origin", "https://a.example"), ("host", "a.example")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "https://a.example:8443"), ("host", "a.example:8443")], true),
            (&[("origin", "https://b.example"), ("host", "a.example")], false),
            (&[("origin", "null"), ("host", "a.example")], false),
            (&[("origin", "https://"), ("host", "")], false),
            (&[], false),
        ];
        for (headers, passes) in table {
            let pairs = headers
                .iter()
                .map(|(name, value)| (http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap()));
            assert_eq!(check(&pairs.collect()).is_ok(), passes, "{headers:?}");
        }
    }
}
