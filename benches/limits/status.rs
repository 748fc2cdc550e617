//! Telling what is revoked: long CRLs, and OCSP answers that are kept.

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use chancery::domain::Revocation;
use chancery::store::sqlite::SqliteStore;
use chancery::store::{Hit, Key, MAX_SCAN_LIMIT, MemoryStore, Over, Scan, Store};
use chancery::x509::{Certificate, RevocationReason, Serial};
use rcgen::{CertificateParams, CertifiedIssuer};

use crate::bench::{Bench, in_turn, median, row};
use crate::recorder::Recorder;

const REVOKED: usize = 100_000;
const LISTS: usize = 5;

/// A CRL of 100,000 entries, from what is stored to what is published.
pub(crate) async fn crl() {
    let store = Recorder::new(MemoryStore::new());
    let bench = Bench::new(store.clone()).await;
    revoke_many(&store, &bench).await;
    let (folder, random) = (tempfile::tempdir().unwrap(), SystemRandom::new());
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let openssl = prepare_openssl(folder.path());
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for at in 0..LISTS {
        times[0].push(publish(&bench, at).await);
        let crl = bench.engine.crl(bench.issuer.id, 0).await.unwrap().unwrap();
        let start = Instant::now();
        read_all(&store).await;
        black_box((digest(&SHA256, &crl.der), key.sign(&random, &crl.der).unwrap()));
        times[1].push(start.elapsed());
        times[2].extend(openssl.as_ref().map(|_| generate_by_openssl(folder.path())));
    }
    let [ours, read, peer] = times;
    let ours = median(ours);
    row("CRL of 100,000: read, build, sign, publish", ours, ("read all, hash, AWS-LC sign", median(read)), 0.25);
    row("the same for each entry", ours / REVOKED as u32, ("3 µs", Duration::from_micros(3)), 1.0);
    if peer.is_empty() {
        println!("openssl is not there: the CRL is not compared with its own");
    } else {
        row("CRL of 100,000: the same", ours, ("openssl ca -gencrl", median(peer)), 1.0);
    }
}

/// One certificate is revoked, and as many documents as of a revocation are written beside it.
async fn revoke_many(store: &Recorder, bench: &Bench) {
    let record = bench.renewing("revoked.example.com").await;
    store.take();
    bench.session.revoke(record.id, reason()).await.unwrap();
    let revoked = store.take().into_iter().find(|put| put.key.kind == "revocation").unwrap();
    let serial = record.serial.to_string();
    let other = |at: usize| {
        let other = format!("{}{at:016}", &serial[..serial.len() - 16]);
        revoked.with(&[(serial.as_str(), other.as_str())])
    };
    store.write((1..REVOKED).map(other)).await;
    bench.clock.advance(time::Duration::MINUTE);
    bench.rest().await;
}

/// Revokes one more, and measures the due work that publishes the list.
async fn publish(bench: &Bench, at: usize) -> Duration {
    let record = bench.renewing(&format!("more-{at}.example.com")).await;
    bench.session.revoke(record.id, reason()).await.unwrap();
    bench.engine.run_due(1).await.unwrap();
    bench.clock.advance(time::Duration::MINUTE);
    let start = Instant::now();
    let report = bench.engine.run_due(100).await.unwrap();
    assert_eq!(report.published, 1, "{report:?}");
    start.elapsed()
}

fn reason() -> Revocation {
    RevocationReason::KeyCompromise.into()
}

async fn read_all(store: &Recorder) {
    let mut scan = Scan::new(Over::Kind("revocation".into()), MAX_SCAN_LIMIT);
    loop {
        let hits = store.scan(&scan).await.unwrap();
        scan.after = hits.last().map(Hit::cursor);
        if black_box(hits).len() < scan.limit {
            return;
        }
    }
}

/// A CA of openssl's with as many revoked; `None` without openssl.
fn prepare_openssl(folder: &Path) -> Option<()> {
    Command::new("openssl").arg("version").output().ok().filter(|output| output.status.success())?;
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    let issuer = CertifiedIssuer::self_signed(CertificateParams::new(Vec::new()).unwrap(), key).unwrap();
    std::fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
    let line = |at| format!("R\t270108120000Z\t261122120000Z,keyCompromise\t5D{at:036}\tunknown\t/CN=host-{at}\n");
    std::fs::write(folder.join("index.txt"), (0..REVOKED).map(line).collect::<String>()).unwrap();
    let settings = format!(
        "[ca]\ndefault_ca=d\n[d]\ndatabase={0}/index.txt\ndefault_md=sha256\ndefault_crl_days=7\nunique_subject=no\n",
        folder.display()
    );
    std::fs::write(folder.join("ca.cnf"), settings).unwrap();
    Some(())
}

fn generate_by_openssl(folder: &Path) -> Duration {
    let start = Instant::now();
    let words = ["ca", "-gencrl", "-config", "ca.cnf", "-keyfile", "key.pem", "-cert", "ca.pem", "-out", "crl.pem"];
    let output = Command::new("openssl").args(words).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    start.elapsed()
}

/// A kept answer, against reading one document.
pub(crate) async fn ocsp() {
    ocsp_over(MemoryStore::new(), "OCSP from cache (memory)", 0.15).await;
    let folder = tempfile::tempdir_in(".").unwrap();
    let sqlite = SqliteStore::open(folder.path().join("ocsp.db")).unwrap();
    ocsp_over(sqlite, "OCSP from cache (SQLite)", 0.50).await;
}

async fn ocsp_over(store: impl Store, what: &str, target: f64) {
    let store = Recorder::new(store);
    let bench = Bench::new(store.clone()).await;
    let record = bench.renewing("asked.example.com").await;
    let own = bench.engine.issuer_certificate(bench.issuer.id).await.unwrap().unwrap();
    let request = ask(&Certificate::from_der(&own).unwrap(), &record.serial);
    let first = bench.engine.ocsp(&request).await.der;
    assert!(first.len() > 100, "no answer: {first:02x?}");
    let key = [Key::new("certificate", record.id.to_string())];
    let limit = || async {
        black_box(store.inner.get(&key).await.unwrap());
    };
    let ours = || async {
        black_box(bench.engine.ocsp(&request).await.der);
    };
    let (ours, limit) = in_turn(1000, ours, limit).await;
    row(what, ours, ("one get", limit), target);
}

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    [vec![tag, u8::try_from(content.len()).unwrap()], content].concat()
}

/// A request about one certificate, with SHA-256; short enough for lengths of one octet.
fn ask(issuer: &Certificate, serial: &Serial) -> Vec<u8> {
    let sha256 = |data: &[u8]| digest(&SHA256, data).as_ref().to_vec();
    let key = issuer.public_key().spki_der();
    let name = tlv(0x30, &[&tlv(0x31, &[&tlv(0x30, &[&tlv(6, &[&[0x55, 4, 3]]), &tlv(0x0c, &[b"Bench Root"])])])]);
    let (name, key) = (sha256(&name), sha256(&key[key.len() - 65..]));
    let algorithm = tlv(0x30, &[&tlv(6, &[&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]])]);
    let id = tlv(0x30, &[&algorithm, &tlv(4, &[&name]), &tlv(4, &[&key]), &tlv(2, &[serial.as_octets()])]);
    tlv(0x30, &[&tlv(0x30, &[&tlv(0x30, &[&tlv(0x30, &[&id])])])])
}
