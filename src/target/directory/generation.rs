//! Generations: what was delivered at one time lies in one directory, and a link says which one counts.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files::{give, write};
use super::{DirectoryOptions, failed};
use crate::crypto;
#[cfg(feature = "pkcs12")]
use crate::domain::CertificateId;
use crate::domain::RemoteName;
use crate::sealer::Secret;
use crate::target::{Bundle, Observed, TargetError};
use crate::x509::Certificate;

/// What is in each generation beside the files: what they must be.
const MARK: &str = ".chancery";
/// What is there once the command has run with success.
const RELOADED: &str = ".reloaded";

/// What is delivered.
#[derive(Debug)]
pub(super) struct Content {
    #[cfg(feature = "pkcs12")]
    pub(super) certificate: CertificateId,
    pub(super) leaf: Certificate,
    pub(super) chain: Vec<Certificate>,
    pub(super) key: Option<Secret>,
}

impl Content {
    pub(super) fn of(bundle: &Bundle) -> Self {
        Self {
            #[cfg(feature = "pkcs12")]
            certificate: bundle.certificate,
            leaf: bundle.leaf.clone(),
            chain: bundle.chain.clone(),
            key: bundle.key.as_ref().map(|key| Secret::new(key.expose().to_vec())),
        }
    }

    /// Sixteen hex digits that are the same for the same content.
    fn digest(&self) -> String {
        let mut all = Secret::new(Vec::new());
        let parts = std::iter::once(self.leaf.der()).chain(self.chain.iter().map(Certificate::der));
        let parts = parts.chain(self.key.as_ref().map(Secret::expose));
        for part in parts {
            let joined = [all.expose(), &crypto::sha256(part)].concat();
            all = Secret::new(joined);
        }
        hex(&crypto::sha256(all.expose())[..8])
    }
}

/// What a generation must be.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    /// SHA-256 over the leaf's DER, hex.
    fingerprint: String,
    /// Of each file: SHA-256 in hex, and the mode.
    files: BTreeMap<String, (String, u32)>,
}

/// Whether an error came before anything was changed that others see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Before,
    After,
}

/// What is at a name.
enum Link {
    None,
    /// A link to this generation of ours.
    Own(String),
    Foreign(String),
}

/// The base directory.
#[derive(Debug)]
pub(super) struct Directory {
    base: PathBuf,
    options: DirectoryOptions,
}

impl Directory {
    pub(super) fn open(base: &Path, options: DirectoryOptions) -> io::Result<Self> {
        let base = fs::canonicalize(base)?;
        fs::read_dir(&base)?;
        Ok(Self { base, options })
    }

    pub(super) fn base(&self) -> &Path {
        &self.base
    }

    /// What is at a name: a generation that is all that its mark says.
    pub(super) fn observe(&self, name: &RemoteName) -> io::Result<Observed> {
        let exposed = self.exposed(name);
        let generation = match self.link(&exposed)? {
            Link::None => return Ok(Observed::Absent),
            Link::Foreign(reason) => return Ok(Observed::Foreign { reason }),
            Link::Own(generation) => self.base.join(generation),
        };
        Ok(match self.intact(&generation) {
            Ok(mark) => match fingerprint(&mark) {
                Some(fingerprint) => Observed::Present { fingerprint },
                None => Observed::Damaged { reason: "its mark is not one of ours".into() },
            },
            Err(reason) => Observed::Damaged { reason },
        })
    }

    /// Writes a generation, switches to it, removes the one before, and runs the command.
    pub(super) fn deploy(&self, name: &RemoteName, content: &Content) -> Result<(), TargetError> {
        let exposed = self.exposed(name);
        let before = |error: io::Error| failed(&error, Step::Before);
        let after = |error: io::Error| failed(&error, Step::After);
        let current = match self.link(&exposed).map_err(before)? {
            Link::None => None,
            Link::Own(generation) => Some(generation),
            Link::Foreign(reason) => return Err(TargetError::refused(reason)),
        };
        let digest = content.digest();
        let stands = current.as_ref().filter(|generation| self.stands(generation, &exposed, &digest)).cloned();
        let generation = match stands {
            Some(generation) => generation,
            None => {
                let generation = fresh(&exposed, &digest, current.as_deref());
                self.write(&generation, content).map_err(before)?;
                self.switch(&exposed, &generation).map_err(after)?;
                generation
            }
        };
        self.sweep(&exposed, Some(&generation)).map_err(after)?;
        self.reload(name, &generation, &exposed).map_err(after)
    }

    /// Removes the link, and then every generation.
    pub(super) fn withdraw(&self, name: &RemoteName) -> Result<(), TargetError> {
        let exposed = self.exposed(name);
        let after = |error: io::Error| failed(&error, Step::After);
        match self.link(&exposed).map_err(|error| failed(&error, Step::Before))? {
            Link::Foreign(reason) => return Err(TargetError::refused(reason)),
            Link::Own(_) => fs::remove_file(self.base.join(&exposed)).map_err(after)?,
            Link::None => {}
        }
        self.sync().map_err(after)?;
        self.sweep(&exposed, None).map_err(after)
    }

    fn exposed(&self, name: &RemoteName) -> String {
        format!("{name}{}", self.options.layout.suffix())
    }

    /// Follows nothing: a link counts only if it names a generation of this name, in this directory.
    fn link(&self, exposed: &str) -> io::Result<Link> {
        let path = self.base.join(exposed);
        let found = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Link::None),
            found => found?,
        };
        if !found.file_type().is_symlink() {
            return Ok(Link::Foreign(format!("{} is there, and is no link of ours", path.display())));
        }
        let to = fs::read_link(&path)?;
        let inside = match self.options.layout.only_file() {
            Some(file) => to.parent().filter(|_| to.file_name().is_some_and(|name| name == file)),
            None => Some(to.as_path()),
        };
        let generation = inside.and_then(Path::to_str).filter(|text| is_generation(text, exposed));
        Ok(match generation {
            Some(generation) => Link::Own(generation.to_owned()),
            None => Link::Foreign(format!("{} leads to {}, which is not ours", path.display(), to.display())),
        })
    }

    /// Whether a generation is this content, whole.
    fn stands(&self, generation: &str, exposed: &str, digest: &str) -> bool {
        generation.starts_with(&format!(".{exposed}.{digest}")) && self.whole(&self.base.join(generation)).is_ok()
    }

    fn write(&self, generation: &str, content: &Content) -> io::Result<()> {
        let path = self.base.join(generation);
        remove_all(&path)?;
        let files = self.options.layout.plan(content, self.options.modes)?;
        DirBuilder::new().mode(0o700).create(&path)?;
        let entry = |file: &super::files::Planned| {
            (file.name.to_owned(), (hex(&crypto::sha256(file.octets.expose())), file.mode))
        };
        let mark = Mark { fingerprint: hex(content.leaf.fingerprint()), files: files.iter().map(entry).collect() };
        for file in &files {
            write(&path.join(file.name), file.octets.expose(), file.mode, self.options.owner)?;
        }
        write(&path.join(MARK), &serde_json::to_vec(&mark)?, 0o600, super::Owner::default())?;
        let directory = File::open(&path)?;
        give(&directory, self.options.owner)?;
        directory.set_permissions(fs::Permissions::from_mode(self.options.modes.directory))?;
        directory.sync_all()
    }

    /// Makes the generation the one that counts: one rename.
    fn switch(&self, exposed: &str, generation: &str) -> io::Result<()> {
        let beside = self.base.join(format!(".{exposed}.link"));
        remove_all(&beside)?;
        let to = match self.options.layout.only_file() {
            Some(file) => Path::new(generation).join(file),
            None => PathBuf::from(generation),
        };
        symlink(to, &beside)?;
        fs::rename(&beside, self.base.join(exposed))?;
        self.sync()
    }

    /// Removes every generation of a name but the one that counts, also what a process that died has left.
    fn sweep(&self, exposed: &str, keep: Option<&str>) -> io::Result<()> {
        for entry in fs::read_dir(&self.base)? {
            let file_name = entry?.file_name();
            let Some(name) = file_name.to_str().filter(|name| Some(*name) != keep) else { continue };
            if is_generation(name, exposed) || name == format!(".{exposed}.link") {
                remove_all(&self.base.join(name))?;
            }
        }
        Ok(())
    }

    fn reload(&self, name: &RemoteName, generation: &str, exposed: &str) -> io::Result<()> {
        let Some(command) = &self.options.reload else { return Ok(()) };
        let done = self.base.join(generation).join(RELOADED);
        if fs::symlink_metadata(&done).is_ok() {
            return Ok(());
        }
        command.run(name.as_str(), &self.base.join(exposed))?;
        write(&done, b"", 0o600, super::Owner::default())
    }

    /// The mark of a generation whose files are what it says, and whose command has run; or what is wrong.
    fn intact(&self, generation: &Path) -> Result<Mark, String> {
        let mark = self.whole(generation)?;
        let is_told = self.options.reload.is_none() || fs::symlink_metadata(generation.join(RELOADED)).is_ok();
        if is_told { Ok(mark) } else { Err("the reload command has not run with success".into()) }
    }

    fn whole(&self, generation: &Path) -> Result<Mark, String> {
        let said = |error: io::Error| error.to_string();
        let mark: Mark = serde_json::from_slice(&fs::read(generation.join(MARK)).map_err(said)?)
            .map_err(|error| format!("its mark can not be read: {error}"))?;
        for (name, (digest, mode)) in &mark.files {
            let path = generation.join(name);
            let found = fs::symlink_metadata(&path).map_err(|error| format!("{name}: {error}"))?;
            let octets = Secret::new(fs::read(&path).map_err(|error| format!("{name}: {error}"))?);
            if !found.is_file() || hex(&crypto::sha256(octets.expose())) != *digest {
                return Err(format!("{name} was changed"));
            }
            if found.permissions().mode() & 0o7777 != *mode {
                return Err(format!("the mode of {name} was changed"));
            }
        }
        Ok(mark)
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.base)?.sync_all()
    }
}

/// The generation to write: never the one that counts, which others may be reading.
fn fresh(exposed: &str, digest: &str, current: Option<&str>) -> String {
    let first = format!(".{exposed}.{digest}-a");
    if current == Some(first.as_str()) { format!(".{exposed}.{digest}-b") } else { first }
}

/// Whether a name is `.<exposed>.<16 hex digits>-a` or `-b`, and nothing else.
fn is_generation(name: &str, exposed: &str) -> bool {
    let rest =
        name.strip_prefix('.').and_then(|rest| rest.strip_prefix(exposed)).and_then(|rest| rest.strip_prefix('.'));
    let digest = rest.and_then(|rest| rest.strip_suffix("-a").or_else(|| rest.strip_suffix("-b")));
    digest.is_some_and(|digest| digest.len() == 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Removes a file, a link or a directory with all in it, without following links; nothing there is as well.
fn remove_all(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn fingerprint(mark: &Mark) -> Option<[u8; 32]> {
    let mut octets = [0; 32];
    for (octet, digits) in octets.iter_mut().zip(mark.fingerprint.as_bytes().chunks(2)) {
        *octet = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    (mark.fingerprint.len() == 64).then_some(octets)
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
