//! The office that is measured, as data, and the server of the examples that serves it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::Ask;
use crate::load::{Load, get};

/// Both sides read it.
pub(crate) const OFFICE: &str = r#"
[[issuers]]
name = "root"
subject = { common_name = "Bench Root" }

[[policies]]
name = "web"
[policies.sans]
dns_name = { allowed = ["*.example.com"] }
[policies.validity]
max = "90d"

[[profiles]]
name = "web"
issuer = { ca = "root" }
policy = "web"
[profiles.defaults]
ttl = "47d"
key_algorithm = "EC_prime256v1"
key_usages = ["digital_signature"]
extended_key_usages = ["server_auth"]

[[applications]]
name = "bench"
members = [{ principal = "user:bench", role = "admin" }]
[[applications.attachments]]
profile = "web"
methods = { api = {} }
"#;

const SERVER: &str = r#"
data = "data"
administrators = ["user:bench"]
log = "warn"
[listen]
service = "127.0.0.1:0"
status = "127.0.0.1:0"
operations = "127.0.0.1:0"
[limits]
reads_per_minute = 0
writes_per_minute = 0
"#;

/// A folder for this run alone, below `target/`.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/http-bench").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A certificate request for a name that the policy permits, PEM.
pub(crate) fn csr() -> String {
    let mut params = rcgen::CertificateParams::new(vec!["bench.example.com".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.serialize_request(&rcgen::KeyPair::generate().unwrap()).unwrap().pem().unwrap()
}

/// The example as a process.
pub(crate) struct Server {
    child: Child,
    api: String,
    token: String,
    profile: String,
    application: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        let folder = folder("server");
        fs::write(folder.join("chancery.toml"), [SERVER, OFFICE].concat()).unwrap();
        let mut command = Command::new(example());
        command.current_dir(&folder).args(["--config", "chancery.toml"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut event = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
        let (administrator, ready) = (event(), event());
        let (api, token) = (text(&ready["api"]), text(&administrator["token"]));
        let id = |path: &str| text(&get(&format!("{api}{path}"), &format!("authorization: Bearer {token}\r\n"))["id"]);
        let (profile, application) = (id("/certificate-profiles/slug/web"), id("/applications/by-name/bench"));
        Self { child, api, token, profile, application }
    }

    pub(crate) fn load(&self, ask: Ask) -> Load {
        let mut body = json!({ "profileId": self.profile, "applicationId": self.application });
        match ask {
            Ask::Csr => body["csr"] = csr().into(),
            Ask::Managed => {
                body["attributes"] = json!({ "altNames": [{ "type": "DNS", "value": "bench.example.com" }] });
            }
        }
        let header = ("authorization".to_owned(), format!("Bearer {}", self.token));
        Load { url: format!("{}/certificates", self.api), header, body: body.to_string() }
    }

    /// VmRSS.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Built as this bench is, whose directory it goes to.
fn example() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().and_then(Path::parent).unwrap();
    let profile = if folder.ends_with("debug") { "dev" } else { "bench" };
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--profile", profile, "--example", "server", "--features", "server"]);
    assert!(build.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap().success());
    folder.join("examples/server")
}
