//! The rules of the office: pure values and functions, without I/O, clock or randomness.
//!
//! `now` and random octets are parameters. Nothing here knows a store, a key or a network; imports run to
//! [`x509`](crate::x509) and nowhere else in the crate.
//!
//! What people write is a *spec* ([`PolicySpec`], [`ProfileSpec`], [`ApplicationSpec`], [`IssuerSpec`]), in code, JSON or TOML
//! ([`read_json`]). What arrives is an [`Enrollment`]. [`complete`] makes a [`Draft`] of it, [`Policy::judge`] a [`Verdict`].

pub mod policy;

mod alert;
mod application;
mod audit;
mod certificate;
mod draft;
mod enrollment;
mod event;
mod id;
mod issuer;
mod metadata;
mod method;
mod preset;
mod profile;
mod request;
mod role;
mod span;
mod spec_file;

pub use alert::{
    Alert, AlertOn, AlertRecord, AlertSpec, AlertState, Channel, ChannelKind, Confidential, Delivery, DestinationRules,
    Filter, FilterField, FilterOperator, Hidden, Loopback, Repeat,
};
pub(crate) use alert::{AlertEvent, Attempt, Facts as AlertFacts};
pub use application::{Application, ApplicationSpec, Attachment, AttachmentSpec, KeyRereading, Member};
pub(crate) use audit::{AuditBlock, BlockEvents, SealedEvent, event_digest};
pub use audit::{AuditFault, AuditHead, AuditReport};
pub use certificate::{CertificateRecord, CertificateState, CertificateStatus, KeyCustody, Octets, Origin};
pub use draft::{Asked, Draft, IssuerTerms, complete};
pub use enrollment::{Enrollment, Names, RenewalKey, Source, Terms, Values};
pub use event::{Decision, Event, EventKind};
pub use id::{
    AlertId, ApplicationId, CertificateId, EventId, IncidentId, IssuerId, NotificationId, PolicyId, ProfileId,
    RequestId, Slug, SyncId,
};
pub use issuer::{IssuerKey, IssuerRecord, IssuerSpec, IssuerState, IssuerUrls};
pub use metadata::Metadata;
pub use method::{
    AcmeChecks, AcmeSettings, ApiSettings, BootstrapTrust, EstSettings, Method, Methods, ScepCaCertificates,
    ScepChallenge, ScepRenewal, ScepSettings,
};
pub use policy::{Policy, PolicySpec, Verdict, Violation};
pub use preset::Preset;
pub use profile::{Defaults, IssuerChoice, Profile, ProfileError, ProfileSpec};
pub use request::{CertificateRequest, Intent, RequestState};
pub use role::{Action, Actor, Principal, PrincipalKind, Role, Standing};
pub use span::Span;
#[cfg(feature = "toml")]
pub use spec_file::read_toml;
pub use spec_file::{MAX_SPEC_BYTES, SpecError, read_json};
