//! ACME as the configuration declares it, by a client of other people's.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use crate::config;
use crate::names::{Names, free_port};
use crate::process::Home;
use crate::support::{text, tool};

#[test]
fn lego_enrolls_at_the_directory_that_is_told() {
    let (Some(names), Some(mut lego)) = (Names::start(), tool("lego")) else { return };
    let port = free_port();
    let declared = format!("[acme]\nresolvers = [\"{}\"]\nhttp_port = {port}\n", names.resolver);
    let config = config::shipped().replace("[acme]\n", &declared);
    let home = Home::with(&config.replace(r#"networks = "public""#, r#"networks = "also_private""#));
    let server = home.start();
    let directory = server.directory("payments-api/web");
    let attachment = directory.split_once("/acme/").unwrap().1.strip_suffix("/directory").unwrap();

    let (root, token) = (home.at("chancery-data/root.pem").display().to_string(), server.token().unwrap());
    let bearer = format!("authorization: Bearer {token}");
    let bindings = format!("{}/{attachment}/acme/bindings", server.ready("api").replace("127.0.0.1", "localhost"));
    let made = ["-sS", "--cacert", &root, "-H", &bearer, "-H", "content-type: application/json"];
    let made = [&made[..], &["-d", r#"{"name":"lego"}"#, &bindings]].concat();
    let Some(made) = text(&home.at(""), "curl", &made) else { return };
    let made: Value = serde_json::from_str(&made).unwrap();
    let (kid, secret) = (made["binding"]["id"].as_str().unwrap(), made["hmacKey"].as_str().unwrap());

    lego.env("LEGO_CA_CERTIFICATES", &root).current_dir(home.at("")).stdin(Stdio::null());
    lego.args(["--path", "lego", "--server", &directory, "--email", "ops@example.com", "--accept-tos"]);
    lego.args(["--eab", "--kid", kid, "--hmac", secret, "--http", "--http.port", &format!("127.0.0.1:{port}")]);
    let output = lego.args(["-d", "www.example.com", "run"]).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}\n{}", server.log());
    let chain = fs::read_to_string(home.at("lego/certificates/www.example.com.crt")).unwrap();
    assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2, "with the issuer, without the root");
    server.stop();
}
