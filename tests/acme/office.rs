//! A server over TLS with a certificate of its own CA, a worker, and a name server of other people's.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use chancery::challenge::{NetworkSettings, NetworkVerifier};
use chancery::clock::{ManualClock, SystemClock};
use chancery::domain::acme::{BindingSpec, BindingUses};
use chancery::domain::{AcmeNetworks, AcmeSettings, CertificateRecord, CertificateStatus, Method, MethodSettings};
use chancery::engine::{CertificateQuery, Engine, Root};
use chancery::front::acme::Acme;
use chancery::store::MemoryStore;
use std::net::SocketAddr;
use tempfile::TempDir;
use time::OffsetDateTime;

use crate::names::{Names, free_port};
use crate::support::run;
use crate::world::{self, World, user};

pub(crate) struct Office {
    pub(crate) world: World,
    pub(crate) names: Names,
    /// Where clients listen.
    pub(crate) http_port: u16,
    pub(crate) tls_port: u16,
    pub(crate) directory: String,
    pub(crate) desk: TempDir,
}

impl Office {
    /// Opens; nothing, aloud, if the machine lacks the name server outside CI.
    pub(crate) async fn open() -> Option<Self> {
        Some(Self::with(Names::start()?, (free_port(), free_port())).await)
    }

    /// An office whose http-01 challenges the name server answers itself.
    pub(crate) async fn answering_by_names() -> Option<Self> {
        let names = Names::start()?;
        let ports = (names.http_port, names.tls_port);
        Some(Self::with(names, ports).await)
    }

    async fn with(names: Names, (http_port, tls_port): (u16, u16)) -> Self {
        let network = NetworkSettings {
            resolvers: vec![names.resolver],
            http_port,
            tls_port,
            timeout: Duration::from_secs(5),
            ..NetworkSettings::default()
        };
        let clock = Arc::new(ManualClock::new(OffsetDateTime::now_utc()));
        let verifier = NetworkVerifier::new(network).unwrap();
        let builder = world::builder(MemoryStore::new(), &clock, 1).clock(SystemClock).challenge_verifier(verifier);
        let world = World::of(builder, clock).await;
        let (application, profile) = (world.application.id, world.profile.id);
        let settings = AcmeSettings { networks: AcmeNetworks::AlsoPrivate, ..AcmeSettings::default() };
        let acme = MethodSettings::Acme(Some(settings));
        world.engine.acting_as(user("alice")).set_method(application, profile, acme).await.unwrap();

        let desk = TempDir::new().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let base = format!("https://localhost:{}/acme", listener.local_addr().unwrap().port());
        let front = Acme::new(&world.engine, &base).unwrap();
        let directory = front.directory(application, profile);
        let root = serve(listener, front, &world).await;
        std::fs::write(desk.path().join("root.pem"), root).unwrap();
        work(world.engine.clone());
        Self { world, names, http_port, tls_port, directory, desk }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.desk.path().join(name)
    }

    /// A key that binds any number of accounts: its kid and its secret.
    pub(crate) async fn binding(&self) -> (String, String) {
        let spec = BindingSpec { uses: BindingUses::Many, ..BindingSpec::new("clients") };
        let session = self.world.session("alice");
        let made = session.create_acme_binding(self.world.application.id, self.world.profile.id, spec).await.unwrap();
        (made.0.id.to_string(), made.1.expose_text().to_owned())
    }

    /// The certificates of ACME clients, the latest first.
    pub(crate) async fn certificates(&self) -> Vec<CertificateRecord> {
        let query = CertificateQuery { application: Some(self.world.application.id), ..CertificateQuery::default() };
        let page = self.world.session("alice").certificates(&query, None).await.unwrap();
        page.items.into_iter().filter(|record| record.method == Some(Method::Acme)).collect()
    }

    /// Waits until every certificate of ACME clients is revoked.
    pub(crate) async fn all_revoked(&self) {
        for _ in 0..200 {
            let is_revoked =
                |record: &CertificateRecord| record.status_at(OffsetDateTime::now_utc()) == CertificateStatus::Revoked;
            if self.certificates().await.iter().all(is_revoked) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("not revoked: {:?}", self.certificates().await);
    }

    /// A script that publishes TXT records, for clients that call one: `name` and `value` are what the shell knows them by.
    pub(crate) fn publisher(&self, file: &str, name: &str, value: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let (path, port) = (self.path(file), self.names.management_port());
        let script = format!(
            "#!/bin/bash\nset -e\nexec 3<>/dev/tcp/127.0.0.1/{port}\nname={name}\n\
             body=\"{{\\\"host\\\":\\\"${{name%.}}.\\\",\\\"value\\\":\\\"{value}\\\"}}\"\n\
             printf 'POST /set-txt HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n%s' \
             ${{#body}} \"$body\" >&3\ncat <&3 >/dev/null\n"
        );
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// OpenSSL agrees that a chain leads to the root, and it names what it should.
    pub(crate) fn verified(&self, chain: &Path, names: &[&str]) {
        let root = self.path("root.pem").display().to_string();
        let chain_text = std::fs::read_to_string(chain).unwrap();
        let certificate = &chancery::x509::Certificate::from_pem_chain(&chain_text).unwrap()[0];
        let mut seen: Vec<_> = certificate.content().sans.iter().map(|san| value_of(&san.to_string())).collect();
        let mut expected: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        seen.sort();
        expected.sort();
        assert_eq!(seen, expected);
        let path = chain.display().to_string();
        run(self.desk.path(), "openssl", &["verify", "-x509_strict", "-CAfile", &root, &path]);
    }
}

fn value_of(san: &str) -> String {
    san.split_once(':').map_or(san, |(_, value)| value).to_owned()
}

/// Serves with a certificate of its own CA, whose root is given, in PEM.
async fn serve(listener: TcpListener, front: Acme, world: &World) -> String {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let issued = world.issue("localhost").await;
    let key = issued.private_key.as_ref().unwrap().pkcs8_der().expose().to_vec();
    let chain = issued.chain.certificates(Root::Exclude).map(|certificate| certificate.der().to_vec()).collect();
    let config = RustlsConfig::from_der(chain, key).await.unwrap();
    let app = axum::Router::new().nest("/acme", front.router());
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    listener.set_nonblocking(true).unwrap();
    tokio::spawn(axum_server::from_tcp_rustls(listener, config).unwrap().serve(service));
    issued.chain.root().unwrap().pem()
}

fn work(engine: Engine) {
    let worker = engine.worker(tokio::time::sleep).longest_pause(Duration::from_millis(100));
    tokio::spawn(worker.run(std::future::pending()));
}

/// Runs a client, which must succeed; false, aloud, if the machine lacks it outside CI.
pub(crate) fn client(command: Option<Command>, arguments: &[&str]) -> bool {
    let Some(mut command) = command else { return false };
    let output = tokio::task::block_in_place(|| command.args(arguments).stdin(Stdio::null()).output().unwrap());
    let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    true
}
