//! What goes over the wire: own types, so that the API stays as it is when the domain moves.

mod acme;
mod alert;
mod application;
mod approval;
mod authority;
mod certificate;
mod enrollment;
mod incident;
mod policy;
mod profile;
mod renewal;
mod request;
mod rules;
mod sync;
mod value;

pub(super) use acme::{
    AcmeAccountView, AcmeBody, BindingAnswer, BindingBody, BindingSecret, BindingView, binding_field,
};
pub(super) use alert::{AlertBody, AlertView, ChannelTestView, NotificationView, field as alert_field};
pub(super) use application::{
    ApplicationBody, ApplicationPatch, ApplicationView, EventView, MemberBody, MemberRoute, MemberView, RoleBody,
};
pub(super) use approval::{
    ApprovalPolicyBody, ApprovalPolicyView, ApprovalRequestView, UnreachableView, VoteBody, field as approval_field,
};
pub(super) use authority::{
    AuthorityBody, AuthorityCertificates, AuthorityImport, AuthorityPatch, AuthorityType, AuthorityView, CrlView,
    InstallBody,
};
pub(super) use certificate::{CertificateView, DetailsAnswer, Pem, PemBundle};
pub(super) use enrollment::{ApiBody, EnrollmentView, EstBody, MethodBody, ScepBody};
pub(super) use incident::{IncidentBody, IncidentView, UnderIncidentView, field as incident_field};
pub(super) use policy::{PolicyBody, PolicyView, field as policy_field};
pub(super) use profile::{ProfileBody, ProfileView};
pub(super) use renewal::{RenewalSettingBody, RenewalView};
pub(super) use request::{Attributes, DryRunAnswer, IssueAnswer, IssueRequest, IssuedView, RenewAnswer, read_csr};
pub(super) use sync::{DeploymentView, SyncBody, SyncView, field as sync_field};
pub(super) use value::{AltName, KeyText, Moment, Pair, PrivateText, SecretText, given, pairs, tags, word};
