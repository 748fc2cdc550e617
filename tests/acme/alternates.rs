//! An issuer that two roots have certified: clients choose by which of them their certificate is believed.

use chancery::domain::{IssuerUrls, Preset};
use chancery::signer::SoftwareSigner;
use chancery::x509::Certificate;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;
use time::Duration;

use crate::client::leaf;
use crate::scene::{Scene, issue};
use crate::support::{attempt, run};
use crate::world::{START, slug, user};

fn ca(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    (params.not_before, params.not_after) = (START - Duration::DAY, START + Duration::DAY * 1000);
    params
}

#[tokio::test]
async fn a_cross_signed_issuer_gives_a_chain_by_way_of_each_root() {
    let scene = Scene::new().await;
    let product = scene.world.engine.acting_as(user("root"));
    let (own, desk) = (KeyPair::generate().unwrap(), TempDir::new().unwrap());
    for name in ["old", "new"] {
        let (params, key) = (ca(&format!("{name} root")), KeyPair::generate().unwrap());
        let root = params.self_signed(&key).unwrap();
        let below = ca("Issuer").signed_by(&own, &Issuer::new(params, key)).unwrap();
        let chain = [below.der(), root.der()].map(|der| Certificate::from_der(der).unwrap());
        let signer = SoftwareSigner::from_pkcs8_der(&own.serialize_der()).unwrap();
        product.import_issuer(slug(name), IssuerUrls::default(), chain.to_vec(), Some(signer)).await.unwrap();
        std::fs::write(desk.path().join(format!("{name}-root.pem")), root.pem()).unwrap();
    }
    product.save_profile(Preset::TlsServer.profile(slug("web"), slug("old"), slug("web"))).await.unwrap();

    let client = scene.account().await;
    let (url, by_old) = issue(&scene, &client, &["a.example.com"]).await;
    let shown = client.read(&url).await;
    let [alternate] = &shown.links("alternate")[..] else { panic!("{:?}", shown.headers) };
    let other = client.read(alternate).await;
    assert_eq!(other.links("alternate"), [url]);
    assert_eq!(client.read(&alternate.replace("/1", "/2")).await.problem().0, 404);

    let by_new = other.text();
    assert_eq!(leaf(&by_new), leaf(&by_old));
    let at = START.unix_timestamp().to_string();
    for (name, chain) in [("old", by_old), ("new", by_new)] {
        std::fs::write(desk.path().join(format!("{name}.pem")), chain).unwrap();
    }
    for (name, other) in [("old", "new"), ("new", "old")] {
        let (root, other, chain) = (format!("{name}-root.pem"), format!("{other}-root.pem"), format!("{name}.pem"));
        let verify = |root| ["verify", "-attime", &at, "-CAfile", root, "-untrusted", &chain, &chain];
        run(desk.path(), "openssl", &verify(&root));
        let refused = attempt(desk.path(), "openssl", &verify(&other)).is_none_or(|output| !output.status.success());
        assert!(refused, "{name}");
    }
}
