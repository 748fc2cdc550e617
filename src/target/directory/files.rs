//! Which files a certificate becomes, and how they are written.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use super::generation::Content;
use crate::sealer::Secret;
use crate::x509::pem;

/// Which files a certificate becomes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Layout {
    /// A directory of the name with `cert.pem`, `chain.pem`, `fullchain.pem` and, if there is a key, `privkey.pem`.
    PemFiles,
    /// One file, the name and `.pem`: the certificate, those above it, and the key if there is one.
    PemCombined,
    /// One file, the name and `.p12`: PKCS#12 (RFC 7292) with the key, under a password.
    #[cfg(feature = "pkcs12")]
    Pkcs12 {
        /// The password, UTF-8.
        password: Secret,
    },
}

/// The modes of files and of the directories that hold them. A key is never readable by more than its mode allows, at no
/// moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modes {
    /// Of files without a key.
    pub file: u32,
    /// Of files with a key.
    pub key: u32,
    /// Of directories.
    pub directory: u32,
}

impl Default for Modes {
    /// 0644, keys 0600, directories 0755.
    fn default() -> Self {
        Self { file: 0o644, key: 0o600, directory: 0o755 }
    }
}

/// Whose the files are, by numeric id; `None` is whoever runs the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The user id.
    pub user: Option<u32>,
    /// The group id.
    pub group: Option<u32>,
}

/// One file to write.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) name: &'static str,
    pub(super) octets: Secret,
    pub(super) mode: u32,
}

impl Layout {
    /// What is behind the name in the directory.
    pub(super) fn suffix(&self) -> &'static str {
        match self {
            Self::PemFiles => "",
            Self::PemCombined => ".pem",
            #[cfg(feature = "pkcs12")]
            Self::Pkcs12 { .. } => ".p12",
        }
    }

    /// The only file, in a layout of one.
    pub(super) fn only_file(&self) -> Option<&'static str> {
        match self {
            Self::PemFiles => None,
            Self::PemCombined => Some("bundle.pem"),
            #[cfg(feature = "pkcs12")]
            Self::Pkcs12 { .. } => Some("bundle.p12"),
        }
    }

    pub(super) fn needs_key(&self) -> bool {
        match self {
            Self::PemFiles | Self::PemCombined => false,
            #[cfg(feature = "pkcs12")]
            Self::Pkcs12 { .. } => true,
        }
    }

    /// The files of a certificate.
    pub(super) fn plan(&self, content: &Content, modes: Modes) -> io::Result<Vec<Planned>> {
        let leaf = content.leaf.pem();
        let chain: String = content.chain.iter().map(crate::x509::Certificate::pem).collect();
        let key =
            content.key.as_ref().map(|key| Secret::new(pem::encode(pem::Label::PrivateKey, key.expose()).into_bytes()));
        let public = |name, text: String| Planned { name, octets: Secret::new(text.into_bytes()), mode: modes.file };
        match self {
            Self::PemFiles => {
                let full = format!("{leaf}{chain}");
                let mut files =
                    vec![public("cert.pem", leaf), public("chain.pem", chain), public("fullchain.pem", full)];
                files.extend(key.map(|octets| Planned { name: "privkey.pem", octets, mode: modes.key }));
                Ok(files)
            }
            Self::PemCombined => {
                let mode = if key.is_some() { modes.key } else { modes.file };
                let mut octets = format!("{leaf}{chain}").into_bytes();
                octets.reserve_exact(key.as_ref().map_or(0, |key| key.expose().len()));
                octets.extend_from_slice(key.as_ref().map_or(&[], |key| key.expose()));
                Ok(vec![Planned { name: "bundle.pem", octets: Secret::new(octets), mode }])
            }
            #[cfg(feature = "pkcs12")]
            Self::Pkcs12 { password } => {
                let chain: Vec<Vec<u8>> = content.chain.iter().map(|each| each.der().to_vec()).collect();
                let key = content.key.as_ref().map_or(&[][..], Secret::expose);
                let name = content.certificate.to_string();
                let made = crate::x509::export::pkcs12(content.leaf.der(), &chain, key, password.expose_text(), &name);
                let octets = Secret::from(made.map_err(io::Error::other)?);
                Ok(vec![Planned { name: "bundle.p12", octets, mode: modes.key }])
            }
        }
    }
}

/// Writes a new file and syncs it to disk. It is readable by the process alone until it is whole and owned as it should be.
pub(super) fn write(path: &Path, octets: &[u8], mode: u32, owner: Owner) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(octets)?;
    give(&file, owner)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

/// Gives an open file or directory to its owner.
pub(super) fn give(file: &std::fs::File, owner: Owner) -> io::Result<()> {
    if owner == Owner::default() { Ok(()) } else { fchown(file, owner.user, owner.group) }
}
