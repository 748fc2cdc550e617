//! Where the programs are that `tests/run.sh` and people install beside those of the system.

use std::path::PathBuf;

/// Something below the place of those programs, whether or not it is there.
pub(crate) fn installed(path: &str) -> PathBuf {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/chancery-tools");
    std::env::var_os("CHANCERY_TOOLS").map_or(home, PathBuf::from).join(path)
}
