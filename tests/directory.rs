//! The directory target, also killed half-way: no torn file, no key that others may read, no two generations in one.
#![cfg(all(unix, feature = "directory", feature = "conformance"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "support/engine.rs"]
mod engine;
#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use chancery::domain::{CertificateId, RemoteName, RemoteRef};
use chancery::sealer::Secret;
use chancery::signer::{Signer, SoftwareSigner};
use chancery::store::MemoryStore;
use chancery::target::directory::{DirectoryOptions, DirectoryTarget, Layout, Modes, Owner, ReloadCommand};
use chancery::target::{Bundle, Observed, SyncTarget, TargetError};
use chancery::x509::{Certificate, pem};
use engine::{START, World};

async fn bundles(count: usize) -> Vec<Bundle> {
    let world = World::over(MemoryStore::new()).await;
    let mut made = Vec::new();
    for at in 0..count {
        let issued = world.issue(&format!("host{at}.example.com")).await;
        made.push(Bundle {
            certificate: issued.record.id,
            leaf: issued.certificate().clone(),
            chain: vec![issued.chain.root().unwrap().clone()],
            key: Some(Secret::new(issued.private_key.as_ref().unwrap().pkcs8_der().expose().to_vec())),
            tags: issued.record.metadata.clone(),
        });
    }
    made
}

fn open(base: &Path, options: DirectoryOptions) -> DirectoryTarget {
    DirectoryTarget::open(base, options).unwrap()
}

fn name(text: &str) -> RemoteName {
    text.parse().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn shown(bundle: &Bundle) -> Observed {
    Observed::Present { fingerprint: *bundle.leaf.fingerprint() }
}

fn entries(base: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(base).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

async fn seen(target: &DirectoryTarget, text: &str) -> Observed {
    target.observe(&RemoteRef::named(name(text))).await.unwrap()
}

#[tokio::test]
async fn pem_files_with_their_modes() {
    let base = tempfile::tempdir().unwrap();
    let [first, second] = <[_; 2]>::try_from(bundles(2).await).unwrap();
    let modes = Modes { file: 0o640, key: 0o400, directory: 0o750 };
    let target = open(base.path(), DirectoryOptions::new(Layout::PemFiles).modes(modes));
    target.deploy(&first, &name("web"), None).await.unwrap();
    let web = base.path().join("web");
    assert_eq!(fs::read_to_string(web.join("cert.pem")).unwrap(), first.leaf.pem());
    assert_eq!(fs::read_to_string(web.join("chain.pem")).unwrap(), first.chain[0].pem());
    assert_eq!(fs::read_to_string(web.join("fullchain.pem")).unwrap(), first.leaf.pem() + &first.chain[0].pem());
    let modes = ["cert.pem", "chain.pem", "fullchain.pem", "privkey.pem", "."].map(|file| mode(&web.join(file)));
    assert_eq!(modes, [0o640, 0o640, 0o640, 0o400, 0o750]);
    let before = fs::read_link(&web).unwrap();
    target.deploy(&first, &name("web"), None).await.unwrap();
    assert_eq!(fs::read_link(&web).unwrap(), before, "the same again writes nothing");
    target.deploy(&second, &name("web"), None).await.unwrap();
    assert_eq!(seen(&target, "web").await, shown(&second));
    assert_eq!(entries(base.path()).len(), 2, "the link, and one generation: {:?}", entries(base.path()));
    let arguments = ["verify", "-no_check_time", "-CAfile", "chain.pem", "cert.pem"];
    support::run(&web, "openssl", &arguments);
}

#[tokio::test]
async fn one_file_for_all() {
    let base = tempfile::tempdir().unwrap();
    let bundle = bundles(1).await.remove(0);
    let target = open(base.path(), DirectoryOptions::new(Layout::PemCombined));
    target.deploy(&bundle, &name("web"), None).await.unwrap();
    let path = base.path().join("web.pem");
    assert_eq!(mode(&path), 0o600, "it holds the key");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(Certificate::from_pem_chain(&text).unwrap().len(), 2);
    assert!(SoftwareSigner::from_pkcs8_pem(&text).unwrap().public_key() == bundle.leaf.public_key());
    let bare = Bundle { key: None, ..bundle };
    target.deploy(&bare, &name("bare"), None).await.unwrap();
    assert_eq!(mode(&base.path().join("bare.pem")), 0o644);
}

#[cfg(feature = "pkcs12")]
#[tokio::test]
async fn pkcs12_under_a_password() {
    let base = tempfile::tempdir().unwrap();
    let bundle = bundles(1).await.remove(0);
    let layout = Layout::Pkcs12 { password: Secret::new(b"correct horse".to_vec()) };
    let target = open(base.path(), DirectoryOptions::new(layout));
    target.deploy(&bundle, &name("web"), None).await.unwrap();
    assert_eq!((mode(&base.path().join("web.p12")), seen(&target, "web").await), (0o600, shown(&bundle)));
    let arguments = ["pkcs12", "-in", "web.p12", "-passin", "pass:correct horse", "-nodes"];
    if let Some(text) = support::text(base.path(), "openssl", &arguments) {
        assert!(SoftwareSigner::from_pkcs8_pem(&text).unwrap().public_key() == bundle.leaf.public_key());
    }
    let bare = Bundle { key: None, ..bundle };
    let refused = target.deploy(&bare, &name("bare"), None).await.unwrap_err();
    assert!(matches!(refused, TargetError::Refused { .. }), "{refused:?}");
}

#[tokio::test]
async fn what_was_changed_is_seen_and_repaired() {
    let base = tempfile::tempdir().unwrap();
    let bundle = bundles(1).await.remove(0);
    let target = open(base.path(), DirectoryOptions::new(Layout::PemFiles));
    let key = base.path().join("web/privkey.pem");
    let harms: [fn(&Path); 5] = [
        |key| fs::remove_file(key).unwrap(),
        |key| fs::set_permissions(key, fs::Permissions::from_mode(0o644)).unwrap(),
        |key| fs::write(key.with_file_name("chain.pem"), "nonsense").unwrap(),
        |key| fs::remove_dir_all(fs::canonicalize(key.parent().unwrap()).unwrap()).unwrap(),
        |key| fs::remove_file(key.with_file_name(".chancery")).unwrap(),
    ];
    for (at, harm) in harms.into_iter().enumerate() {
        target.deploy(&bundle, &name("web"), None).await.unwrap();
        assert_eq!(seen(&target, "web").await, shown(&bundle));
        harm(&key);
        let damaged = seen(&target, "web").await;
        assert!(matches!(damaged, Observed::Damaged { .. }), "harm {at}: {damaged:?}");
        target.deploy(&bundle, &name("web"), None).await.unwrap();
        assert_eq!((seen(&target, "web").await, mode(&key)), (shown(&bundle), 0o600), "harm {at}");
    }
}

#[tokio::test]
async fn what_others_put_there_and_what_is_outside_stays() {
    let (base, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let bundle = bundles(1).await.remove(0);
    let target = open(base.path(), DirectoryOptions::new(Layout::PemFiles));
    fs::write(outside.path().join("precious"), "x").unwrap();
    fs::write(base.path().join("file"), "x").unwrap();
    fs::create_dir(base.path().join("folder")).unwrap();
    symlink(outside.path(), base.path().join("link")).unwrap();
    symlink("../../etc", base.path().join("up")).unwrap();
    for text in ["file", "folder", "link", "up"] {
        assert!(matches!(seen(&target, text).await, Observed::Foreign { .. }), "{text}");
        let deployed = target.deploy(&bundle, &name(text), None).await.unwrap_err();
        assert!(matches!(deployed, TargetError::Refused { .. }), "{text}: {deployed:?}");
        let withdrawn = target.withdraw(&RemoteRef::named(name(text))).await.unwrap_err();
        assert!(matches!(withdrawn, TargetError::Refused { .. }), "{text}: {withdrawn:?}");
    }
    for text in ["..", ".", "../x", "a/b", "/etc/passwd", ".hidden", "-rf", "a\\b"] {
        let deployed = target.deploy(&bundle, &name(text), None).await.unwrap_err();
        assert!(matches!(deployed, TargetError::Refused { .. }), "{text}: {deployed:?}");
    }
    assert_eq!(entries(base.path()), ["file", "folder", "link", "up"]);
    assert_eq!(entries(outside.path()), ["precious"]);
    // A link that somebody planted where the next one is prepared is replaced, not followed.
    symlink(outside.path(), base.path().join(".web.link")).unwrap();
    target.deploy(&bundle, &name("web"), None).await.unwrap();
    assert_eq!((entries(outside.path()), seen(&target, "web").await), (vec!["precious".to_owned()], shown(&bundle)));
    assert!(DirectoryTarget::open(base.path().join("missing"), DirectoryOptions::new(Layout::PemFiles)).is_err());
}

#[tokio::test]
async fn names_that_begin_alike_are_apart() {
    let base = tempfile::tempdir().unwrap();
    let [first, second] = <[_; 2]>::try_from(bundles(2).await).unwrap();
    let target = open(base.path(), DirectoryOptions::new(Layout::PemFiles));
    for (text, bundle) in [("a", &first), ("a.b", &second), ("a.b.c", &first), ("a-a", &second)] {
        target.deploy(bundle, &name(text), None).await.unwrap();
    }
    target.withdraw(&RemoteRef::named(name("a"))).await.unwrap();
    let all = [
        seen(&target, "a").await,
        seen(&target, "a.b").await,
        seen(&target, "a.b.c").await,
        seen(&target, "a-a").await,
    ];
    assert_eq!(all, [Observed::Absent, shown(&second), shown(&first), shown(&second)]);
}

#[tokio::test]
async fn files_are_given_to_their_owner() {
    let base = tempfile::tempdir().unwrap();
    let own = fs::metadata(base.path()).unwrap();
    let bundle = bundles(1).await.remove(0);
    let is_root = own.uid() == 0;
    let owner = if is_root {
        Owner { user: Some(65534), group: Some(65534) }
    } else {
        Owner { user: None, group: Some(own.gid()) }
    };
    let target = open(base.path(), DirectoryOptions::new(Layout::PemFiles).owner(owner));
    target.deploy(&bundle, &name("web"), None).await.unwrap();
    let key = fs::metadata(base.path().join("web/privkey.pem")).unwrap();
    assert_eq!(key.gid(), owner.group.unwrap());
    assert_eq!(key.uid(), owner.user.unwrap_or(own.uid()));
    if !is_root {
        let foreign = Owner { user: Some(0), group: None };
        let base = tempfile::tempdir().unwrap();
        let target = open(base.path(), DirectoryOptions::new(Layout::PemFiles).owner(foreign));
        let refused = target.deploy(&bundle, &name("web"), None).await.unwrap_err();
        assert!(matches!(refused, TargetError::Refused { .. }), "{refused:?}");
        assert_eq!(seen(&target, "web").await, Observed::Absent);
    }
}

#[tokio::test]
async fn the_command_runs_once_for_what_changed_and_again_if_it_failed() {
    let (base, notes) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let [first, second] = <[_; 2]>::try_from(bundles(2).await).unwrap();
    let script = notes.path().join("reload.sh");
    let text = "#!/bin/sh\necho \"$CHANCERY_NAME $CHANCERY_PATH $1\" >> \"$(dirname \"$0\")/log\"\n\
                if [ -e \"$(dirname \"$0\")/fail\" ]; then echo 'no such service' >&2; exit 3; fi\n";
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let command = ReloadCommand::new(&script, ["$(touch injected); `id`"]);
    let target = open(base.path(), DirectoryOptions::new(Layout::PemFiles).reload(command));
    let runs = || fs::read_to_string(notes.path().join("log")).unwrap_or_default().lines().count();
    target.deploy(&first, &name("web"), None).await.unwrap();
    target.deploy(&first, &name("web"), None).await.unwrap();
    assert_eq!(runs(), 1, "nothing changed the second time");
    let path = fs::canonicalize(base.path()).unwrap().join("web");
    let log = fs::read_to_string(notes.path().join("log")).unwrap();
    assert_eq!(log, format!("web {} $(touch injected); `id`\n", path.display()), "no shell reads the arguments");
    fs::write(notes.path().join("fail"), "").unwrap();
    let failed = target.deploy(&second, &name("web"), None).await.unwrap_err();
    let TargetError::Unknown { reason } = &failed else { panic!("{failed:?}") };
    assert!(reason.contains("no such service") && reason.contains('3'), "{reason}");
    assert!(matches!(seen(&target, "web").await, Observed::Damaged { .. }), "not done before the service knows");
    fs::remove_file(notes.path().join("fail")).unwrap();
    target.deploy(&second, &name("web"), None).await.unwrap();
    assert_eq!((runs(), seen(&target, "web").await), (3, shown(&second)));
}

#[tokio::test]
async fn a_command_that_never_ends_or_writes_without_end_is_stopped() {
    let bundle = bundles(1).await.remove(0);
    for (program, arguments, reason) in [
        ("sleep", vec!["600"], "killed after"),
        ("yes", vec![], "killed after"),
        ("/nonexistent/program", vec![], "No such file"),
    ] {
        let base = tempfile::tempdir().unwrap();
        let command = ReloadCommand::new(program, arguments).at_most(Duration::from_millis(200));
        let target = open(base.path(), DirectoryOptions::new(Layout::PemCombined).reload(command));
        let failed = target.deploy(&bundle, &name("web"), None).await.unwrap_err();
        assert!(failed.to_string().contains(reason), "{program}: {failed}");
        assert!(failed.to_string().len() < 6000, "{program}: the output is cut");
    }
}

const CHILD: &str = "CHANCERY_TEST_DIRECTORY_CHILD";

/// Not a test of its own: what the next one starts and kills. Deploys two certificates in turn until it is killed.
#[tokio::test]
async fn child_that_deploys_for_ever() {
    let Some(base) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let bundles = read_bundles(&base.join("bundles"));
    let separate = open(&base.join("out"), DirectoryOptions::new(Layout::PemFiles));
    let combined = open(&base.join("out"), DirectoryOptions::new(Layout::PemCombined));
    loop {
        for bundle in &bundles {
            separate.deploy(bundle, &name("web"), None).await.unwrap();
            combined.deploy(bundle, &name("web"), None).await.unwrap();
        }
    }
}

fn write_bundles(at: &Path, bundles: &[Bundle]) {
    fs::create_dir(at).unwrap();
    for (number, bundle) in bundles.iter().enumerate() {
        let chain: String = bundle.chain.iter().map(Certificate::pem).collect();
        fs::write(at.join(format!("{number}.pem")), bundle.leaf.pem() + &chain).unwrap();
        fs::write(at.join(format!("{number}.key")), bundle.key.as_ref().unwrap().expose()).unwrap();
    }
}

fn read_bundles(at: &Path) -> Vec<Bundle> {
    let read = |number: u8| {
        let mut chain =
            Certificate::from_pem_chain(&fs::read_to_string(at.join(format!("{number}.pem"))).unwrap()).unwrap();
        let key = Secret::new(fs::read(at.join(format!("{number}.key"))).unwrap());
        let certificate = CertificateId::new(START, [number; 10]);
        Bundle { certificate, leaf: chain.remove(0), chain, key: Some(key), tags: Default::default() }
    };
    vec![read(0), read(1)]
}

/// Every file that could hold a key, wherever it is, may be read by its owner alone.
fn no_key_is_wide(at: &Path) {
    for entry in fs::read_dir(at).unwrap().map(Result::unwrap) {
        let found = fs::symlink_metadata(entry.path()).unwrap();
        if found.is_dir() {
            no_key_is_wide(&entry.path());
        } else if found.is_file() {
            let text = fs::read_to_string(entry.path()).unwrap();
            let holds_key = text.contains("PRIVATE KEY") || entry.file_name() == "privkey.pem";
            assert!(!holds_key || found.mode() & 0o077 == 0, "{} has mode {:o}", entry.path().display(), found.mode());
        }
    }
}

#[tokio::test]
async fn killed_at_any_moment_it_leaves_whole_files_of_one_generation() {
    let base = tempfile::tempdir().unwrap();
    let out = base.path().join("out");
    let bundles = bundles(2).await;
    write_bundles(&base.path().join("bundles"), &bundles);
    fs::create_dir(&out).unwrap();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut seen_leaves = std::collections::BTreeSet::new();
    for round in 0..50 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_deploys_for_ever", "--nocapture"])
            .env(CHILD, base.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The first rounds wait until something is there; then any moment will do.
        let mut waited = 0;
        while round == 0 && waited < 10_000 && !(out.join("web").exists() && out.join("web.pem").exists()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
            waited += 1;
        }
        tokio::time::sleep(Duration::from_micros(5_000 + (random >> 40) % 60_000)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        no_key_is_wide(&out);
        let web = out.join("web");
        let read = |file: &str| fs::read_to_string(web.join(file)).unwrap();
        let leaf = Certificate::from_pem_chain(&read("cert.pem")).unwrap().remove(0);
        let key = SoftwareSigner::from_pkcs8_pem(&read("privkey.pem")).unwrap();
        assert!(key.public_key() == leaf.public_key(), "round {round}: key and certificate of two generations");
        assert_eq!(read("fullchain.pem"), read("cert.pem") + &read("chain.pem"), "round {round}");
        let combined = fs::read_to_string(out.join("web.pem")).unwrap();
        let chain = Certificate::from_pem_chain(&combined).unwrap();
        let key = SoftwareSigner::from_pkcs8_pem(&combined).unwrap();
        assert!(chain.len() == 2 && key.public_key() == chain[0].public_key(), "round {round}: a torn file");
        assert_eq!(pem::decode_all(&combined, "PRIVATE KEY", 1 << 16).unwrap().len(), 1);
        seen_leaves.insert(*leaf.fingerprint());
        if round % 10 == 0 {
            let certificate = support::text(&web, "openssl", &["x509", "-in", "cert.pem", "-noout", "-pubkey"]);
            let key = support::text(&web, "openssl", &["pkey", "-in", "privkey.pem", "-pubout"]);
            assert_eq!(certificate, key, "round {round}");
        }
    }
    assert_eq!(seen_leaves.len(), 2, "it was killed on either side of a switch");
    // Whoever comes next finds its way, and what the dead have left goes.
    let target = open(&out, DirectoryOptions::new(Layout::PemFiles));
    target.deploy(&bundles[0], &name("web"), None).await.unwrap();
    assert_eq!(seen(&target, "web").await, shown(&bundles[0]));
    target.withdraw(&RemoteRef::named(name("web"))).await.unwrap();
    assert!(entries(&out).iter().all(|entry| entry.contains("web.pem")), "{:?}", entries(&out));
}
