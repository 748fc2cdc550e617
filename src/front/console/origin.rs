//! Where a form was sent from: pages of other origins are refused.

use http::header::{HOST, ORIGIN};
use http::request::Parts;

use crate::front::{Code, Problem};

/// Lets a form pass that a page of this origin sent. Browsers say so by `Sec-Fetch-Site`, older ones by `Origin`; what says
/// neither is refused.
pub(super) fn check(request: &Parts) -> Result<(), Problem> {
    let text = |name: &str| request.headers.get(name).map(|value| value.to_str().unwrap_or_default());
    // HTTP/2 names the host in the request's target (RFC 9113 section 8.3.1).
    let host = text(HOST.as_str()).or_else(|| request.uri.authority().map(|authority| authority.as_str()));
    let is_ours = match (text("sec-fetch-site"), text(ORIGIN.as_str())) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => is_at(origin, host.unwrap_or_default()),
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
            let request =
                headers.iter().fold(http::Request::builder(), |request, (name, value)| request.header(*name, *value));
            assert_eq!(check(&request.body(()).unwrap().into_parts().0).is_ok(), passes, "{headers:?}");
        }
        let request = http::Request::builder().uri("https://a.example/sign-in").header("origin", "https://a.example");
        check(&request.body(()).unwrap().into_parts().0).unwrap();
    }
}
