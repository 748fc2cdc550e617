//! Accounts: made, found, changed, given up, and given another key.

use super::answers::{Created, NewAccount, Terms};
use super::{AcmeDirectory, AcmeError, AcmeProfile};
use crate::domain::acme::{Account, AccountKey, AccountState, AcmeProblem, Bound, Contact, ProblemKind};
use crate::domain::{AcmeAccountId, AcmeSettings, Actor, Application, ApplicationId, EventKind, Profile, ProfileId};
use crate::engine::context::{Context, Versioned, decode};
use crate::engine::error::Error;
use crate::engine::schema::{Claim, Entity, KeptBinding, key_claim};
use crate::engine::submit::MOST_ATTEMPTS;
use crate::store::Key;

/// An Application and a profile that is attached to it.
pub(super) type At = (ApplicationId, ProfileId);

impl Context {
    /// What a directory tells.
    pub(super) async fn acme_directory(&self, at: At) -> Result<AcmeDirectory, AcmeError> {
        let application = self.application(at.0).await?.value;
        let settings = settings_of(&application, at)?.clone();
        let others = application.attachments.iter().filter(|each| each.methods.acme.is_some() && each.profile != at.1);
        let ids = std::iter::once(at.1).chain(others.map(|each| each.profile));
        let keys: Vec<Key> = ids.map(|id| Key::new(Profile::KIND, id.to_string())).collect();
        let mut profiles = Vec::with_capacity(keys.len());
        for document in self.store.get(&keys).await.map_err(Error::from)?.iter().flatten() {
            let Profile { name, .. } = decode(&document.key, &document.body)?;
            profiles.push(AcmeProfile { description: format!("certificates of the profile {name}"), name });
        }
        Ok(AcmeDirectory { settings, profiles })
    }

    /// A valid account of a directory at which ACME is still enabled.
    pub(super) async fn acme_account(&self, at: At, id: AcmeAccountId) -> Result<Account, AcmeError> {
        let keys = [Key::new(Account::KIND, id.to_string()), Key::new(Application::KIND, at.0.to_string())];
        let found = self.store.get(&keys).await.map_err(Error::from)?;
        let [account, application] = found.as_slice() else { return Err(Error::Contended.into()) };
        let application = application.as_ref().ok_or_else(|| Error::not_found(Application::KIND, at.0))?;
        settings_of(&decode(&application.key, &application.body)?, at)?;
        let account: Option<Account> = account.as_ref().map(|found| decode(&found.key, &found.body)).transpose()?;
        let account = account.filter(|account| (account.application, account.profile) == at).ok_or_else(unknown)?;
        account.in_use()?;
        Ok(account)
    }

    /// The account with a key.
    pub(super) async fn acme_account_with_key(&self, at: At, thumbprint: [u8; 32]) -> Result<Account, AcmeError> {
        use base64::Engine as _;
        let thumbprint = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(thumbprint);
        let owner = self.owner_of_key(at, &thumbprint).await?.ok_or_else(unknown)?;
        self.acme_account(at, owner).await
    }

    /// Makes an account, or finds the one that has the key.
    pub(super) async fn create_acme_account(&self, at: At, new: NewAccount) -> Result<Created<Account>, AcmeError> {
        for _ in 0..MOST_ATTEMPTS {
            if let Some(owner) = self.owner_of_key(at, &new.key.thumbprint).await? {
                return self.acme_account(at, owner).await.map(Created::Existing);
            }
            match self.make_account(at, &new).await {
                Err(error) if error.is_conflict() => {}
                made => return made.map(Created::New),
            }
        }
        Err(Error::Contended.into())
    }

    async fn make_account(&self, at: At, new: &NewAccount) -> Result<Account, AcmeError> {
        let application = self.application(at.0).await?;
        fit(settings_of(&application.value, at)?, new)?;
        let mut account = Account {
            id: AcmeAccountId::new(self.now(), self.change_by_engine()?.random.take().map_err(Error::from)?),
            application: at.0,
            profile: at.1,
            key: new.key.clone(),
            contacts: Contact::parse_all(&new.contacts)?,
            terms_agreed_at: (new.terms == Terms::Agreed).then(|| self.now()),
            bound: None,
            state: AccountState::Valid,
            created_at: self.now(),
            used_at: self.now(),
        };
        let binding = match &new.binding {
            Some(binding) => Some(self.load_binding(at, binding.id).await?),
            None => None,
        };
        let used = binding.as_ref().map(|kept| kept.value.binding.clone().used(account.created_at)).transpose()?;
        account.bound = used.as_ref().map(|used| Bound { by: used.id, scope: used.scope.clone() });
        let actor = Actor::acme_account(&account);
        let mut change = self.change(&actor, account.created_at)?;
        change.check(application.value.key(), application.version);
        change.create(&key_claim(at, &account.key, account.id))?;
        change.create(&account)?;
        if let (Some(kept), Some(binding)) = (binding, used) {
            change.update(&KeptBinding { binding, secret: kept.value.secret }, kept.version)?;
        }
        let binding = account.bound.as_ref().map(|bound| bound.by);
        change.event(Some(at.0), EventKind::AcmeAccountMade { account: account.id, binding })?;
        change.commit().await?;
        Ok(account)
    }

    /// Changes contacts.
    pub(super) async fn update_acme_account(
        &self,
        at: At,
        account: &Account,
        contacts: Option<Vec<String>>,
    ) -> Result<Account, AcmeError> {
        let Some(contacts) = contacts else { return self.acme_account(at, account.id).await };
        let contacts = Contact::parse_all(&contacts)?;
        let edit = |account: Account| Ok(Account { contacts: contacts.clone(), ..account });
        self.edit_acme_account(account, "contacts", edit).await
    }

    /// Gives an account up.
    pub(super) async fn deactivate_acme_account(&self, _: At, account: &Account) -> Result<Account, AcmeError> {
        let now = self.now();
        self.edit_acme_account(account, "deactivated", |account| account.deactivated(now)).await
    }

    async fn edit_acme_account(
        &self,
        account: &Account,
        what: &str,
        edit: impl Fn(Account) -> Result<Account, AcmeProblem>,
    ) -> Result<Account, AcmeError> {
        for _ in 0..MOST_ATTEMPTS {
            let Versioned { value, version } = self.load::<Account>(&account.id.to_string()).await?;
            value.in_use()?;
            let actor = Actor::acme_account(&value);
            let edited = edit(value)?;
            let mut change = self.change(&actor, self.now())?;
            change.update(&edited, version)?;
            let changed = EventKind::AcmeAccountChanged { account: edited.id, what: what.to_owned() };
            change.event(Some(edited.application), changed)?;
            match change.commit().await {
                Err(error) if error.is_conflict() => {}
                committed => return committed.map(|_| edited).map_err(AcmeError::from),
            }
        }
        Err(Error::Contended.into())
    }

    /// Gives an account another key.
    pub(super) async fn roll_acme_key(&self, at: At, account: &Account, key: AccountKey) -> Result<Account, AcmeError> {
        for _ in 0..MOST_ATTEMPTS {
            if let Some(owner) = self.owner_of_key(at, &key.thumbprint).await? {
                let problem = AcmeProblem::malformed("an account has this key already");
                return Err(AcmeProblem { account: Some(owner), ..problem }.into());
            }
            match self.exchange_key(at, account, &key).await {
                Err(error) if error.is_conflict() => {}
                rolled => return rolled,
            }
        }
        Err(Error::Contended.into())
    }

    async fn exchange_key(&self, at: At, account: &Account, key: &AccountKey) -> Result<Account, AcmeError> {
        let Versioned { value: old, version } = self.load::<Account>(&account.id.to_string()).await?;
        old.in_use()?;
        if old.key != account.key {
            // Whoever asked signed with a key that is not the account's any more.
            return Err(AcmeProblem::unauthorized("the account has another key by now").into());
        }
        let claim = self.load::<Claim>(&key_claim(at, &old.key, old.id).document_id()).await?;
        let actor = Actor::acme_account(&old);
        let rolled = Account { key: key.clone(), ..old };
        let mut change = self.change(&actor, self.now())?;
        change.delete(&claim.value, claim.version);
        change.create(&key_claim(at, key, rolled.id))?;
        change.update(&rolled, version)?;
        let changed = EventKind::AcmeAccountChanged { account: rolled.id, what: "key".to_owned() };
        change.event(Some(rolled.application), changed)?;
        change.commit().await?;
        Ok(rolled)
    }

    async fn owner_of_key(&self, at: At, thumbprint: &str) -> Result<Option<AcmeAccountId>, Error> {
        let name = format!("{}/{}/{thumbprint}", at.0, at.1);
        match self.resolve(Account::KIND, &name).await {
            Ok(owner) => Ok(Some(owner)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The settings of an attachment, if ACME is enabled on it.
pub(super) fn settings_of(application: &Application, at: At) -> Result<&AcmeSettings, Error> {
    let settings = application.attachment(at.1).and_then(|attachment| attachment.methods.acme.as_ref());
    settings.ok_or_else(|| Error::not_found("ACME directory", format!("{}/{}", at.0, at.1)))
}

fn unknown() -> AcmeProblem {
    AcmeProblem::new(ProblemKind::AccountDoesNotExist, "there is no such account here")
}

/// What a directory asks of whoever wants an account.
fn fit(settings: &AcmeSettings, new: &NewAccount) -> Result<(), AcmeProblem> {
    if settings.checks.needs_binding() && new.binding.is_none() {
        let detail = "an account is made only with an external account binding";
        return Err(AcmeProblem::new(ProblemKind::ExternalAccountRequired, detail));
    }
    match &settings.terms {
        Some(terms) if new.terms == Terms::Unsaid => {
            let detail = format!("an account is made only with agreement to the terms of service: {terms}");
            Err(AcmeProblem::new(ProblemKind::UserActionRequired, detail))
        }
        _ => Ok(()),
    }
}
