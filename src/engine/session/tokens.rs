//! Verbs on tokens of access.

use super::Session;
use crate::domain::{Principal, Token, TokenId, TokenSpec};
use crate::engine::error::Error;
use crate::engine::query::{Page, PageToken};
use crate::sealer::Secret;

/// Tokens that fronts take as bearer tokens (RFC 6750). Administrators of the product make, see and revoke those of everybody,
/// others their own; who came with a token of bounded scope, none.
impl Session {
    /// Makes a token. Its text, 256 random bits among it, is in this answer and no other: a hash of it is kept.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every fault of the specification, also for groups that are not the actor's, or a life that is
    /// longer than that of the token that the actor came with.
    #[tracing::instrument(level = "debug", skip_all, fields(principal = %spec.principal), err(level = "debug"))]
    pub async fn create_token(&self, spec: TokenSpec) -> Result<(Token, Secret), Error> {
        verb!(self.create_token(spec))
    }

    /// One page of the tokens that are valid: of one principal; or of everybody, for those who are no administrators their own.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a page token that is not one of this list's.
    #[tracing::instrument(level = "debug", skip(self, after), err(level = "debug"))]
    pub async fn tokens(&self, principal: Option<&Principal>, after: Option<&PageToken>) -> Result<Page<Token>, Error> {
        verb!(self.tokens(principal, after))
    }

    /// Revokes a token: it is refused from the next call on.
    ///
    /// # Errors
    /// [`Error::NotFound`] also for a token of somebody else.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn revoke_token(&self, id: TokenId) -> Result<(), Error> {
        verb!(self.revoke_token(id))
    }
}
