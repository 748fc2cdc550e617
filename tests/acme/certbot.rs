//! certbot.

use std::path::PathBuf;
use std::process::Command;

use chancery::domain::{IncidentSelection, IncidentSpec, Span};
use chancery::x509::RevocationReason;
use time::{Duration, OffsetDateTime};

use crate::office::{Office, client};
use crate::support::installed;

/// certbot in its own environment, with what every call needs; nothing, aloud, if the machine lacks it outside CI.
fn certbot(office: &Office) -> Option<Command> {
    let mut command = Command::new(installed("certbot/bin/certbot")?);
    command.env("REQUESTS_CA_BUNDLE", office.path("root.pem"));
    for (option, directory) in [("--config-dir", "config"), ("--work-dir", "work"), ("--logs-dir", "logs")] {
        command.arg(option).arg(office.path(directory));
    }
    command.args(["-n", "--server", &office.directory]);
    Some(command)
}

async fn registering(office: &Office) -> Vec<String> {
    let (kid, secret) = office.binding().await;
    ["--agree-tos", "-m", "ops@example.com", "--eab-kid", &kid, "--eab-hmac-key", &secret].map(str::to_owned).into()
}

fn run(office: &Office, arguments: &[&str], more: &[String]) -> bool {
    let all: Vec<&str> = arguments.iter().copied().chain(more.iter().map(String::as_str)).collect();
    client(certbot(office), &all)
}

/// What stands for a name in certbot's directory.
fn live(office: &Office, name: &str, file: &str) -> PathBuf {
    office.path("config").join("live").join(name).join(file)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_for_several_names_and_an_address() {
    let Some(office) = Office::open().await else { return };
    let port = office.http_port.to_string();
    let standalone = ["certonly", "--standalone", "--preferred-challenges", "http", "--http-01-port", &port];
    let names = ["-d", "www.example.com", "-d", "api.example.com"];
    if !run(&office, &[&standalone[..], &names].concat(), &registering(&office).await) {
        return;
    }
    let chain = live(&office, "www.example.com", "fullchain.pem");
    office.verified(&chain, &["www.example.com", "api.example.com"]);
    run(&office, &[&standalone[..], &["--ip-address", "127.0.0.1", "--cert-name", "address"]].concat(), &[]);
    office.verified(&live(&office, "address", "fullchain.pem"), &["127.0.0.1"]);
    run(&office, &["renew", "--no-random-sleep-on-renew"], &[]);
    assert_eq!(office.certificates().await.len(), 2, "it is not time yet");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wildcard_by_dns_and_its_revocation() {
    let Some(office) = Office::open().await else { return };
    let hook = office.publisher("hook.sh", "_acme-challenge.$CERTBOT_DOMAIN", "$CERTBOT_VALIDATION");
    let hook = hook.to_str().unwrap();
    let manual = ["certonly", "--manual", "--preferred-challenges", "dns", "--manual-auth-hook", hook];
    let names = ["-d", "*.example.com", "-d", "example.com", "--cert-name", "wild"];
    if !run(&office, &[&manual[..], &names].concat(), &registering(&office).await) {
        return;
    }
    let chain = live(&office, "wild", "fullchain.pem");
    office.verified(&chain, &["*.example.com", "example.com"]);

    let (cert, key) = (live(&office, "wild", "cert.pem"), live(&office, "wild", "privkey.pem"));
    let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
    // By the certificate's key, and another one by the account.
    let revoke = ["revoke", "--no-delete-after-revoke", "--cert-path", cert];
    run(&office, &[&revoke[..], &["--key-path", key, "--reason", "keycompromise"]].concat(), &[]);
    run(&office, &[&manual[..], &names, &["--force-renewal"]].concat(), &[]);
    run(&office, &[&revoke[..], &["--reason", "superseded"]].concat(), &[]);
    assert_eq!(office.certificates().await.len(), 2);
    office.all_revoked().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewal_when_the_office_asks_for_it() {
    let Some(office) = Office::open().await else { return };
    let port = office.http_port.to_string();
    let standalone = ["certonly", "--standalone", "--http-01-port", &port, "-d", "www.example.com"];
    if !run(&office, &standalone, &registering(&office).await) {
        return;
    }
    let spec = IncidentSpec {
        reason: RevocationReason::Superseded,
        select: IncidentSelection { application: Some(office.world.application.id), ..IncidentSelection::default() },
        deadline: OffsetDateTime::now_utc() + Duration::seconds(2),
        spread: Span::minutes(0),
        explanation: Some("https://ca.example.com/incident".to_owned()),
        note: String::new(),
    };
    office.world.session("alice").open_incident(spec).await.unwrap();
    office.all_revoked().await;
    run(&office, &["renew", "--no-random-sleep-on-renew"], &[]);
    assert_eq!(office.certificates().await.len(), 2, "renewal information pulls it forward");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_changed_and_given_up() {
    let Some(office) = Office::open().await else { return };
    if !run(&office, &["register"], &registering(&office).await) {
        return;
    }
    run(&office, &["update_account", "-m", "other@example.com"], &[]);
    run(&office, &["show_account"], &[]);
    run(&office, &["unregister"], &[]);
    let (application, profile) = (office.world.application.id, office.world.profile.id);
    let accounts = office.world.session("alice").acme_accounts(application, profile, None).await.unwrap().items;
    let seen: Vec<_> =
        accounts.iter().map(|account| (account.status().as_str(), account.contacts[0].as_str())).collect();
    assert_eq!(seen, [("deactivated", "mailto:other@example.com")]);
}
