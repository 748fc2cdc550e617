//! The command that tells a service that its files have changed.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// A program that is run, without a shell, once something was delivered. That it fails is a failed delivery, which is
/// tried again: the files are not written anew, but the command is run again.
///
/// Its environment holds `CHANCERY_NAME`, the name, and `CHANCERY_PATH`, the path of what was delivered. Its arguments are
/// passed as they are. Nothing is run when something is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReloadCommand {
    program: OsString,
    arguments: Vec<OsString>,
    longest: Duration,
}

/// How often a running command is looked at.
const GLANCE: Duration = Duration::from_millis(20);
/// How much of what it writes is kept, for each of its two outputs, in bytes.
const KEPT: u64 = 2048;
/// How long is waited for the rest of its output once it has ended: what it started may hold the pipe open.
const REST: Duration = Duration::from_millis(500);

impl ReloadCommand {
    /// Runs `program` with `arguments`, for 30 seconds at most.
    pub fn new<I>(program: impl Into<OsString>, arguments: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Self { program: program.into(), arguments, longest: Duration::from_secs(30) }
    }

    /// The same, killed after another time.
    #[must_use]
    pub fn at_most(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    pub(super) fn longest(&self) -> Duration {
        self.longest
    }

    /// Runs it; an error says how it ended and what it wrote.
    pub(super) fn run(&self, name: &str, path: &Path) -> io::Result<()> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env("CHANCERY_NAME", name).env("CHANCERY_PATH", path);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let written = [reader(child.stdout.take())?, reader(child.stderr.take())?];
        let ended = self.wait(&mut child)?;
        if ended.is_some_and(|status| status.success()) {
            return Ok(());
        }
        let how = ended.map_or_else(|| format!("killed after {:?}", self.longest), |status| status.to_string());
        let said: String = written.into_iter().filter_map(|part| part.recv_timeout(REST).ok()).collect();
        Err(io::Error::other(format!("the reload command failed, {how}: {}", said.trim())))
    }

    /// How it ended; `None` if it had to be killed. Time is counted in glances, so that no clock is read.
    fn wait(&self, child: &mut Child) -> io::Result<Option<ExitStatus>> {
        let glances = self.longest.as_millis() / GLANCE.as_millis();
        for _ in 0..=glances {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            thread::sleep(GLANCE);
        }
        child.kill()?;
        child.wait().map(|_| None)
    }
}

/// Reads an output to its end, so that the command never waits for a reader, and keeps the beginning.
fn reader(output: Option<impl Read + Send + 'static>) -> io::Result<Receiver<String>> {
    let (send, received) = channel();
    let Some(mut output) = output else { return Ok(received) };
    thread::Builder::new().name("chancery-reload".into()).spawn(move || {
        let mut kept = Vec::new();
        // What can not be read is not told; how the command ended is.
        let _ = output.by_ref().take(KEPT).read_to_end(&mut kept);
        let _ = send.send(String::from_utf8_lossy(&kept).into_owned());
        let _ = io::copy(&mut output, &mut io::sink());
    })?;
    Ok(received)
}
