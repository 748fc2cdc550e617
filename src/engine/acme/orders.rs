//! Orders: placed and listed.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::try_join_all;
use time::OffsetDateTime;

use super::AcmeError;
use super::accounts::{At, settings_of};
use super::answers::{NewOrder, OrderView};
use super::bindings::latest_first;
use super::views::{open_view, ownership};
use crate::domain::acme::{
    Account, AcmeProblem, Authorization, AuthorizationState, Challenge, ChallengeState, Identifier, MAX_IDENTIFIERS,
    Order, OrderState, ProblemKind, Proof, Subproblem, refusal,
};
use crate::domain::{
    AcmeAuthorizationId, AcmeOrderId, AcmeSettings, Actor, Enrollment, EventKind, Method, Names, Profile, Slug, Terms,
    Violation,
};
use crate::engine::cache::Setting;
use crate::engine::context::{Change, Context, Versioned, decode};
use crate::engine::error::Error;
use crate::engine::query::{Page, PageToken};
use crate::engine::schema::{ACME_ORDER, ACME_PROOF, Entity, proof_of};
use crate::engine::submit::MOST_ATTEMPTS;
use crate::store::{Over, Scan};
use crate::x509::{San, SanSpec};

/// A proof with less left than this part of its life is not used again: the order would soon be invalid.
const LEAST_LEFT: i32 = 4;

/// What an order is placed under: who, where, and the rules there.
pub(super) struct Placing<'a> {
    pub(super) account: &'a Account,
    pub(super) account_url: Option<&'a str>,
    /// The attachment that the certificate is issued under.
    pub(super) at: At,
    pub(super) setting: &'a Setting,
    pub(super) settings: &'a AcmeSettings,
    pub(super) identifiers: &'a [Identifier],
}

impl Context {
    /// Places an order.
    pub(super) async fn new_acme_order(
        &self,
        at: At,
        account: &Account,
        new: NewOrder,
    ) -> Result<OrderView, AcmeError> {
        let identifiers = read_identifiers(&new)?;
        let (at, chosen) = self.chosen_profile(at, account, new.profile.as_deref()).await?;
        let mut cached = self.cached_setting(at.0, at.1);
        for _ in 0..MOST_ATTEMPTS {
            let is_cached = cached.is_some();
            let setting = match cached.take() {
                Some(setting) => setting,
                None => self.fresh_setting(at).await?,
            };
            let settings = match settings_of(&setting.application.value, at) {
                Err(_) if is_cached => continue,
                settings => settings?,
            };
            let (account_url, identifiers) = (new.account_url.as_deref(), identifiers.as_slice());
            let placing = Placing { account, account_url, at, setting: &setting, settings, identifiers };
            match self.place(placing, &new, chosen.clone()).await {
                // What was cached may be out of date, and so may be a refusal.
                Err(AcmeError::Refused(_)) if is_cached => {}
                Err(error) if error.is_conflict() => {}
                placed => return placed,
            }
        }
        Err(Error::Contended.into())
    }

    async fn fresh_setting(&self, at: At) -> Result<Arc<Setting>, Error> {
        self.setting(self.application(at.0).await?, at.1).await
    }

    async fn place(&self, placing: Placing<'_>, new: &NewOrder, chosen: Option<Slug>) -> Result<OrderView, AcmeError> {
        self.permits(&placing, new)?;
        let Placing { account, at, setting, settings, identifiers, .. } = placing;
        let actor = Actor::acme_account(account);
        let mut change = self.change(&actor, self.now())?;
        let id = AcmeOrderId::new(change.now, change.random.take().map_err(Error::from)?);
        let replaces = match &new.replaces {
            Some(named) => self.claim_replacement(&placing, (named, id), &mut change).await?,
            None => None,
        };
        self.count_order(settings.limits, (at, account), identifiers, &mut change).await?;
        let expires_at = change.now + settings.order_life.as_duration();
        let authorizations = self.authorizations_for(&placing, expires_at, &mut change).await?;
        let order = Order {
            id,
            account: account.id,
            application: at.0,
            profile: at.1,
            chosen,
            identifiers: identifiers.to_vec(),
            authorizations: authorizations.iter().map(|each| each.id).collect(),
            not_before: new.not_before,
            not_after: new.not_after,
            replaces,
            state: OrderState::Open,
            created_at: change.now,
            expires_at,
            collect_at: Order::collected(expires_at),
        };
        setting.check(&mut change);
        self.use_account(account, &mut change).await?;
        change.create(&order)?;
        let named = identifiers.iter().take(10).map(ToString::to_string).collect();
        change.event(Some(at.0), EventKind::AcmeOrderPlaced { order: id, profile: at.1, identifiers: named })?;
        let now = change.now;
        change.commit().await?;
        let ownership = ownership(settings);
        let authorizations: Vec<Option<Authorization>> = authorizations.into_iter().map(Some).collect();
        Ok(open_view(order, &authorizations, (ownership, now)))
    }

    /// What binding, challenges and policy say, before anybody has to prove anything.
    fn permits(&self, placing: &Placing<'_>, new: &NewOrder) -> Result<(), AcmeProblem> {
        let Placing { account, settings, identifiers, .. } = placing;
        let mut wrong = Vec::new();
        for identifier in *identifiers {
            let mut refuse = |detail: &str| {
                let (detail, identifier) = (detail.to_owned(), Some(identifier.clone()));
                wrong.push(Subproblem { kind: ProblemKind::RejectedIdentifier, detail, identifier });
            };
            if !account.may_order(identifier) {
                refuse("the account's external account binding does not allow it");
            }
            let is_provable = !Authorization::kinds_for(identifier, &settings.challenges).is_empty();
            if settings.checks.needs_ownership() && !is_provable {
                refuse("no challenge that is offered here can prove control of it");
            }
        }
        if !wrong.is_empty() {
            return Err(AcmeProblem::of(ProblemKind::RejectedIdentifier, "identifiers are refused", wrong));
        }
        self.foresee(placing, new)
    }

    /// What the policy will say of these names and dates whatever the certificate request says beside: better now than after all the
    /// proofs. The judgement that counts is that of the certificate request.
    fn foresee(&self, placing: &Placing<'_>, new: &NewOrder) -> Result<(), AcmeProblem> {
        let sans: Vec<San> = placing.identifiers.iter().map(Identifier::to_san).collect();
        let specs = sans.iter().map(|san| SanSpec { kind: san.kind(), value: san.value().to_string() });
        let names = Names { sans: Some(specs.collect()), ..Names::default() };
        let terms = Terms { not_before: new.not_before, not_after: new.not_after, ..Terms::default() };
        let (application, profile) = placing.at;
        let mut enrollment = Enrollment::managed(application, profile);
        enrollment.method = Method::Acme;
        enrollment.names = names;
        enrollment.terms = terms;
        let Err(refused) = self.decide(&enrollment, placing.setting, (None, self.now())) else { return Ok(()) };
        let is_certain = |violation: &Violation| {
            ["sans", "validity", "ttl", "not_before", "not_after"]
                .iter()
                .any(|field| violation.field.starts_with(field))
        };
        let certain: Vec<Violation> = refused.violations.into_iter().filter(is_certain).collect();
        if certain.is_empty() {
            return Ok(());
        }
        let problem = refusal(&certain, &sans);
        // There is no certificate request yet that could be bad.
        let is_named = problem.kind == ProblemKind::RejectedIdentifier;
        Err(if is_named { problem } else { AcmeProblem { kind: ProblemKind::Malformed, ..problem } })
    }

    /// Demands that the account is as it was read, and notes the day when it was last used.
    async fn use_account(&self, account: &Account, change: &mut Change<'_>) -> Result<(), AcmeError> {
        let Versioned { value, version } = self.load::<Account>(&account.id.to_string()).await?;
        value.in_use()?;
        match value.used(change.now) {
            Some(used) => change.update(&used, version)?,
            None => change.check(value.key(), version),
        }
        Ok(())
    }

    /// An authorization for each identifier: one whose proof is still good, or a new one.
    async fn authorizations_for(
        &self,
        placing: &Placing<'_>,
        expires_at: OffsetDateTime,
        change: &mut Change<'_>,
    ) -> Result<Vec<Authorization>, AcmeError> {
        let Placing { account, account_url, at, settings, identifiers, .. } = placing;
        let reused = match settings.checks.needs_ownership() {
            true => self.shown_proofs(placing, change.now).await?,
            false => identifiers.iter().map(|_| None).collect(),
        };
        let mut authorizations = Vec::with_capacity(identifiers.len());
        for (identifier, reused) in identifiers.iter().zip(reused) {
            if let Some(proved) = reused {
                authorizations.push(proved);
                continue;
            }
            let authorization = Authorization {
                id: AcmeAuthorizationId::new(change.now, change.random.take().map_err(Error::from)?),
                account: account.id,
                account_url: account_url.map(str::to_owned),
                application: at.0,
                profile: at.1,
                identifier: identifier.clone(),
                token: URL_SAFE_NO_PAD.encode(change.random.take::<32>().map_err(Error::from)?),
                state: first_state(identifier, settings),
                created_at: change.now,
                expires_at,
            };
            change.create(&authorization)?;
            authorizations.push(authorization);
        }
        Ok(authorizations)
    }

    /// The proofs of the account that are still good for a while, for each identifier. What was proved below one attachment does not count
    /// below another, whose rules may be stricter.
    async fn shown_proofs(
        &self,
        placing: &Placing<'_>,
        now: OffsetDateTime,
    ) -> Result<Vec<Option<Authorization>>, Error> {
        let Placing { account, at, settings, identifiers, .. } = placing;
        let least = now + settings.proof_life.as_duration() / LEAST_LEFT;
        let is_good = |proved: &Authorization| {
            let offered = proved.shown_at(now).is_some_and(|kind| settings.challenges.contains(&kind));
            offered && proved.profile == at.1 && proved.expires_at > least
        };
        let proofs = identifiers.iter().map(|identifier| async {
            let proofs = self.proofs_of(account, identifier).await?;
            Ok::<_, Error>(proofs.into_iter().find(is_good))
        });
        try_join_all(proofs).await
    }

    /// Authorizations of an account for an identifier whose control it has proved, perhaps long ago; the latest first.
    pub(super) async fn proofs_of(
        &self,
        account: &Account,
        identifier: &Identifier,
    ) -> Result<Vec<Authorization>, Error> {
        let mut scan = Scan::new(Over::Index(ACME_PROOF.into()), 10);
        let value = proof_of(account.id, identifier);
        scan.to = Some(format!("{value}\u{1}"));
        scan.from = Some(value);
        scan.order = crate::store::Order::Descending;
        let hits = self.store.scan(&scan).await?;
        hits.iter().map(|hit| decode(&hit.document.key, &hit.document.body)).collect()
    }

    /// The attachment that an order is issued under: that of the directory, or the one whose profile the client chose.
    async fn chosen_profile(
        &self,
        at: At,
        account: &Account,
        name: Option<&str>,
    ) -> Result<(At, Option<Slug>), AcmeError> {
        let Some(name) = name else { return Ok((at, None)) };
        let unknown =
            || AcmeProblem::new(ProblemKind::InvalidProfile, "there is no such profile here: see the directory");
        let slug: Slug = name.parse().map_err(|_| unknown())?;
        let profile = match self.resolve(Profile::KIND, slug.as_str()).await {
            Err(Error::NotFound { .. }) => return Err(unknown().into()),
            profile => profile?,
        };
        let application = self.application(at.0).await?.value;
        let settings = settings_of(&application, (at.0, profile)).map_err(|_| unknown())?;
        if profile != at.1 && settings.checks.needs_binding() && account.bound.is_none() {
            let detail = "orders of this profile need an account with an external account binding";
            return Err(AcmeProblem::unauthorized(detail).into());
        }
        Ok(((at.0, profile), Some(slug)))
    }

    /// An order of the account.
    pub(super) async fn acme_order(&self, at: At, account: &Account, id: AcmeOrderId) -> Result<OrderView, AcmeError> {
        let order = self.own_order(at, account, id).await?.value;
        Ok(self.order_view(order).await?)
    }

    pub(super) async fn own_order(
        &self,
        _: At,
        account: &Account,
        id: AcmeOrderId,
    ) -> Result<Versioned<Order>, AcmeError> {
        let found = self.find::<Order>(&id.to_string()).await?;
        let own = found.filter(|order| order.value.account == account.id);
        own.ok_or_else(|| AcmeProblem::malformed("the account has no such order").into())
    }

    /// One page of the account's orders.
    pub(super) async fn acme_orders(
        &self,
        _: At,
        account: &Account,
        after: Option<&PageToken>,
    ) -> Result<Page<AcmeOrderId>, AcmeError> {
        let scan = latest_first(ACME_ORDER, &format!("{}|", account.id), after);
        let scan = scan.map_err(|error| AcmeProblem::malformed(error.to_string()))?;
        let page: Page<Order> = self.page(&scan).await?;
        Ok(Page { items: page.items.into_iter().map(|order| order.id).collect(), next: page.next })
    }
}

fn first_state(identifier: &Identifier, settings: &AcmeSettings) -> AuthorizationState {
    if !settings.checks.needs_ownership() {
        return AuthorizationState::Valid { proof: Proof::Waived };
    }
    let kinds = Authorization::kinds_for(identifier, &settings.challenges);
    let challenges = kinds.into_iter().map(|kind| Challenge { kind, state: ChallengeState::Pending });
    AuthorizationState::Pending { challenges: challenges.collect() }
}

/// The identifiers of an order, sorted, each once.
fn read_identifiers(new: &NewOrder) -> Result<Vec<Identifier>, AcmeProblem> {
    if !(1..=MAX_IDENTIFIERS).contains(&new.identifiers.len()) {
        let detail = format!("{} identifiers; an order has 1 to {MAX_IDENTIFIERS}", new.identifiers.len());
        return Err(AcmeProblem::malformed(detail));
    }
    let (mut identifiers, mut wrong) = (BTreeSet::new(), Vec::new());
    for spec in &new.identifiers {
        match Identifier::try_from(spec.clone()) {
            Ok(identifier) => drop(identifiers.insert(identifier)),
            Err(error) => {
                let is_known = matches!(spec.kind.as_str(), "dns" | "ip");
                let kind = if is_known { ProblemKind::Malformed } else { ProblemKind::UnsupportedIdentifier };
                wrong.push(Subproblem { kind, detail: error.to_string(), identifier: None });
            }
        }
    }
    if !wrong.is_empty() {
        return Err(AcmeProblem::of(ProblemKind::Malformed, "identifiers can not be read", wrong));
    }
    let dates = new.not_before.zip(new.not_after);
    if dates.is_some_and(|(from, to)| from >= to) {
        return Err(AcmeProblem::malformed("notBefore is not before notAfter"));
    }
    Ok(identifiers.into_iter().collect())
}
