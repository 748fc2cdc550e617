//! Forms and queries: names with values.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use zeroize::Zeroize;

use crate::front::{Code, Problem};

/// Names with values, in order. A form may hold a token or a password: it is wiped when it is dropped, and never shown.
#[derive(Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `application/x-www-form-urlencoded`.
    pub(super) fn read(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The form in a body, which must be declared as one.
    pub(super) fn of(headers: &HeaderMap, body: &[u8]) -> Result<Self, Problem> {
        let media = headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim();
        if !media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Problem::new(Code::UnsupportedMediaType, "A form is expected."));
        }
        Ok(Self::read(body))
    }

    /// A field as it was sent; empty if it is absent.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// A field without the space around it, if anything is left.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        Some(self.text(name).trim()).filter(|value| !value.is_empty())
    }

    /// All fields but one, as a query, with another value for that one.
    pub(super) fn with(&self, name: &str, value: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (key, text) in self.0.iter().filter(|(key, text)| key != name && !text.is_empty()) {
            query.append_pair(key, text);
        }
        if let Some(value) = value {
            query.append_pair(name, value);
        }
        query.finish()
    }
}

impl Drop for Form {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|(_, value)| value.zeroize());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_goes_on_with_one_field_changed() {
        let query = Form::read(b"name=a%26b&after=x&status=");
        assert_eq!(query.with("after", Some("y z")), "name=a%26b&after=y+z");
        assert_eq!(query.with("after", None), "name=a%26b");
        assert_eq!((query.get("name"), query.get("status"), query.get("other")), (Some("a&b"), None, None));
    }

    #[test]
    fn only_forms_are_read() {
        let mut headers = HeaderMap::new();
        assert!(Form::of(&headers, b"a=b").is_err());
        headers.insert(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8".parse().unwrap());
        assert_eq!(Form::of(&headers, b"a=b").unwrap().text("a"), "b");
    }
}
