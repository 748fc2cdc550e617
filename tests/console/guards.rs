//! What stands between the console and others: cookies, marks, origins, headers, bounds.

use axum::Router;
use axum::body::Body;
use chancery::domain::{Span, TokenSpec};
use chancery::engine::Engine;
use chancery::front::console::{ClientAddress, Console, PREFIX, Transport};
use chancery::front::{Limits, Rate};
use http::{Method, Request, StatusCode};
use time::Duration;

use crate::scene::{Reply, Scene, Visitor, form, mounted, unbounded};
use crate::support::{everything, principal, user};

async fn sign_in(router: &Router, token: &str) -> Reply {
    Visitor::stranger(router).post("/sign-in", &[("token", token)]).await
}

#[tokio::test]
async fn the_cookie_is_sealed_bounded_and_ends_with_the_token() {
    let scene = Scene::new().await;
    let token = &scene.tokens["alice"];
    let reply = sign_in(&scene.router, token).await;
    let cookie = reply.header("set-cookie").to_owned();
    assert!(cookie.starts_with("chancery="), "{cookie}");
    for part in ["; Path=/console;", "; HttpOnly", "; SameSite=Strict", "; Max-Age=28800;"] {
        assert!(cookie.contains(part), "{part} in {cookie}");
    }
    assert!(!cookie.contains("Secure"), "plain HTTP on this machine");
    assert!(!cookie.contains(&token[4..]) && !cookie.contains("chy_"), "the token is not in it");
    let tls = mounted(Console::new(&scene.world.engine).limits(unbounded()));
    let cookie = sign_in(&tls, token).await.header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Secure-chancery=") && cookie.ends_with("; Secure"), "{cookie}");
    // A token that ends sooner takes the cookie with it.
    let mut short = TokenSpec::new("short", principal("user:alice"));
    short.ttl = Span::minutes(5);
    let short = scene.world.session("root").create_token(short).await.unwrap().1;
    let reply = sign_in(&scene.router, short.expose_text()).await;
    assert!(reply.header("set-cookie").contains("; Max-Age=300;"));
    let visitor = Visitor::enter(&scene.router, short.expose_text()).await;
    scene.world.clock.advance(Duration::minutes(5));
    assert!(visitor.get("/certificates").await.place().starts_with("/sign-in"));
}

#[tokio::test]
async fn a_session_ends_after_eight_hours_when_its_token_is_revoked_and_at_sign_out() {
    let scene = Scene::new().await;
    let (long, revoked, left) =
        (scene.visitor("alice").await, scene.visitor("otto").await, scene.visitor("audra").await);
    let reply = left.post("/sign-out", &[]).await;
    assert_eq!(reply.place(), "/sign-in");
    assert!(reply.header("set-cookie").contains("Max-Age=0"));
    assert!(left.get("/certificates").await.place().starts_with("/sign-in"), "a copy of the cookie is no good here");
    let product = scene.world.session("root");
    let otto = principal("user:otto");
    let token = product.tokens(Some(&otto), None).await.unwrap().items[0].id;
    revoked.get("/certificates").await.page();
    product.revoke_token(token).await.unwrap();
    assert!(revoked.get("/certificates").await.place().starts_with("/sign-in"));
    scene.world.clock.advance(Duration::hours(8) - Duration::SECOND);
    long.get("/certificates").await.page();
    scene.world.clock.advance(Duration::SECOND);
    assert!(long.get("/certificates").await.place().starts_with("/sign-in"));
}

#[tokio::test]
async fn forged_forms_are_refused_and_do_nothing() {
    let scene = Scene::new().await;
    let (alice, otto) = (scene.visitor("alice").await, scene.visitor("otto").await);
    let path = format!("/certificates/{}/revoke", scene.valid.record.id);
    let fields = |mark: &str| form(&[("reason", "superseded"), ("sure", "yes"), ("mark", mark)]);
    let before = everything(&scene.store).await;
    let marks = ["", "guessed", &otto.mark, &alice.mark[1..]];
    for mark in marks {
        let reply = alice.send(alice.request(Method::POST, &path, fields(mark))).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "mark {mark}");
    }
    let origins: [&[(&str, &str)]; 5] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site"), ("origin", "https://console.example"), ("host", "console.example")],
        &[("origin", "https://evil.example"), ("host", "console.example")],
        &[("origin", "null"), ("host", "console.example")],
        &[],
    ];
    for origin in origins {
        let mut request = alice.request(Method::POST, &path, fields(&alice.mark));
        request.headers_mut().remove("sec-fetch-site");
        for (name, value) in origin {
            request
                .headers_mut()
                .insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let reply = alice.send(request).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{origin:?}");
        // Nor does a page of others sign somebody in or out.
        for path in ["/sign-in", "/sign-out"] {
            let mut request = alice.request(Method::POST, path, form(&[("token", &scene.tokens["otto"])]));
            request.headers_mut().remove("sec-fetch-site");
            for (name, value) in origin {
                request
                    .headers_mut()
                    .insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
            }
            assert_eq!(alice.send(request).await.status, StatusCode::FORBIDDEN, "{path} {origin:?}");
        }
    }
    assert_eq!(everything(&scene.store).await, before);
    let reply = alice.send(alice.request(Method::POST, &path, fields(&alice.mark))).await;
    assert_eq!(reply.place(), format!("/certificates/{}", scene.valid.record.id), "the same, unforged");
}

#[tokio::test]
async fn every_answer_says_what_browsers_may_do_with_it() {
    let scene = Scene::new().await;
    let alice = scene.visitor("alice").await;
    let stranger = Visitor::stranger(&scene.router);
    let cert = format!("/certificates/{}", scene.valid.record.id);
    let mut replies = Vec::new();
    for path in ["/certificates", &cert, "/nowhere", "/assets/console.css", "/assets/console.js", "/sign-in", ""] {
        replies.push((path.to_owned(), alice.get(path).await));
        replies.push((path.to_owned(), stranger.get(path).await));
    }
    for path in [format!("{cert}/chain.pem"), format!("{cert}/key")] {
        replies.push((path.clone(), alice.get(&path).await));
    }
    replies.push(("a key".to_owned(), alice.post(&format!("{cert}/key"), &[]).await));
    replies.push(("forged".to_owned(), stranger.post("/sign-out", &[]).await));
    let put = alice.request(Method::PUT, "/certificates", String::new());
    replies.push(("PUT".to_owned(), alice.send(put).await));
    for (path, reply) in replies {
        let policy = reply.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self'"), "{path}");
        assert!(policy.contains("base-uri 'none'") && !policy.contains("unsafe"), "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("referrer-policy"), "same-origin", "{path}");
        if !path.starts_with("/assets") {
            assert_eq!(reply.header("cache-control"), "no-store", "{path}");
            assert!(!reply.header("x-request-id").is_empty(), "{path}");
        }
        assert!(!reply.text.contains(" style=") && !reply.text.contains(" onclick="), "{path}: nothing inline");
        assert!(!reply.text.contains("<script>") && !reply.text.contains("<style"), "{path}: nothing inline");
    }
}

#[tokio::test]
async fn strangers_sign_in_first_and_then_get_what_they_asked_for() {
    let scene = Scene::new().await;
    let stranger = Visitor::stranger(&scene.router);
    let asked = format!("/requests/{}?a=b", scene.waiting);
    let reply = stranger.get(&asked).await;
    let (place, query) = reply.header("location").split_once('?').unwrap();
    assert_eq!(place, format!("{PREFIX}/sign-in"));
    let next = form_urlencoded::parse(query.as_bytes()).next().unwrap().1.into_owned();
    let page = stranger.get(&format!("/sign-in?{query}")).await.page();
    assert!(page.contains("Go on"));
    let entered = stranger.post("/sign-in", &[("token", &scene.tokens["audra"]), ("next", &next)]).await;
    assert_eq!(entered.place(), asked);
    for astray in ["https://evil.example/", "//evil.example", "/console//evil.example", "/console/\\evil", "/other", ""]
    {
        let entered = stranger.post("/sign-in", &[("token", &scene.tokens["audra"]), ("next", astray)]).await;
        assert_eq!(entered.place(), "/certificates", "{astray}");
    }
    // A form that comes too late is not sent again by itself.
    let late = stranger.post(&format!("/requests/{}/approve", scene.waiting), &[]).await;
    assert_eq!(late.place(), "/sign-in");
}

#[tokio::test]
async fn bad_tokens_are_refused_and_attempts_are_bounded_for_each_address() {
    let scene = Scene::new().await;
    let attempts = Rate { per_minute: 3, burst: 3 };
    let router = mounted(Console::new(&scene.world.engine).attempts(attempts).transport(Transport::LoopbackHttp));
    let attempt = async |token: &str, address: [u8; 4]| {
        let stranger = Visitor::stranger(&router);
        let mut request: Request<Body> = stranger.request(Method::POST, "/sign-in", form(&[("token", token)]));
        request.extensions_mut().insert(ClientAddress(address.into()));
        stranger.send(request).await
    };
    let good = &scene.tokens["alice"];
    for token in ["", "chy_", &good[..good.len() - 1]] {
        let reply = attempt(token, [192, 0, 2, 1]).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
        assert!(reply.header("set-cookie").is_empty() && reply.text.contains("not accepted"));
        assert!(
            token.is_empty() || !reply.text.contains(token) || token == "chy_",
            "what was typed is not shown again"
        );
    }
    let reply = attempt(good, [192, 0, 2, 1]).await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(reply.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(attempt(good, [192, 0, 2, 2]).await.status, StatusCode::SEE_OTHER, "another address");
    scene.world.clock.advance(Duration::MINUTE);
    assert_eq!(attempt(good, [192, 0, 2, 1]).await.status, StatusCode::SEE_OTHER, "later");
}

#[tokio::test]
async fn forms_are_bounded_and_must_be_forms() {
    let scene = Scene::new().await;
    let alice = scene.visitor("alice").await;
    let long = "x".repeat(300 * 1024);
    let reply = alice.post("/requests/new", &[("csr", &long)]).await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
    let mut request = alice.request(Method::POST, "/requests/new", "{}".to_owned());
    request.headers_mut().insert("content-type", "application/json".parse().unwrap());
    assert_eq!(alice.send(request).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let mut request = alice.request(Method::GET, "/account", String::new());
    request.headers_mut().insert("x-request-id", "mine-7".parse().unwrap());
    assert_eq!(alice.send(request).await.header("x-request-id"), "mine-7");
}

#[tokio::test]
async fn those_who_ask_too_often_wait() {
    let scene = Scene::new().await;
    let reads = Rate { per_minute: 2, burst: 3 };
    let console = Console::new(&scene.world.engine).transport(Transport::LoopbackHttp);
    let router = mounted(console.limits(Limits { reads, ..unbounded() }));
    let alice = Visitor::enter(&router, &scene.tokens["alice"]).await;
    for _ in 0..2 {
        alice.get("/account").await.page();
    }
    let reply = alice.get("/account").await;
    assert_eq!((reply.status, reply.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "30"));
    scene.world.clock.advance(Duration::seconds(30));
    alice.get("/account").await.page();
}

#[tokio::test]
async fn what_goes_on_inside_is_not_told() {
    // An engine without a sealer can not seal a cookie.
    let root = principal("user:root");
    let engine = Engine::builder().administrator(root.clone()).build().await.unwrap();
    let token = engine.acting_as(user("root")).create_token(TokenSpec::new("root", root)).await.unwrap().1;
    let router = mounted(Console::new(&engine));
    let reply = sign_in(&router, token.expose_text()).await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(reply.text.contains(reply.header("x-request-id")) && !reply.text.contains("sealer"), "{}", reply.text);
    assert!(reply.header("set-cookie").is_empty());
}

#[tokio::test]
async fn a_console_elsewhere_links_to_itself() {
    let scene = Scene::new().await;
    let console = Console::new(&scene.world.engine).mounted_at("/ops/console/").transport(Transport::LoopbackHttp);
    let router = Router::new().nest("/ops/console", console.router());
    let request = Request::builder().method(Method::POST).uri("/ops/console/sign-in");
    let request = request.header("content-type", "application/x-www-form-urlencoded").header("origin", "http://a:1");
    let request = request.header("host", "a:1").body(Body::from(form(&[("token", &scene.tokens["alice"])]))).unwrap();
    let reply = Visitor::stranger(&router).send(request).await;
    assert_eq!(reply.header("location"), "/ops/console/certificates");
    assert!(reply.header("set-cookie").contains("; Path=/ops/console;"));
}
