//! How tokens of access are kept: by a hash, and found by their id.

use serde::{Deserialize, Serialize};

use super::{Entity, index, sortable};
use crate::domain::{Octets, Token};
use crate::store::IndexEntry;

/// Tokens by principal: `user:alice`, a control character, `tok-…`.
pub(in crate::engine) const TOKEN_PRINCIPAL: &str = "token.principal";

/// A token with the hash of its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::engine) struct KeptToken {
    pub(in crate::engine) token: Token,
    /// SHA-256 over the secret's 32 octets; they are random, so that nothing slower is needed.
    pub(in crate::engine) hash: Octets,
}

impl Entity for KeptToken {
    const KIND: &'static str = "token";

    fn document_id(&self) -> String {
        self.token.id.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        let owner = format!("{}\u{1}{}", self.token.principal, self.token.id);
        let due = sortable(self.token.expires_at);
        vec![IndexEntry::new(TOKEN_PRINCIPAL, owner), IndexEntry::new(index::DUE, due)]
    }
}
