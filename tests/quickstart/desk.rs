//! The example as a process in a directory of its own, and what it left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A directory that the example runs in; nothing may be written beside `out`, the data and what a test puts there.
pub(crate) struct Desk {
    directory: TempDir,
}

/// How a run ended, and all that it said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) text: String,
}

/// Where Cargo puts examples: beside the directory of this test.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let example = profile.join("examples").join(format!("quickstart{}", std::env::consts::EXE_SUFFIX));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart.rs");
    let age = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    let hint = "`cargo test` without `--test` builds it, as does `cargo build --example quickstart --all-features`";
    assert!(age(&example) >= age(&source), "{} is missing or older than its source: {hint}", example.display());
    example
}

impl Desk {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        fs::create_dir_all(directory.path().join("deep/desk")).unwrap();
        Self { directory }
    }

    /// The working directory, two levels below what is watched.
    pub(crate) fn at(&self) -> PathBuf {
        self.directory.path().join("deep/desk")
    }

    pub(crate) fn out(&self, path: &str) -> PathBuf {
        self.at().join("out").join(path)
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.out(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Runs the example with these arguments only.
    pub(crate) fn bare(&self, arguments: &[&str]) -> Said {
        let output =
            Command::new(example()).current_dir(self.at()).args(arguments).stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        Said { code: output.status.code().unwrap(), text }
    }

    /// Runs the example on `out` and `data.db`.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.bare(&[&["--out", "out", "--data", "data.db"], arguments].concat())
    }

    /// Runs what must succeed.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> Said {
        let said = self.run(arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.text);
        said
    }

    /// The serials of the inventory with their lines, as a run that asks for nothing shows them.
    pub(crate) fn inventory(&self) -> BTreeMap<String, String> {
        self.succeed(&[]).inventory()
    }

    /// Every file that is not a test's own, relative to what is watched.
    pub(crate) fn files(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![self.directory.path().to_owned()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    found.insert(path.strip_prefix(self.directory.path()).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        found
    }

    /// The files below `out`; nothing else may have been written but the data.
    pub(crate) fn written(&self) -> BTreeSet<String> {
        let out = "deep/desk/out/";
        let (below, beside): (BTreeSet<String>, BTreeSet<String>) =
            self.files().into_iter().partition(|path| path.starts_with(out));
        let is_expected = |path: &&String| {
            let name = path.strip_prefix("deep/desk/");
            name.is_some_and(|name| name.starts_with("data.") || name.starts_with("given."))
        };
        let stray: Vec<&String> = beside.iter().filter(|path| !is_expected(path)).collect();
        assert!(stray.is_empty(), "written beside out: {stray:?}");
        below.into_iter().map(|path| path[out.len()..].to_owned()).collect()
    }
}

impl Said {
    /// The lines of certificates in the list at the end.
    pub(crate) fn inventory(&self) -> BTreeMap<String, String> {
        let lines = self.text.lines().skip_while(|line| !line.starts_with("status"));
        let serial = |line: &str| line.split_whitespace().nth(1).filter(|word| word.len() == 40).map(str::to_owned);
        lines.filter_map(|line| Some((serial(line)?, line.to_owned()))).collect()
    }
}
