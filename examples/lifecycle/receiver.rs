//! A webhook's receiver on this machine: a small HTTP server that checks what the manual tells receivers to check.

use std::sync::{Arc, Mutex, PoisonError};

use chancery::clock::{Clock, ManualClock};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::Result;

/// A message that came.
#[derive(Clone)]
pub(crate) struct Received {
    pub(crate) event: Value,
    pub(crate) signature: String,
    /// Whether the signature is over this body, by who knows the secret, within the last five minutes.
    pub(crate) is_genuine: bool,
    pub(crate) answer: &'static str,
}

/// The receiver. The first message meets it while it is busy.
#[derive(Clone)]
pub(crate) struct Receiver {
    port: u16,
    secret: &'static str,
    clock: Arc<ManualClock>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    pub(crate) async fn open(secret: &'static str, clock: Arc<ManualClock>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let receiver = Self { port: listener.local_addr()?.port(), secret, clock, received: Arc::default() };
        let server = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(server.clone().serve(stream));
            }
        });
        Ok(receiver)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hooks/certificates", self.port)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers request after request of a connection.
    async fn serve(self, mut stream: TcpStream) {
        let (mut read, mut chunk) = (Vec::new(), [0; 4096]);
        loop {
            match stream.read(&mut chunk).await {
                Ok(count) if count > 0 => read.extend_from_slice(&chunk[..count]),
                _ => return,
            }
            let text = String::from_utf8_lossy(&read).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = header(head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            if body.len() < length {
                continue;
            }
            let answer = self.take(&header(head, "chancery-signature").unwrap_or_default(), body);
            let response = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n");
            if stream.write_all(response.as_bytes()).await.is_err() {
                return;
            }
            read.clear();
        }
    }

    fn take(&self, signature: &str, body: &str) -> &'static str {
        let is_genuine = self.is_genuine(signature, body).unwrap_or(false);
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match is_genuine {
            false => "401 Unauthorized",
            true if received.is_empty() => "503 Service Unavailable",
            true => "204 No Content",
        };
        let event = serde_json::from_str(body).unwrap_or_default();
        received.push(Received { event, signature: signature.to_owned(), is_genuine, answer });
        answer
    }

    fn is_genuine(&self, signature: &str, body: &str) -> Option<bool> {
        let (time, mac) = signature.strip_prefix("t=")?.split_once(",v1=")?;
        let sent = i128::from(time.parse::<i64>().ok()?) * 1_000_000;
        let age = self.clock.now().unix_timestamp_nanos() - sent;
        let mut expected = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).ok()?;
        expected.update(format!("{time}.{body}").as_bytes());
        let is_fresh = age.abs() < Duration::minutes(5).whole_nanoseconds();
        Some(is_fresh && expected.verify_slice(&octets(mac)?).is_ok())
    }
}

fn header(head: &str, name: &str) -> Option<String> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
}

fn octets(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}
