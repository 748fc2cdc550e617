//! A PostgreSQL cluster of the test's own: the system's programs, a temporary directory, gone when the process is.
#![allow(dead_code, reason = "no test uses all of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A cluster that runs until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Cluster {
    directory: PathBuf,
    programs: PathBuf,
    port: Option<u16>,
    /// Stops the cluster and removes the directory when its input ends.
    keeper: Child,
    leash: Option<ChildStdin>,
    databases: AtomicU32,
}

impl Cluster {
    /// Starts a cluster that listens on a Unix socket only; nothing, aloud, if PostgreSQL is missing outside CI.
    ///
    /// # Panics
    /// Where CI lacks it: a test that is skipped there would never be noticed.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with("", None)
    }

    /// The same, with lines for `postgresql.conf` in which `{port}` is a port of 127.0.0.1 that was free, and files
    /// (name and text) beside it.
    pub(crate) fn start_on_network(settings: &str, files: &[(&str, &str)]) -> Option<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::start_with(settings, Some((port, files)))
    }

    /// One whose machine never loses power: for tests that end processes only, and write much.
    pub(crate) fn start_without_fsync() -> Option<Self> {
        Self::start_with("fsync = off\nfull_page_writes = off", None)
    }

    /// One for all tests of a binary. Each takes a database of its own.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// One with lines for `postgresql.conf`, and on the network as [`Self::start_on_network`] has it.
    pub(crate) fn start_with(settings: &str, network: Option<(u16, &[(&str, &str)])>) -> Option<Self> {
        let programs = programs()?;
        let directory = PathBuf::from(said(as_nobody("mktemp").args(["-d", "/tmp/chancery-postgres.XXXXXX"])).trim());
        let (keeper, leash) = keep(&programs, &directory);
        let port = network.map(|(port, _)| port);
        let cluster = Self { directory, programs, port, keeper, leash: Some(leash), databases: AtomicU32::new(0) };
        cluster.initialize(settings, network.map_or(&[], |(_, files)| files));
        said(&mut cluster.pg_ctl(&["start"]));
        Some(cluster)
    }

    fn initialize(&self, settings: &str, files: &[(&str, &str)]) {
        // Sorted by the rules of a language, so that a test notices who forgets to sort by octets.
        let initdb = as_nobody(self.programs.join("initdb"))
            .arg("-D")
            .arg(self.data())
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--locale-provider=icu",
                "--icu-locale=en-US",
            ])
            .output();
        checked(initdb.unwrap());
        let listen = if self.port.is_some() { "127.0.0.1" } else { "" };
        let port = self.port.unwrap_or(5432);
        let own = format!(
            "listen_addresses = '{listen}'\nport = {port}\nunix_socket_directories = '{}'\nmax_connections = 200\n",
            self.directory.display()
        );
        self.write("postgresql.auto.conf", &format!("{own}{settings}\n"));
        files.iter().for_each(|(name, text)| self.write(name, text));
    }

    /// Writes a file of the data directory, which is the server's own and nobody else's.
    fn write(&self, name: &str, text: &str) {
        let script = format!("umask 077 && cat > '{}'", self.data().join(name).display());
        let mut child = as_nobody("sh").args(["-c", &script]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn pg_ctl(&self, arguments: &[&str]) -> Command {
        let mut command = as_nobody(self.programs.join("pg_ctl"));
        command.arg("-D").arg(self.data()).args(["-w", "-s", "-l"]).arg(self.directory.join("log")).args(arguments);
        // The server must not hold on to the pipes of the program that started it.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// The URL of a database by the Unix socket, without TLS.
    pub(crate) fn url(&self, database: &str) -> String {
        let port = self.port.unwrap_or(5432);
        format!(
            "postgres://postgres@%2F{}:{port}/{database}",
            self.directory.display().to_string()[1..].replace('/', "%2F")
        )
    }

    /// The port on 127.0.0.1, of a cluster on the network.
    pub(crate) fn port(&self) -> u16 {
        self.port.unwrap()
    }

    /// The URL of a new and empty database.
    pub(crate) fn fresh(&self) -> String {
        self.url(&self.fresh_name())
    }

    /// The name of a new and empty database.
    pub(crate) fn fresh_name(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name} STRATEGY = file_copy"));
        name
    }

    /// What the statements answer, as a person sees it: a row a line, columns parted by bars.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, &self.url(database)]);
        said(&mut psql)
    }

    /// A session of a person's, which stays in the transaction that it began.
    pub(crate) fn session(&self, database: &str) -> Session {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", &self.url(database)]).stdin(Stdio::piped()).stdout(Stdio::piped());
        Session(psql.spawn().unwrap())
    }

    /// What the server has written to its log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap()
    }

    /// Forgets what it has written.
    pub(crate) fn clear_log(&self) {
        std::fs::OpenOptions::new().write(true).open(self.directory.join("log")).unwrap().set_len(0).unwrap();
    }

    /// Stops the server and starts it again; `mode` is `smart`, `fast` or `immediate`, which is a crash.
    pub(crate) fn restart(&self, mode: &str) {
        said(&mut self.pg_ctl(&["-m", mode, "restart"]));
    }

    /// Stops the server; the directory stays.
    pub(crate) fn stop(&self) {
        said(&mut self.pg_ctl(&["-m", "fast", "stop"]));
    }

    /// Starts it after [`stop`](Self::stop).
    pub(crate) fn start_again(&self) {
        said(&mut self.pg_ctl(&["start"]));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.leash.take());
        let _ = self.keeper.wait();
    }
}

/// A `psql` that is typed into.
pub(crate) struct Session(Child);

impl Session {
    /// Runs statements, and waits for them.
    pub(crate) fn run(&mut self, sql: &str) {
        writeln!(self.0.stdin.as_mut().unwrap(), "{sql};\n\\echo done").unwrap();
        let mut said = Vec::new();
        while !said.ends_with(b"done\n") {
            let mut octet = [0];
            self.0.stdout.as_mut().unwrap().read_exact(&mut octet).unwrap();
            said.extend(octet);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process that outlives this one by a moment: whatever becomes of a test, its cluster goes.
fn keep(programs: &std::path::Path, directory: &std::path::Path) -> (Child, ChildStdin) {
    let script = format!(
        "trap '' INT TERM HUP; cat > /dev/null; '{}' -D '{1}/data' -m immediate -s stop; rm -rf '{1}'",
        programs.join("pg_ctl").display(),
        directory.display()
    );
    let mut keeper = as_nobody("sh");
    keeper.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut keeper = keeper.spawn().unwrap();
    let leash = keeper.stdin.take().unwrap();
    (keeper, leash)
}

/// Where the server's programs are: the newest version of the distribution's package.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("initdb").exists()).max();
    let in_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(newest.is_some() || !in_ci, "there is no PostgreSQL in /usr/lib/postgresql");
    if newest.is_none() {
        eprintln!("SKIPPED: there is no PostgreSQL in /usr/lib/postgresql");
    }
    newest
}

/// A command that is not run as root, which PostgreSQL refuses to be.
fn as_nobody(program: impl Into<PathBuf>) -> Command {
    let is_root =
        std::fs::metadata("/proc/self").is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0);
    let mut command = if is_root {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program.into());
        command
    } else {
        Command::new(program.into())
    };
    command.current_dir("/tmp");
    command
}

fn said(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    checked(output)
}

#[track_caller]
fn checked(output: Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out.into_owned()
}
