//! Who acts, in which role, and what each role may do.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use super::acme::Account;
use super::{Access, AcmeAccountId, ApplicationId, Scope};
use crate::x509::InvalidValue;

/// What kind of member or requester somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalKind {
    /// A person.
    User,
    /// A program with its own identity.
    Machine,
    /// A set of principals that the host's directory resolves.
    Group,
    /// The engine itself, when due work acts and nobody asked.
    System,
    /// A client of the ACME protocol: an account, or whoever has shown a certificate's key.
    Acme,
}

impl PrincipalKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Machine => "machine",
            Self::Group => "group",
            Self::System => "system",
            Self::Acme => "acme",
        }
    }
}

/// A user, machine or group of the host's, by the id that the host knows it under. Its text is `user:alice`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Principal {
    kind: PrincipalKind,
    id: String,
}

impl Principal {
    /// A principal of `kind` that the host calls `id`.
    ///
    /// # Errors
    /// An id that is not 1 to 200 bytes of UTF-8 without control characters.
    pub fn new(kind: PrincipalKind, id: impl Into<String>) -> Result<Self, InvalidValue> {
        let id = id.into();
        let fits = (1..=200).contains(&id.len()) && !id.chars().any(char::is_control);
        if fits {
            return Ok(Self { kind, id });
        }
        Err(InvalidValue::new("principal", id, "an id of 1 to 200 bytes without control characters"))
    }

    /// The engine itself, `system:engine`: whose name stands on what due work does when nobody asked. Nobody can act as it.
    pub fn engine() -> Self {
        Self { kind: PrincipalKind::System, id: "engine".into() }
    }

    /// An account of ACME, `acme:acct-…`. Only the engine acts as it.
    pub fn acme_account(id: AcmeAccountId) -> Self {
        Self { kind: PrincipalKind::Acme, id: id.to_string() }
    }

    /// Whoever has shown by ACME that it has a certificate's key, `acme:certificate-key`.
    pub(crate) fn acme_key_holder() -> Self {
        Self { kind: PrincipalKind::Acme, id: "certificate-key".into() }
    }

    /// The account of ACME that it is.
    pub(crate) fn acme_account_id(&self) -> Option<AcmeAccountId> {
        self.id.parse().ok().filter(|_| self.kind == PrincipalKind::Acme)
    }

    /// The kind.
    pub fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// The host's id.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl FromStr for Principal {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let (kind, id) = match text.split_once(':') {
            Some(("user", id)) => (PrincipalKind::User, id),
            Some(("machine", id)) => (PrincipalKind::Machine, id),
            Some(("group", id)) => (PrincipalKind::Group, id),
            Some(("system", "engine")) => (PrincipalKind::System, "engine"),
            Some(("acme", id)) if id == "certificate-key" || id.parse::<AcmeAccountId>().is_ok() => {
                (PrincipalKind::Acme, id)
            }
            _ => return Err(InvalidValue::new("principal", text, "`user:…`, `machine:…` or `group:…`")),
        };
        Self::new(kind, id)
    }
}

impl TryFrom<String> for Principal {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl Serialize for Principal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.id)
    }
}

/// Somebody who acts: a user or machine, with the groups that the host says it belongs to.
///
/// ```
/// use chancery::domain::Actor;
/// let alice = Actor::user("alice")?.in_group("payments-team")?;
/// assert!(alice.answers_to(&"group:payments-team".parse()?));
/// # Ok::<_, chancery::x509::InvalidValue>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    principal: Principal,
    groups: Vec<Principal>,
    access: Option<Arc<Access>>,
}

impl Actor {
    /// An actor without groups.
    ///
    /// # Errors
    /// A group, for groups have members but do not act; the engine itself and accounts of ACME, for nobody else acts as them.
    pub fn new(principal: Principal) -> Result<Self, InvalidValue> {
        if !matches!(principal.kind(), PrincipalKind::User | PrincipalKind::Machine) {
            return Err(InvalidValue::new("actor", principal.to_string(), "a user or a machine"));
        }
        Ok(Self { principal, groups: Vec::new(), access: None })
    }

    /// A user that the host calls `id`.
    ///
    /// # Errors
    /// An id that is not 1 to 200 bytes without control characters.
    pub fn user(id: &str) -> Result<Self, InvalidValue> {
        Self::new(Principal::new(PrincipalKind::User, id)?)
    }

    /// A machine that the host calls `id`.
    ///
    /// # Errors
    /// An id that is not 1 to 200 bytes without control characters.
    pub fn machine(id: &str) -> Result<Self, InvalidValue> {
        Self::new(Principal::new(PrincipalKind::Machine, id)?)
    }

    /// The engine itself.
    pub(crate) fn engine() -> Self {
        Self::of_record(Principal::engine())
    }

    /// Whoever a record names as its requester, when due work goes on in their name.
    pub(crate) fn of_record(principal: Principal) -> Self {
        Self { principal, groups: Vec::new(), access: None }
    }

    /// Whoever a record names as its requester, with the groups that it names beside.
    pub(crate) fn of_record_with(principal: Principal, groups: &[Principal]) -> Self {
        Self { principal, groups: groups.to_vec(), access: None }
    }

    /// An account of ACME: it asks for certificates of its own Application, and does nothing else.
    pub(crate) fn acme_account(account: &Account) -> Self {
        let actions = vec![Action::CertificatesCreate, Action::ProfilesIssue, Action::ApprovalRequestsCreate];
        let scope = Scope { applications: Some(vec![account.application]), actions: Some(actions) };
        // Its right ends with the account, and makes no tokens.
        let access = Access { scope, ends_at: account.created_at };
        Self { principal: account.principal(), groups: Vec::new(), access: Some(Arc::new(access)) }
    }

    /// Whether it is an account of ACME that was found good.
    pub(crate) fn is_client(&self) -> bool {
        self.principal.kind == PrincipalKind::Acme && self.access.is_some()
    }

    /// The same actor, also a member of the group that the host calls `id`.
    ///
    /// # Errors
    /// An id that is not 1 to 200 bytes without control characters.
    pub fn in_group(mut self, id: &str) -> Result<Self, InvalidValue> {
        self.groups.push(Principal::new(PrincipalKind::Group, id)?);
        Ok(self)
    }

    /// The same actor, by a right that reaches no further than `access`.
    #[must_use]
    pub fn with_access(self, access: Arc<Access>) -> Self {
        Self { access: Some(access), ..self }
    }

    /// By what right it acts, if that is bounded: it came with a token.
    pub fn access(&self) -> Option<&Access> {
        self.access.as_deref()
    }

    /// Whether its right reaches all that it may do.
    pub(crate) fn is_unbounded(&self) -> bool {
        self.access().is_none_or(|access| access.scope.is_whole())
    }

    /// Whether its right reaches an Application, whatever its role there.
    pub(crate) fn reaches(&self, application: ApplicationId) -> bool {
        self.access().is_none_or(|access| access.scope.reaches(application))
    }

    /// Whether its right reaches an action, whatever its role.
    pub(crate) fn is_let(&self, action: Action) -> bool {
        self.access().is_none_or(|access| access.scope.allows(action))
    }

    /// Who it is.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Whether `member` is the actor itself or one of its groups.
    pub fn answers_to(&self, member: &Principal) -> bool {
        self.principal == *member || self.groups.contains(member)
    }

    /// The actor itself and its groups.
    pub fn principals(&self) -> impl Iterator<Item = &Principal> {
        std::iter::once(&self.principal).chain(&self.groups)
    }
}

/// A member's role in one Application. A later one may do all that an earlier one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads certificates and configuration.
    Auditor,
    /// Also issues and manages certificates.
    Operator,
    /// Also manages enrollment, members, alerts, syncs and approval policies.
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auditor => "auditor",
            Self::Operator => "operator",
            Self::Admin => "admin",
        })
    }
}

/// In which capacity somebody acts on an Application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// A member with this role.
    Member(Role),
    /// The product-level administrator who is not a member: sees and assigns, but can neither issue nor read keys.
    ProductAdministrator,
    /// An account of a protocol whose clients enroll by themselves, on the Application that it belongs to.
    Client,
}

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $name:literal: $($grant:ident)*;)*) => {
        /// What can be done to an Application and what it holds: the rows of the permission matrix.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Action {
            $($(#[$doc])* #[serde(rename = $name)] $action,)*
        }

        impl Action {
            /// Every row of the matrix.
            pub const ALL: &'static [Action] = &[$(Action::$action,)*];

            /// The name in the matrix, for example `certificates.create`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$action => $name,)* }
            }

            fn granted_to(self) -> &'static [Grant] {
                match self { $(Self::$action => &[$(Grant::$grant,)*],)* }
            }
        }
    };
}

/// A column of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grant {
    Admin,
    Operator,
    Auditor,
    Product,
    Client,
}

actions! {
    /// See the Application.
    ApplicationRead = "application.read": Admin Operator Auditor Product;
    /// Change its name, description and settings.
    ApplicationEdit = "application.edit": Admin;
    /// Delete it.
    ApplicationDelete = "application.delete": Admin;
    /// Attach and detach profiles.
    ApplicationManageProfiles = "application.manage-profiles": Product;
    /// See the enrollment settings.
    EnrollmentRead = "enrollment.read": Admin Operator Auditor;
    /// Change the enrollment settings.
    EnrollmentEdit = "enrollment.edit": Admin;
    /// See an ACME external account binding secret.
    EnrollmentRevealAcmeEabSecret = "enrollment.reveal-acme-eab-secret": Admin;
    /// Replace an ACME external account binding secret.
    EnrollmentRotateAcmeEabSecret = "enrollment.rotate-acme-eab-secret": Admin;
    /// Make a one-time SCEP challenge.
    EnrollmentGenerateScepChallenge = "enrollment.generate-scep-challenge": Admin Operator;
    /// See approval policies.
    ApprovalPoliciesRead = "approval-policies.read": Admin Operator Auditor;
    /// Make approval policies.
    ApprovalPoliciesCreate = "approval-policies.create": Admin;
    /// Change approval policies.
    ApprovalPoliciesEdit = "approval-policies.edit": Admin;
    /// Delete approval policies.
    ApprovalPoliciesDelete = "approval-policies.delete": Admin;
    /// See a certificate.
    CertificatesRead = "certificates.read": Admin Operator Auditor Product;
    /// List and search certificates.
    CertificatesList = "certificates.list": Admin Operator Auditor Product;
    /// Ask for certificates.
    CertificatesCreate = "certificates.create": Admin Operator Client;
    /// Change a certificate's metadata, or renew it with other content.
    CertificatesEdit = "certificates.edit": Admin Operator;
    /// Read a managed private key again.
    CertificatesReadPrivateKey = "certificates.read-private-key": Admin Operator;
    /// Import certificates.
    CertificatesImport = "certificates.import": Admin Operator;
    /// Delete a certificate from the inventory.
    CertificatesDelete = "certificates.delete": Admin;
    /// See saved inventory views.
    InventoryViewsRead = "inventory-views.read": Admin Operator Auditor;
    /// Save inventory views.
    InventoryViewsCreate = "inventory-views.create": Admin Operator;
    /// Change inventory views.
    InventoryViewsEdit = "inventory-views.edit": Admin Operator;
    /// Delete inventory views.
    InventoryViewsDelete = "inventory-views.delete": Admin Operator;
    /// See a sync.
    SyncsRead = "pki-syncs.read": Admin Operator Auditor;
    /// List syncs.
    SyncsList = "pki-syncs.list": Admin Operator Auditor;
    /// Run a sync.
    SyncsSyncCertificates = "pki-syncs.sync-certificates": Admin Operator;
    /// Make syncs.
    SyncsCreate = "pki-syncs.create": Admin;
    /// Change syncs.
    SyncsEdit = "pki-syncs.edit": Admin;
    /// Delete syncs.
    SyncsDelete = "pki-syncs.delete": Admin;
    /// Import certificates from a sync's destination.
    SyncsImportCertificates = "pki-syncs.import-certificates": Admin;
    /// Remove certificates from a sync's destination.
    SyncsRemoveCertificates = "pki-syncs.remove-certificates": Admin;
    /// Set the command that runs after a sync.
    SyncsSetPostSyncCommand = "pki-syncs.set-post-sync-command": Admin;
    /// See alerts.
    AlertsRead = "pki-alerts.read": Admin Operator Auditor;
    /// Make alerts.
    AlertsCreate = "pki-alerts.create": Admin;
    /// Change alerts.
    AlertsEdit = "pki-alerts.edit": Admin;
    /// Delete alerts.
    AlertsDelete = "pki-alerts.delete": Admin;
    /// See approval requests.
    ApprovalRequestsRead = "approval-requests.read": Admin Operator Auditor;
    /// Make approval requests.
    ApprovalRequestsCreate = "approval-requests.create": Admin Operator Client;
    /// See grants that came of approval requests.
    ApprovalRequestGrantsRead = "approval-request-grants.read": Admin Operator Auditor;
    /// Revoke such grants.
    ApprovalRequestGrantsRevoke = "approval-request-grants.revoke": Admin;
    /// See members.
    MembersRead = "members.read": Admin Product;
    /// Add members.
    MembersCreate = "members.create": Admin Product;
    /// Change members.
    MembersEdit = "members.edit": Admin Product;
    /// Remove members.
    MembersDelete = "members.delete": Admin Product;
    /// Grant privileges to members.
    MembersGrantPrivileges = "members.grant-privileges": Admin Product;
    /// Give members their role.
    MembersAssignRole = "members.assign-role": Admin Product;
    /// See the attached profiles.
    ProfilesRead = "certificate-profiles.read": Admin Operator Auditor;
    /// Ask for certificates under an attached profile.
    ProfilesIssue = "certificate-profiles.issue-cert": Admin Operator Client;
}

impl Action {
    /// Whether somebody of `standing` may do this.
    ///
    /// ```
    /// use chancery::domain::{Action, Role, Standing};
    /// assert!(Action::CertificatesCreate.is_granted_to(Standing::Member(Role::Operator)));
    /// assert!(!Action::CertificatesCreate.is_granted_to(Standing::ProductAdministrator));
    /// ```
    pub fn is_granted_to(self, standing: Standing) -> bool {
        let column = match standing {
            Standing::Member(Role::Admin) => Grant::Admin,
            Standing::Member(Role::Operator) => Grant::Operator,
            Standing::Member(Role::Auditor) => Grant::Auditor,
            Standing::ProductAdministrator => Grant::Product,
            Standing::Client => Grant::Client,
        };
        self.granted_to().contains(&column)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_survive_text() {
        for text in ["user:alice", "machine:ci/deploy", "group:ops:eu", "system:engine"] {
            assert_eq!(text.parse::<Principal>().unwrap().to_string(), text);
        }
        for text in ["", "alice", "user:", "robot:x", "system:x", "user:a\nb"] {
            assert!(text.parse::<Principal>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn groups_do_not_act() {
        assert!(Actor::new("group:ops".parse().unwrap()).is_err());
        assert!(Actor::new(Principal::engine()).is_err());
        let actor = Actor::user("alice").unwrap().in_group("ops").unwrap();
        assert!(actor.answers_to(&"group:ops".parse().unwrap()));
        assert!(!actor.answers_to(&"user:ops".parse().unwrap()));
    }
}
