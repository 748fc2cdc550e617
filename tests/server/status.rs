//! Certificate status as relying parties ask for it: OpenSSL, GnuTLS and curl against the running server.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::client::{Api, get, post};
use crate::process::{Home, Server, until};
use crate::{config, support};

struct Desk {
    home: Home,
    server: Server,
    api: Api,
}

impl Desk {
    /// A server with a certificate that is fine and one that is revoked, as files.
    fn new() -> Self {
        let home = Home::with(&config::plain());
        let server = home.start();
        let api = Api::of(&server);
        let desk = Self { home, server, api };
        for name in ["good", "bad"] {
            let certificate = desk.api.issue(&format!("{name}.example.com"));
            fs::write(desk.home.at(&format!("{name}.pem")), certificate["certificate"].as_str().unwrap()).unwrap();
            fs::write(desk.home.at("issuer.pem"), certificate["issuingCaCertificate"].as_str().unwrap()).unwrap();
            fs::write(desk.home.at("chain.pem"), certificate["certificateChain"].as_str().unwrap()).unwrap();
            if name == "bad" {
                let path = format!("/certificates/{}/revoke", certificate["certificateId"].as_str().unwrap());
                desk.api.call("POST", &path, Some(&json!({ "revocationReason": "SUPERSEDED" }))).good();
            }
        }
        for issuer in ["root", "servers"] {
            until("the first list is made", || {
                (get(&desk.url(&format!("/crl/{issuer}/0.crl")), "").status == 200).then_some(())
            });
        }
        desk
    }

    fn at(&self) -> std::path::PathBuf {
        self.home.at("")
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.ready("status"))
    }

    /// A question about a certificate, DER.
    fn question(&self, file: &str, nonce: &str) -> Option<Vec<u8>> {
        let ask = ["ocsp", "-issuer", "issuer.pem", "-cert", file, nonce, "-reqout", "question.der"];
        support::run(&self.at(), "openssl", &ask).then(|| fs::read(self.home.at("question.der")).unwrap())
    }

    /// What OpenSSL makes of a response.
    fn status_in(&self, response: &[u8], file: &str) -> Option<String> {
        fs::write(self.home.at("response.der"), response).unwrap();
        let read = ["ocsp", "-respin", "response.der", "-issuer", "issuer.pem", "-cert", file, "-CAfile", "chain.pem"];
        support::text(&self.at(), "openssl", &read)
    }
}

#[test]
fn openssl_and_gnutls_ask_the_responder() {
    let desk = Desk::new();
    let url = desk.url("/ocsp");
    for (file, expected) in [("good.pem", "good.pem: good"), ("bad.pem", "bad.pem: revoked")] {
        let ask = ["ocsp", "-url", &url, "-issuer", "issuer.pem", "-cert", file, "-CAfile", "chain.pem"];
        for nonce in ["-no_nonce", "-nonce"] {
            let Some(said) = support::text(&desk.at(), "openssl", &[&ask[..], &[nonce]].concat()) else { return };
            assert!(said.contains(expected), "{said}");
        }
        let to = format!("--ask={url}");
        let ask = [&*to, "--load-issuer", "issuer.pem", "--load-cert", file, "--load-signer", "issuer.pem"];
        if let Some(output) = support::attempt(&desk.at(), "ocsptool", &ask) {
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            let expected = if file == "good.pem" { "Certificate Status: good" } else { "Certificate Status: revoked" };
            assert!(said.contains(expected), "{said}");
        }
    }
}

#[test]
fn questions_in_the_path_are_answered_for_caches_and_others_for_nobody() {
    let desk = Desk::new();
    let Some(question) = desk.question("good.pem", "-no_nonce") else { return };
    let base64 = STANDARD.encode(&question);
    let escaped = base64.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    for path in [&base64, &escaped] {
        let reply = get(&desk.url(&format!("/ocsp/{path}")), "");
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/ocsp-response")));
        assert!(reply.header("cache-control").unwrap().starts_with("public, "), "{reply:?}");
        assert!(desk.status_in(&reply.body, "good.pem").unwrap().contains("good.pem: good"));
        let tag = format!("if-none-match: {}\r\n", reply.header("etag").unwrap());
        assert_eq!(get(&desk.url(&format!("/ocsp/{path}")), &tag).status, 304);
    }
    let posted = post(&desk.url("/ocsp"), "application/ocsp-request", &question);
    assert_eq!((posted.status, posted.header("cache-control")), (200, Some("no-store")));
    let nonce = STANDARD.encode(desk.question("good.pem", "-nonce").unwrap());
    assert_eq!(get(&desk.url(&format!("/ocsp/{nonce}")), "").header("cache-control"), Some("no-store"));
}

/// `OCSPResponse` with malformedRequest(1) and unauthorized(6) alone.
const MALFORMED: &[u8] = &[0x30, 0x03, 0x0a, 0x01, 0x01];
const UNAUTHORIZED: &[u8] = &[0x30, 0x03, 0x0a, 0x01, 0x06];

#[test]
fn what_is_no_question_or_not_ours_is_told_by_the_response() {
    let desk = Desk::new();
    let ask = |body: &[u8]| post(&desk.url("/ocsp"), "application/ocsp-request", body);
    for body in [&b""[..], b"what?", &[0x30; 100]] {
        let reply = ask(body);
        assert_eq!((reply.status, &reply.body[..]), (200, MALFORMED));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    let reply = get(&desk.url("/ocsp/!!!"), "");
    assert_eq!((reply.status, &reply.body[..]), (200, MALFORMED));
    assert_eq!(ask(&vec![0x30; 20_000]).status, 413);
    assert_eq!(post(&desk.url("/ocsp"), "application/json", b"{}").status, 415);
    assert_eq!(get(&desk.url("/ocsp"), "").status, 405);
    // An issuer that nobody here is.
    let made = rcgen::generate_simple_self_signed(["stranger.example.com".to_owned()]).unwrap();
    fs::write(desk.home.at("stranger.pem"), made.cert.pem()).unwrap();
    let other = ["ocsp", "-issuer", "stranger.pem", "-cert", "good.pem", "-no_nonce", "-reqout", "question.der"];
    if support::run(&desk.at(), "openssl", &other) {
        assert_eq!(ask(&fs::read(desk.home.at("question.der")).unwrap()).body, UNAUTHORIZED);
    }
}

#[test]
fn openssl_verifies_with_lists_that_are_fetched() {
    let desk = Desk::new();
    let fetch = |url: &str, file: &str| {
        let reply = get(url, "");
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/pkix-crl")), "{url}");
        fs::write(desk.home.at(file), &reply.body).unwrap();
        let pem = format!("{file}.pem");
        support::run(&desk.at(), "openssl", &["crl", "-inform", "DER", "-in", file, "-out", &pem])
    };
    let verified = |file: &str| {
        let lists = ["-CRLfile", "servers.crl.pem", "-CRLfile", "root.crl.pem"];
        let chain = ["-crl_check_all", "-x509_strict", "-CAfile", "chain.pem", "-untrusted", "chain.pem", file];
        let output = support::attempt(&desk.at(), "openssl", &[&["verify"], &lists[..], &chain].concat()).unwrap();
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    // The lists are made by due work: the next one knows of the revocation.
    let known = until("the list knows of the revocation", || {
        if !fetch(&desk.url("/crl/servers/0.crl"), "servers.crl") {
            return Some(false);
        }
        let listed = support::text(&desk.at(), "openssl", &["crl", "-in", "servers.crl.pem", "-noout", "-text"])?;
        listed.contains("Superseded").then_some(true)
    });
    if !known || !fetch(&desk.url("/crl/root/0.crl"), "root.crl") {
        return;
    }
    let (is_fine, said) = verified("good.pem");
    assert!(is_fine, "{said}");
    let (is_fine, said) = verified("bad.pem");
    assert!(!is_fine && said.contains("certificate revoked"), "{said}");
}

#[test]
fn lists_and_certificates_are_kept_by_caches_until_they_change() {
    let desk = Desk::new();
    let id = desk.api.get("/ca/internal/by-name/servers")["id"].as_str().unwrap().to_owned();
    for path in ["/crl/servers/0.crl", &format!("/crl/{id}/0.crl"), "/ca/servers.cer", &format!("/ca/{id}.cer")] {
        let reply = get(&desk.url(path), "");
        assert_eq!(reply.status, 200, "{path}");
        let caching = reply.header("cache-control").unwrap();
        let age: u32 = caching.split("max-age=").nth(1).unwrap().parse().unwrap();
        assert!((1..=3600).contains(&age), "{path}: {caching}");
        assert!(reply.header("expires").unwrap().ends_with(" GMT") && reply.header("last-modified").is_some());
        let tag = format!("if-none-match: {}\r\n", reply.header("etag").unwrap());
        let again = get(&desk.url(path), &tag);
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
    }
    own_certificate(&desk.at(), &get(&desk.url("/ca/servers.cer"), "").body);
    for path in [
        "/crl/nobody/0.crl",
        "/crl/servers/7.crl",
        "/crl/servers/0",
        "/crl/servers/x.crl",
        "/ca/nobody.cer",
        "/ca/.cer",
    ] {
        assert_eq!(get(&desk.url(path), "").status, 404, "{path}");
    }
}

fn own_certificate(at: &Path, der: &[u8]) {
    fs::write(at.join("ca.der"), der).unwrap();
    if let Some(pem) = support::text(at, "openssl", &["x509", "-inform", "DER", "-in", "ca.der"]) {
        assert_eq!(pem.trim(), fs::read_to_string(at.join("issuer.pem")).unwrap().trim());
    }
}

#[test]
fn health_readiness_and_metrics_are_for_operators() {
    let desk = Desk::new();
    let operations = desk.server.ready("operations");
    assert_eq!(get(&format!("{operations}/healthz"), "").status, 200);
    assert_eq!(get(&format!("{operations}/readyz"), "").text(), "ready\n");
    let of = |url: &str, path: &str| get(&format!("{url}{path}"), "").status;
    assert_eq!(of(&desk.url(""), "/metrics"), 404);
    assert_eq!(of(&desk.server.ready("service"), "/metrics"), 404);
    let metrics = get(&format!("{operations}/metrics"), "");
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = metrics.text();
    for line in [
        "chancery_api_requests_total{endpoint=\"issueCertificate\",method=\"POST\",status=\"200\"} 2",
        "chancery_api_requests_total{endpoint=\"revokeCertificate\",method=\"POST\",status=\"200\"} 1",
        "chancery_verbs_total{verb=\"revoke\",outcome=\"ok\"} 1",
        "chancery_ready 1",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(text.contains("chancery_api_request_seconds_bucket{endpoint=\"issueCertificate\",le=\"0.001\"}"), "{text}");
    let _: Value = desk.api.get("/whoami");
}
