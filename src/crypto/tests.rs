//! The backends against each other, against themselves and against OpenSSL.

use std::path::Path;

use super::pkcs8::write_ec;
use super::*;
use crate::x509::pem;

type Pure = PrivateKeyOf<rustcrypto::Key>;

const MESSAGE: &[u8] = b"to be signed";

/// Key generation of the large RSA sizes takes seconds without optimisation; their keys come from AWS-LC when it is there.
fn key(algorithm: KeyAlgorithm) -> PrivateKey {
    PrivateKey::generate(algorithm).unwrap()
}

/// The same key in the pure-Rust backend.
fn pure(key: &PrivateKey) -> Pure {
    Pure::from_pkcs8_der(&key.to_pkcs8_der().unwrap()).unwrap()
}

fn verify_pure(key: &PublicKey, algorithm: SignatureAlgorithm, signature: &[u8]) -> Result<(), CryptoError> {
    verify_with::<rustcrypto::Key>(key, algorithm, MESSAGE, signature)
}

#[test]
fn keys_and_signatures_pass_between_the_backends() {
    for kind in KeyAlgorithm::ALL {
        let chosen = key(kind);
        let pure = pure(&chosen);
        assert_eq!(chosen.public_key().algorithm(), kind);
        assert_eq!(chosen.public_key(), pure.public_key());
        assert_eq!(PublicKey::from_spki_der(chosen.public_key().spki_der()).as_ref(), Ok(chosen.public_key()));
        let back = PrivateKey::from_pkcs8_der(&pure.to_pkcs8_der().unwrap()).unwrap();
        assert_eq!(back.public_key(), chosen.public_key());
        for algorithm in kind.signature_algorithms() {
            for signature in [chosen.sign(*algorithm, MESSAGE).unwrap(), pure.sign(*algorithm, MESSAGE).unwrap()] {
                assert_eq!(verify(chosen.public_key(), *algorithm, MESSAGE, &signature), Ok(()), "{kind} {algorithm}");
                assert_eq!(verify_pure(chosen.public_key(), *algorithm, &signature), Ok(()), "{kind} {algorithm}");
            }
        }
    }
}

#[test]
fn the_pure_backend_makes_its_own_keys() {
    let large = [KeyAlgorithm::Rsa3072, KeyAlgorithm::Rsa4096];
    for kind in KeyAlgorithm::ALL.into_iter().filter(|kind| !large.contains(kind)) {
        let key = Pure::generate(kind).unwrap();
        let chosen = PrivateKey::from_pkcs8_der(&key.to_pkcs8_der().unwrap()).unwrap();
        assert_eq!(chosen.public_key(), key.public_key(), "{kind}");
    }
}

#[test]
fn changed_signatures_and_messages_do_not_verify() {
    for kind in KeyAlgorithm::ALL.into_iter().filter(|kind| *kind != KeyAlgorithm::Rsa4096) {
        let (key, algorithm) = (key(kind), kind.usual_signature_algorithm());
        let signature = key.sign(algorithm, MESSAGE).unwrap();
        let mut wrong = vec![vec![], vec![0], vec![0; signature.len()], [&signature[..], &[0]].concat()];
        wrong.push(signature[1..].to_vec());
        wrong.push(signature[..signature.len() - 1].to_vec());
        for at in [0, signature.len() / 2, signature.len() - 1] {
            let mut flipped = signature.clone();
            flipped[at] ^= 1;
            wrong.push(flipped);
        }
        for bad in wrong {
            assert_eq!(verify(key.public_key(), algorithm, MESSAGE, &bad), Err(CryptoError::BadSignature), "{kind}");
            assert_eq!(verify_pure(key.public_key(), algorithm, &bad), Err(CryptoError::BadSignature), "{kind}");
        }
        assert_eq!(verify(key.public_key(), algorithm, b"other", &signature), Err(CryptoError::BadSignature));
    }
}

#[test]
fn algorithms_that_do_not_fit_the_key_are_refused() {
    for kind in KeyAlgorithm::ALL.into_iter().filter(|kind| !kind.is_rsa()) {
        let key = key(kind);
        for signature in SignatureAlgorithm::ALL {
            let mismatch = CryptoError::Mismatch { key: kind, signature };
            if !kind.signature_algorithms().contains(&signature) {
                assert_eq!(key.sign(signature, MESSAGE), Err(mismatch.clone()));
            }
            if !signature.fits(kind) {
                assert_eq!(verify(key.public_key(), signature, MESSAGE, &[]), Err(mismatch));
            }
        }
    }
}

#[test]
fn ecdsa_signatures_are_strict_der() {
    // After Wycheproof: zero, order and padded integers, trailing data, lengths in long form.
    let key = key(KeyAlgorithm::P256);
    let good = key.sign(SignatureAlgorithm::EcdsaSha256, MESSAGE).unwrap();
    let long_form = [&[0x30, 0x81, good[1]], &good[2..]].concat();
    let inner_trailing = [&[0x30, good[1] + 2], &good[2..], &[5, 0]].concat();
    let padded = [&[0x30, good[1] + 1, 2, good[3] + 1, 0], &good[4..]].concat();
    let zeroes = b"\x30\x06\x02\x01\x00\x02\x01\x00".to_vec();
    let ones = b"\x30\x06\x02\x01\x01\x02\x01\x01".to_vec();
    for bad in [long_form, inner_trailing, padded, zeroes, ones] {
        let answers = [
            verify(key.public_key(), SignatureAlgorithm::EcdsaSha256, MESSAGE, &bad),
            verify_pure(key.public_key(), SignatureAlgorithm::EcdsaSha256, &bad),
        ];
        assert_eq!(answers, [Err(CryptoError::BadSignature), Err(CryptoError::BadSignature)], "{bad:02x?}");
    }
}

#[test]
fn documents_that_lie_are_refused() {
    let read = |der: &[u8]| PrivateKey::from_pkcs8_der(der).map(|_| ());
    let (one, two) = (key(KeyAlgorithm::P256), key(KeyAlgorithm::P256));
    let der = one.to_pkcs8_der().unwrap();
    let lying = write_ec(KeyAlgorithm::P256, &der[36..68], two.public_key().subject_public_key());
    let inconsistent = CryptoError::Inconsistent { algorithm: KeyAlgorithm::P256 };
    assert_eq!(read(&lying).unwrap_err(), inconsistent);
    assert_eq!(read(&write_ec(KeyAlgorithm::P256, &[0; 32], &der[73..])).unwrap_err(), inconsistent);
    assert_eq!(read(&[&der[..], &[0]].concat()).unwrap_err(), CryptoError::Malformed);
    assert_eq!(read(&[0; 9000]).unwrap_err(), CryptoError::Malformed);
    assert_eq!(read(b"").unwrap_err(), CryptoError::Malformed);
    assert_eq!(Pure::from_pkcs8_der(&lying).unwrap_err(), inconsistent);
}

#[test]
fn version_two_documents_must_state_their_own_public_half() {
    for kind in [KeyAlgorithm::Ed25519, KeyAlgorithm::P256] {
        let key = key(kind);
        let der = key.to_pkcs8_der().unwrap();
        let with = |public: &[u8]| {
            let stated = [&crate::x509::public_key::header(0x81, public.len() + 1)[..], &[0], public].concat();
            let body = [b"\x02\x01\x01", &der[if der[1] < 0x80 { 5 } else { 6 }..], &stated].concat();
            [crate::x509::public_key::header(0x30, body.len()), body].concat()
        };
        let (good, mut wrong) =
            (with(key.public_key().subject_public_key()), key.public_key().subject_public_key().to_vec());
        wrong[3] ^= 1;
        assert_eq!(PrivateKey::from_pkcs8_der(&good).unwrap().public_key(), key.public_key());
        assert_eq!(Pure::from_pkcs8_der(&good).unwrap().public_key(), key.public_key());
        assert!(PrivateKey::from_pkcs8_der(&with(&wrong)).is_err());
        assert!(Pure::from_pkcs8_der(&with(&wrong)).is_err());
    }
}

#[test]
fn ml_dsa_is_read_as_seed_or_both() {
    let key = Pure::generate(KeyAlgorithm::MlDsa44).unwrap();
    let der = key.to_pkcs8_der().unwrap();
    assert_eq!(der.len(), 54);
    let seed: [u8; 32] = der[22..].try_into().unwrap();
    #[expect(deprecated, reason = "the expanded form is what is tested")]
    let expanded = ml_dsa::SigningKey::<ml_dsa::MlDsa44>::from_seed(&seed.into()).expanded_key().to_expanded();
    let document = |inner: Vec<u8>| {
        let octets = [crate::x509::public_key::header(4, inner.len()), inner].concat();
        let body = [&der[2..18], &octets].concat();
        [crate::x509::public_key::header(0x30, body.len()), body].concat()
    };
    let octets = |content: &[u8]| [&crate::x509::public_key::header(4, content.len())[..], content].concat();
    let both = |expanded: &[u8]| {
        let body = [octets(&seed), octets(expanded)].concat();
        document([crate::x509::public_key::header(0x30, body.len()), body].concat())
    };
    let mut wrong = expanded.to_vec();
    wrong[200] ^= 1;
    for read in [
        |der: &[u8]| PrivateKey::from_pkcs8_der(der).map(|key| key.public_key().clone()),
        |der: &[u8]| Pure::from_pkcs8_der(der).map(|key| key.public_key().clone()),
    ] {
        let algorithm = KeyAlgorithm::MlDsa44;
        assert_eq!(read(&both(&expanded)).as_ref(), Ok(key.public_key()));
        assert_eq!(read(&both(&wrong)), Err(CryptoError::Inconsistent { algorithm }));
        assert_eq!(read(&document(octets(&expanded))), Err(CryptoError::SeedMissing { algorithm }));
        assert_eq!(read(&document(octets(&seed)[1..].to_vec())), Err(CryptoError::Malformed));
    }
}

#[test]
fn unsupported_private_keys_are_named() {
    let Some(directory) = made_by_openssl("rsa", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]) else {
        return;
    };
    let refusal = PrivateKey::from_pkcs8_der(&read_pem(directory.path(), "PRIVATE KEY")).unwrap_err();
    assert_eq!(refusal, CryptoError::Refused(KeyRefusal::RsaModulusSize { bits: 1024 }));
    assert!(refusal.to_string().contains("1024") && refusal.to_string().contains("2048, 3072, 4096"));
    let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"];
    let directory = made_by_openssl("k1", &curve).unwrap();
    let refusal = PrivateKey::from_pkcs8_der(&read_pem(directory.path(), "PRIVATE KEY")).unwrap_err();
    assert_eq!(refusal, CryptoError::Refused(KeyRefusal::UnsupportedCurve { oid: "1.3.132.0.10".into() }));
    let directory = made_by_openssl("x25519", &["-algorithm", "X25519"]).unwrap();
    let refusal = PrivateKey::from_pkcs8_der(&read_pem(directory.path(), "PRIVATE KEY")).unwrap_err();
    assert_eq!(refusal, CryptoError::Refused(KeyRefusal::UnsupportedAlgorithm { oid: "1.3.101.110".into() }));
}

#[test]
fn openssl_reads_our_keys_and_signatures() {
    for kind in KeyAlgorithm::ALL.into_iter().filter(|kind| !kind.as_str().starts_with("ML-DSA")) {
        let (key, directory) = (key(kind), tempfile::tempdir().unwrap());
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(path("key"), pem::encode(pem::Label::PrivateKey, &key.to_pkcs8_der().unwrap())).unwrap();
        let Some(public) = crate::tool::output("openssl", &["pkey", "-in", &path("key"), "-check", "-pubout"]) else {
            return;
        };
        assert_eq!(pem::decode_all(&public, "PUBLIC KEY", 9999).unwrap(), [key.public_key().spki_der()]);
        std::fs::write(path("pub"), public.replace("Key is valid\n", "")).unwrap();
        std::fs::write(path("message"), MESSAGE).unwrap();
        for algorithm in kind.signature_algorithms() {
            std::fs::write(path("signature"), key.sign(*algorithm, MESSAGE).unwrap()).unwrap();
            let hash = format!("-{}", algorithm.as_str().rsplit('-').next().unwrap().to_lowercase());
            let (public, signature, message) = (path("pub"), path("signature"), path("message"));
            let raw =
                ["pkeyutl", "-verify", "-pubin", "-inkey", &public, "-sigfile", &signature, "-rawin", "-in", &message];
            let hashed = ["dgst", &hash, "-verify", &public, "-signature", &signature, &message];
            let ask = if kind == KeyAlgorithm::Ed25519 { &raw[..] } else { &hashed[..] };
            crate::tool::output("openssl", ask).unwrap();
        }
    }
}

#[test]
fn every_hash_verifies_under_every_curve() {
    let curves = [(KeyAlgorithm::P256, "P-256"), (KeyAlgorithm::P384, "P-384"), (KeyAlgorithm::P521, "P-521")];
    for (kind, curve) in curves {
        let option = format!("ec_paramgen_curve:{curve}");
        let Some(directory) = made_by_openssl("ec", &["-algorithm", "EC", "-pkeyopt", &option]) else { return };
        let key = PrivateKey::from_pkcs8_der(&read_pem(directory.path(), "PRIVATE KEY")).unwrap();
        assert_eq!(key.public_key().algorithm(), kind);
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(path("message"), MESSAGE).unwrap();
        for algorithm in SignatureAlgorithm::ALL.into_iter().filter(|algorithm| algorithm.fits(kind)) {
            let hash = format!("-{}", algorithm.as_str().rsplit('-').next().unwrap().to_lowercase());
            let (secret, signature, message) = (path("key"), path("signature"), path("message"));
            crate::tool::output("openssl", &["dgst", &hash, "-sign", &secret, "-out", &signature, &message]).unwrap();
            let signature = std::fs::read(signature).unwrap();
            assert_eq!(verify(key.public_key(), algorithm, MESSAGE, &signature), Ok(()), "{kind} {algorithm}");
            assert_eq!(verify_pure(key.public_key(), algorithm, &signature), Ok(()), "{kind} {algorithm}");
        }
    }
}

#[test]
fn secrets_do_not_show() {
    let key = key(KeyAlgorithm::P256);
    assert_eq!(format!("{key:?}"), "PrivateKey(EC_prime256v1)");
    assert_eq!(sha256(b"abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
}

/// A directory with the file `key`: a private key that OpenSSL made.
fn made_by_openssl(name: &str, arguments: &[&str]) -> Option<tempfile::TempDir> {
    let directory = tempfile::Builder::new().prefix(name).tempdir().unwrap();
    let path = directory.path().join("key");
    let arguments = [&["genpkey", "-out", path.to_str().unwrap()], arguments].concat();
    crate::tool::output("openssl", &arguments).map(|_| directory)
}

fn read_pem(directory: &Path, label: &str) -> Vec<u8> {
    let text = std::fs::read_to_string(directory.join("key")).unwrap();
    pem::decode_all(&text, label, 1 << 16).unwrap().remove(0)
}
