//! What is wrong with a configuration, field by field, and on which line that is.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use chancery::domain::policy::PolicyFault;
use chancery::engine::Error;
use toml::de::{DeTable, DeValue};

/// One thing that is wrong.
#[derive(Debug)]
pub(crate) struct Fault {
    /// The field: `profiles[0].defaults.ttl`.
    pub(crate) path: String,
    pub(crate) said: String,
}

impl Fault {
    pub(crate) fn new(path: impl Into<String>, said: impl fmt::Display) -> Self {
        Self { path: path.into(), said: said.to_string() }
    }

    /// Several of one thing, with their fields below it.
    pub(crate) fn below<F: fmt::Display>(path: &str, faults: impl IntoIterator<Item = (String, F)>) -> Vec<Self> {
        faults.into_iter().map(|(field, said)| Self::new(join(path, &field), said)).collect()
    }
}

pub(crate) fn join(path: &str, field: &str) -> String {
    match (path, field) {
        ("", field) => field.to_owned(),
        (path, "") => path.to_owned(),
        (path, field) => format!("{path}.{field}"),
    }
}

/// What the engine has against what is declared at `path`.
pub(crate) fn of_engine(path: &str, error: Error) -> Vec<Fault> {
    match error {
        Error::Invalid { faults } => Fault::below(path, faults),
        Error::Policy(error) => error.faults.into_iter().map(|fault| of_policy(path, fault)).collect(),
        Error::Profile(error) => {
            let mut faults = Fault::below(path, error.values);
            let broken = error.violations.into_iter();
            faults.extend(broken.map(|each| Fault::new(join(path, &format!("defaults.{}", each.field)), each)));
            faults
        }
        error => vec![Fault::new(path, error)],
    }
}

pub(crate) fn of_policy(path: &str, fault: PolicyFault) -> Fault {
    match &fault {
        PolicyFault::Value { field, error } => Fault::new(join(path, field), error),
        PolicyFault::Idle { field, .. } => Fault::new(join(path, field), &fault),
        _ => Fault::new(path, &fault),
    }
}

/// Everything that is wrong with a file, a line for each fault.
pub(crate) fn told(file: &Path, text: &str, faults: &[Fault]) -> String {
    let line =
        |fault: &Fault| format!("{}:{}: {}: {}", file.display(), line_of(text, &fault.path), fault.path, fault.said);
    faults.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The line, from 1, of the deepest part of a path that is in the text.
fn line_of(text: &str, path: &str) -> usize {
    let start = DeTable::parse(text).ok().and_then(|root| span_of(root.get_ref(), path)).map_or(0, |span| span.start);
    text.get(..start).unwrap_or_default().matches('\n').count() + 1
}

fn span_of(root: &DeTable<'_>, path: &str) -> Option<Range<usize>> {
    let mut segments = path.split(['.', '[']).map(|segment| segment.trim_end_matches(']'));
    let first = segments.next()?;
    let (key, value) = root.iter().find(|(key, _)| key.get_ref().as_ref() == first)?;
    let (mut span, mut value) = (key.span(), value);
    for segment in segments {
        match value.get_ref() {
            DeValue::Table(table) => match table.iter().find(|(key, _)| key.get_ref().as_ref() == segment) {
                Some((key, found)) => (span, value) = (key.span(), found),
                None => break,
            },
            DeValue::Array(array) => match segment.parse::<usize>().ok().and_then(|at| array.get(at)) {
                Some(found) => (span, value) = (found.span(), found),
                None => break,
            },
            _ => break,
        }
    }
    Some(span)
}
