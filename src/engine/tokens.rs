//! Tokens of access: made, shown once, kept as a hash, presented, revoked.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

use super::context::{Context, Versioned};
use super::due::{Work, item};
use super::error::Error;
use super::query::{Page, PageToken};
use super::schema::{Entity, KeptToken, TOKEN_PRINCIPAL};
use crate::crypto;
use crate::domain::{Actor, EventKind, Octets, Principal, Token, TokenId, TokenSpec};
use crate::sealer::Secret;
use crate::store::{Hit, Over, Scan};
use crate::x509::InvalidValue;

/// What the text of every token begins with, for those who look for secrets that were left lying about.
const PREFIX: &str = "chy_";

impl Context {
    /// Makes a token. Administrators of the product make them for everybody, others for themselves.
    pub(super) async fn create_token(&self, actor: &Actor, spec: TokenSpec) -> Result<(Token, Secret), Error> {
        self.authorize_token(actor, &spec.principal, "make tokens for others")?;
        let mut change = self.change(actor, self.now())?;
        let expires_at = change.now + spec.ttl.as_duration();
        let mut faults = spec.faults();
        faults.extend(self.excess(actor, &spec, expires_at));
        if !faults.is_empty() {
            return Err(Error::Invalid { faults });
        }
        let id = TokenId::new(change.now, change.random.take()?);
        let secret: [u8; 32] = change.random.take()?;
        let TokenSpec { name, principal, groups, scope, .. } = spec;
        let (made_by, created_at) = (actor.principal().clone(), change.now);
        let token = Token { id, name, principal, groups, scope, made_by, created_at, expires_at };
        change.create(&KeptToken { token: token.clone(), hash: Octets(crypto::sha256(&secret).to_vec()) })?;
        change.event(None, EventKind::TokenMade { token: id, principal: token.principal.clone() })?;
        change.commit().await?;
        Ok((token, text_of(id, &secret)))
    }

    /// One page of tokens: of everybody or of one principal; who is no administrator sees their own.
    pub(super) async fn tokens(
        &self,
        actor: &Actor,
        principal: Option<&Principal>,
        after: Option<&PageToken>,
    ) -> Result<Page<Token>, Error> {
        let own = (!self.is_administrator(actor)).then(|| actor.principal());
        let mut scan = match principal.or(own) {
            Some(principal) => {
                self.authorize_token(actor, principal, "see the tokens of others")?;
                let mut scan = Scan::new(Over::Index(TOKEN_PRINCIPAL.into()), 100);
                scan.from = Some(format!("{principal}\u{1}"));
                scan.to = Some(format!("{principal}\u{2}"));
                scan
            }
            None => Scan::new(Over::Kind(KeptToken::KIND.into()), 100),
        };
        scan.after = after.map(PageToken::cursor).transpose()?;
        let page: Page<KeptToken> = self.page(&scan).await?;
        Ok(Page { items: page.items.into_iter().map(|kept| kept.token).collect(), next: page.next })
    }

    /// Revokes a token, from the next call on.
    pub(super) async fn revoke_token(&self, actor: &Actor, id: TokenId) -> Result<(), Error> {
        let hidden = || Error::not_found(KeptToken::KIND, id);
        let kept: Versioned<KeptToken> = self.find(&id.to_string()).await?.ok_or_else(hidden)?;
        self.authorize_token(actor, &kept.value.token.principal, "revoke the tokens of others")
            .map_err(|_| hidden())?;
        let mut change = self.change(actor, self.now())?;
        change.delete(&kept.value, kept.version);
        change.event(None, EventKind::TokenRevoked { token: id })?;
        change.commit().await.map_err(Error::contended).map(drop)
    }

    /// Who presents a token; `None` if it is none that is good now.
    pub(super) async fn bearer(&self, text: &str) -> Result<Option<Actor>, Error> {
        let Some((id, secret)) = parts_of(text) else { return Ok(None) };
        let Some(kept) = self.find::<KeptToken>(&id.to_string()).await? else { return Ok(None) };
        let is_its = crypto::sha256(&secret).ct_eq(&kept.value.hash.0);
        if !bool::from(is_its) || kept.value.token.expires_at <= self.now() {
            return Ok(None);
        }
        Ok(kept.value.token.actor().ok())
    }

    /// Removes a token that has ended.
    pub(super) async fn token_due(&self, hit: &Hit) -> Result<Work, Error> {
        let kept: KeptToken = item(hit)?;
        self.remove(&Versioned { value: kept, version: hit.document.version }).await?;
        Ok(Work::Removed)
    }

    fn authorize_token(&self, actor: &Actor, of: &Principal, what: &'static str) -> Result<(), Error> {
        // A bounded right is no means to an unbounded one.
        if actor.is_unbounded() && actor.principal() == of {
            return Ok(());
        }
        self.authorize_product(actor, what)
    }

    /// What a token of somebody's own would reach beyond what they reach themselves.
    fn excess(&self, actor: &Actor, spec: &TokenSpec, expires_at: OffsetDateTime) -> Vec<(String, InvalidValue)> {
        if self.is_administrator(actor) {
            return Vec::new();
        }
        let mut faults = Vec::new();
        for (at, group) in spec.groups.iter().enumerate().filter(|(_, group)| !actor.answers_to(group)) {
            let error = InvalidValue::new("token", group.to_string(), "a group that its maker belongs to");
            faults.push((format!("groups[{at}]"), error));
        }
        if actor.access().is_some_and(|access| access.ends_at < expires_at) {
            let accepted = "no longer than the token that it is made with";
            faults.push(("ttl".to_owned(), InvalidValue::new("token", spec.ttl.to_string(), accepted)));
        }
        faults
    }
}

fn text_of(id: TokenId, secret: &[u8; 32]) -> Secret {
    let digits = id.to_string();
    let digits = digits.strip_prefix(TokenId::PREFIX).unwrap_or_default();
    Secret::new(format!("{PREFIX}{digits}_{}", URL_SAFE_NO_PAD.encode(secret)).into_bytes())
}

fn parts_of(text: &str) -> Option<(TokenId, [u8; 32])> {
    let (digits, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    // Longer texts are not even decoded.
    let secret = (secret.len() == 43).then(|| URL_SAFE_NO_PAD.decode(secret).ok()).flatten()?;
    Some((format!("{}{digits}", TokenId::PREFIX).parse().ok()?, secret.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_text_of_a_token_holds_its_id_and_its_secret() {
        let id = TokenId::new(datetime!(2026-01-01 0:00 UTC), [3; 10]);
        let text = text_of(id, &[9; 32]);
        assert_eq!(parts_of(text.expose_text()), Some((id, [9; 32])));
        for other in ["", "chy_", "chy__", "chy_x_y", &text.expose_text()[1..], &format!("{}A", text.expose_text())] {
            assert_eq!(parts_of(other), None, "{other}");
        }
    }
}
