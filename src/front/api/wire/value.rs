//! Single values: instants, lengths of time, names, tags, secrets.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use crate::domain::{Metadata, Span, Values};
use crate::sealer::Secret;
use crate::x509::{ExtendedKeyUsage, InvalidValue, KeyUsage, San, SanKind, SanSpec};

/// An instant (RFC 3339). A date alone is taken, too, and is its midnight in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front::api) struct Moment(pub(in crate::front::api) OffsetDateTime);

impl From<OffsetDateTime> for Moment {
    fn from(instant: OffsetDateTime) -> Self {
        Self(instant)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        time::serde::rfc3339::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let date = || Date::parse(&text, format_description!("[year]-[month]-[day]")).ok();
        let instant = OffsetDateTime::parse(&text, &Rfc3339).ok().or_else(|| Some(date()?.midnight().assume_utc()));
        let accepted = "RFC 3339 such as `2026-11-22T12:00:00Z`, or a date such as `2026-11-22`";
        instant.map(Self).ok_or_else(|| D::Error::custom(InvalidValue::new("instant", &text, accepted)))
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        match generator.contract().is_serialize() {
            true => json_schema!({ "type": "string", "format": "date-time" }),
            false => json_schema!({ "type": "string", "description": "RFC 3339, or a date alone." }),
        }
    }
}

/// A time to live as this API reads it: `m` are minutes here, and everywhere else refused.
#[derive(Clone, Copy, Debug)]
pub(in crate::front::api) struct Ttl(pub(in crate::front::api) Span);

impl<'de> Deserialize<'de> for Ttl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let minutes = text.strip_suffix('m').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
        let spelled = minutes.map(|digits| format!("{digits}min"));
        spelled.unwrap_or(text).parse().map(Self).map_err(D::Error::custom)
    }
}

impl JsonSchema for Ttl {
    fn schema_name() -> Cow<'static, str> {
        "Ttl".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let description =
            "How long: `90d`, `12h`, `30m` (minutes), `90s`, `2w`, or ISO 8601 (`P90D`). No months or years.";
        json_schema!({ "type": "string", "description": description })
    }
}

/// A subject alternative name.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::front::api) struct AltName {
    /// The kind: `dns_name`, or `DNS` for the same.
    #[serde(rename = "type")]
    kind: SanKind,
    /// The name.
    value: String,
}

impl From<AltName> for SanSpec {
    fn from(name: AltName) -> Self {
        Self { kind: name.kind, value: name.value }
    }
}

impl From<&San> for AltName {
    fn from(san: &San) -> Self {
        Self { kind: san.kind(), value: san.value() }
    }
}

impl JsonSchema for SanKind {
    fn schema_name() -> Cow<'static, str> {
        "SanKind".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut words: Vec<&str> = SanKind::ALL.iter().map(|kind| kind.as_str()).collect();
        if generator.contract().is_deserialize() {
            words.extend(["dns", "DNS", "ip", "IP", "URI", "UPN"]);
        }
        json_schema!({ "type": "string", "enum": words })
    }
}

/// A key usage; older clients write `digitalSignature`.
#[derive(Clone, Copy, Debug)]
pub(in crate::front::api) struct UsageWord(pub(in crate::front::api) KeyUsage);

impl<'de> Deserialize<'de> for UsageWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let word = if text == "cRLSign" { "crl_sign".to_owned() } else { snake(&text) };
        let found = KeyUsage::ALL.into_iter().find(|usage| usage.as_str() == word);
        let accepted = || KeyUsage::ALL.map(KeyUsage::as_str).join(", ");
        found.map(Self).ok_or_else(|| D::Error::custom(InvalidValue::new("key usage", &text, accepted())))
    }
}

impl JsonSchema for UsageWord {
    fn schema_name() -> Cow<'static, str> {
        "KeyUsageWord".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = KeyUsage::ALL.map(KeyUsage::as_str).to_vec();
        let camel = words.iter().map(|word| super::super::spelling::camel(word)).chain(["cRLSign".to_owned()]);
        let all: Vec<String> = words.iter().map(|word| (*word).to_owned()).chain(camel).collect();
        json_schema!({ "type": "string", "enum": all })
    }
}

/// An extended key usage; older clients write `serverAuth` and `timestamping`.
#[derive(Clone, Debug)]
pub(in crate::front::api) struct PurposeWord(pub(in crate::front::api) ExtendedKeyUsage);

impl<'de> Deserialize<'de> for PurposeWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let word = if text.eq_ignore_ascii_case("timestamping") { "time_stamping".to_owned() } else { snake(&text) };
        word.parse().map(Self).map_err(D::Error::custom)
    }
}

impl JsonSchema for PurposeWord {
    fn schema_name() -> Cow<'static, str> {
        "ExtendedKeyUsageWord".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "`server_auth` and so on, or a dotted object identifier." })
    }
}

fn snake(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len() + 4), |mut word, c| {
        if c.is_ascii_uppercase() {
            word.push('_');
        }
        word.push(c.to_ascii_lowercase());
        word
    })
}

impl JsonSchema for Values {
    fn schema_name() -> Cow<'static, str> {
        "Values".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
    }
}

/// A tag.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::front::api) struct Pair {
    /// 1 to 64 letters, digits, `.`, `-`, `_` and `/`.
    pub(in crate::front::api) key: String,
    /// At most 256 characters.
    pub(in crate::front::api) value: String,
}

/// Tags as a map; a key that occurs twice is a fault.
pub(in crate::front::api) fn tags(pairs: Vec<Pair>) -> Result<BTreeMap<String, String>, (String, InvalidValue)> {
    let mut tags = BTreeMap::new();
    for (at, Pair { key, value }) in pairs.into_iter().enumerate() {
        if tags.contains_key(&key) {
            return Err((format!("metadata[{at}].key"), InvalidValue::new("metadata key", key, "each key once")));
        }
        tags.insert(key, value);
    }
    Ok(tags)
}

/// Tags as they are shown.
pub(in crate::front::api) fn pairs(metadata: &Metadata) -> Vec<Pair> {
    metadata.iter().map(|(key, value)| Pair { key: key.to_owned(), value: value.to_owned() }).collect()
}

/// A private key on its way out.
#[derive(Debug)]
pub(in crate::front::api) struct KeyText(pub(in crate::front::api) Secret);

impl Serialize for KeyText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_text())
    }
}

impl JsonSchema for KeyText {
    fn schema_name() -> Cow<'static, str> {
        "PrivateKeyPem".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "PKCS#8, PEM." })
    }
}

/// A token on its way out.
pub(in crate::front::api) struct SecretText(pub(in crate::front::api) Secret);

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_text())
    }
}

impl JsonSchema for SecretText {
    fn schema_name() -> Cow<'static, str> {
        "AccessToken".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// A secret on its way in: a private key, or a password.
#[derive(Debug)]
pub(in crate::front::api) struct PrivateText(pub(in crate::front::api) Secret);

impl<'de> Deserialize<'de> for PrivateText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text.into_bytes())))
    }
}

impl JsonSchema for PrivateText {
    fn schema_name() -> Cow<'static, str> {
        "PrivateText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}

/// Reads a field that may be absent, `null` or a value, and tells all three apart.
pub(in crate::front::api) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A word of the domain, as text.
pub(in crate::front::api) fn word(word: impl Display) -> String {
    word.to_string()
}
