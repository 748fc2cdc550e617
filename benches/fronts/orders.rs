//! Whole orders by instant-acme: the same client for every server.

use std::net::Ipv4Addr;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Path as Segment;
use axum::routing::get;
use base64::Engine as _;
use bytes::Bytes;
use http_body_util::BodyExt;
use instant_acme::{
    Account, AuthorizationStatus, BodyWrapper, BytesResponse, ChallengeType, Error, ExternalAccountKey, HttpClient,
    Identifier, Key, NewAccount, NewOrder, Order, OrderStatus,
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio::task::JoinSet;

use crate::process::client;
use crate::{Round, Settings};

/// How many orders are under way at once. At 64 pebble stops answering for good.
const ORDERS: usize = 16;

/// How long a client waits before it looks again.
const PAUSE: Duration = Duration::from_millis(20);

/// After which an order is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Certificates are asked for addresses of this machine that were never asked for, so that nobody's proof is used again.
static ADDRESSES: AtomicU32 = AtomicU32::new(1);

/// The client of all servers.
pub(crate) struct Client {
    /// Of the accounts that prove what they control, PKCS#8: one for all, so that one responder answers for all.
    key: Vec<u8>,
    thumbprint: Arc<OnceLock<String>>,
    csr_key: Arc<rcgen::KeyPair>,
}

impl Client {
    pub(crate) fn new() -> Self {
        let (_, key) = Key::generate_pkcs8().unwrap();
        let csr_key = Arc::new(rcgen::KeyPair::generate().unwrap());
        Self { key: key.secret_pkcs8_der().to_vec(), thumbprint: Arc::default(), csr_key }
    }

    /// Answers http-01 at the port that the peers can not be talked out of; says whether it is to be had.
    pub(crate) async fn answer(&self) -> bool {
        let thumbprint = Arc::clone(&self.thumbprint);
        let answer = get(move |Segment(token): Segment<String>| async move {
            format!("{token}.{}", thumbprint.get().map(String::as_str).unwrap_or_default())
        });
        let router = Router::new().route("/.well-known/acme-challenge/{token}", answer);
        match tokio::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)).await {
            Ok(listener) => {
                tokio::spawn(async move { axum::serve(listener, router).await });
                true
            }
            Err(error) => {
                println!("NOT MEASURED: http-01 can not be answered at port 80: {error}");
                false
            }
        }
    }

    /// An account that proves what it controls.
    pub(crate) async fn account(&self, directory: String, root: &Path) -> Account {
        let pkcs8 = PrivatePkcs8KeyDer::from(self.key.clone());
        let key = Key::from_pkcs8_der(pkcs8.clone_key()).unwrap();
        let builder = Account::builder_with_http(Box::new(Http(client(Some(root)))));
        let account = builder.create_from_key((key, pkcs8.into()), directory).await.unwrap().0;
        self.thumbprint.get_or_init(|| account.key_thumbprint().to_owned());
        account
    }

    /// An account that is bound.
    pub(crate) async fn bound(&self, directory: String, root: &Path, (kid, secret): (String, String)) -> Account {
        let secret = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(secret).unwrap();
        let binding = ExternalAccountKey::new(kid, &secret);
        let new = NewAccount { contact: &[], terms_of_service_agreed: true, only_return_existing: false };
        let builder = Account::builder_with_http(Box::new(Http(client(Some(root)))));
        builder.create(&new, directory, Some(&binding)).await.unwrap().0
    }

    /// Orders, as many at once as the settings say, until the time is over.
    /// Also how many came to nothing.
    pub(crate) async fn round(&self, account: &Account, settings: &Settings) -> (Round, u64) {
        let begun = Instant::now();
        let end = begun + settings.length;
        let mut callers = JoinSet::new();
        for _ in 0..settings.connections.unwrap_or(ORDERS) {
            callers.spawn(order_until(end, account.clone(), Arc::clone(&self.csr_key)));
        }
        let (took, failed): (Vec<_>, Vec<_>) = callers.join_all().await.into_iter().unzip();
        (Round::of(took.concat(), begun.elapsed()), failed.into_iter().sum())
    }
}

async fn order_until(end: Instant, account: Account, key: Arc<rcgen::KeyPair>) -> (Vec<Duration>, u64) {
    let (mut took, mut failed) = (Vec::new(), 0);
    while Instant::now() < end {
        let begun = Instant::now();
        match order(&account, &key).await {
            Ok(chain) => {
                assert!(chain.contains("BEGIN CERTIFICATE"), "{chain}");
                took.push(begun.elapsed());
            }
            Err(_) => failed += 1,
        }
    }
    (took, failed)
}

/// From the order to the certificate in hand.
async fn order(account: &Account, key: &rcgen::KeyPair) -> Result<String, Error> {
    let address = Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + ADDRESSES.fetch_add(1, Ordering::Relaxed));
    let identifiers = [Identifier::Ip(address.into())];
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
    if order.state().status == OrderStatus::Pending {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Pending {
                authorization.challenge(ChallengeType::Http01).unwrap().set_ready().await?;
            }
        }
    }
    until(&mut order, OrderStatus::Ready).await?;
    let mut params = rcgen::CertificateParams::new(vec![address.to_string()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    order.finalize_csr(params.serialize_request(key).unwrap().der()).await?;
    until(&mut order, OrderStatus::Valid).await?;
    Ok(order.certificate().await?.unwrap())
}

async fn until(order: &mut Order, status: OrderStatus) -> Result<(), Error> {
    let begun = Instant::now();
    while order.state().status != status {
        if order.state().status == OrderStatus::Invalid || begun.elapsed() > PATIENCE {
            return Err(Error::Str("the order does not get there"));
        }
        tokio::time::sleep(PAUSE).await;
        order.refresh().await?;
    }
    Ok(())
}

/// The library's own connections wait for acknowledgements (Nagle's algorithm), 40 ms for each request; these do not.
struct Http(reqwest::Client);

impl HttpClient for Http {
    fn request(&self, request: http::Request<BodyWrapper<Bytes>>) -> Answering {
        let client = self.0.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap_or_else(|never| match never {}).to_bytes();
            let sent = client.request(head.method, head.uri.to_string()).headers(head.headers).body(body).send();
            let failed = |error| Error::Other(Box::new(error));
            let answer = sent.await.map_err(failed)?;
            let mut response = http::Response::new(());
            *response.status_mut() = answer.status();
            *response.headers_mut() = answer.headers().clone();
            let body = answer.bytes().await.map_err(failed)?;
            Ok(BytesResponse { parts: response.into_parts().0, body: Box::new(body) })
        })
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>>;
