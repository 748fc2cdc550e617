//! Signed requests, good ones and each way to spoil one.

use serde_json::{Value, json};

use super::*;
use crate::crypto::PrivateKey;
use crate::x509::SignatureAlgorithm;

/// A DER signature as the two numbers that JWS wants.
fn fixed(der: &[u8], length: usize) -> Vec<u8> {
    let mut at = if der[1] & 0x80 == 0 { 2 } else { 3 };
    let mut out = Vec::new();
    for _ in 0..2 {
        let size = usize::from(der[at + 1]);
        let number = &der[at + 2..at + 2 + size];
        let number = &number[number.len().saturating_sub(length)..];
        out.extend(std::iter::repeat_n(0, length - number.len()).chain(number.iter().copied()));
        at += 2 + size;
    }
    out
}

fn signed(key: &PrivateKey, header: &Value, payload: &str) -> Value {
    let protected = BASE64URL.encode(header.to_string());
    let payload = BASE64URL.encode(payload);
    let input = format!("{protected}.{payload}");
    let algorithm = key.public_key().algorithm();
    let made = match algorithm {
        algorithm if algorithm.is_rsa() => key.sign(SignatureAlgorithm::RsaSha256, input.as_bytes()).unwrap(),
        algorithm => key.sign(algorithm.usual_signature_algorithm(), input.as_bytes()).unwrap(),
    };
    let made = match algorithm {
        KeyAlgorithm::P256 => fixed(&made, 32),
        KeyAlgorithm::P384 => fixed(&made, 48),
        KeyAlgorithm::P521 => fixed(&made, 66),
        _ => made,
    };
    json!({ "protected": protected, "payload": payload, "signature": BASE64URL.encode(made) })
}

fn header(key: &PrivateKey) -> Value {
    let jwk: Value = serde_json::from_str(&key.public_key().jwk().unwrap()).unwrap();
    let alg = algorithm_of(key.public_key()).unwrap();
    json!({ "alg": alg, "jwk": jwk, "nonce": "AAAA", "url": "https://ca.example/new" })
}

fn refused(body: &Value) -> ProblemKind {
    Jws::parse(body.to_string().as_bytes()).unwrap_err().kind
}

#[test]
fn every_algorithm_signs() {
    use KeyAlgorithm::*;
    for algorithm in [P256, P384, P521, Ed25519, Rsa2048] {
        let key = PrivateKey::generate(algorithm).unwrap();
        let body = signed(&key, &header(&key), r#"{"a":1}"#);
        let jws = Jws::parse(body.to_string().as_bytes()).unwrap();
        assert_eq!(jws.key(), &KeyReference::Jwk(key.public_key().clone()));
        assert_eq!((jws.nonce(), jws.url()), (Some("AAAA"), "https://ca.example/new"));
        jws.verify(key.public_key()).unwrap();
        assert_eq!(jws.object::<Value>().unwrap(), json!({ "a": 1 }));
        for member in ["payload", "signature"] {
            let mut changed = body.clone();
            changed[member] = BASE64URL.encode(r#"{"a":2}"#).into();
            let jws = Jws::parse(changed.to_string().as_bytes()).unwrap();
            assert_eq!(jws.verify(key.public_key()).unwrap_err().kind, ProblemKind::Malformed);
        }
        let other = PrivateKey::generate(algorithm).unwrap();
        assert_eq!(jws.verify(other.public_key()).unwrap_err().kind, ProblemKind::Malformed);
    }
}

#[test]
fn the_algorithm_is_that_of_the_key() {
    let (p256, p384) = (KeyAlgorithm::P256, KeyAlgorithm::P384);
    let key = PrivateKey::generate(p256).unwrap();
    let jws = Jws::parse(signed(&key, &header(&key), "").to_string().as_bytes()).unwrap();
    let other = PrivateKey::generate(p384).unwrap();
    let problem = jws.verify(other.public_key()).unwrap_err();
    assert_eq!(problem.kind, ProblemKind::BadSignatureAlgorithm);
    assert!(jws.is_post_as_get());
}

#[test]
fn headers_that_are_refused() {
    let key = PrivateKey::generate(KeyAlgorithm::P256).unwrap();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut header = header(&key);
        change(&mut header);
        refused(&signed(&key, &header, "{}"))
    };
    for algorithm in ["none", "HS256", "RS384", "PS256", "es256", "", "EdDSA "] {
        assert_eq!(with(&|header| header["alg"] = algorithm.into()), ProblemKind::BadSignatureAlgorithm, "{algorithm}");
    }
    let malformed: [&dyn Fn(&mut Value); 8] = [
        &|header| header["kid"] = "https://ca.example/account/1".into(),
        &|header| drop(header.as_object_mut().unwrap().remove("jwk")),
        &|header| drop(header.as_object_mut().unwrap().remove("url")),
        &|header| drop(header.as_object_mut().unwrap().remove("alg")),
        &|header| header["crit"] = json!(["b64"]),
        &|header| header["b64"] = false.into(),
        &|header| header["jwk"] = json!({ "kty": "EC" }),
        &|header| *header = json!([]),
    ];
    for (at, change) in malformed.iter().enumerate() {
        assert_eq!(with(change), ProblemKind::Malformed, "{at}");
    }
    assert_eq!(with(&|header| header["jwk"]["d"] = "AAAA".into()), ProblemKind::BadPublicKey);
    assert_eq!(with(&|header| header["jwk"]["crv"] = "secp256k1".into()), ProblemKind::BadPublicKey);
    assert_eq!(with(&|header| header["jwk"]["x"] = "A".repeat(43).into()), ProblemKind::BadPublicKey);
}

#[test]
fn bodies_that_are_refused() {
    let key = PrivateKey::generate(KeyAlgorithm::P256).unwrap();
    let good = signed(&key, &header(&key), "{}");
    let bodies = [
        json!([good["protected"], good["payload"], good["signature"]]),
        json!({ "payload": good["payload"], "signatures": [good] }),
        json!({ "protected": good["protected"], "payload": good["payload"] }),
        json!({ "protected": good["protected"], "payload": good["payload"], "signature": "====" }),
        json!({ "protected": good["protected"], "payload": "e30=", "signature": good["signature"] }),
        json!({ "protected": good["protected"], "payload": good["payload"], "signature": good["signature"],
            "header": { "kid": "x" } }),
        json!({ "protected": "", "payload": good["payload"], "signature": good["signature"] }),
    ];
    for body in bodies {
        assert_eq!(refused(&body), ProblemKind::Malformed, "{body}");
    }
    let text = good.to_string();
    let compact = format!("{}.{}.{}", good["protected"], good["payload"], good["signature"]);
    for body in ["", "{", "null", &format!("{text}{text}"), &compact] {
        assert_eq!(Jws::parse(body.as_bytes()).unwrap_err().kind, ProblemKind::Malformed, "{body}");
    }
}

#[test]
fn duplicate_members_are_refused() {
    let key = PrivateKey::generate(KeyAlgorithm::P256).unwrap();
    let good = signed(&key, &header(&key), "{}").to_string();
    let twice = good.replacen('{', r#"{"payload":"","#, 1);
    assert_eq!(Jws::parse(twice.as_bytes()).unwrap_err().kind, ProblemKind::Malformed);
}

#[test]
fn account_bindings() {
    let key = PrivateKey::generate(KeyAlgorithm::P256).unwrap();
    let url = "https://ca.example/new";
    let binding = |header: Value, payload: &str| {
        let json = json!({ "protected": BASE64URL.encode(header.to_string()), "payload": BASE64URL.encode(payload),
            "signature": "AAAA" });
        let raw = RawValue::from_string(json.to_string()).unwrap();
        Binding::read(&raw, url, key.public_key()).map(|binding| (binding.algorithm, binding.kid))
    };
    let (jwk, good) = (key.public_key().jwk().unwrap(), json!({ "alg": "HS256", "kid": "k1", "url": url }));
    assert_eq!(binding(good.clone(), &jwk), Ok(("HS256".to_owned(), "k1".to_owned())));
    let other = PrivateKey::generate(KeyAlgorithm::P256).unwrap().public_key().jwk().unwrap();
    assert!(binding(good.clone(), &other).is_err() && binding(good.clone(), "").is_err());
    for (member, value) in [("url", json!("https://ca.example/other")), ("nonce", json!("AAAA")), ("jwk", json!({}))] {
        let mut header = good.clone();
        header[member] = value;
        assert_eq!(binding(header, &jwk).unwrap_err().kind, ProblemKind::Malformed, "{member}");
    }
}
