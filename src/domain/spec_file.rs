//! Reading specifications that people write: errors name the field, the place and what would be accepted.

use serde::de::DeserializeOwned;

/// Largest text that is read, in bytes.
pub const MAX_SPEC_BYTES: usize = 1024 * 1024;

/// Why a specification can not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// It is larger than [`MAX_SPEC_BYTES`].
    #[error("the text has {bytes} bytes; accepted are at most {MAX_SPEC_BYTES}")]
    TooLarge {
        /// The size seen.
        bytes: usize,
    },
    /// It is not what it should be.
    #[error("line {line}, column {column}: {}{reason}", prefix(field))]
    Malformed {
        /// The path of the field, for example `subject.common_name.allowed[0]`; empty if it is the whole text.
        field: String,
        /// What is wrong with it: the value or key seen and what would be accepted.
        reason: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
}

fn prefix(field: &str) -> String {
    if field.is_empty() { String::new() } else { format!("{field}: ") }
}

fn check_size(text: &str) -> Result<(), SpecError> {
    if text.len() > MAX_SPEC_BYTES { Err(SpecError::TooLarge { bytes: text.len() }) } else { Ok(()) }
}

/// The path as people write it; `.` is the whole text.
fn field(path: &serde_path_to_error::Path) -> String {
    Some(path.to_string()).filter(|path| path != ".").unwrap_or_default()
}

/// Reads one JSON value and nothing after it.
///
/// ```
/// use chancery::domain::{PolicySpec, read_json};
/// let error = read_json::<PolicySpec>(r#"{ "name": "web", "validity": { "max": "3m" } }"#).unwrap_err();
/// assert!(error.to_string().starts_with("line 1, column 44: validity.max: duration can not be `3m`"), "{error}");
/// ```
///
/// # Errors
/// Too large a text, or the first place that is not as it should be.
pub fn read_json<T: DeserializeOwned>(text: &str) -> Result<T, SpecError> {
    check_size(text)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = field(error.path());
        from_json(path, error.inner())
    })?;
    reader.end().map_err(|error| from_json(String::new(), &error))?;
    Ok(value)
}

fn from_json(field: String, error: &serde_json::Error) -> SpecError {
    let (line, column) = (error.line(), error.column());
    // serde_json writes the place behind the reason; here it stands in front.
    let text = error.to_string();
    let place = format!(" at line {line} column {column}");
    let reason = text.strip_suffix(&place).unwrap_or(&text).to_owned();
    SpecError::Malformed { field, reason, line, column }
}

/// Reads one TOML document.
///
/// # Errors
/// Too large a text, or the first place that is not as it should be.
#[cfg(feature = "toml")]
pub fn read_toml<T: DeserializeOwned>(text: &str) -> Result<T, SpecError> {
    check_size(text)?;
    let malformed = |field: String, error: &toml::de::Error| {
        let (line, column) = place(text, error.span().map_or(0, |span| span.start));
        SpecError::Malformed { field, reason: error.message().to_owned(), line, column }
    };
    let document = toml::Deserializer::parse(text).map_err(|error| malformed(String::new(), &error))?;
    serde_path_to_error::deserialize(document).map_err(|error| {
        let path = field(error.path());
        malformed(path, error.inner())
    })
}

#[cfg(feature = "toml")]
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Names, PolicySpec};

    fn refusal<T: DeserializeOwned + std::fmt::Debug>(text: &str) -> String {
        read_json::<T>(text).unwrap_err().to_string()
    }

    #[test]
    fn json_refusals_name_field_place_and_what_is_accepted() {
        let table = [
            (
                r#"{"name":"web","sans":{"dns_name":{"allow":[]}}}"#,
                "line 1, column 41: sans.dns_name.allow: unknown field `allow`, expected one of `allowed`, `required`, `denied`",
            ),
            (
                "{\"name\":\"web\",\n\"subject\":{\"common_name\":{},\"common_name\":{}}}",
                "line 2, column 41: subject: `common_name` occurs twice",
            ),
            (r#"{"name":"web","name":"web"}"#, "line 1, column 20: duplicate field `name`"),
        ];
        for (text, expected) in table {
            assert_eq!(refusal::<PolicySpec>(text), expected);
        }
    }

    #[test]
    fn unknown_names_list_the_known_ones() {
        let policy = |body: &str| refusal::<PolicySpec>(&format!(r#"{{"name":"web",{body}}}"#));
        let table = [
            (policy(r#""algorithms":{"key":["P-256"]}"#), ["algorithms.key[0]", "`P-256`", "`EC_prime256v1`"]),
            (policy(r#""subject":{"cn":{}}"#), ["subject", "`cn`", "`common_name`"]),
            (policy(r#""sans":{"hostname":{}}"#), ["sans", "`hostname`", "`dns_name`"]),
            (policy(r#""key_usages":{"denied":["sign"]}"#), ["key_usages.denied[0]", "`sign`", "`key_cert_sign`"]),
            (
                policy(r#""extended_key_usages":{"allowed":["tls"]}"#),
                ["extended_key_usages.allowed[0]", "`tls`", "server_auth, client_auth"],
            ),
            (policy(r#""validity":{"max":"3m"}"#), ["validity.max", "`3m`", "months and years"]),
            (
                refusal::<Names>(r#"{"subject":{"common_name":7}}"#),
                ["subject.common_name", "integer `7`", "a text or a list of texts"],
            ),
        ];
        for (text, parts) in table {
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
    }

    #[test]
    fn size_and_what_follows() {
        let long = " ".repeat(MAX_SPEC_BYTES + 1);
        assert_eq!(read_json::<PolicySpec>(&long), Err(SpecError::TooLarge { bytes: long.len() }));
        assert!(refusal::<PolicySpec>(r#"{"name":"web"} x"#).contains("trailing characters"));
    }

    #[cfg(feature = "toml")]
    #[test]
    fn toml_refusals_name_field_and_place() {
        let table = [
            ("name = \"web\"\nname = \"x\"\n", ["line 2, column 1", "duplicate key", ""]),
            (
                "name = \"web\"\n[sans.dns_name]\nallow = []\n",
                ["line 3, column 1: sans.dns_name", "unknown field `allow`", "expected one of `allowed`"],
            ),
            ("name = \"web\"\n[subject.cn]\n", ["line 2, column 2: subject", "unknown variant `cn`", "`common_name`"]),
            ("name = \"web\"\n[validity]\nmax = \"3m\"\n", ["line 3, column 7: validity.max", "`3m`", "`90d`"]),
            ("name = \"web\"\nsans = 1\n", ["line 2, column 8: sans", "integer `1`", "a table"]),
        ];
        for (text, parts) in table {
            let refusal = read_toml::<PolicySpec>(text).unwrap_err().to_string();
            assert!(parts.iter().all(|part| refusal.contains(part)), "{refusal}");
        }
    }
}
