//! Templates of the names that certificates get at a target.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{NameRules, RemoteName};
use crate::domain::{Application, CertificateId, CertificateRecord};
use crate::x509::InvalidValue;

/// How names at a target are made: text with placeholders, for example `web-{lineage}`.
///
/// | placeholder | also | becomes |
/// |---|---|---|
/// | `{certificate_id}` | `{{certificateId}}` | the certificate's id, 31 characters |
/// | `{short_id}` | `{{shortCertificateId}}` | the same without `cert-`, 26 characters |
/// | `{lineage}` | | the id of the first certificate of the lineage, 31 characters |
/// | `{common_name}` | `{{commonName}}` | the common name, cut to 64 characters; empty if there is none |
/// | `{application}` | `{{applicationName}}` | the Application's name |
/// | `{application_id}` | `{{applicationId}}` | the Application's id |
/// | `{profile}` | `{{profileId}}` | the profile's id; the certificate's if there is none |
///
/// One of the first three must be there: otherwise two certificates would get one name.
///
/// ```
/// use chancery::domain::{NameRules, NameTemplate};
/// let template: NameTemplate = "{{commonName}}-{short_id}".parse()?;
/// assert!(template.check(&NameRules::new(128, "-._")).is_ok());
/// assert!(template.check(&NameRules::new(63, "-")).is_err(), "64 + 1 + 26 characters");
/// assert!("{common_name}".parse::<NameTemplate>().is_err(), "not unique");
/// # Ok::<_, chancery::x509::InvalidValue>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NameTemplate {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Placeholder(Placeholder),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placeholder {
    CertificateId,
    ShortId,
    Lineage,
    CommonName,
    Application,
    ApplicationId,
    Profile,
}

/// What the placeholders of one certificate become.
#[derive(Clone, Copy, Debug)]
pub struct NameValues<'a> {
    /// The certificate.
    pub record: &'a CertificateRecord,
    /// The Application that owns it.
    pub application: &'a Application,
}

/// The longest template.
const LONGEST: usize = 512;
/// The longest common name that is taken over (RFC 5280 appendix A, ub-common-name).
const LONGEST_COMMON_NAME: usize = 64;

const ACCEPTED: &str = "text and `{certificate_id}`, `{short_id}`, `{lineage}`, `{common_name}`, `{application}`, \
     `{application_id}` and `{profile}`, one of the first three among them; at most 512 bytes";

impl NameTemplate {
    /// `{lineage}`: the name stays the same through all renewals.
    pub fn lineage() -> Self {
        Self { text: "{lineage}".into(), parts: vec![Part::Placeholder(Placeholder::Lineage)] }
    }

    /// The template's text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether each certificate of a lineage gets a name of its own.
    pub fn tells_renewals_apart(&self) -> bool {
        self.placeholders().any(|each| matches!(each, Placeholder::CertificateId | Placeholder::ShortId))
    }

    /// Whether the longest name that it can make is one that the target takes.
    ///
    /// # Errors
    /// It may be longer than the target takes.
    pub fn check(&self, rules: &NameRules) -> Result<(), InvalidValue> {
        let longest = rules.prefix.len() + self.parts.iter().map(Part::longest).sum::<usize>();
        if longest <= rules.max_length {
            return Ok(());
        }
        let accepted =
            format!("a template whose names have at most {} characters; these may have {longest}", rules.max_length);
        Err(InvalidValue::new("name template", &self.text, accepted))
    }

    /// The name of a certificate, in characters that the target takes.
    ///
    /// # Errors
    /// The target does not take the name: it is longer than was checked against, or nothing is left of it.
    pub fn name(&self, values: NameValues<'_>, rules: &NameRules) -> Result<RemoteName, InvalidValue> {
        let text: String = self.parts.iter().map(|part| part.text(values)).collect();
        let name: RemoteName = rules.sanitise(&text).parse()?;
        rules.check(&name)?;
        Ok(name)
    }

    fn placeholders(&self) -> impl Iterator<Item = Placeholder> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Placeholder(placeholder) => Some(*placeholder),
        })
    }
}

impl Part {
    fn longest(&self) -> usize {
        match self {
            Self::Literal(text) => text.chars().count(),
            Self::Placeholder(placeholder) => placeholder.longest(),
        }
    }

    fn text(&self, values: NameValues<'_>) -> String {
        match self {
            Self::Literal(text) => text.clone(),
            Self::Placeholder(placeholder) => placeholder.text(values),
        }
    }
}

impl Placeholder {
    fn named(name: &str) -> Option<Self> {
        Some(match name.trim() {
            "certificate_id" | "certificateId" => Self::CertificateId,
            "short_id" | "shortCertificateId" => Self::ShortId,
            "lineage" => Self::Lineage,
            "common_name" | "commonName" => Self::CommonName,
            "application" | "applicationName" => Self::Application,
            "application_id" | "applicationId" => Self::ApplicationId,
            "profile" | "profileId" => Self::Profile,
            _ => return None,
        })
    }

    fn is_unique(self) -> bool {
        matches!(self, Self::CertificateId | Self::ShortId | Self::Lineage)
    }

    fn longest(self) -> usize {
        match self {
            Self::CertificateId | Self::Lineage | Self::Profile => 31,
            Self::ShortId => 26,
            Self::CommonName | Self::Application => LONGEST_COMMON_NAME,
            Self::ApplicationId => 30,
        }
    }

    fn text(self, NameValues { record, application }: NameValues<'_>) -> String {
        match self {
            Self::CertificateId => record.id.to_string(),
            Self::ShortId => short(record.id),
            Self::Lineage => record.lineage.to_string(),
            Self::CommonName => {
                let name = record.subject.common_name().unwrap_or_default();
                name.chars().take(LONGEST_COMMON_NAME).collect()
            }
            Self::Application => application.name.to_string(),
            Self::ApplicationId => application.id.to_string(),
            Self::Profile => record.profile.map_or_else(|| record.id.to_string(), |(profile, _)| profile.to_string()),
        }
    }
}

fn short(id: CertificateId) -> String {
    id.to_string().trim_start_matches(CertificateId::PREFIX).to_owned()
}

impl FromStr for NameTemplate {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let refuse = || InvalidValue::new("name template", text, ACCEPTED);
        let parts = parse(text).filter(|_| text.len() <= LONGEST).ok_or_else(refuse)?;
        let template = Self { text: text.to_owned(), parts };
        if template.placeholders().any(Placeholder::is_unique) { Ok(template) } else { Err(refuse()) }
    }
}

/// The parts of a template; `None` for an unknown placeholder or a brace without its other half.
fn parse(text: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(['{', '}']) {
        let (literal, tail) = rest.split_at(start);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.to_owned()));
        }
        let (open, close) = if tail.starts_with("{{") { ("{{", "}}") } else { ("{", "}") };
        let (name, after) = tail.strip_prefix(open)?.split_once(close)?;
        parts.push(Part::Placeholder(Placeholder::named(name)?));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest.to_owned()));
    }
    Some(parts)
}

impl TryFrom<String> for NameTemplate {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl From<NameTemplate> for String {
    fn from(template: NameTemplate) -> Self {
        template.text
    }
}

impl fmt::Display for NameTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
