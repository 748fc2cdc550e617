//! A directory as a target: whole generations, switched by one rename, and a command that tells who reads them.
//!
//! What is called `web` is a symbolic link `web` to `.web.<generation>`, a directory of its own that is written and synced to
//! disk before the link is replaced, which is one rename. Whoever opens `web/fullchain.pem` sees the old or the new. Who
//! opens several files should resolve the link once and open them below what it names, or read a layout of one file.
//!
//! File systems block, and so do commands: a thread of the target's own does the work, one call after the other. It ends
//! when the target is dropped.

mod command;
mod files;
mod generation;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use futures_channel::oneshot;

pub use command::ReloadCommand;
pub use files::{Layout, Modes, Owner};

use super::{Bundle, Observed, SyncTarget, TargetError};
use crate::domain::{KeyNeed, NameRules, RemoteName, RemoteRef, TargetLimits};
use generation::{Directory, Step};

/// How a [`DirectoryTarget`] writes.
///
/// ```
/// use chancery::target::directory::{DirectoryOptions, Layout, ReloadCommand};
/// let options = DirectoryOptions::new(Layout::PemFiles)
///     .reload(ReloadCommand::new("/usr/bin/systemctl", ["reload", "nginx"]));
/// ```
#[derive(Debug)]
pub struct DirectoryOptions {
    /// Which files.
    pub layout: Layout,
    /// Their modes.
    pub modes: Modes,
    /// Whose they are; whoever runs the process if not given.
    pub owner: Owner,
    /// What is run once something was delivered.
    pub reload: Option<ReloadCommand>,
}

impl DirectoryOptions {
    /// Files of a layout: 0644, keys 0600, owned by whoever runs the process, and nothing run afterwards.
    pub fn new(layout: Layout) -> Self {
        Self { layout, modes: Modes::default(), owner: Owner::default(), reload: None }
    }

    /// The same with other modes.
    #[must_use]
    pub fn modes(mut self, modes: Modes) -> Self {
        self.modes = modes;
        self
    }

    /// The same, owned by somebody else; only a privileged process may give files away.
    #[must_use]
    pub fn owner(mut self, owner: Owner) -> Self {
        self.owner = owner;
        self
    }

    /// The same, and runs a command once something was delivered.
    #[must_use]
    pub fn reload(mut self, command: ReloadCommand) -> Self {
        self.reload = Some(command);
        self
    }
}

/// Keeps certificates in a directory that must exist.
pub struct DirectoryTarget {
    base: PathBuf,
    limits: TargetLimits,
    jobs: Sender<Job>,
}

impl DirectoryTarget {
    /// A target in the directory `base`.
    ///
    /// # Errors
    /// `base` is no directory that can be read, or no thread can be started.
    pub fn open(base: impl AsRef<Path>, options: DirectoryOptions) -> io::Result<Self> {
        let limits = limits(&options);
        let directory = Directory::open(base.as_ref(), options)?;
        let base = directory.base().to_owned();
        let (jobs, waiting) = channel();
        thread::Builder::new().name("chancery-directory".into()).spawn(move || run(&directory, &waiting))?;
        Ok(Self { base, limits, jobs })
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T, TargetError>>) -> Job) -> Result<T, TargetError> {
        let (answer, answered) = oneshot::channel();
        let stopped = || TargetError::unavailable("the target's thread has ended");
        self.jobs.send(job(answer)).map_err(|_| stopped())?;
        answered.await.map_err(|_| TargetError::unknown("the target's thread ended before it answered"))?
    }

    fn check(&self, name: &RemoteName) -> Result<(), TargetError> {
        self.limits.names.check(name).map_err(|error| TargetError::refused(error.to_string()))
    }
}

/// A call takes as long as the command may, and half a minute for the files.
fn limits(options: &DirectoryOptions) -> TargetLimits {
    let command = options.reload.as_ref().map_or(Duration::ZERO, ReloadCommand::longest);
    let key = if options.layout.needs_key() { KeyNeed::Required } else { KeyNeed::Accepted };
    let names = NameRules::new(128, "-_.");
    TargetLimits { key, longest_call: Duration::from_secs(30) + command, ..TargetLimits::new(names) }
}

impl fmt::Debug for DirectoryTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryTarget").field("base", &self.base).finish_non_exhaustive()
    }
}

/// Work for the thread.
enum Job {
    Observe(RemoteName, oneshot::Sender<Result<Observed, TargetError>>),
    Deploy(RemoteName, Box<generation::Content>, oneshot::Sender<Result<RemoteRef, TargetError>>),
    Withdraw(RemoteName, oneshot::Sender<Result<(), TargetError>>),
}

/// Works until the target is dropped. Whoever stopped listening does not mind.
fn run(directory: &Directory, jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Observe(name, answer) => {
                let _ = answer.send(directory.observe(&name).map_err(|error| failed(&error, Step::Before)));
            }
            Job::Deploy(name, content, answer) => {
                let _ = answer.send(directory.deploy(&name, &content).map(|()| RemoteRef::named(name)));
            }
            Job::Withdraw(name, answer) => {
                let _ = answer.send(directory.withdraw(&name));
            }
        }
    }
}

/// What an error means: whether it may pass, and whether anything was changed.
fn failed(error: &io::Error, step: Step) -> TargetError {
    let reason = error.to_string();
    match (error.kind(), step) {
        (io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem, _) => TargetError::refused(reason),
        (_, Step::Before) => TargetError::unavailable(reason),
        (_, Step::After) => TargetError::unknown(reason),
    }
}

#[async_trait]
impl SyncTarget for DirectoryTarget {
    fn limits(&self) -> &TargetLimits {
        &self.limits
    }

    async fn observe(&self, remote: &RemoteRef) -> Result<Observed, TargetError> {
        self.check(&remote.name)?;
        let name = remote.name.clone();
        self.ask(|answer| Job::Observe(name, answer)).await
    }

    async fn deploy(
        &self,
        bundle: &Bundle,
        name: &RemoteName,
        _previous: Option<&RemoteRef>,
    ) -> Result<RemoteRef, TargetError> {
        self.check(name)?;
        if self.limits.key == KeyNeed::Required && bundle.key.is_none() {
            return Err(TargetError::refused("this layout holds a private key, and there is none"));
        }
        let (name, content) = (name.clone(), Box::new(generation::Content::of(bundle)));
        self.ask(|answer| Job::Deploy(name, content, answer)).await
    }

    async fn withdraw(&self, remote: &RemoteRef) -> Result<(), TargetError> {
        self.check(&remote.name)?;
        let name = remote.name.clone();
        self.ask(|answer| Job::Withdraw(name, answer)).await
    }
}
