//! The server as a process in a directory of its own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take that a test waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(150);

/// Where Cargo puts examples: beside the directory of this test. It is built if it is missing or older than its source.
pub(crate) fn example() -> &'static Path {
    static EXAMPLE: OnceLock<PathBuf> = OnceLock::new();
    EXAMPLE.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let profile = test.parent().and_then(Path::parent).unwrap();
        let example = profile.join("examples/server");
        let age = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/server");
        let newest = fs::read_dir(sources).unwrap().filter_map(|entry| age(&entry.unwrap().path())).max();
        if age(&example) < newest {
            let build = ["build", "--quiet", "--example", "server", "--features", "server"];
            let built = Command::new(env!("CARGO")).args(build).current_dir(env!("CARGO_MANIFEST_DIR")).status();
            assert!(built.unwrap().success(), "the example does not build");
        }
        example
    })
}

/// A directory in which servers are started one after the other.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn with(config: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        home.configure(config);
        home
    }

    pub(crate) fn configure(&self, config: &str) {
        fs::write(self.at("chancery.toml"), config).unwrap();
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(example());
        command.current_dir(self.0.path()).args(["--config", "chancery.toml"]).args(arguments).stdin(Stdio::null());
        command
    }

    /// Starts a server that need not become ready.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Server {
        let log = File::options().create(true).append(true).open(self.at("log")).unwrap();
        let mut child = self.command(arguments).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let event: Value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(event).is_err() {
                    break;
                }
            }
        });
        Server { child, lines, events: BTreeMap::new(), log: self.at("log") }
    }

    /// Starts a server and waits until it is ready.
    pub(crate) fn start(&self) -> Server {
        self.start_with(&[])
    }

    pub(crate) fn start_with(&self, arguments: &[&str]) -> Server {
        let mut server = self.spawn(arguments);
        server.await_ready();
        server
    }
}

/// A server; killed when the test ends.
pub(crate) struct Server {
    child: Child,
    lines: Receiver<Value>,
    /// What it said on standard output, by event.
    events: BTreeMap<String, Value>,
    log: PathBuf,
}

impl Server {
    fn await_ready(&mut self) {
        while !self.events.contains_key("ready") {
            let Ok(event) = self.lines.recv_timeout(PATIENCE) else {
                panic!("not ready: {:?}: {}", self.child.try_wait(), self.log());
            };
            let name = event["event"].as_str().unwrap_or_else(|| panic!("{event}")).to_owned();
            assert!(self.events.insert(name, event).is_none(), "each event comes once");
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn ready(&self, field: &str) -> String {
        self.events["ready"][field].as_str().unwrap_or_default().to_owned()
    }

    /// The ACME directory of an attachment, `Application/profile`.
    pub(crate) fn directory(&self, name: &str) -> String {
        self.events["ready"]["acme"][name].as_str().unwrap().to_owned()
    }

    pub(crate) fn changes(&self) -> Vec<String> {
        serde_json::from_value(self.events["ready"]["changes"].clone()).unwrap()
    }

    /// The administrator's token, if this start showed one.
    pub(crate) fn token(&self) -> Option<String> {
        self.events.get("administrator").map(|event| event["token"].as_str().unwrap().to_owned())
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {}", self.child.id())]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until it has ended.
    pub(crate) fn wait(mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end: {}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it as an operator would.
    pub(crate) fn stop(self) {
        self.signal("TERM");
        assert!(self.wait().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something holds.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
