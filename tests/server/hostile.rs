//! Slow, broken and oversized requests: told apart clearly, in time, and nothing comes of them.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::{Api, MOMENT, Reply, connect, raw};
use crate::config;
use crate::process::Home;

/// The latest event that somebody caused, and the number of certificates: whatever is stored leaves an event.
fn trace(api: &Api) -> (Value, usize) {
    let (events, certificates) =
        (latest_event(api), api.get(&format!("/certificates?applicationId={}", api.application())));
    (events, certificates["items"].as_array().unwrap().len())
}

/// The latest event that is not of the engine's own, such as a list of revocations that is due.
pub(crate) fn latest_event(api: &Api) -> Value {
    let events = api.get("/events");
    let caused = |event: &&Value| !event["actor"].as_str().unwrap().starts_with("system:");
    events["items"].as_array().unwrap().iter().find(caused).unwrap()["id"].clone()
}

fn with_body(api: &Api, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("{}{headers}content-length: {}\r\n\r\n", api.head("POST", "/certificates"), body.len());
    [head.as_bytes(), body].concat()
}

const JSON: &str = "content-type: application/json\r\n";

#[test]
fn what_can_not_be_meant_is_a_clear_4xx_and_nothing_is_stored() {
    let home = Home::with(&config::plain());
    let server = home.start();
    let api = Api::of(&server);
    let before = trace(&api);
    let good = api.ask("a.example.com").to_string();
    let profile = api.profile();
    let deep = [&b"{\"metadata\":"[..], &b"[".repeat(100_000)].concat();
    let twice = format!("{{\"profileId\":\"{profile}\",\"profileId\":\"{profile}\"}}");
    let bodies: [(&str, &[u8], u16, &str); 14] = [
        (JSON, b"{", 400, "malformed"),
        (JSON, b"", 400, "malformed"),
        (JSON, b"\xff\xfe{}", 400, "malformed"),
        (JSON, &deep, 400, "invalid-request"),
        (JSON, b"{} {}", 400, "invalid-request"),
        (JSON, b"[1, 2]", 400, "invalid-request"),
        (JSON, twice.as_bytes(), 400, "invalid-request"),
        (JSON, b"{\"attributes\":[\"a.example.com\"]}", 400, "invalid-request"),
        (JSON, &good.replace("DNS", "HOST").into_bytes(), 400, "invalid-request"),
        (
            JSON,
            &good.replace("\"attributes\":{", "\"attributes\":{\"keyAlgorithm\":\"RSA_1024\",").into_bytes(),
            400,
            "invalid-request",
        ),
        (JSON, &good.replace("\"attributes\"", "\"surprise\":1,\"attributes\"").into_bytes(), 400, "invalid-request"),
        ("content-type: text/plain\r\n", good.as_bytes(), 415, "unsupported-media-type"),
        ("content-type: application/json; charset=latin1\r\n", good.as_bytes(), 415, "unsupported-media-type"),
        ("", good.as_bytes(), 415, "unsupported-media-type"),
    ];
    for (headers, body, status, code) in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let reply = raw(&api.url, &with_body(&api, headers, body)).unwrap();
        assert_eq!((reply.status, reply.json()["code"].as_str().unwrap()), (status, code), "{shown}: {}", reply.text());
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{shown}");
        assert!(reply.json()["requestId"].is_string(), "{shown}");
    }
    let head = |line: &str, headers: &str| {
        format!(
            "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {}\r\n{headers}\r\n",
            api.token
        )
    };
    let base = "/api/v1/cert-manager";
    let heads: [(String, &[u16]); 9] = [
        (head(&format!("GET {base}/nowhere"), ""), &[404]),
        (head(&format!("DELETE {base}/certificates"), ""), &[405]),
        (head(&format!("GET {base}/certificates?surprise=1"), ""), &[400]),
        (head(&format!("GET {base}/certificates/%00%ff"), ""), &[404]),
        (head(&format!("POST {base}/certificates"), "content-length: 2\r\ncontent-length: 3\r\n"), &[400]),
        (head(&format!("POST {base}/certificates"), "content-length: many\r\n"), &[400]),
        (head(&format!("POST {base}/certificates"), "transfer-encoding: chunked\r\n") + "zz\r\n", &[400, 415]),
        (head(&format!("GET {base}/whoami"), &format!("x-long: {}\r\n", "a".repeat(1 << 20))), &[431]),
        (head(&format!("GET {base}/whoami"), &"x: y\r\n".repeat(500)), &[431]),
    ];
    for (head, expected) in heads {
        let reply = raw(&api.url, head.as_bytes()).unwrap();
        assert!(expected.contains(&reply.status), "{}: {}", &head[..80], reply.status);
    }
    assert!(
        raw(&api.url, b"\x16\x03\x01\x02\x00\x01\x00").is_none_or(|reply| reply.status == 400),
        "TLS to plain HTTP"
    );
    assert_eq!(trace(&api), before);
    let refused = api.call("POST", "/certificates", Some(&api.ask("a.elsewhere.org")));
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(!server.log().contains("ERROR"), "who asks is told, and nobody else: {}", server.log());
}

#[test]
fn long_bodies_are_refused_before_and_while_they_are_read() {
    let home = Home::with(&config::plain());
    let server = home.start();
    let api = Api::of(&server);
    let before = trace(&api);
    // Only announced: it is not waited for.
    let head = format!("{}{JSON}content-length: 1000000000\r\n\r\n", api.head("POST", "/certificates"));
    let begun = Instant::now();
    let reply = raw(&api.url, head.as_bytes()).unwrap();
    assert_eq!((reply.status, reply.json()["code"].as_str().unwrap()), (413, "body-too-large"));
    assert!(begun.elapsed() < Duration::from_secs(5));
    // Not announced.
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x1_0000));
    let chunked =
        format!("{}{JSON}transfer-encoding: chunked\r\n\r\n", api.head("POST", "/certificates")) + &chunk.repeat(64);
    let reply = raw(&api.url, chunked.as_bytes()).unwrap();
    assert_eq!((reply.status, reply.json()["code"].as_str().unwrap()), (413, "body-too-large"));
    assert_eq!(trace(&api), before);
}

#[test]
fn who_is_slow_is_not_waited_for() {
    let config = config::plain()
        .replace("head_timeout = \"10s\"", "head_timeout = \"1s\"")
        .replace("request_timeout = \"60s\"", "request_timeout = \"2s\"");
    let home = Home::with(&config);
    let server = home.start();
    let api = Api::of(&server);
    let before = trace(&api);
    let closed_within = |stream: &mut std::net::TcpStream, most: u64| {
        let begun = Instant::now();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(begun.elapsed() < Duration::from_secs(most), "closed after {:?}", begun.elapsed());
        String::from_utf8_lossy(&rest).into_owned()
    };
    // Nothing at all; a head that does not end; one that comes letter by letter.
    assert_eq!(closed_within(&mut connect(&api.url), 6), "");
    let mut stream = connect(&api.url);
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").unwrap();
    closed_within(&mut stream, 6);
    let mut stream = connect(&api.url);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(6) && stream.write_all(b"G").is_ok() {
        thread::sleep(Duration::from_millis(100));
    }
    assert!(begun.elapsed() < Duration::from_secs(6), "letter by letter");
    // A body that does not come.
    let mut stream = connect(&api.url);
    let head = format!("{}{JSON}content-length: 100\r\n\r\n{{", api.head("POST", "/certificates"));
    stream.write_all(head.as_bytes()).unwrap();
    let begun = Instant::now();
    let reply = Reply::read(&mut stream).unwrap();
    assert_eq!(reply.status, 408, "{}", reply.text());
    assert!((1..10).contains(&begun.elapsed().as_secs()));
    // A connection that was used well and then is not used any more.
    let mut stream = connect(&api.url);
    let head = api.head("GET", "/whoami").replace("connection: close\r\n", "");
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    assert!(closed_within(&mut stream, 6).starts_with("HTTP/1.1 200"));
    assert_eq!(trace(&api), before);
}

#[test]
fn who_does_not_read_is_not_waited_for() {
    let home = Home::with(&config::plain().replace("send_timeout = \"30s\"", "send_timeout = \"1s\""));
    let server = home.start();
    let api = Api::of(&server);
    let head = api.head("GET", "/openapi.json").replace("connection: close\r\n", "");
    let (request, count) = (format!("{head}\r\n"), 200);
    let one = raw(&api.url, format!("{}\r\n", api.head("GET", "/openapi.json")).as_bytes()).unwrap().text().len();
    let mut stream = connect(&api.url);
    stream.write_all(request.repeat(count).as_bytes()).unwrap();
    // Longer than it waits, with more under way than all buffers between here and there hold.
    thread::sleep(Duration::from_secs(3));
    let mut read = Vec::new();
    let _ = stream.read_to_end(&mut read);
    assert!(read.len() < count * one / 2, "{} octets of {count} times {one}", read.len());
    assert!(!read.is_empty());
}

#[test]
fn there_are_no_more_connections_than_there_may_be() {
    let home = Home::with(&config::plain().replace("connections = 1000", "connections = 3"));
    let server = home.start();
    let api = Api::of(&server);
    let head = api.head("GET", "/whoami").replace("connection: close\r\n", "");
    let used = || {
        let mut stream = connect(&api.url);
        stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
        (stream.read(&mut [0]).ok()? > 0).then_some(stream)
    };
    let mut open = vec![used().unwrap(), used().unwrap(), used().unwrap()];
    assert!(used().is_none(), "a fourth is closed");
    assert!(
        raw(&server.ready("operations"), b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").is_some()
    );
    open.pop();
    crate::process::until("there is room again", used);
}

#[test]
fn what_is_under_way_is_brought_to_its_end() {
    ["TERM", "INT"].into_iter().for_each(ended_by);
}

fn ended_by(signal: &str) {
    let home = Home::with(&config::plain());
    let server = home.start();
    let api = Api::of(&server);
    let ask = api.ask("late.example.com").to_string();
    let request = with_body(&api, JSON, ask.as_bytes());
    let (first, rest) = request.split_at(request.len() - 10);
    let mut stream = connect(&api.url);
    stream.write_all(first).unwrap();
    thread::sleep(MOMENT);
    server.signal(signal);
    // It takes no further connections, and waits for this one.
    crate::process::until("it stops listening", || {
        std::net::TcpStream::connect(crate::client::authority(&api.url)).is_err().then_some(())
    });
    stream.write_all(rest).unwrap();
    let certificate = Reply::read(&mut stream).unwrap().good()["certificate"]["certificateId"].clone();
    assert!(server.wait().success());
    let api = Api { url: String::new(), ..api };
    let server = home.start();
    let api = Api { url: server.ready("api"), ..api };
    let id = certificate.as_str().unwrap();
    assert_eq!(api.get(&format!("/certificates/{id}"))["certificate"]["id"], certificate);
}
