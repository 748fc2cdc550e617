//! The documents of ACME: accounts, binding keys, orders, authorizations, and how much was asked lately.

use serde::{Deserialize, Serialize};

use super::{Claim, Entity, index, sortable};
use crate::domain::acme::{Account, AccountKey, Authorization, Binding, Identifier, Meter, Order};
use crate::domain::{AcmeAccountId, AcmeOrderId, ApplicationId, CertificateId, Octets, ProfileId};
use crate::store::IndexEntry;

/// Accounts by attachment and time: `app-…|prof-…|acct-…`.
pub(in crate::engine) const ACME_ACCOUNT: &str = "acme_account.attachment";
/// Binding keys by attachment and time: `app-…|prof-…|eab-…`.
pub(in crate::engine) const ACME_BINDING: &str = "acme_binding.attachment";
/// Orders by account and time: `acct-…|order-…`.
pub(in crate::engine) const ACME_ORDER: &str = "acme_order.account";
/// Authorizations whose proof was shown, by account and identifier: `acct-…|dns:example.com`.
pub(in crate::engine) const ACME_PROOF: &str = "acme_authorization.proof";

/// A binding key with its sealed secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::engine) struct KeptBinding {
    pub(in crate::engine) binding: Binding,
    pub(in crate::engine) secret: Octets,
}

/// The sealed key that nonces are made with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::engine) struct NonceKey {
    pub(in crate::engine) envelope: Octets,
}

/// What lies below an attachment, as indexes sort it.
pub(in crate::engine) fn attached((application, profile): (ApplicationId, ProfileId)) -> String {
    format!("{application}|{profile}|")
}

/// Proofs of an account for an identifier, as the index has them.
pub(in crate::engine) fn proof_of(account: AcmeAccountId, identifier: &Identifier) -> String {
    format!("{account}|{identifier}")
}

/// The claim on an account's key below its attachment.
pub(in crate::engine) fn key_claim(at: (ApplicationId, ProfileId), key: &AccountKey, owner: AcmeAccountId) -> Claim {
    Claim::name(Account::KIND, &format!("{}/{}/{}", at.0, at.1, key.thumbprint), owner.to_string())
}

/// The claim of an order on being the one that replaces a certificate.
pub(in crate::engine) fn replacement_claim(certificate: CertificateId, owner: AcmeOrderId) -> Claim {
    Claim::name("acme_replacement", &certificate.to_string(), owner.to_string())
}

impl Entity for Account {
    const KIND: &'static str = "acme_account";

    fn document_id(&self) -> String {
        self.id.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        let attached = attached((self.application, self.profile));
        vec![
            IndexEntry::new(ACME_ACCOUNT, format!("{attached}{}", self.id)),
            IndexEntry::new(index::DUE, sortable(self.collect_at())),
        ]
    }
}

impl Entity for KeptBinding {
    const KIND: &'static str = "acme_binding";

    fn document_id(&self) -> String {
        self.binding.id.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        let attached = attached((self.binding.application, self.binding.profile));
        let due = self.binding.expires_at.map(|end| IndexEntry::new(index::DUE, sortable(end)));
        let by_attachment = IndexEntry::new(ACME_BINDING, format!("{attached}{}", self.binding.id));
        std::iter::once(by_attachment).chain(due).collect()
    }
}

impl Entity for NonceKey {
    const KIND: &'static str = "acme_nonce_key";

    fn document_id(&self) -> String {
        "key".to_owned()
    }
}

impl Entity for Order {
    const KIND: &'static str = "acme_order";

    fn document_id(&self) -> String {
        self.id.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        vec![
            IndexEntry::new(ACME_ORDER, format!("{}|{}", self.account, self.id)),
            IndexEntry::new(index::DUE, sortable(self.collect_at)),
        ]
    }
}

impl Entity for Authorization {
    const KIND: &'static str = "acme_authorization";

    fn document_id(&self) -> String {
        self.id.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        // Whether its time has passed is seen when it is found.
        let is_shown = self.shown_at(self.created_at).is_some();
        let shown = is_shown.then(|| IndexEntry::new(ACME_PROOF, proof_of(self.account, &self.identifier)));
        let due = IndexEntry::new(index::DUE, sortable(self.due().at()));
        std::iter::once(due).chain(shown).collect()
    }
}

impl Entity for Meter {
    const KIND: &'static str = "acme_meter";

    fn document_id(&self) -> String {
        self.name.clone()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(index::DUE, sortable(self.empty_at))]
    }
}
