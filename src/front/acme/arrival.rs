//! A signed request that was verified: whose key, for which URL, with a nonce that is spent now (RFC 8555 section 6).

use serde::de::DeserializeOwned;

use super::jws::{Jws, KeyReference};
use super::nonce::Nonces;
use super::problem::Fault;
use super::resource::{Access, Resource, Signer};
use super::service::Call;
use crate::domain::acme::{Account, AcmeProblem, ProblemKind};
use crate::x509::PublicKey;

/// A verified request.
pub(super) struct Arrival {
    jws: Jws,
    by: By,
}

/// Whose key signed.
pub(super) enum By {
    /// One that the request brought.
    Key(PublicKey),
    /// An account's, which is valid.
    Account(Box<Account>, PublicKey),
}

impl Arrival {
    /// Verifies a request. The nonce is spent last: who can not sign spends none.
    pub(super) async fn verified(call: &Call, resource: Resource, body: &[u8], nonces: &Nonces) -> Result<Self, Fault> {
        let jws = Jws::parse(body)?;
        if jws.url() != call.url() {
            return Err(unauthorized(format!("the request was signed for another URL than {}", call.url())).into());
        }
        let now = call.now();
        let nonce = jws.nonce().and_then(|nonce| nonces.read(nonce, now)).ok_or_else(bad_nonce)?;
        let by = who(call, resource, &jws).await?;
        jws.verify(by.key())?;
        if !nonces.spend(nonce, now) {
            return Err(bad_nonce().into());
        }
        if let By::Account(account, _) = &by {
            tracing::Span::current().record("account", tracing::field::display(account.id));
        }
        Ok(Self { jws, by })
    }

    /// Whose key signed.
    pub(super) fn by(&self) -> &By {
        &self.by
    }

    /// The account whose key signed.
    pub(super) fn account(&self) -> Result<&Account, Fault> {
        match &self.by {
            By::Account(account, _) => Ok(account),
            By::Key(_) => Err(malformed("the request must name its account by `kid`").into()),
        }
    }

    /// The key that signed.
    pub(super) fn key(&self) -> &PublicKey {
        self.by.key()
    }

    /// The URL that the request was signed for.
    pub(super) fn url(&self) -> &str {
        self.jws.url()
    }

    /// The payload as an object.
    pub(super) fn object<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        Ok(self.jws.object()?)
    }

    /// The payload, octet by octet.
    pub(super) fn payload(&self) -> &[u8] {
        self.jws.payload()
    }

    /// Whether it only asks for the resource as it is.
    pub(super) fn is_post_as_get(&self) -> bool {
        self.jws.is_post_as_get()
    }

    /// The account of a request that can only ask for the resource as it is.
    pub(super) fn reads(&self) -> Result<&Account, Fault> {
        match self.is_post_as_get() {
            true => self.account(),
            false => Err(malformed("this resource is only read, by an empty payload (RFC 8555 section 6.3)").into()),
        }
    }
}

impl By {
    fn key(&self) -> &PublicKey {
        match self {
            Self::Key(key) | Self::Account(_, key) => key,
        }
    }
}

async fn who(call: &Call, resource: Resource, jws: &Jws) -> Result<By, Fault> {
    let expected = match resource.access() {
        Access::Signed(signer) => signer,
        Access::Open | Access::Public => Signer::Account,
    };
    match (jws.key(), expected) {
        (KeyReference::Jwk(key), Signer::New | Signer::Either) => Ok(By::Key(key.clone())),
        (KeyReference::Kid(kid), Signer::Account | Signer::Either) => {
            let id = call.place.account_at(kid);
            let id = id.ok_or_else(|| no_account("`kid` is not the URL of an account of this directory"))?;
            let account = call.server.account(id).await?;
            let key = PublicKey::from_spki_der(&account.key.public_key.0).map_err(Fault::unwritable)?;
            Ok(By::Account(Box::new(account), key))
        }
        (KeyReference::Jwk(_), Signer::Account) => Err(malformed("the request must name its account by `kid`").into()),
        (KeyReference::Kid(_), Signer::New) => Err(malformed("the request must bring its key by `jwk`").into()),
    }
}

fn bad_nonce() -> AcmeProblem {
    AcmeProblem::new(ProblemKind::BadNonce, "the nonce is not one of this server's, is too old, or was used before")
}

fn no_account(detail: &str) -> AcmeProblem {
    AcmeProblem::new(ProblemKind::AccountDoesNotExist, detail)
}

fn unauthorized(detail: impl Into<String>) -> AcmeProblem {
    AcmeProblem::new(ProblemKind::Unauthorized, detail)
}

fn malformed(detail: &str) -> AcmeProblem {
    AcmeProblem::new(ProblemKind::Malformed, detail)
}
