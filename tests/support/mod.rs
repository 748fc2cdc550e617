//! Other people's programs as witnesses in tests: run if the machine has them, required in CI.
#![allow(dead_code, reason = "no test uses all of them")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod installed;
pub(crate) mod office;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A program that the machine has; nothing, aloud, if it is missing outside CI.
///
/// # Panics
/// Where CI lacks the program: a test that is skipped there would never be noticed.
pub(crate) fn tool(program: &str) -> Option<Command> {
    let found =
        Command::new(program).arg("--help").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match found {
        Ok(_) => Some(Command::new(program)),
        Err(error) if std::env::var_os("CI").is_some_and(|value| value == "true") => panic!("{program}: {error}"),
        Err(error) => {
            eprintln!("SKIPPED: {program}: {error}");
            None
        }
    }
}

/// What `tests/run.sh` installs at a path of its own; nothing, aloud, if it is missing outside CI.
///
/// # Panics
/// As [`tool`].
pub(crate) fn installed(path: &str) -> Option<PathBuf> {
    let found = installed::installed(path);
    if found.exists() {
        return Some(found);
    }
    assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "{} is missing", found.display());
    eprintln!("SKIPPED: {} is missing", found.display());
    None
}

/// Runs a program that must succeed in `directory`; false, aloud, if it is missing outside CI.
pub(crate) fn run(directory: &Path, program: &str, arguments: &[&str]) -> bool {
    output(directory, program, arguments).is_some()
}

/// What a program that must succeed in `directory` writes to its output; nothing, aloud, if it is missing outside CI.
pub(crate) fn output(directory: &Path, program: &str, arguments: &[&str]) -> Option<Vec<u8>> {
    let output = attempt(directory, program, arguments)?;
    let said = [&output.stdout[..], &output.stderr].concat();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&said));
    Some(output.stdout)
}

/// The same as text.
pub(crate) fn text(directory: &Path, program: &str, arguments: &[&str]) -> Option<String> {
    output(directory, program, arguments).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// How a program that may fail ends in `directory`; nothing, aloud, if it is missing outside CI.
pub(crate) fn attempt(directory: &Path, program: &str, arguments: &[&str]) -> Option<Output> {
    let mut command = tool(program)?;
    Some(command.current_dir(directory).args(arguments).stdin(Stdio::null()).output().unwrap())
}
