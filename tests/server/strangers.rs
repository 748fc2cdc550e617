//! Programs of other people's that know nothing but the documents: schemathesis the OpenAPI, a parser the metrics.

use std::fs;
use std::process::{Command, Stdio};

use crate::client::{Api, get};
use crate::config;
use crate::process::Home;
use crate::support::installed;

/// No server error, and no answer that the document does not describe.
#[test]
fn schemathesis_finds_nothing() {
    let Some(schemathesis) = installed("schemathesis/bin/schemathesis") else { return };
    let home = Home::with(&config::plain());
    let server = home.start();
    let api = Api::of(&server);
    api.issue("a.example.com");
    fs::write(home.at("openapi.json"), get(&format!("{}/openapi.json", api.url), "").body).unwrap();
    let seconds = std::env::var("SCHEMATHESIS_SECONDS").unwrap_or("45".to_owned());
    let seed = std::env::var("SCHEMATHESIS_SEED").unwrap_or("1".to_owned());
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
         response_schema_conformance,negative_data_rejection,unsupported_method,\
         ignored_auth";
    let mut run = Command::new(schemathesis);
    run.current_dir(home.at("")).args(["run", "openapi.json", "--url", &api.url, "--checks", checks]);
    run.args(["-H", &format!("Authorization: Bearer {}", api.token), "--max-time", &seconds, "--seed", &seed]);
    run.args(["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "20", "--continue-on-failure"]);
    run.args(["--suppress-health-check", "all", "--warnings", "off", "--no-color"]);
    let output = run.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}\n{}", server.log());
    let summary = said.lines().rev().take(25).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n");
    println!("{summary}");
    assert!(!server.log().contains("ERROR"), "{}", server.log());
    server.stop();
}

#[test]
fn the_metrics_are_read_by_a_parser_of_other_peoples() {
    let Some(python) = installed("schemathesis/bin/python") else { return };
    let home = Home::with(&config::plain());
    let server = home.start();
    Api::of(&server).issue("a.example.com");
    let text = get(&format!("{}/metrics", server.ready("operations")), "").body;
    fs::write(home.at("metrics.txt"), text).unwrap();
    let script = "from prometheus_client.parser import text_string_to_metric_families as read\n\
        families = {family.name: family for family in read(open('metrics.txt').read())}\n\
        issued = [s for s in families['chancery_api_requests'].samples if s.labels['endpoint'] == 'issueCertificate']\n\
        assert [s.value for s in issued] == [1.0], issued\n\
        seconds = families['chancery_api_request_seconds']\n\
        assert seconds.type == 'histogram', seconds\n\
        print(len(families), 'families')\n";
    let parsed = Command::new(python).args(["-c", script]).current_dir(home.at("")).output().unwrap();
    assert!(parsed.status.success(), "{}", String::from_utf8_lossy(&parsed.stderr));
}
