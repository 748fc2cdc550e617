//! instant-acme, a library that is strict about renewal information.

use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, ExternalAccountKey, Identifier, NewAccount,
    NewOrder, Order, OrderStatus, RetryPolicy, RevocationReason, RevocationRequest,
};
use rustls_pki_types::CertificateDer;

use crate::client::leaf;
use crate::office::Office;

async fn account(office: &Office) -> Account {
    let (kid, secret) = office.binding().await;
    let binding = ExternalAccountKey::new(kid, &decoded(&secret));
    let new =
        NewAccount { contact: &["mailto:ops@example.com"], terms_of_service_agreed: true, only_return_existing: false };
    let builder = Account::builder_with_root(office.path("root.pem")).unwrap();
    builder.create(&new, office.directory.clone(), Some(&binding)).await.unwrap().0
}

fn decoded(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn dns(names: &[&str]) -> Vec<Identifier> {
    names.iter().map(|name| Identifier::Dns((*name).to_owned())).collect()
}

/// Proves control of all that an order names, where that is not known yet.
async fn prove(office: &Office, order: &mut Order, kind: ChallengeType) {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.unwrap();
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let mut challenge = authorization.challenge(kind.clone()).unwrap();
        let key = challenge.key_authorization();
        let identifier = challenge.identifier().identifier.clone();
        match (&kind, identifier) {
            (ChallengeType::Http01, _) => office.names.serve_file(&challenge.token, key.as_str()),
            (_, Identifier::Dns(name)) => office.names.text(&format!("_acme-challenge.{name}"), &key.dns_value()),
            other => panic!("{other:?}"),
        }
        challenge.set_ready().await.unwrap();
    }
}

async fn issue(office: &Office, account: &Account, new: &NewOrder<'_>, kind: ChallengeType) -> String {
    let mut order = account.new_order(new).await.unwrap();
    prove(office, &mut order, kind).await;
    assert_eq!(order.poll_ready(&RetryPolicy::default()).await.unwrap(), OrderStatus::Ready);
    order.finalize().await.unwrap();
    order.poll_certificate(&RetryPolicy::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_names_a_wildcard_and_an_address() {
    let Some(office) = Office::answering_by_names().await else { return };
    let account = account(&office).await;
    let identifiers = [
        (dns(&["www.example.com", "api.example.com"]), ChallengeType::Dns01),
        (dns(&["*.example.com", "example.com"]), ChallengeType::Dns01),
        (dns(&["files.example.com"]), ChallengeType::Http01),
        (vec![Identifier::Ip([127, 0, 0, 1].into())], ChallengeType::Http01),
    ];
    for (at, (identifiers, kind)) in identifiers.into_iter().enumerate() {
        let chain = issue(&office, &account, &NewOrder::new(&identifiers), kind).await;
        let path = office.path(&format!("chain-{at}.pem"));
        std::fs::write(&path, &chain).unwrap();
        let names: Vec<String> = identifiers.iter().map(named).collect();
        office.verified(&path, &names.iter().map(String::as_str).collect::<Vec<_>>());
    }
    assert_eq!(office.certificates().await.len(), 4);
}

fn named(identifier: &Identifier) -> String {
    match identifier {
        Identifier::Dns(name) => name.clone(),
        Identifier::Ip(address) => address.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewal_by_its_information() {
    let Some(office) = Office::open().await else { return };
    let account = account(&office).await;
    let identifiers = dns(&["www.example.com"]);
    let chain = issue(&office, &account, &NewOrder::new(&identifiers), ChallengeType::Dns01).await;
    let der = CertificateDer::from(leaf(&chain));
    let id = CertificateIdentifier::try_from(&der).unwrap();
    let (info, wait) = account.renewal_info(&id).await.unwrap();
    assert!(info.suggested_window.start < info.suggested_window.end && wait.as_secs() > 0);

    let replacing = NewOrder::new(&identifiers).replaces(id);
    let renewed = issue(&office, &account, &replacing, ChallengeType::Dns01).await;
    assert_ne!(leaf(&renewed), leaf(&chain));
    assert!(account.new_order(&replacing).await.is_err(), "once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_rollover_contacts_revocation_and_the_end() {
    let Some(office) = Office::open().await else { return };
    let mut account = account(&office).await;
    let identifiers = dns(&["www.example.com"]);
    let chain = issue(&office, &account, &NewOrder::new(&identifiers), ChallengeType::Dns01).await;
    let before = account.key_thumbprint().to_owned();
    let credentials = account.update_key().await.unwrap();
    assert_ne!(account.key_thumbprint(), before);
    account.update_contacts(&["mailto:other@example.com"]).await.unwrap();

    let builder = Account::builder_with_root(office.path("root.pem")).unwrap();
    let again = builder.from_credentials(credentials).await.unwrap();
    let certificate = CertificateDer::from(leaf(&chain));
    let request = RevocationRequest { certificate: &certificate, reason: Some(RevocationReason::Superseded) };
    again.revoke(&request).await.unwrap();
    assert!(again.revoke(&request).await.is_err());
    again.deactivate().await.unwrap();
    assert!(account.new_order(&NewOrder::new(&identifiers)).await.is_err());
}
