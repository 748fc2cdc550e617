//! Judgements as values: permit, or every violation with the rule, the value seen and what would be allowed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::x509::Lint;

/// What a policy says of a certificate to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    violations: Vec<Violation>,
}

impl Verdict {
    /// A verdict with these violations; without any it permits.
    pub fn new(violations: Vec<Violation>) -> Self {
        Self { violations }
    }

    /// Whether the certificate may be issued.
    pub fn permits(&self) -> bool {
        self.violations.is_empty()
    }

    /// Every violation found.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// The violations, taken out.
    pub fn into_violations(self) -> Vec<Violation> {
        self.violations
    }

    /// The verdict for a person to read, one violation a paragraph: what was asked, what the rule is, what would pass.
    pub fn explain(&self) -> String {
        if self.permits() {
            return "permitted: no rule is broken".to_owned();
        }
        let reasons = self.violations.iter().map(|violation| format!("\n  - {violation}"));
        let heading = match self.violations.len() {
            1 => "refused for 1 reason:".to_owned(),
            many => format!("refused for {many} reasons:"),
        };
        heading + &reasons.collect::<String>()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.explain())
    }
}

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The field of the request, for example `sans[1]` or `subject.organization`.
    pub field: String,
    /// In which way the rule is broken.
    pub problem: Problem,
    /// The rule's own path, for example `policy.sans.dns_name.denied[0]` or `profile.defaults.ttl`.
    pub rule: String,
    /// The value seen; empty if the fault is that there is none.
    pub seen: String,
    /// What would be allowed; empty if nothing would. Of a long list the first twenty, and how many more.
    pub allowed: Vec<String>,
}

impl Violation {
    /// A violation of `rule` in `field`, to be filled in.
    pub(in crate::domain) fn of(problem: Problem, field: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { field: field.into(), problem, rule: rule.into(), seen: String::new(), allowed: Vec::new() }
    }

    pub(in crate::domain) fn seen(self, seen: impl Into<String>) -> Self {
        Self { seen: seen.into(), ..self }
    }

    pub(in crate::domain) fn allowed(self, allowed: Vec<String>) -> Self {
        Self { allowed, ..self }
    }
}

impl From<Lint> for Violation {
    /// A rule that holds for every certificate, as a violation.
    fn from(lint: Lint) -> Self {
        let field = match &lint {
            Lint::NamesNobody => "subject",
            Lint::DuplicateSan { .. } => "sans",
            Lint::DuplicateExtendedKeyUsage { .. } | Lint::TimeStampingNotAlone => "extended_key_usages",
            Lint::UsageUnfitForKey { .. } | Lint::UsageWithoutKeyAgreement { .. } => "key_usages",
            Lint::CaWithoutCertSign => "basic_constraints",
            Lint::SerialTooShort { .. } => "serial",
            Lint::TooMany { .. } => "names",
            Lint::KeyIdentifierMissing | Lint::UnexpectedExtension { .. } => "extensions",
        };
        Self::of(Problem::Unsound, field, "standard").seen(lint.to_string())
    }
}

/// In which way a rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Problem {
    /// The value is expressly denied.
    Denied,
    /// The value, or its kind, is not among what is allowed.
    NotAllowed,
    /// Something that must be there is not.
    Missing,
    /// A number, time or length is out of its bounds.
    OutOfRange,
    /// The value can not be read as what it should be.
    Invalid,
    /// Two values exclude each other.
    Conflict,
    /// A rule that holds for every certificate is broken.
    Unsound,
    /// People did not agree to it, or agreed to something else.
    NotApproved,
}

impl Problem {
    /// The spelling in data, for example `not_allowed`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::NotAllowed => "not_allowed",
            Self::Missing => "missing",
            Self::OutOfRange => "out_of_range",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::Unsound => "unsound",
            Self::NotApproved => "not_approved",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (field, seen) = (&self.field, &self.seen);
        match self.problem {
            Problem::Denied => write!(f, "{field}: `{seen}` is denied")?,
            Problem::NotAllowed => write!(f, "{field}: `{seen}` is not allowed")?,
            Problem::Missing => write!(f, "{field}: missing")?,
            Problem::OutOfRange => write!(f, "{field}: `{seen}` is out of bounds")?,
            Problem::Invalid => write!(f, "{field}: `{seen}` is not valid")?,
            Problem::Conflict => write!(f, "{field}: {seen}")?,
            Problem::Unsound | Problem::NotApproved => write!(f, "{field}: {seen}")?,
        }
        write!(f, " (rule {}", self.rule)?;
        match self.allowed.as_slice() {
            [] if self.problem == Problem::NotAllowed => write!(f, "; nothing is allowed here)"),
            [] => write!(f, ")"),
            allowed => write!(f, "; allowed: {})", allowed.join(", ")),
        }
    }
}
