//! The server's own certificate: it comes from its own issuer, and a renewed one is shown without a restart.

use std::path::Path;

use crate::process::{Home, Server, until};
use crate::{config, support};

/// The serial number of the certificate that a listener shows, and that it is verified for a name.
fn shown(at: &Path, server: &Server, name: &str) -> Option<String> {
    let (host, root) = (server.ready("service").replace("https://", ""), server.ready("root"));
    let ask = ["s_client", "-connect", &host, "-CAfile", &root, "-verify_return_error"];
    let check: &[&str] = if name.parse::<std::net::IpAddr>().is_ok() { &["-verify_ip"] } else { &["-verify_hostname"] };
    let said = support::text(at, "openssl", &[&ask[..], check, &[name]].concat())?;
    std::fs::write(at.join("shown.pem"), &said).unwrap();
    support::text(at, "openssl", &["x509", "-in", "shown.pem", "-noout", "-serial"])
}

#[test]
fn a_renewed_certificate_is_shown_without_a_restart() {
    // Of so short a life, two thirds are soon over.
    let home = Home::with(&config::shipped().replace("ttl = \"30d\"", "ttl = \"40s\""));
    let server = home.start();
    let Some(first) = shown(&home.at(""), &server, "localhost") else { return };
    assert_eq!(shown(&home.at(""), &server, "127.0.0.1"), Some(first.clone()));
    let second = until("the renewed certificate is shown", || {
        let now = shown(&home.at(""), &server, "localhost").unwrap();
        (now != first).then_some(now)
    });
    assert_eq!(shown(&home.at(""), &server, "127.0.0.1"), Some(second.clone()));
    server.stop();

    // The next start shows the same, and issues nothing.
    let server = home.start();
    assert_eq!((server.changes(), server.token()), (vec![], None));
    assert_eq!(shown(&home.at(""), &server, "localhost"), Some(second));
}

#[test]
fn other_names_are_another_certificate() {
    let home = Home::with(&config::shipped());
    home.start().stop();
    home.configure(&config::shipped().replace("\"localhost\", \"127.0.0.1\"", "\"chancery.example.com\""));
    let server = home.start();
    assert_eq!(server.changes(), ["policy chancery-server: revision 2", "certificate for chancery.example.com issued"]);
    shown(&home.at(""), &server, "chancery.example.com");
}
