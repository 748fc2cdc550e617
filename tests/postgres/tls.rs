//! TLS to the server: it proves who it is, and so may the node.

use chancery::store::postgres::PostgresOptions;
use chancery::store::{Expect, Store, StoreError};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::{Cluster, key, put};

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Database Root");
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for a name, and its key.
    fn issue(&self, name: &str) -> (String, String) {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

const SETTINGS: &str = "ssl = on\nssl_ca_file = 'root.crt'";
const ACCESS: &str =
    "local all all trust\nhostssl all certified 127.0.0.1/32 cert\nhostssl all all 127.0.0.1/32 trust\n";

#[tokio::test]
async fn the_server_proves_who_it_is_and_so_may_the_node() {
    let authority = Authority::new();
    let (certificate, private) = authority.issue("localhost");
    let files = [
        ("server.crt", certificate.as_str()),
        ("server.key", private.as_str()),
        ("root.crt", authority.pem.as_str()),
        ("pg_hba.conf", ACCESS),
    ];
    let Some(cluster) = Cluster::start_on_network(SETTINGS, &files) else { return };
    let database = cluster.fresh_name();
    let url =
        |user: &str, host: &str, mode: &str| format!("postgres://{user}@{host}:{}/{database}{mode}", cluster.port());
    let trusting = PostgresOptions::new().root_certificates(&authority.pem);

    let store = trusting.connect(&url("postgres", "localhost", "?sslmode=verify-full")).await.unwrap();
    store.commit(put("a", Expect::Absent)).await.unwrap();
    let encrypted = cluster.sql(
        &database,
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'chancery'",
    );
    assert_eq!(encrypted.trim(), "t");

    let refused = async |options: &PostgresOptions, url: String| match options.connect(&url).await {
        Err(StoreError::Unavailable { reason }) => reason,
        other => panic!("{url}: {other:?}"),
    };
    let stranger = PostgresOptions::new().root_certificates(&Authority::new().pem);
    for mode in ["", "?sslmode=require", "?sslmode=verify-full"] {
        let reason = refused(&stranger, url("postgres", "localhost", mode)).await;
        assert!(reason.contains("certificate"), "{reason}");
        let reason = refused(&PostgresOptions::new(), url("postgres", "localhost", mode)).await;
        assert!(reason.contains("certificate"), "the system trusts our root? {reason}");
        let reason = refused(&trusting, url("postgres", "127.0.0.1", mode)).await;
        assert!(reason.contains("certificate"), "another name is taken: {reason}");
    }
    // The server's access rules know no connection without TLS.
    refused(&trusting, url("postgres", "localhost", "?sslmode=disable")).await;

    cluster.sql(&database, "CREATE ROLE certified LOGIN SUPERUSER");
    refused(&trusting, url("certified", "localhost", "")).await;
    let (chain, private) = authority.issue("certified");
    let identified = trusting.client_identity(&chain, &private);
    let store = identified.connect(&url("certified", "localhost", "")).await.unwrap();
    assert!(store.get(&[key("a")]).await.unwrap()[0].is_some());
}

#[tokio::test]
async fn what_is_no_pem_is_refused_before_anybody_is_called() {
    let url = "postgres://postgres@localhost:1/none";
    let options = PostgresOptions::new();
    for options in [options.clone().root_certificates("no PEM"), options.client_identity("no", "PEM")] {
        let refused = options.connect(url).await.unwrap_err();
        assert!(matches!(refused, StoreError::Invalid { .. }), "{refused:?}");
    }
}
