//! The rules of the office: pure values and functions, without I/O, clock or randomness.
//!
//! `now` and random octets are parameters. Nothing here knows a store, a key or a network; imports run to
//! [`x509`](crate::x509) and nowhere else in the crate.
//!
//! What people write is a *spec* ([`PolicySpec`], [`ProfileSpec`], [`ApplicationSpec`], [`IssuerSpec`]), in code, JSON or TOML
//! ([`read_json`]). What arrives is an [`Enrollment`]. [`complete`] makes a [`Draft`] of it, [`Policy::judge`] a [`Verdict`].

pub mod acme;
pub mod policy;

mod access;
mod alert;
mod application;
mod approval;
mod audit;
mod certificate;
mod draft;
mod enrollment;
mod event;
mod id;
mod incident;
mod issuer;
mod metadata;
mod method;
mod preset;
mod profile;
mod renewal;
mod request;
mod revocation;
mod role;
mod span;
mod spec_file;
mod status;
mod sync;

pub use access::{Access, Scope, Token, TokenSpec};
pub use acme::settings::{AcmeChecks, AcmeLimits, AcmeNetworks, AcmeSettings, Rate};
pub use alert::{
    Alert, AlertOn, AlertRecord, AlertSpec, AlertState, Channel, ChannelKind, Confidential, Delivery, DestinationRules,
    Filter, FilterField, FilterOperator, Hidden, Loopback, Repeat,
};
pub(crate) use alert::{AlertEvent, Attempt, Facts as AlertFacts};
pub use application::{Application, ApplicationSpec, Attachment, AttachmentSpec, KeyRereading, Member};
pub use approval::{
    Approval, ApprovalPolicy, ApprovalPolicySpec, ApprovalPolicyState, ApprovalStep, Ask, AskedKey, AskedSource,
    Ballot, Conditions, MachineBypass, RequesterKind, SelfApproval, UnreachableStep, Vote, VoteRefusal,
};
pub(crate) use approval::{Candidate, Count, drift, shown_octets};
pub(crate) use audit::{AuditBlock, BlockEvents, SealedEvent, event_digest};
pub use audit::{AuditFault, AuditHead, AuditReport};
pub use certificate::{CertificateRecord, CertificateState, CertificateStatus, KeyCustody, Octets, Origin};
pub use draft::{Asked, Draft, IssuerTerms, Predecessor, complete};
pub use enrollment::{Enrollment, Names, RenewalKey, Source, Terms, Values};
pub use event::{Decision, Event, EventKind};
pub use id::{
    AcmeAccountId, AcmeAuthorizationId, AcmeBindingId, AcmeOrderId, AlertId, ApplicationId, CertificateId, EventId,
    IncidentId, IssuerId, NotificationId, PolicyId, ProfileId, RequestId, Slug, SyncId, TokenId,
};
pub use incident::{
    Incident, IncidentProgress, IncidentSelection, IncidentSpec, IncidentState, MAX_INCIDENT_SERIALS, UnderIncident,
};
pub use issuer::{IssuerKey, IssuerRecord, IssuerSpec, IssuerState, IssuerUrls};
pub use metadata::Metadata;
pub use method::{
    ApiSettings, BootstrapTrust, EstSettings, Method, MethodSettings, Methods, ScepCaCertificates, ScepChallenge,
    ScepRenewal, ScepSettings,
};
pub use policy::{Policy, PolicySpec, Verdict, Violation};
pub use preset::Preset;
pub use profile::{Defaults, IssuerChoice, Profile, ProfileError, ProfileSpec};
pub use renewal::{
    AutoRenewal, BlockedOn, Eligibility, Fraction, Ineligibility, IssuerStanding, Lead, Life, LocalTime, OpeningSpec,
    RenewalBudget, RenewalPlan, RenewalSetting, RenewalState, RenewalWindow, RenewalWindowSpec, Renewing, Schedule,
    Surroundings, TimeZone, Urgency, Weekday, eligibility,
};
pub use request::{CertificateRequest, Intent, KeyHandover, RequestState, RequestStatus};
pub(crate) use revocation::revoked;
pub use revocation::{CertificateRef, KeyProof, Revocation, RevocationFault};
pub use role::{Action, Actor, Principal, PrincipalKind, Role, Standing};
pub use span::Span;
#[cfg(feature = "toml")]
pub use spec_file::read_toml;
pub use spec_file::{MAX_SPEC_BYTES, SpecError, read_json};
pub use status::{CrlSettings, MAX_CRL_SHARDS, OcspResponder, OcspSettings, StatusSettings};
pub use sync::{
    Deployment, DeploymentState, Fate, KeyNeed, NameRules, NameTemplate, NameValues, OnRenewal, Placed, RemoteName,
    RemoteRef, Removal, RootInChain, Selection, SyncMode, SyncRecord, SyncSpec, SyncState, TargetLimits, Wish,
    Withdrawal, back_off,
};
