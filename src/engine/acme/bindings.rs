//! Keys for external account bindings: made, listed, revealed, revoked by people, and used by clients.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::AcmeError;
use super::accounts::At;
#[cfg(feature = "acme")]
use super::answers::BindingProof;
use crate::domain::acme::{Account, AcmeProblem, Binding, BindingSpec, Order};
use crate::domain::{AcmeAccountId, AcmeBindingId, Action, Actor, Application, EventKind, Octets};
use crate::engine::context::{Context, Versioned};
use crate::engine::error::Error;
use crate::engine::query::{Page, PageToken};
use crate::engine::schema::{ACME_ACCOUNT, ACME_BINDING, ACME_ORDER, Entity, KeptBinding, attached};
use crate::engine::submit::MOST_ATTEMPTS;
use crate::sealer::Secret;
use crate::store::{Order as Direction, Over, Scan};

/// As long as the longest hash of a binding (RFC 7518 section 3.2).
const SECRET_OCTETS: usize = 64;

impl Context {
    /// Makes a binding key.
    pub(in crate::engine) async fn create_acme_binding(
        &self,
        actor: &Actor,
        at: At,
        spec: BindingSpec,
    ) -> Result<(Binding, Secret), Error> {
        let application = self.permitted(actor, at.0, Action::EnrollmentRotateAcmeEabSecret).await?;
        is_attached(&application.value, at)?;
        let faults = spec.faults();
        if !faults.is_empty() {
            return Err(Error::Invalid { faults });
        }
        let mut change = self.change(actor, self.now())?;
        let binding = Binding {
            id: AcmeBindingId::new(change.now, change.random.take()?),
            application: at.0,
            profile: at.1,
            name: spec.name,
            uses: spec.uses,
            used: 0,
            scope: spec.identifiers,
            made_by: actor.principal().clone(),
            created_at: change.now,
            expires_at: spec.ttl.and_then(|ttl| change.now.checked_add(ttl.as_duration())),
        };
        let secret = Secret::new(change.random.take::<SECRET_OCTETS>()?.to_vec());
        let mut kept = KeptBinding { binding, secret: Octets(Vec::new()) };
        kept.secret = Octets(self.sealer.seal(&secret, &kept.key().to_string(), change.random.take()?).await?);
        change.check(application.value.key(), application.version);
        change.create(&kept)?;
        change.event(Some(at.0), EventKind::AcmeBindingMade { binding: kept.binding.id, profile: at.1 })?;
        change.commit().await.map_err(Error::contended)?;
        Ok((kept.binding, text_of(&secret)))
    }

    /// One page of an attachment's binding keys, the latest first.
    pub(in crate::engine) async fn acme_bindings(
        &self,
        actor: &Actor,
        at: At,
        after: Option<&PageToken>,
    ) -> Result<Page<Binding>, Error> {
        self.permitted(actor, at.0, Action::EnrollmentRead).await?;
        let scan = latest_first(ACME_BINDING, &attached(at), after)?;
        let page: Page<KeptBinding> = self.page(&scan).await?;
        Ok(Page { items: page.items.into_iter().map(|kept| kept.binding).collect(), next: page.next })
    }

    /// The secret of a binding key, again.
    pub(in crate::engine) async fn reveal_acme_binding(
        &self,
        actor: &Actor,
        id: AcmeBindingId,
    ) -> Result<Secret, Error> {
        let kept = self.seen_binding(actor, id, Action::EnrollmentRevealAcmeEabSecret).await?;
        let secret = self.sealer.open(&kept.value.secret.0, &kept.value.key().to_string()).await?;
        let mut change = self.change(actor, self.now())?;
        change.check(kept.value.key(), kept.version);
        change.event(Some(kept.value.binding.application), EventKind::AcmeBindingRead { binding: id })?;
        change.commit().await.map_err(Error::contended)?;
        Ok(text_of(&secret))
    }

    /// Revokes a binding key.
    pub(in crate::engine) async fn revoke_acme_binding(&self, actor: &Actor, id: AcmeBindingId) -> Result<(), Error> {
        let kept = self.seen_binding(actor, id, Action::EnrollmentRotateAcmeEabSecret).await?;
        let mut change = self.change(actor, self.now())?;
        change.delete(&kept.value, kept.version);
        change.event(Some(kept.value.binding.application), EventKind::AcmeBindingRevoked { binding: id })?;
        change.commit().await.map_err(Error::contended).map(drop)
    }

    /// One page of the accounts of an attachment, the latest first.
    pub(in crate::engine) async fn acme_accounts(
        &self,
        actor: &Actor,
        at: At,
        after: Option<&PageToken>,
    ) -> Result<Page<Account>, Error> {
        self.permitted(actor, at.0, Action::EnrollmentRead).await?;
        self.page(&latest_first(ACME_ACCOUNT, &attached(at), after)?).await
    }

    /// One page of the orders of an account, the latest first.
    pub(in crate::engine) async fn acme_account_orders(
        &self,
        actor: &Actor,
        id: AcmeAccountId,
        after: Option<&PageToken>,
    ) -> Result<Page<Order>, Error> {
        self.seen_account(actor, id, Action::EnrollmentRead).await?;
        self.page(&latest_first(ACME_ORDER, &format!("{id}|"), after)?).await
    }

    /// Takes an account away.
    pub(in crate::engine) async fn revoke_acme_account(
        &self,
        actor: &Actor,
        id: AcmeAccountId,
    ) -> Result<Account, Error> {
        for _ in 0..MOST_ATTEMPTS {
            let Versioned { value: account, version } = self.seen_account(actor, id, Action::EnrollmentEdit).await?;
            let mut change = self.change(actor, self.now())?;
            let revoked = account.clone().revoked(change.now);
            if revoked == account {
                return Ok(account);
            }
            change.update(&revoked, version)?;
            let changed = EventKind::AcmeAccountChanged { account: id, what: "revoked".to_owned() };
            change.event(Some(revoked.application), changed)?;
            match change.commit().await {
                Err(error) if error.is_conflict() => {}
                committed => return committed.map(|_| revoked),
            }
        }
        Err(Error::Contended)
    }

    /// A binding key as a client names it.
    pub(super) async fn load_binding(&self, at: At, id: AcmeBindingId) -> Result<Versioned<KeptBinding>, AcmeError> {
        let found = self.find::<KeptBinding>(&id.to_string()).await?;
        let own = found.filter(|kept| (kept.value.binding.application, kept.value.binding.profile) == at);
        own.ok_or_else(|| no_binding().into())
    }

    /// Verifies a binding.
    #[cfg(feature = "acme")]
    pub(super) async fn verify_binding(&self, at: At, proof: &BindingProof<'_>) -> Result<Binding, AcmeError> {
        use crate::crypto::{MacHash, verify_mac};
        use crate::domain::acme::BindingMac;
        let kept = self.load_binding(at, proof.kid).await?.value;
        let opened = self.sealer.open(&kept.secret.0, &kept.key().to_string()).await;
        let secret = opened.map_err(Error::from)?;
        let hash = match proof.mac {
            BindingMac::Hs256 => MacHash::Sha256,
            BindingMac::Hs384 => MacHash::Sha384,
            BindingMac::Hs512 => MacHash::Sha512,
        };
        if !verify_mac(hash, secret.expose(), proof.signing_input, proof.tag) {
            return Err(no_binding().into());
        }
        kept.binding.clone().used(self.now())?;
        Ok(kept.binding)
    }

    async fn seen_binding(
        &self,
        actor: &Actor,
        id: AcmeBindingId,
        action: Action,
    ) -> Result<Versioned<KeptBinding>, Error> {
        let hidden = || Error::not_found(KeptBinding::KIND, id);
        let kept = self.find::<KeptBinding>(&id.to_string()).await?.ok_or_else(hidden)?;
        match self.permitted(actor, kept.value.binding.application, action).await {
            Err(Error::NotFound { .. }) => Err(hidden()),
            permitted => permitted.map(|_| kept),
        }
    }

    async fn seen_account(
        &self,
        actor: &Actor,
        id: AcmeAccountId,
        action: Action,
    ) -> Result<Versioned<Account>, Error> {
        let hidden = || Error::not_found(Account::KIND, id);
        let account = self.find::<Account>(&id.to_string()).await?.ok_or_else(hidden)?;
        match self.permitted(actor, account.value.application, action).await {
            Err(Error::NotFound { .. }) => Err(hidden()),
            permitted => permitted.map(|_| account),
        }
    }
}

/// What lies below a prefix of an index, the latest first.
pub(super) fn latest_first(index: &'static str, prefix: &str, after: Option<&PageToken>) -> Result<Scan, Error> {
    let mut scan = Scan::new(Over::Index(index.into()), 100);
    scan.from = Some(prefix.to_owned());
    scan.to = Some(format!("{prefix}~"));
    scan.order = Direction::Descending;
    scan.after = after.map(PageToken::cursor).transpose()?;
    Ok(scan)
}

fn is_attached(application: &Application, at: At) -> Result<(), Error> {
    let attachment = application.attachment(at.1).map(drop);
    attachment.ok_or_else(|| Error::not_found("attachment", format!("{}/{}", at.0, at.1)))
}

/// Whether there is no such key or another secret is not told apart.
fn no_binding() -> AcmeProblem {
    AcmeProblem::unauthorized("the external account binding is not one of a key that is good here")
}

/// A secret as clients are configured with it.
fn text_of(secret: &Secret) -> Secret {
    Secret::new(URL_SAFE_NO_PAD.encode(secret.expose()).into_bytes())
}
