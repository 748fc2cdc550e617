//! Starting: the first time, again, with another file, with one that can not be meant, and after a crash in the middle.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

use crate::client::Api;
use crate::config;
use crate::hostile::latest_event;
use crate::process::Home;

#[test]
fn the_token_is_shown_once_and_a_second_start_changes_nothing() {
    let home = Home::with(&config::plain());
    let server = home.start();
    let token = server.token().unwrap();
    let changes = server.changes();
    for made in ["issuer root made", "issuer servers made", "policy web made", "profile web made"] {
        assert!(changes.iter().any(|change| change == made), "{changes:?}");
    }
    for secret in ["chancery-data/sealer.key", "chancery-data/chancery.db"] {
        let mode = fs::metadata(home.at(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{secret}: {mode:o}");
    }
    assert!(!server.log().contains(&token), "the log does not hold it");
    assert_eq!(Api::of(&server).get("/whoami")["principal"], "user:admin");
    let events = latest_event(&Api::of(&server));
    server.stop();

    let server = home.start();
    assert_eq!((server.token(), server.changes()), (None, vec![]));
    let api = Api { url: server.ready("api"), token: token.clone() };
    assert_eq!(latest_event(&api), events, "no event: nothing was written");
    server.stop();

    let server = home.start_with(&["--new-token"]);
    let another = server.token().unwrap();
    assert_ne!(another, token);
    for token in [token, another] {
        assert_eq!(Api { url: server.ready("api"), token }.get("/whoami")["principal"], "user:admin");
    }
}

#[test]
fn what_differs_is_changed_and_told() {
    let home = Home::with(&config::plain());
    home.start().stop();
    let changed = config::plain()
        .replace("max = \"90d\"", "max = \"60d\"")
        .replace(
            "{ principal = \"user:alice\", role = \"operator\" }",
            "{ principal = \"user:bob\", role = \"auditor\" }",
        )
        .replace("Where money moves", "Where money moves fast")
        .replace("before = \"14d\"", "before = \"21d\"")
        .replace("secret = \"change-me\" }]\n\n# Alerts", "secret = \"changed\" }]\n\n# Alerts")
        .replace("ocsp = { validity = \"1h\" }", "ocsp = { validity = \"2h\" }");
    home.configure(&changed);
    let server = home.start();
    let mut expected = vec![
        "issuer servers: how it tells what is revoked".to_owned(),
        "policy web: revision 2".to_owned(),
        "Application payments-api: user:bob is auditor".to_owned(),
        "Application payments-api: user:alice is no member any more".to_owned(),
        "Application payments-api: description or rereading of keys".to_owned(),
        "Application payments-api: alert ending".to_owned(),
    ];
    let mut changes = server.changes();
    expected.sort();
    changes.sort();
    assert_eq!(changes, expected);
    server.stop();
    assert_eq!(home.start().changes(), [""; 0]);
}

/// The line of the configuration that ships in which a text stands.
fn line(text: &str, of: &str) -> usize {
    text.lines().position(|line| line.contains(of)).unwrap_or_else(|| panic!("{of}")) + 1
}

#[test]
fn faults_of_a_configuration_name_line_and_field() {
    let good = config::plain();
    let table: [(&str, &str, &str, &str); 14] = [
        ("[limits]", "[limits", "[limits", ""),
        ("log = \"info\"", "log = \"loud\"", "loud", "log: unknown variant `loud`"),
        ("drain_timeout = \"30s\"", "drain_timeout = \"3m\"", "3m", "listen.drain_timeout: "),
        ("parent = \"root\"", "parents = \"root\"", "parents", "issuers[1].parents: unknown field `parents`"),
        (
            "name = \"servers\"\nparent",
            "name = \"root\" # twice\nparent",
            "# twice",
            "issuers[1].name: the name stands here twice",
        ),
        ("http://127.0.0.1:8880/pki/ocsp", "ftp://127.0.0.1/ocsp", "ftp://", "issuers[1].urls.ocsp[0]: "),
        (
            "crl = { validity = \"7d\" }",
            "crl = { validity = \"7d\", shards = 0 }",
            "shards = 0",
            "issuers[1].status.crl.shards: ",
        ),
        ("max = \"90d\"", "max = \"3m\"", "3m", "policies[0].validity.max: "),
        (
            "denied = [\"admin.example.com\"] }\n\n[policies.ext",
            "denied = [\"admin..example\"] }\n\n[policies.ext",
            "admin..example",
            "policies[0].sans.dns_name.denied[0]: ",
        ),
        ("ttl = \"47d\"", "ttl = \"100d\"", "100d", "profiles[0].defaults."),
        (
            "name = \"edge\"\ntarget = \"edge\"",
            "name = \"edge\"\ntarget = \"nowhere\"",
            "target = \"nowhere\"",
            "applications[0].syncs[0].target: there is no target `nowhere`",
        ),
        ("required = 1", "required = 0", "required = 0", "applications[0].approval_policies[0].steps[0].required: "),
        (
            "url = \"https://hooks.example.com/pki\"",
            "url = \"http://hooks.example.com/pki\"",
            "http://hooks",
            "alerts[0].channels[0].url: ",
        ),
        (
            "administrators = [\"user:admin\"]",
            "administrators = [\"group:admins\"]",
            "group:admins",
            "administrators: the first is to be",
        ),
    ];
    for (from, to, marker, said) in table {
        let bad = good.replace(from, to);
        assert_ne!(bad, good, "{from} is not in the file");
        let home = Home::with(&bad);
        let output = home.command(&["--check"]).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && output.stdout.is_empty(), "{to}: {error}");
        let line = line(&bad, marker);
        let places = [format!("chancery.toml:{line}: {said}"), format!("chancery.toml: line {line}, ")];
        assert!(
            places.iter().any(|place| error.contains(place.as_str())) && error.contains(said),
            "{to}: line {line}: {error}"
        );
        assert!(!home.at("chancery-data").exists(), "nothing is made");
    }
    // Several at once, and those that only the store can know.
    let home = Home::with(&good.replace("required = 1", "required = 0").replace("ttl = \"47d\"", "ttl = \"100d\""));
    let error = String::from_utf8(home.command(&["--check"]).output().unwrap().stderr).unwrap();
    assert!(error.contains("profiles[0]") && error.contains("steps[0].required"), "{error}");
    let home = Home::with(&good.replace("issuer = { ca = \"servers\" }", "issuer = { ca = \"nobody\" }"));
    let error = String::from_utf8(home.command(&[]).output().unwrap().stderr).unwrap();
    assert!(error.contains("profiles[0]: there is no issuer `nobody`"), "{error}");
}

#[test]
fn what_can_not_be_changed_any_more_is_told() {
    let home = Home::with(&config::plain());
    home.start().stop();
    let bad = config::plain()
        .replace("key_algorithm = \"EC_secp384r1\"", "key_algorithm = \"Ed25519\"")
        .replace("common_name = \"Example Root\"", "common_name = \"Another Root\"");
    home.configure(&bad);
    let output = home.command(&[]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    for (marker, field) in [("Ed25519\"", "issuers[0].key_algorithm"), ("Another Root", "issuers[0].subject")] {
        assert!(error.contains(&format!("chancery.toml:{}: {field}: ", line(&bad, marker))), "{error}");
    }
}

#[test]
fn other_reasons_not_to_start() {
    let home = Home::with(&config::plain());
    let refusal = |home: &Home, arguments: &[&str]| {
        let output = home.command(arguments).output().unwrap();
        assert!(!output.status.success() && output.stdout.is_empty());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refusal(&home, &["--bogus"]).contains("usage: server --config FILE"));
    let server = home.start();
    let taken = config::plain().replacen("127.0.0.1:0", crate::client::authority(&server.ready("service")), 1);
    let other = Home::with(&taken);
    assert!(refusal(&other, &[]).contains("listen.service: "), "the address is taken");
    assert!(!other.at("chancery-data").exists(), "nothing is made");
    server.stop();
    let public = Home::with(&config::plain().replacen("127.0.0.1:0", "0.0.0.0:0", 1));
    assert!(refusal(&public, &[]).contains("listen.service: plain HTTP is for loopback"));

    fs::set_permissions(home.at("chancery-data/sealer.key"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refusal(&home, &[]).contains("can be read by others"));
    fs::rename(home.at("chancery-data/sealer.key"), home.at("elsewhere")).unwrap();
    assert!(refusal(&home, &[]).contains("without it no key in the database opens"));
    fs::write(home.at("chancery-data/sealer.key"), [7; 32]).unwrap();
    fs::set_permissions(home.at("chancery-data/sealer.key"), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(!refusal(&home, &[]).is_empty(), "another key opens nothing");
}

/// Killed after ever more time: the start after that is as if nothing had been, and shows a token that is good.
#[test]
fn a_first_start_that_is_cut_off_is_taken_up() {
    let mut cut_off = 0;
    for after in [0, 5, 10, 20, 40, 60, 80, 100, 130, 160, 200, 250, 300, 400] {
        let home = Home::with(&config::shipped());
        let server = home.spawn(&[]);
        thread::sleep(Duration::from_millis(after));
        server.signal("KILL");
        server.wait();
        cut_off += usize::from(!home.at("chancery-data/administrator.shown").exists());
        let config = config::plain();
        home.configure(&config);
        let server = home.start();
        if let Some(token) = server.token() {
            let api = Api { url: server.ready("api"), token };
            let tokens = api.get("/tokens")["items"].as_array().unwrap().len();
            assert_eq!(tokens, 1, "what was made and not shown is revoked");
            api.issue("a.example.com");
        } else {
            assert!(home.at("chancery-data/administrator.shown").exists());
        }
        server.stop();
        assert_eq!(home.start().changes(), [""; 0], "killed after {after} ms");
    }
    assert!(cut_off > 3, "only {cut_off} were cut off");
}
