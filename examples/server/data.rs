//! The data directory: the database, the key that seals private keys, the root certificate, and what was shown already.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use chancery::sealer::AeadSealer;

use crate::Result;

/// The data directory.
#[derive(Debug)]
pub(crate) struct Data(PathBuf);

impl Data {
    /// Makes the directory, for its owner alone, if it does not exist.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| said(path, &error))?;
        Ok(Self(path.canonicalize()?))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("chancery.db")
    }

    /// Where the certificate of the root is written that clients trust the server by.
    pub(crate) fn root(&self) -> PathBuf {
        self.0.join("root.pem")
    }

    /// Where it is kept that the administrator's token was shown.
    pub(crate) fn shown(&self) -> PathBuf {
        self.0.join("administrator.shown")
    }

    /// The key that private keys are sealed with, 32 random octets in a file of mode 0600: made at the first start, and never
    /// for a database that there is already, whose keys it could not open.
    pub(crate) fn sealer(&self) -> Result<AeadSealer> {
        let path = self.0.join("sealer.key");
        if !path.exists() {
            if self.database().exists() {
                return Err(format!("{} is missing: without it no key in the database opens", path.display()).into());
            }
            let mut key = [0; 32];
            getrandom::fill(&mut key)?;
            write(&path, &key, 0o600)?;
        }
        let mode = fs::metadata(&path)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(
                format!("{} can be read by others (mode {:o}); make it 0600", path.display(), mode & 0o777).into()
            );
        }
        let key = fs::read(&path).map_err(|error| said(&path, &error))?;
        let key: [u8; 32] = key.try_into().map_err(|_| format!("{} is not 32 octets long", path.display()))?;
        Ok(AeadSealer::new(&key))
    }
}

/// Writes a file whole or not at all.
pub(crate) fn write(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let new = path.with_extension("new");
    let written =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&new).and_then(|mut file| {
            // What a start that was cut off left behind may have another mode.
            file.set_permissions(Permissions::from_mode(mode))?;
            file.write_all(content)?;
            file.sync_all()
        });
    written.and_then(|()| fs::rename(&new, path)).map_err(|error| said(path, &error))?;
    let directory = path.parent().unwrap_or(Path::new("."));
    Ok(File::open(directory)?.sync_all()?)
}

fn said(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}
