//! The console of the running server: the token of the first start opens it, over plain HTTP and over TLS.

use crate::client::{authority, get, raw};
use crate::process::Home;
use crate::{config, support};

#[test]
fn the_first_administrator_signs_in() {
    let home = Home::with(&config::plain());
    let server = home.start();
    let (url, token) = (server.ready("console"), server.token().unwrap());
    let (host, body) = (authority(&url), format!("token={token}"));
    let attempt = |origin: &str| {
        let head = format!(
            "POST /console/sign-in HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\norigin: {origin}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        raw(&url, head.as_bytes()).unwrap()
    };
    assert_eq!(attempt("https://evil.example").status, 403);
    let entered = attempt(&format!("http://{host}"));
    assert_eq!(entered.status, 303, "{}", entered.text());
    let cookie = entered.header("set-cookie").unwrap().split(';').next().unwrap();
    let page = get(&format!("{url}/certificates"), &format!("cookie: {cookie}\r\n"));
    assert!(page.status == 200 && page.text().contains("What ends in the next 12 weeks"), "{}", page.text());
    assert_eq!(get(&format!("{url}/certificates"), "").status, 303);
    // More than twenty attempts from one address have to wait.
    assert!((0..25).any(|_| attempt(&format!("http://{host}")).status == 429));
    server.stop();
}

#[test]
fn over_tls_the_cookie_is_secure() {
    let home = Home::with(&config::shipped());
    let server = home.start();
    let (url, root) = (server.ready("console"), server.ready("root"));
    let (origin, token) =
        (format!("origin: https://{}", authority(&url)), format!("token={}", server.token().unwrap()));
    // By HTTP/2, too, where no `Host` says which origin is ours.
    for version in ["--http1.1", "--http2"] {
        let arguments =
            ["-sS", "-i", version, "--cacert", &root, "-H", &origin, "--data-raw", &token, &format!("{url}/sign-in")];
        let Some(answer) = support::text(&home.at(""), "curl", &arguments) else { return };
        assert!(answer.lines().next().unwrap().contains("303"), "{version}: {answer}");
        assert!(answer.contains("__Secure-chancery=") && answer.contains("; Secure"), "{version}: {answer}");
    }
    server.stop();
}
