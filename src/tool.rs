//! Other people's programs as witnesses in tests: run if the machine has them, required in CI.

use std::process::{Command, Output};

/// The standard output of a program that must succeed; nothing, aloud, if the program is missing outside CI.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = run(program, arguments)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program; nothing, aloud, if it is missing outside CI.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => Some(output),
        Err(error) if std::env::var_os("CI").is_some_and(|value| value == "true") => panic!("{program}: {error}"),
        Err(error) => {
            eprintln!("SKIPPED: {program}: {error}");
            None
        }
    }
}
