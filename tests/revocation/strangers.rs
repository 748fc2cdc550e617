//! What OpenSSL and GnuTLS think of lists and answers.
use std::fs;
use std::path::Path;

use chancery::domain::{IssuerSpec, OcspResponder, StatusSettings};
use chancery::store::MemoryStore;
use chancery::x509::{Certificate, CertificateList, OcspRequest, RevocationReason};
use time::{Duration, OffsetDateTime};

use super::tools::{attempt, text};
use super::{Scene, with_crl, with_ocsp};

fn said(at: &Path, program: &str, arguments: &[&str]) -> Option<String> {
    let output = attempt(at, program, arguments)?;
    Some(String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned())
}

/// Strangers look at the machine's own clock.
async fn scene(spec: IssuerSpec) -> Scene {
    Scene::at(OffsetDateTime::now_utc() - Duration::HOUR, MemoryStore::new(), spec).await
}

async fn write(at: &Path, scene: &Scene, name: &str, certificate: &Certificate) {
    fs::write(at.join("root.pem"), scene.own().await.pem()).unwrap();
    fs::write(at.join(name), certificate.pem()).unwrap();
}

#[tokio::test]
async fn openssl_and_gnutls_verify_lists_and_refuse_what_is_on_them() {
    for (url, shards) in [("http://crl.example/root.crl", 1), ("http://crl.example/root-{shard}.crl", 3)] {
        let (scene, directory) = (scene(with_crl(url, shards)).await, tempfile::tempdir().unwrap());
        let at = directory.path();
        let (good, bad) = (scene.issue("good.example.com").await, scene.issue("bad.example.com").await);
        write(at, &scene, "good.pem", good.certificate()).await;
        write(at, &scene, "bad.pem", bad.certificate()).await;
        scene.session("otto").revoke(bad.record.id, RevocationReason::KeyCompromise).await.unwrap();
        scene.pass(Duration::minutes(1)).await;
        for (name, record) in [("good", &good.record), ("bad", &bad.record)] {
            let crl = scene.engine.crl(scene.issuer.id, record.crl_shard).await.unwrap().unwrap();
            let (der, pem) = (format!("{name}.crl"), format!("{name}.crl.pem"));
            fs::write(at.join(&der), &crl.der).unwrap();
            let verify = ["crl", "-inform", "DER", "-in", &der, "-CAfile", "root.pem", "-verify", "-out", &pem];
            let Some(verified) = said(at, "openssl", &verify) else { return };
            assert!(verified.contains("verify OK"), "{verified}");
            let check = ["verify", "-crl_check", "-CAfile", "root.pem", "-CRLfile", &pem, &format!("{name}.pem")];
            let checked = said(at, "openssl", &check).unwrap();
            let expected = if name == "good" { "good.pem: OK" } else { "error 23 at 0 depth lookup" };
            assert!(checked.contains(expected), "{shards} shards: {checked}");
            if let Some(info) = text(at, "certtool", &["--crl-info", "--inder", "--infile", &der]) {
                assert!(info.contains(&format!("CRL Number (not critical): {:02x}", crl.number)), "{info}");
                let ca = ["--verify-crl", "--load-ca-certificate", "root.pem", "--infile", &pem];
                assert!(text(at, "certtool", &ca).unwrap().contains("Verification output: Verified"));
            }
        }
        let shown = text(at, "openssl", &["crl", "-in", "bad.crl.pem", "-noout", "-text"]).unwrap();
        assert!(shown.contains("Key Compromise") && shown.contains("Version 2"), "{shown}");
        assert_eq!(shown.contains("X509v3 Issuing Distribution Point: critical"), shards > 1, "{shown}");
    }
}

#[tokio::test]
async fn openssl_and_gnutls_verify_answers_of_issuers_and_responders() {
    for responder in [OcspResponder::Issuer, OcspResponder::Delegated] {
        let (scene, directory) = (scene(with_ocsp(responder)).await, tempfile::tempdir().unwrap());
        let at = directory.path();
        scene.work().await;
        let (good, bad) = (scene.issue("good.example.com").await, scene.issue("bad.example.com").await);
        // The same issuer in another store knows nothing of what is issued here.
        write(at, &scene, "good.pem", good.certificate()).await;
        write(at, &scene, "bad.pem", bad.certificate()).await;
        scene.session("otto").revoke(bad.record.id, RevocationReason::Superseded).await.unwrap();
        for (name, hash, expected) in [
            ("good", "-sha1", "good.pem: good"),
            ("good", "-sha256", "good.pem: good"),
            ("bad", "-sha1", "Reason: superseded"),
            ("bad", "-sha256", "bad.pem: revoked"),
        ] {
            let pem = format!("{name}.pem");
            let ask = ["ocsp", hash, "-issuer", "root.pem", "-cert", &pem, "-no_nonce", "-reqout", "request.der"];
            let Some(_) = said(at, "openssl", &ask) else { return };
            let response = scene.engine.ocsp(&fs::read(at.join("request.der")).unwrap()).await.der;
            fs::write(at.join("response.der"), response).unwrap();
            let look = ["ocsp", hash, "-issuer", "root.pem", "-cert", &pem, "-no_nonce", "-respin", "response.der"];
            let seen = said(at, "openssl", &[&look[..], &["-CAfile", "root.pem"]].concat()).unwrap();
            assert!(seen.contains("Response verify OK") && seen.contains(expected), "{responder:?}: {seen}");
            let trust = ["--verify-response", "--load-trust", "root.pem", "--load-response", "response.der"];
            if let Some(seen) = said(at, "ocsptool", &trust) {
                assert!(seen.contains("Success"), "{responder:?}: {seen}");
            }
        }
        with_nonce(at, &scene).await;
    }
}

/// A request with a nonce and two certificates, one of which was never issued.
async fn with_nonce(at: &Path, scene: &Scene) {
    let ask = ["ocsp", "-issuer", "root.pem", "-cert", "good.pem", "-serial", "0x4142434445", "-reqout", "nonce.der"];
    said(at, "openssl", &ask).unwrap();
    fs::write(at.join("response.der"), scene.engine.ocsp(&fs::read(at.join("nonce.der")).unwrap()).await.der).unwrap();
    let look = ["ocsp", "-reqin", "nonce.der", "-respin", "response.der", "-CAfile", "root.pem", "-issuer", "root.pem"];
    let seen = said(at, "openssl", &[&look[..], &["-resp_text"]].concat()).unwrap();
    assert!(seen.contains("Response verify OK") && !seen.contains("WARNING: no nonce"), "{seen}");
    assert!(seen.contains("Cert Status: good") && seen.contains("Cert Status: unknown"), "{seen}");
    scene.session("root").set_issuer_status(scene.issuer.id, StatusSettings::default()).await.unwrap();
    fs::write(at.join("response.der"), scene.engine.ocsp(&fs::read(at.join("nonce.der")).unwrap()).await.der).unwrap();
    assert!(said(at, "openssl", &look).unwrap().contains("unauthorized"));
}

#[test]
fn lists_and_requests_of_openssl_are_read() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let read = |name: &str| CertificateList::from_der(&fs::read(seeds.join(name)).unwrap()).unwrap();
    let (empty, entries) = (read("crl/empty.der"), read("crl/entries.der"));
    assert!(empty.entries.is_empty() && empty.number == Some(10) && entries.number == Some(11));
    let reasons: Vec<RevocationReason> = entries.entries.iter().map(|entry| entry.reason).collect();
    assert_eq!(reasons, [RevocationReason::KeyCompromise, RevocationReason::Unspecified]);
    assert_eq!(entries.scope, ["http://crl.example.com/ca-0.crl"]);
    let ask = |name: &str| OcspRequest::from_der(&fs::read(seeds.join(name)).unwrap()).unwrap();
    assert!(ask("ocsp_request/sha1.der").nonce().is_none());
    let both = ask("ocsp_request/nonce.der");
    assert_eq!((both.certificates().len(), both.nonce().map(<[u8]>::len)), (2, Some(16)));
}
