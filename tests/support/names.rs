//! A name server of other people's that tests program: every A is 127.0.0.1 unless told otherwise.
#![allow(dead_code, reason = "each test uses its part")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::tool;

/// `pebble-challtestsrv`, on ports of its own; stopped when dropped.
pub(crate) struct Names {
    process: Child,
    pub(crate) resolver: SocketAddr,
    pub(crate) http_port: u16,
    pub(crate) tls_port: u16,
    management: SocketAddr,
}

/// A port of the loopback that nobody listens at.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

impl Names {
    /// Starts it; nothing, aloud, if the machine lacks it outside CI.
    pub(crate) fn start() -> Option<Self> {
        let mut command = tool("pebble-challtestsrv")?;
        let ports = [(); 4].map(|()| free_port());
        let [resolver, management, http, tls] = ports.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let process = command
            .args(["-defaultIPv6", "", "-https01", ""])
            .args(["-dns01", &resolver.to_string(), "-management", &management.to_string()])
            .args(["-http01", &http.to_string(), "-tlsalpn01", &tls.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let names = Self { process, resolver, http_port: http.port(), tls_port: tls.port(), management };
        for listener in [management, resolver, http, tls] {
            names.wait_for(listener);
        }
        Some(names)
    }

    fn wait_for(&self, listener: SocketAddr) {
        for _ in 0..200 {
            if TcpStream::connect(listener).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("pebble-challtestsrv does not listen at {listener}");
    }

    pub(crate) fn management_port(&self) -> u16 {
        self.management.port()
    }

    fn manage(&self, path: &str, body: &Value) {
        let body = body.to_string();
        let mut stream = TcpStream::connect(self.management).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{path} {body}: {answer}");
    }

    pub(crate) fn address(&self, host: &str, address: &str) {
        let kind = if address.contains(':') { "add-aaaa" } else { "add-a" };
        self.manage(kind, &json!({ "host": format!("{host}."), "addresses": [address] }));
    }

    pub(crate) fn text(&self, host: &str, value: &str) {
        self.manage("set-txt", &json!({ "host": format!("{host}."), "value": value }));
    }

    pub(crate) fn clear_text(&self, host: &str) {
        self.manage("clear-txt", &json!({ "host": format!("{host}.") }));
    }

    pub(crate) fn alias(&self, host: &str, target: &str) {
        self.manage("set-cname", &json!({ "host": format!("{host}."), "target": format!("{target}.") }));
    }

    pub(crate) fn caa(&self, host: &str, policies: &[(&str, &str)]) {
        let policies: Vec<_> = policies.iter().map(|(tag, value)| json!({ "tag": tag, "value": value })).collect();
        self.manage("add-caa", &json!({ "host": format!("{host}."), "policies": policies }));
    }

    pub(crate) fn fails(&self, host: &str) {
        self.manage("set-servfail", &json!({ "host": format!("{host}.") }));
    }

    /// What its own http-01 server answers.
    pub(crate) fn serve_file(&self, token: &str, content: &str) {
        self.manage("add-http01", &json!({ "token": token, "content": content }));
    }

    pub(crate) fn redirect(&self, path: &str, to: &str) {
        self.manage("add-redirect", &json!({ "path": path, "targetURL": to }));
    }

    /// What its own tls-alpn-01 server answers.
    pub(crate) fn serve_certificate(&self, host: &str, key_authorization: &str) {
        self.manage("add-tlsalpn01", &json!({ "host": host, "content": key_authorization }));
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
