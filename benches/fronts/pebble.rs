//! The test server of ACME as a peer. Its orders are in memory, and lost with it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::process::{Process, folder, free_port, identity};

/// Pebble as a process that finds every challenge met, without waiting.
pub(crate) struct Pebble {
    _process: Process,
    pub(crate) directory: String,
    pub(crate) root: PathBuf,
}

impl Pebble {
    /// `None`, aloud, where it is missing.
    pub(crate) fn start() -> Option<Self> {
        let (folder, [port, management]) = (folder("pebble"), [(); 2].map(|()| free_port()));
        identity(&folder);
        let config = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{port}"), "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": "cert.pem", "privateKey": "key.pem", "httpPort": 80, "tlsPort": 443,
            "ocspResponderURL": "", "externalAccountBindingRequired": false,
        } });
        fs::write(folder.join("pebble.json"), config.to_string()).unwrap();
        let setting = |command: &mut std::process::Command| {
            command.args(["-config", "pebble.json"]);
            command.envs([
                ("PEBBLE_VA_NOSLEEP", "1"),
                ("PEBBLE_VA_ALWAYS_VALID", "1"),
                ("PEBBLE_WFE_NONCEREJECT", "0"),
            ]);
        };
        let process = Process::serve(Path::new("pebble"), &folder, setting, port)?;
        let directory = format!("https://localhost:{port}/dir");
        Some(Self { _process: process, directory, root: folder.join("cert.pem") })
    }
}
