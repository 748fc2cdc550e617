//! What the kit found, for people and for assertions.

use std::fmt;

use super::check::Outcome;

/// The findings of a run, one for each check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a report that nobody reads proves nothing"]
pub struct Report {
    findings: Vec<Finding>,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The clause of the contract on [`Store`](crate::store::Store), or `Model` for the comparison with the memory store.
    pub clause: &'static str,
    /// The check's name.
    pub check: String,
    /// What was seen, if the check failed.
    pub failure: Option<String>,
}

impl Report {
    /// Whether every check passed.
    pub fn passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// Every finding, in the order of the checks.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The findings of the checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.failure.is_some())
    }

    /// Panics with the report, unless every check passed.
    ///
    /// # Panics
    ///
    /// If a check failed.
    #[track_caller]
    pub fn assert_passed(&self) {
        assert!(self.passed(), "the store breaks its contract\n{self}");
    }

    pub(super) fn add(&mut self, clause: &'static str, check: &str, outcome: Outcome) {
        let failure = outcome.err().map(|seen| seen.0);
        self.findings.push(Finding { clause, check: check.to_owned(), failure });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        write!(f, "{} checks, {} failed", self.findings.len(), self.failures().count())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.failure {
            None => write!(f, "ok      {}: {}", self.clause, self.check),
            Some(seen) => write!(f, "FAILED  {}: {}: {seen}", self.clause, self.check),
        }
    }
}
