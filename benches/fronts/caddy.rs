//! Caddy as a peer: its `acme_server`, which keeps orders and certificates in a file.

use std::fs;
use std::path::PathBuf;

use crate::installed::installed;
use crate::process::{Process, folder, free_port};

/// Caddy as a process.
pub(crate) struct Caddy {
    _process: Process,
    pub(crate) directory: String,
    pub(crate) root: PathBuf,
}

impl Caddy {
    /// `None`, aloud, where it is missing.
    pub(crate) fn start() -> Option<Self> {
        let (folder, port) = (folder("caddy"), free_port());
        let data = folder.join("data");
        let config = format!(
            "{{\n  admin off\n  skip_install_trust\n  auto_https disable_redirects\n  storage file_system data\n  \
             log {{\n    level ERROR\n  }}\n}}\nhttps://localhost:{port} {{\n  tls internal\n  acme_server {{\n    \
             challenges http-01\n    lifetime 24h\n  }}\n}}\n"
        );
        fs::write(folder.join("Caddyfile"), config).unwrap();
        let setting = |command: &mut std::process::Command| {
            command.args(["run", "--config", "Caddyfile"]).env("XDG_DATA_HOME", &data).env("XDG_CONFIG_HOME", &data);
        };
        let process = Process::serve(&installed("caddy/bin/caddy"), &folder, setting, port)?;
        let root = data.join("pki/authorities/local/root.crt");
        Some(Self { _process: process, directory: format!("https://localhost:{port}/acme/local/directory"), root })
    }
}
