//! Other people's servers as processes, and the requests that set them up.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A process; killed when dropped.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    /// Starts a server whose log goes to a file of its folder, and waits until it listens; `None`, aloud, if it is missing.
    pub(crate) fn serve(program: &Path, folder: &Path, setting: impl FnOnce(&mut Command), port: u16) -> Option<Self> {
        let log = fs::File::create(folder.join("log")).unwrap();
        let mut command = Command::new(program);
        command.current_dir(folder).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        setting(&mut command);
        let Ok(child) = command.spawn() else {
            println!("NOT MEASURED: {} is missing", program.display());
            return None;
        };
        let process = Self(child);
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{} does not listen", program.display());
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(process)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder for this run alone, below `target/`.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/fronts-bench").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A key and a certificate for `localhost`, PEM, written to a folder as `key.pem` and `cert.pem`; clients trust the latter.
pub(crate) fn identity(folder: &Path) {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
}

/// A client that trusts a root beside the machine's if one is given.
pub(crate) fn client(root: Option<&Path>) -> reqwest::Client {
    let roots = root.map(|path| reqwest::Certificate::from_pem(&fs::read(path).unwrap()).unwrap());
    reqwest::Client::builder().tls_certs_merge(roots).build().unwrap()
}

/// A client of JSON APIs.
pub(crate) struct Web(reqwest::Client);

impl Web {
    pub(crate) fn new(root: Option<&Path>) -> Self {
        Self(client(root))
    }

    /// What is answered, which must be good.
    pub(crate) async fn call(&self, method: &str, url: &str, header: (&str, &str), body: Option<&Value>) -> Value {
        let mut request = self.0.request(method.parse().unwrap(), url).header(header.0, header.1);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{method} {url}: {status} {text}");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
