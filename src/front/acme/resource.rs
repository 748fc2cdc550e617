//! The resources of an attachment: their paths, how they are asked for, and whose key signs for them.

/// A resource (RFC 8555 section 7.1, RFC 9773 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    Directory,
    NewNonce,
    NewAccount,
    Account,
    Orders,
    KeyChange,
    NewOrder,
    Order,
    Finalize,
    Authorization,
    Challenge,
    Certificate,
    Alternate,
    RevokeCert,
    RenewalInfo,
}

/// How a resource is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// By GET, without a signature; by POST-as-GET, too.
    Open,
    /// By GET alone.
    Public,
    /// By POST.
    Signed(Signer),
}

/// Whose key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signer {
    /// One that the request brings.
    New,
    /// The account's.
    Account,
    /// The account's, or one that the request brings.
    Either,
}

impl Resource {
    pub(super) const ALL: [Self; 15] = [
        Self::Directory,
        Self::NewNonce,
        Self::NewAccount,
        Self::Account,
        Self::Orders,
        Self::KeyChange,
        Self::NewOrder,
        Self::Order,
        Self::Finalize,
        Self::Authorization,
        Self::Challenge,
        Self::Certificate,
        Self::Alternate,
        Self::RevokeCert,
        Self::RenewalInfo,
    ];

    /// The path below the attachment, with placeholders.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::NewNonce => "new-nonce",
            Self::NewAccount => "new-account",
            Self::Account => "account/{id}",
            Self::Orders => "account/{id}/orders",
            Self::KeyChange => "key-change",
            Self::NewOrder => "new-order",
            Self::Order => "order/{id}",
            Self::Finalize => "order/{id}/finalize",
            Self::Authorization => "authorization/{id}",
            Self::Challenge => "authorization/{id}/{kind}",
            Self::Certificate => "certificate/{id}",
            Self::Alternate => "certificate/{id}/alternate/{number}",
            Self::RevokeCert => "revoke-cert",
            Self::RenewalInfo => "renewal-info/{id}",
        }
    }

    /// How many placeholders its path has.
    pub(super) fn ids(self) -> usize {
        self.path().matches('{').count()
    }

    pub(super) fn access(self) -> Access {
        match self {
            Self::Directory | Self::NewNonce => Access::Open,
            Self::RenewalInfo => Access::Public,
            Self::NewAccount => Access::Signed(Signer::New),
            Self::RevokeCert => Access::Signed(Signer::Either),
            _ => Access::Signed(Signer::Account),
        }
    }

    /// The methods that it takes, for `Allow`.
    pub(super) fn allow(self) -> &'static str {
        match self.access() {
            Access::Open => "GET, HEAD, POST",
            Access::Public => "GET, HEAD",
            Access::Signed(_) => "POST",
        }
    }

    /// Its name, for metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::NewNonce => "new_nonce",
            Self::NewAccount => "new_account",
            Self::Account => "account",
            Self::Orders => "orders",
            Self::KeyChange => "key_change",
            Self::NewOrder => "new_order",
            Self::Order => "order",
            Self::Finalize => "finalize",
            Self::Authorization => "authorization",
            Self::Challenge => "challenge",
            Self::Certificate => "certificate",
            Self::Alternate => "alternate",
            Self::RevokeCert => "revoke_cert",
            Self::RenewalInfo => "renewal_info",
        }
    }
}
