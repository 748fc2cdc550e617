//! A client that says exactly what a test wants, over the router alone.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use aws_lc_rs::{hmac, rsa};
use axum::Router;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) const HOST: &str = "https://ca.example.com";

pub(crate) fn encoded(octets: impl AsRef<[u8]>) -> String {
    BASE64URL.encode(octets)
}

/// A key that signs as JWS wants it.
pub(crate) enum Key {
    Ec(&'static str, &'static str, EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Key {
    pub(crate) fn new() -> Self {
        Self::of("ES256")
    }

    pub(crate) fn of(algorithm: &'static str) -> Self {
        let ec = |curve, signing: &'static EcdsaSigningAlgorithm| {
            Self::Ec(algorithm, curve, EcdsaKeyPair::generate(signing).unwrap())
        };
        match algorithm {
            "ES256" => ec("P-256", &ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => ec("P-384", &ECDSA_P384_SHA384_FIXED_SIGNING),
            "ES512" => ec("P-521", &ECDSA_P521_SHA512_FIXED_SIGNING),
            "EdDSA" => Self::Ed(Ed25519KeyPair::generate().unwrap()),
            _ => Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
        }
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Self::Ec(algorithm, ..) => algorithm,
            Self::Ed(_) => "EdDSA",
            Self::Rsa(_) => "RS256",
        }
    }

    pub(crate) fn jwk(&self) -> Value {
        match self {
            Self::Ec(_, curve, key) => {
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "crv": curve, "kty": "EC", "x": encoded(x), "y": encoded(y) })
            }
            Self::Ed(key) => json!({ "crv": "Ed25519", "kty": "OKP", "x": encoded(key.public_key()) }),
            Self::Rsa(key) => {
                let public: &rsa::PublicKey = key.public_key();
                let n = public.modulus().big_endian_without_leading_zero();
                json!({ "e": "AQAB", "kty": "RSA", "n": encoded(n) })
            }
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ec(_, _, key) => key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::Ed(key) => key.sign(message).as_ref().to_vec(),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
        }
    }
}

/// The parts of a signed request.
pub(crate) fn signed(header: &Value, payload: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> Value {
    let (protected, payload) = (encoded(header.to_string()), encoded(payload));
    let signature = encoded(sign(format!("{protected}.{payload}").as_bytes()));
    json!({ "protected": protected, "payload": payload, "signature": signature })
}

/// A binding of `key` under a secret, as the clients are configured with it.
pub(crate) fn binding(url: &str, kid: &str, secret: &str, key: &Key) -> Value {
    let secret = hmac::Key::new(hmac::HMAC_SHA256, &BASE64URL.decode(secret).unwrap());
    let header = json!({ "alg": "HS256", "kid": kid, "url": url });
    signed(&header, &key.jwk().to_string(), |message| hmac::sign(&secret, message).as_ref().to_vec())
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// The body of a good answer.
    #[track_caller]
    pub(crate) fn good(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}")).to_str().unwrap()
    }

    /// The URLs of the links with a relation.
    pub(crate) fn links(&self, relation: &str) -> Vec<String> {
        let end = format!(">;rel=\"{relation}\"");
        let links = self.headers.get_all("link").iter().map(|link| link.to_str().unwrap());
        links.filter_map(|link| link.strip_prefix('<')?.strip_suffix(&end).map(str::to_owned)).collect()
    }

    /// Status and type of a problem, which must come as one, with a fresh nonce.
    #[track_caller]
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        assert!(self.headers.contains_key("replay-nonce"), "no nonce: {}", self.text());
        let (problem, status) = (self.json(), self.status.as_u16());
        assert_eq!(problem["status"], status, "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
        let kind = problem["type"].as_str().unwrap();
        (status, kind.strip_prefix("urn:ietf:params:acme:error:").unwrap().to_owned())
    }
}

/// A client of one directory, with an account or without.
pub(crate) struct Client {
    pub(crate) router: Router,
    pub(crate) directory: Value,
    pub(crate) key: Key,
    pub(crate) kid: Option<String>,
}

impl Client {
    pub(crate) async fn at(router: Router, directory: &str) -> Self {
        let mut client = Self { router, directory: Value::Null, key: Key::new(), kid: None };
        client.directory = client.get(directory).await.good(200);
        client
    }

    /// Another client of the same directory with a key of its own.
    pub(crate) fn other(&self, key: Key) -> Self {
        Self { router: self.router.clone(), directory: self.directory.clone(), key, kid: None }
    }

    pub(crate) fn url(&self, name: &str) -> String {
        self.directory[name].as_str().unwrap_or_else(|| panic!("{name}: {}", self.directory)).to_owned()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        assert_eq!(parts.headers["cache-control"], "no-store");
        Reply { status: parts.status, headers: parts.headers, bytes }
    }

    pub(crate) async fn ask(&self, method: Method, url: &str) -> Reply {
        let path = url.strip_prefix(HOST).unwrap();
        self.send(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get(&self, url: &str) -> Reply {
        self.ask(Method::GET, url).await
    }

    pub(crate) async fn nonce(&self) -> String {
        let reply = self.ask(Method::HEAD, &self.url("newNonce")).await;
        assert_eq!(reply.status, 200);
        reply.header("replay-nonce").to_owned()
    }

    /// What a request for `url` bears when it is as it should be.
    pub(crate) async fn header(&self, url: &str) -> Value {
        let mut header = json!({ "alg": self.key.algorithm(), "nonce": self.nonce().await, "url": url });
        match &self.kid {
            Some(kid) => header["kid"] = kid.as_str().into(),
            None => header["jwk"] = self.key.jwk(),
        }
        header
    }

    pub(crate) fn sign(&self, header: &Value, payload: &str) -> Value {
        signed(header, payload, |message| self.key.sign(message))
    }

    pub(crate) async fn post_bytes(&self, url: &str, media: Option<&str>, body: Vec<u8>) -> Reply {
        let path = url.strip_prefix(HOST).unwrap();
        let request = Request::post(path);
        let request = media.into_iter().fold(request, |request, media| request.header("content-type", media));
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    pub(crate) async fn post_body(&self, url: &str, body: &Value) -> Reply {
        self.post_bytes(url, Some("application/jose+json"), body.to_string().into_bytes()).await
    }

    /// A good request with an object.
    pub(crate) async fn post(&self, url: &str, payload: &Value) -> Reply {
        let header = self.header(url).await;
        self.post_body(url, &self.sign(&header, &payload.to_string())).await
    }

    /// A good request for the resource as it is.
    pub(crate) async fn read(&self, url: &str) -> Reply {
        let header = self.header(url).await;
        self.post_body(url, &self.sign(&header, "")).await
    }

    /// Makes an account, and is it from now on.
    pub(crate) async fn register(&mut self, payload: Value) -> Reply {
        let reply = self.post(&self.url("newAccount"), &payload).await;
        if reply.status.is_success() {
            self.kid = Some(reply.header("location").to_owned());
        }
        reply
    }

    /// Places an order for DNS names. Its URL, and what it looks like.
    pub(crate) async fn order(&self, names: &[&str]) -> (String, Value) {
        let identifiers: Vec<_> = names.iter().map(|name| json!({ "type": "dns", "value": name })).collect();
        let reply = self.post(&self.url("newOrder"), &json!({ "identifiers": identifiers })).await;
        let order = reply.good(201);
        (reply.header("location").to_owned(), order)
    }

    /// Finalizes an order with a request for these names.
    pub(crate) async fn finalize(&self, order: &Value, names: &[&str]) -> Reply {
        let url = order["finalize"].as_str().unwrap();
        self.post(url, &json!({ "csr": encoded(csr(names).0) })).await
    }
}

/// A certificate request for names without a subject, DER, with its key.
pub(crate) fn csr(names: &[&str]) -> (Vec<u8>, rcgen::KeyPair) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params =
        rcgen::CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    (params.serialize_request(&key).unwrap().der().to_vec(), key)
}

/// The DER of the first certificate of a chain.
pub(crate) fn leaf(pem: &str) -> Vec<u8> {
    chancery::x509::Certificate::from_pem_chain(pem).unwrap()[0].der().to_vec()
}
