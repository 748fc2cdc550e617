//! What clients of API enrollment send, as the manual writes it: run as it stands, with host, token and ids filled in.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::client::Api;
use crate::config;
use crate::process::{Home, Server};
use crate::support;

/// The commands of the manual's page on the API that ask for certificates.
fn commands() -> Vec<String> {
    let page = include_str!("../../src/manual/api.md");
    let blocks = page.split("```bash\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    blocks.filter(|block| block.contains("curl -X POST")).collect()
}

/// Runs a command by the shell, against a server that is trusted by its own root alone.
fn run(home: &Home, server: &Server, command: &str) -> Option<Value> {
    support::tool("curl")?;
    let host = server.ready("service");
    let command = command.replace("https://chancery.example.com", &host);
    let mut shell = Command::new("bash");
    shell.args(["-ec", &command]).current_dir(home.at("")).env("CURL_CA_BUNDLE", server.ready("root"));
    let output = shell.stdin(Stdio::null()).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command}");
    Some(
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stdout))),
    )
}

/// The profile's id, asked for over TLS.
fn profile(home: &Home, server: &Server, token: &str) -> Option<String> {
    let path = "/api/v1/cert-manager/certificate-profiles/slug/web";
    let found =
        run(home, server, &format!("curl -s -H 'Authorization: Bearer {token}' https://chancery.example.com{path}"))?;
    Some(found["id"].as_str().unwrap().to_owned())
}

#[test]
fn the_commands_of_the_manual_run_as_they_stand() {
    let home = Home::with(&config::shipped());
    let server = home.start();
    let token = server.token().unwrap();
    let Some(profile) = profile(&home, &server, &token) else { return };
    let [managed, csr] = &commands()[..] else { panic!("two commands are expected") };
    let filled =
        |command: &str| command.replace("<access-token>", &token).replace("<certificate-profile-id>", &profile);

    let answer = run(&home, &server, &filled(managed)).unwrap();
    assert!(answer["certificateRequestId"].as_str().unwrap().starts_with("req-"), "{answer}");
    let certificate = &answer["certificate"];
    for field in ["certificate", "certificateChain", "privateKey", "serialNumber", "certificateId"] {
        assert!(!certificate[field].as_str().unwrap().is_empty(), "{field}: {answer}");
    }
    verifies(&home, &server, certificate);
    fs::write(home.at("key.pem"), certificate["privateKey"].as_str().unwrap()).unwrap();
    let public = |arguments: &[&str]| support::text(&home.at(""), "openssl", arguments).unwrap();
    assert_eq!(
        public(&["pkey", "-in", "key.pem", "-pubout"]),
        public(&["x509", "-in", "leaf.pem", "-noout", "-pubkey"])
    );
    assert!(
        public(&["x509", "-in", "leaf.pem", "-noout", "-text"]).contains("RSA Public-Key: (2048 bit)")
            || public(&["x509", "-in", "leaf.pem", "-noout", "-text"]).contains("Public-Key: (2048 bit)")
    );

    let ask = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "own.pem"];
    let names = ["-subj", "/CN=own.example.com", "-addext", "subjectAltName=DNS:own.example.com", "-out", "own.csr"];
    support::run(&home.at(""), "openssl", &[&ask[..], &names].concat());
    let own = fs::read_to_string(home.at("own.csr")).unwrap().trim().replace('\n', "\\n");
    let placeholder = "-----BEGIN CERTIFICATE REQUEST-----\\n...\\n-----END CERTIFICATE REQUEST-----";
    assert!(csr.contains(placeholder), "{csr}");
    let answer = run(&home, &server, &filled(csr).replace(placeholder, &own)).unwrap();
    assert_eq!(answer["certificate"].get("privateKey").unwrap_or(&Value::Null), &Value::Null, "{answer}");
    verifies(&home, &server, &answer["certificate"]);
    assert_eq!(
        public(&["pkey", "-in", "own.pem", "-pubout"]),
        public(&["x509", "-in", "leaf.pem", "-noout", "-pubkey"])
    );
}

fn verifies(home: &Home, server: &Server, certificate: &Value) {
    fs::write(home.at("leaf.pem"), certificate["certificate"].as_str().unwrap()).unwrap();
    fs::write(home.at("chain.pem"), certificate["certificateChain"].as_str().unwrap()).unwrap();
    let root = server.ready("root");
    let arguments = ["verify", "-x509_strict", "-CAfile", &root, "-untrusted", "chain.pem", "leaf.pem"];
    support::run(&home.at(""), "openssl", &arguments);
}

/// The same key again is the same certificate; the same key for something else is none.
#[test]
fn idempotency_keys_and_request_ids_over_a_socket() {
    let home = Home::with(&config::plain());
    let server = home.start();
    let api = Api::of(&server);
    let send = |name: &str, key: &str, id: &str| {
        let headers = format!("idempotency-key: {key}\r\nx-request-id: {id}\r\n");
        api.call_with("POST", "/certificates", (&headers, Some(&api.ask(name))))
    };
    let (first, again) = (send("a.example.com", "one", "r-1"), send("a.example.com", "one", "r 2"));
    assert_eq!(first.header("x-request-id"), Some("r-1"));
    let made = again.header("x-request-id").unwrap();
    assert!(made != "r 2" && made.len() == 24, "{made}");
    assert_eq!(first.header("cache-control"), Some("no-store"));
    assert_eq!(again.json()["certificate"]["certificateId"], first.json()["certificate"]["certificateId"]);
    let other = send("b.example.com", "one", "r-3");
    assert_eq!((other.status, other.json()["code"].clone()), (422, json!("idempotency-key")));
    assert_eq!(other.json()["requestId"], "r-3");
    let found = api.get(&format!("/certificates?applicationId={}", api.application()));
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
}
