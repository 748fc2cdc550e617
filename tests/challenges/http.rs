//! http-01: files, redirects, addresses.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use chancery::challenge::{ChallengeVerifier, NetworkSettings, NetworkVerifier, Networks};
use chancery::domain::acme::{ChallengeKind, Identifier, ValidationFault};

use crate::names::{Names, free_port};
use crate::{KEY_AUTHORIZATION, TOKEN, challenge, dns, fault, settings, verifier};

const PATH: &str = "/.well-known/acme-challenge/DGyRejmCefe7v4NfDGDKfA";

/// Answers every request with the bytes that `answer` makes of its first line and `Host`; nothing means silence.
fn serve(at: &str, answer: impl Fn(&str, &str) -> Option<String> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind(at).unwrap();
    let address = listener.local_addr().unwrap();
    let mut kept = Vec::new();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let Some((line, host)) = request(&stream) else { continue };
            match answer(&line, &host) {
                Some(answer) => drop((&stream).write_all(answer.as_bytes())),
                None => kept.push(stream),
            }
        }
    });
    address
}

fn request(stream: &TcpStream) -> Option<(String, String)> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next()?;
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let host = headers.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("host: ").map(str::to_owned));
    Some((first, host.unwrap_or_default()))
}

fn ok(body: &str) -> Option<String> {
    Some(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()))
}

fn redirect(to: &str) -> Option<String> {
    Some(format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
}

fn asking(names: &Names, port: u16) -> NetworkVerifier {
    NetworkVerifier::new(NetworkSettings { http_port: port, ..settings(names) }).unwrap()
}

#[tokio::test]
async fn the_file_is_found_by_name_and_by_address() {
    let Some(names) = Names::start() else { return };
    names.serve_file(TOKEN, KEY_AUTHORIZATION);
    let verifier = verifier(&names);
    for identifier in [dns("www.example.com"), Identifier::ip("127.0.0.1").unwrap()] {
        verifier.verify(&challenge(ChallengeKind::Http01, identifier)).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_asked_and_what_is_let_pass() {
    let Some(names) = Names::start() else { return };
    let server = serve("127.0.0.1:0", |line, host| {
        let is_right = line == format!("GET {PATH} HTTP/1.1") && host.starts_with("www.example.com:");
        ok(if is_right {
            concat!("DGyRejmCefe7v4NfDGDKfA.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI", " \r\n\n")
        } else {
            ""
        })
    });
    let verifier = asking(&names, server.port());
    verifier.verify(&challenge(ChallengeKind::Http01, dns("www.example.com"))).await.unwrap();
}

#[tokio::test]
async fn other_answers_are_faults() {
    let Some(names) = Names::start() else { return };
    let server = serve("127.0.0.1:0", |_, host| match host.split('.').next().unwrap() {
        "other" => ok("something else"),
        "longer" => ok(&format!("{KEY_AUTHORIZATION}x")),
        "empty" => ok(""),
        "leading" => ok(&format!(" {KEY_AUTHORIZATION}")),
        "endless" => ok(&format!("{KEY_AUTHORIZATION}{}", " ".repeat(100_000))),
        "lost" => Some("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned()),
        "created" => ok(KEY_AUTHORIZATION).map(|answer| answer.replace("200 OK", "201 Created")),
        "garbage" => Some("SSH-2.0-OpenSSH_9.2\r\n".to_owned()),
        _ => None,
    });
    let settings = NetworkSettings { timeout: Duration::from_secs(2), ..settings(&names) };
    let verifier = NetworkVerifier::new(NetworkSettings { http_port: server.port(), ..settings }).unwrap();
    use ValidationFault::*;
    for (host, expected) in [
        ("other", IncorrectResponse),
        ("longer", IncorrectResponse),
        ("empty", IncorrectResponse),
        ("leading", IncorrectResponse),
        ("endless", IncorrectResponse),
        ("lost", Unauthorized),
        ("created", Unauthorized),
        ("garbage", Connection),
        ("silent", Connection),
    ] {
        let challenge = challenge(ChallengeKind::Http01, dns(&format!("{host}.example.com")));
        assert_eq!(fault(&verifier, &challenge).await, expected, "{host}");
    }
    let nobody = asking(&names, free_port());
    assert_eq!(fault(&nobody, &challenge(ChallengeKind::Http01, dns("www.example.com"))).await, Connection);
}

#[tokio::test]
async fn redirects_are_followed_within_bounds() {
    let Some(names) = Names::start() else { return };
    let other = serve("127.0.0.1:0", |_, _| ok(KEY_AUTHORIZATION));
    let elsewhere = other.port();
    let server = serve("127.0.0.1:0", move |line, host| {
        let (first, port) = (host.split('.').next().unwrap(), host.rsplit(':').next().unwrap());
        match (first, line.contains(PATH)) {
            ("moved", true) => redirect("/here"),
            ("away", true) => redirect(&format!("http://moved.example.net:{port}/there")),
            ("loop", _) => redirect(&format!("{PATH}?again")),
            ("port", true) => redirect(&format!("http://www.example.com:{elsewhere}/")),
            ("scheme", true) => redirect("ftp://www.example.com/"),
            ("file", true) => redirect("file:///etc/passwd"),
            ("user", true) => redirect(&format!("http://me:secret@www.example.com:{port}/there")),
            ("nowhere", true) => redirect("http://"),
            (_, false) => ok(KEY_AUTHORIZATION),
            _ => None,
        }
    });
    let verifier = asking(&names, server.port());
    for host in ["moved", "away"] {
        verifier.verify(&challenge(ChallengeKind::Http01, dns(&format!("{host}.example.com")))).await.unwrap();
    }
    for host in ["loop", "port", "scheme", "file", "user", "nowhere"] {
        let challenge = challenge(ChallengeKind::Http01, dns(&format!("{host}.example.com")));
        assert_eq!(fault(&verifier, &challenge).await, ValidationFault::Connection, "{host}");
    }
}

#[tokio::test]
async fn ipv4_is_asked_where_ipv6_takes_no_connection() {
    let Some(names) = Names::start() else { return };
    names.address("both.example.com", "::1");
    names.address("both.example.com", "127.0.0.1");
    let four = serve("127.0.0.1:0", |_, _| ok(KEY_AUTHORIZATION));
    let verifier = asking(&names, four.port());
    verifier.verify(&challenge(ChallengeKind::Http01, dns("both.example.com"))).await.unwrap();

    // And where it takes one, what it says counts.
    if TcpListener::bind("[::1]:0").is_ok() {
        serve(&format!("[::1]:{}", four.port()), |_, _| ok("something else"));
        let challenge = challenge(ChallengeKind::Http01, dns("both.example.com"));
        assert_eq!(fault(&verifier, &challenge).await, ValidationFault::IncorrectResponse);
    }
}

#[tokio::test]
async fn nobody_inside_is_asked_unless_the_attachment_allows() {
    let Some(names) = Names::start() else { return };
    names.serve_file(TOKEN, KEY_AUTHORIZATION);
    names.address("meta.example.com", "169.254.169.254");
    names.address("mapped.example.com", "::ffff:127.0.0.1");
    let verifier = verifier(&names);
    for kind in [ChallengeKind::Http01, ChallengeKind::TlsAlpn01] {
        for identifier in [
            dns("www.example.com"),
            dns("meta.example.com"),
            Identifier::ip("127.0.0.1").unwrap(),
            Identifier::ip("169.254.169.254").unwrap(),
            Identifier::ip("::1").unwrap(),
            Identifier::ip("fd00::1").unwrap(),
        ] {
            let challenge =
                chancery::challenge::Challenge { networks: Networks::Public, ..challenge(kind, identifier) };
            assert_eq!(fault(&verifier, &challenge).await, ValidationFault::RejectedIdentifier, "{challenge:?}");
        }
    }
}

#[tokio::test]
async fn a_name_without_an_address_is_a_fault_of_dns() {
    let Some(names) = Names::start() else { return };
    names.fails("broken.example.com");
    let verifier = verifier(&names);
    for kind in [ChallengeKind::Http01, ChallengeKind::TlsAlpn01] {
        assert_eq!(fault(&verifier, &challenge(kind, dns("broken.example.com"))).await, ValidationFault::Dns);
    }
}
