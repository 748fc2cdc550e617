//! A client that writes what it is told to a socket, well-formed or not, and reads what comes back.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::process::{PATIENCE, Server};

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// Reads the one answer of a connection that is closed after it.
    pub(crate) fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        match stream.read_to_end(&mut bytes) {
            Ok(_) => {}
            // What was not read of a request may be answered by a reset, after the answer.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("{error}"),
        }
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self { status, head, body: bytes[end + 4..].to_vec() })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}: {}", self.status, self.text()))
    }

    #[track_caller]
    pub(crate) fn good(self) -> Value {
        assert!((200..300).contains(&self.status), "{}: {}", self.status, self.text());
        self.json()
    }
}

/// The host and port of a URL.
pub(crate) fn authority(url: &str) -> &str {
    url.split("://").nth(1).unwrap().split('/').next().unwrap()
}

pub(crate) fn connect(url: &str) -> TcpStream {
    let stream = TcpStream::connect(authority(url)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends bytes as they are.
pub(crate) fn raw(url: &str, bytes: &[u8]) -> Option<Reply> {
    let mut stream = connect(url);
    // A server that has heard enough may have closed.
    let _ = stream.write_all(bytes);
    Reply::read(&mut stream)
}

/// GETs a URL over plain HTTP.
pub(crate) fn get(url: &str, headers: &str) -> Reply {
    let path = url.splitn(4, '/').nth(3).unwrap_or_default();
    let head = format!("GET /{path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}\r\n", authority(url));
    raw(url, head.as_bytes()).unwrap()
}

pub(crate) fn post(url: &str, media: &str, body: &[u8]) -> Reply {
    let path = url.splitn(4, '/').nth(3).unwrap_or_default();
    let (host, length) = (authority(url), body.len());
    let head = format!(
        "POST /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: {media}\r\ncontent-length: {length}\r\n\r\n"
    );
    raw(url, &[head.as_bytes(), body].concat()).unwrap()
}

/// The JSON API over plain HTTP.
pub(crate) struct Api {
    pub(crate) url: String,
    pub(crate) token: String,
}

impl Api {
    /// The administrator's, at a server's first start.
    pub(crate) fn of(server: &Server) -> Self {
        Self { url: server.ready("api"), token: server.token().unwrap() }
    }

    /// The head of a request, without the line that ends it.
    pub(crate) fn head(&self, method: &str, path: &str) -> String {
        let base = self.url.splitn(4, '/').nth(3).unwrap();
        let (host, token) = (authority(&self.url), &self.token);
        format!(
            "{method} /{base}{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nauthorization: Bearer {token}\r\n"
        )
    }

    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        self.call_with(method, path, ("", body))
    }

    pub(crate) fn call_with(&self, method: &str, path: &str, (headers, body): (&str, Option<&Value>)) -> Reply {
        let head = self.head(method, path);
        let request = match body.map(Value::to_string) {
            Some(body) => {
                format!("{head}{headers}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            }
            None => format!("{head}{headers}\r\n"),
        };
        raw(&self.url, request.as_bytes()).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        self.call("GET", path, None).good()
    }

    /// The id of the profile that ships.
    pub(crate) fn profile(&self) -> String {
        self.get("/certificate-profiles/slug/web")["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn application(&self) -> String {
        self.get("/applications/by-name/payments-api")["id"].as_str().unwrap().to_owned()
    }

    /// A request on a managed key.
    pub(crate) fn ask(&self, name: &str) -> Value {
        let names = [serde_json::json!({ "type": "DNS", "value": name })];
        serde_json::json!({ "profileId": self.profile(), "attributes": { "commonName": name, "altNames": names } })
    }

    pub(crate) fn issue(&self, name: &str) -> Value {
        self.call("POST", "/certificates", Some(&self.ask(name))).good()["certificate"].clone()
    }
}

/// A little while, for what must not happen.
pub(crate) const MOMENT: Duration = Duration::from_millis(300);
