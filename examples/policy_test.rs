//! How a platform team unit-tests its issuance policy: the policy and its cases are files, the outcome is an exit status.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use chancery::domain::{PolicySpec, Preset, read_toml};
use chancery::testing::{PolicyCase, PolicyTable};
use serde::Deserialize;
use time::OffsetDateTime;

/// The file of cases; the policy under test has a file of its own, the one that is deployed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<PolicyCase>,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies");
    let policy: PolicySpec = read_toml(&std::fs::read_to_string(folder.join("web.toml"))?)?;
    let cases: Cases = read_toml(&std::fs::read_to_string(folder.join("web.cases.toml"))?)?;

    let table = PolicyTable { cases: cases.case, ..PolicyTable::new(policy) };
    let mut defaults = Preset::TlsServer.defaults();
    defaults.ttl = Some("47d".parse()?);
    let report = table.defaults(defaults).run(OffsetDateTime::now_utc());

    print!("{report}");
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
