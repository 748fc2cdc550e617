//! The office that is measured, as data, and the server of the examples that serves it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::api::Ask;
use crate::process::{Process, Web, folder, text};
use crate::wrk::Load;

/// What the server and the direct calls share.
pub(crate) const OFFICE: &str = r#"
[[issuers]]
name = "root"
subject = { common_name = "Bench Root" }

[[policies]]
name = "web"
[policies.sans]
dns_name = { allowed = ["*.example.com"] }
ip_address = { allowed = ["127.0.0.0/8"] }
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
acme_requests_per_minute = 0
"#;

/// For clients of ACME: one directory whose accounts are bound and prove nothing, and one that looks at what they control.
const ACME: &str = r#"
[[applications]]
name = "bound"
members = [{ principal = "user:bench", role = "admin" }]
[[applications.attachments]]
profile = "web"
methods = { acme = { checks = "skip_ownership" } }

[[applications]]
name = "proving"
members = [{ principal = "user:bench", role = "admin" }]
[[applications.attachments]]
profile = "web"
methods = { acme = { checks = "skip_account_binding", networks = "also_private" } }

[acme]

[tls]
issuer = "root"
names = ["localhost", "127.0.0.1"]
ttl = "30d"
"#;

/// A certificate request for a name that the policy permits, PEM.
pub(crate) fn csr() -> String {
    let mut params = rcgen::CertificateParams::new(vec!["bench.example.com".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.serialize_request(&rcgen::KeyPair::generate().unwrap()).unwrap().pem().unwrap()
}

/// The example as a process.
pub(crate) struct Server {
    process: Process,
    folder: PathBuf,
    token: String,
    ready: Value,
}

impl Server {
    /// The API over plain HTTP.
    pub(crate) fn plain() -> Self {
        Self::start("server", [SERVER, OFFICE].concat())
    }

    /// ACME over TLS.
    pub(crate) fn acme() -> Self {
        Self::start("server-acme", [SERVER, OFFICE, ACME].concat())
    }

    fn start(name: &str, configuration: String) -> Self {
        let folder = folder(name);
        fs::write(folder.join("chancery.toml"), configuration).unwrap();
        let mut command = Command::new(example());
        command.current_dir(&folder).args(["--config", "chancery.toml"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = Process(command.spawn().unwrap());
        let mut lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
        let mut event = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
        let (administrator, ready) = (event(), event());
        Self { process, folder, token: text(&administrator["token"]), ready }
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let web = Web::new(self.root().as_deref());
        let url = format!("{}{path}", text(&self.ready["api"]));
        web.call(method, &url, ("authorization", &format!("Bearer {}", self.token)), body).await
    }

    /// The ids of the profile and of an Application.
    async fn ids(&self, application: &str) -> (String, String) {
        let profile = self.call("GET", "/certificate-profiles/slug/web", None).await;
        let application = self.call("GET", &format!("/applications/by-name/{application}"), None).await;
        (text(&profile["id"]), text(&application["id"]))
    }

    pub(crate) async fn load(&self, ask: Ask) -> Load {
        let (profile, application) = self.ids("bench").await;
        let mut body = json!({ "profileId": profile, "applicationId": application });
        match ask {
            Ask::Csr => body["csr"] = csr().into(),
            Ask::Managed => {
                body["attributes"] = json!({ "altNames": [{ "type": "DNS", "value": "bench.example.com" }] });
            }
        }
        let header = ("authorization".to_owned(), format!("Bearer {}", self.token));
        Load { url: format!("{}/certificates", text(&self.ready["api"])), header, body: body.to_string() }
    }

    /// The certificate that clients trust.
    pub(crate) fn root(&self) -> Option<PathBuf> {
        self.ready["root"].as_str().map(|root| self.folder.join(root))
    }

    /// The directory of an Application.
    pub(crate) fn directory(&self, application: &str) -> String {
        text(&self.ready["acme"][format!("{application}/web")])
    }

    /// A key that binds an account: its `kid` and its secret, base64url.
    pub(crate) async fn binding(&self) -> (String, String) {
        let (profile, application) = self.ids("bound").await;
        let path = format!("/applications/{application}/profiles/{profile}/acme/bindings");
        let made = self.call("POST", &path, Some(&json!({ "name": "bench" }))).await;
        (text(&made["binding"]["id"]), text(&made["hmacKey"]))
    }

    /// VmRSS.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }
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
