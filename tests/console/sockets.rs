//! The console over real sockets, as a host serves it.

use std::net::SocketAddr;

use axum::Router;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::scene::{Scene, form};

/// Serves a router until the test ends.
pub(crate) async fn served(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn somebody_signs_in_and_reads_over_a_socket() {
    let scene = Scene::new().await;
    let address = served(scene.router.clone()).await;
    let body = form(&[("token", &scene.tokens["audra"])]);
    let length = body.len();
    let answer = exchange(
        address,
        &format!(
            "POST /console/sign-in HTTP/1.1\r\nhost: {address}\r\norigin: http://{address}\r\nconnection: close\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{body}"
        ),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let cookie = answer.split("set-cookie: ").nth(1).unwrap().split(';').next().unwrap();
    let read = |path: &str, cookie: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\nconnection: close\r\n\r\n")
    };
    let answer = exchange(address, &read("/console/certificates", cookie)).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("api.example.com"), "{answer}");
    assert!(answer.contains("content-security-policy: default-src 'none'"));
    let answer = exchange(address, &read("/console", cookie)).await;
    assert!(answer.contains("location: /console/certificates"), "{answer}");
    let answer = exchange(address, &read("/console/certificates", "chancery=AAAA")).await;
    assert!(answer.contains("location: /console/sign-in"), "{answer}");
}
