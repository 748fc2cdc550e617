//! What came of a table, readable: a line for each case, and under it what differs.

use std::fmt;

use super::Expected;
use crate::domain::policy::Violation;

/// What came of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableReport {
    /// The policy's name.
    pub policy: String,
    /// Why the policy itself can not be saved; no case ran then.
    pub refused: Option<String>,
    /// The cases, in order.
    pub cases: Vec<CaseReport>,
}

/// What came of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseReport {
    /// The case's name.
    pub name: String,
    /// In which ways it is not as expected; empty if it passed.
    pub differences: Vec<Difference>,
}

/// One way in which a case is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// This violation was expected and is not there.
    Missing(Expected),
    /// This violation is there and was not expected.
    Unexpected(Violation),
    /// A refusal was expected, and the request is permitted.
    Permitted,
    /// The certificate request can not be read.
    Unreadable(String),
}

impl TableReport {
    /// Whether every case is as expected. A table without cases proves nothing and does not pass.
    pub fn passed(&self) -> bool {
        self.refused.is_none() && !self.cases.is_empty() && self.cases.iter().all(|case| case.differences.is_empty())
    }

    /// For tests.
    ///
    /// # Panics
    /// With the report, if a case is not as expected.
    #[track_caller]
    pub fn assert_passed(&self) {
        assert!(self.passed(), "{self}");
    }
}

impl fmt::Display for TableReport {
    /// `-` is expected and not there, `+` there and not expected.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passed = self.cases.iter().filter(|case| case.differences.is_empty()).count();
        writeln!(f, "policy {}: {passed} of {} cases as expected", self.policy, self.cases.len())?;
        if let Some(reason) = &self.refused {
            writeln!(f, "  {reason}")?;
        }
        self.cases.iter().try_for_each(|case| write!(f, "{case}"))
    }
}

impl fmt::Display for CaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.differences.is_empty() { "ok    " } else { "FAILED" };
        writeln!(f, "  {mark} {}", self.name)?;
        let rows: Vec<[String; 5]> = self.differences.iter().map(row).collect();
        let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or_default();
        let widths: [usize; 5] = std::array::from_fn(width);
        for row in &rows {
            let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            writeln!(f, "    {}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// Sign, field, problem, value seen and rule.
fn row(difference: &Difference) -> [String; 5] {
    let line = |sign: &str, text: &str| [sign.to_owned(), text.to_owned(), String::new(), String::new(), String::new()];
    match difference {
        Difference::Missing(expected) => [
            "-".to_owned(),
            or_star(expected.field.as_deref()),
            or_star(expected.problem.map(|problem| problem.as_str())),
            or_star(expected.seen.as_deref()),
            or_star(expected.rule.as_deref()),
        ],
        Difference::Unexpected(violation) => [
            "+".to_owned(),
            violation.field.clone(),
            violation.problem.as_str().to_owned(),
            violation.seen.clone(),
            violation.rule.clone(),
        ],
        Difference::Permitted => line("-", "expected to be refused, but it is permitted"),
        Difference::Unreadable(reason) => line("+", reason),
    }
}

/// What an expectation leaves open is shown as `*`.
fn or_star(text: Option<&str>) -> String {
    text.unwrap_or("*").to_owned()
}
