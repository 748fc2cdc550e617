//! Other people's programs as witnesses in tests: run if the machine has them, required in CI.

use std::path::Path;
use std::process::{Command, Stdio};

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

/// Runs a program that must succeed in `directory`; false, aloud, if it is missing outside CI.
pub(crate) fn run(directory: &Path, program: &str, arguments: &[&str]) -> bool {
    let Some(mut command) = tool(program) else { return false };
    let output = command.current_dir(directory).args(arguments).stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    true
}
