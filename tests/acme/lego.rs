//! lego.

use std::path::PathBuf;
use std::process::Command;

use crate::office::{Office, client};
use crate::support::tool;

fn lego(office: &Office, kid: &str, secret: &str) -> Option<Command> {
    let mut command = tool("lego")?;
    command.env("LEGO_CA_CERTIFICATES", office.path("root.pem"));
    command.arg("--path").arg(office.path("lego"));
    command.args(["--server", &office.directory, "--email", "ops@example.com", "--accept-tos"]);
    command.args(["--eab", "--kid", kid, "--hmac", secret]);
    Some(command)
}

fn chain(office: &Office, name: &str) -> PathBuf {
    office.path("lego").join("certificates").join(format!("{name}.crt"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_renewal_and_revocation() {
    let Some(office) = Office::open().await else { return };
    let (kid, secret) = office.binding().await;
    let port = format!("127.0.0.1:{}", office.http_port);
    let asked = ["--http", "--http.port", &port, "-d", "www.example.com", "-d", "api.example.com"];
    let run = |command: &[&str]| client(lego(&office, &kid, &secret), &[&asked[..], command].concat());
    if !run(&["run"]) {
        return;
    }
    office.verified(&chain(&office, "www.example.com"), &["www.example.com", "api.example.com"]);
    run(&["renew", "--days", "1000", "--no-random-sleep"]);
    office.verified(&chain(&office, "www.example.com"), &["www.example.com", "api.example.com"]);
    assert_eq!(office.certificates().await.len(), 2);
    run(&["revoke", "--keep", "--reason", "4"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_in_the_handshake() {
    let Some(office) = Office::open().await else { return };
    let (kid, secret) = office.binding().await;
    let port = format!("127.0.0.1:{}", office.tls_port);
    let arguments = ["--key-type", "ec384", "--tls", "--tls.port", &port, "-d", "www.example.com", "run"];
    if client(lego(&office, &kid, &secret), &arguments) {
        office.verified(&chain(&office, "www.example.com"), &["www.example.com"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wildcard_by_dns_with_rsa() {
    let Some(office) = Office::open().await else { return };
    let (kid, secret) = office.binding().await;
    let hook = office.publisher("exec.sh", "$2", "$3");
    let resolver = office.names.resolver.to_string();
    let arguments = ["--key-type", "rsa2048", "--dns", "exec", "--dns.disable-cp", "--dns.resolvers", &resolver];
    let arguments = [&arguments[..], &["-d", "*.example.com", "run"]].concat();
    let command = lego(&office, &kid, &secret).map(|mut command| {
        command.env("EXEC_PATH", &hook).env("EXEC_PROPAGATION_TIMEOUT", "5").env("EXEC_POLLING_INTERVAL", "1");
        command
    });
    if client(command, &arguments) {
        office.verified(&chain(&office, "_.example.com"), &["*.example.com"]);
    }
}
