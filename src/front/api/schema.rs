//! JSON schemas of the domain's words: ids, enumerations, durations.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::domain::acme::{BindingUses, ChallengeKind};
use crate::domain::*;
use crate::x509::{Attribute, ExtendedKeyUsage, KeyAlgorithm, KeyUsage, RevocationReason, Serial, SignatureAlgorithm};

macro_rules! ids {
    ($($id:ident)*) => {$(
        impl JsonSchema for $id {
            fn schema_name() -> Cow<'static, str> {
                stringify!($id).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": format!("^{}[0-7][0-9a-hjkmnp-tv-z]{{25}}$", $id::PREFIX) })
            }
        }
    )*};
}

ids! {
    AcmeAccountId AcmeBindingId AlertId ApplicationId CertificateId EventId IncidentId IssuerId NotificationId PolicyId ProfileId RequestId SyncId TokenId
}

macro_rules! words {
    ($($word:ident: [$($value:expr),* $(,)?];)*) => {$(
        impl JsonSchema for $word {
            fn schema_name() -> Cow<'static, str> {
                stringify!($word).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let values: Vec<_> = [$($value),*].iter().filter_map(|value| serde_json::to_value(value).ok()).collect();
                json_schema!({ "type": "string", "enum": values })
            }
        }
    )*};
}

words! {
    AlertState: [AlertState::Enabled, AlertState::Disabled];
    ApprovalPolicyState: [ApprovalPolicyState::Active, ApprovalPolicyState::Inactive];
    BindingUses: [BindingUses::Once, BindingUses::Many];
    CertificateStatus: [
        CertificateStatus::Active, CertificateStatus::Renewed, CertificateStatus::Expired, CertificateStatus::Revoked,
    ];
    Decision: [Decision::Approve, Decision::Reject];
    Fate: [Fate::Withdraw, Fate::Leave];
    FilterField: [
        FilterField::ProfileName, FilterField::CommonName, FilterField::San, FilterField::Application, FilterField::Tag,
    ];
    FilterOperator: [
        FilterOperator::Equals, FilterOperator::Contains, FilterOperator::StartsWith, FilterOperator::EndsWith,
        FilterOperator::Matches,
    ];
    KeyCustody: [KeyCustody::Managed, KeyCustody::Client];
    MachineBypass: [MachineBypass::Never, MachineBypass::Api];
    Method: [Method::Api, Method::Acme, Method::Est, Method::Scep];
    OcspResponder: [OcspResponder::Issuer, OcspResponder::Delegated];
    OnRenewal: [OnRenewal::KeepName, OnRenewal::NewName];
    Origin: [Origin::Profile, Origin::Import, Origin::Issuer, Origin::OcspResponder];
    Repeat: [Repeat::Once, Repeat::Daily];
    RequesterKind: [RequesterKind::User, RequesterKind::Machine];
    Role: [Role::Admin, Role::Operator, Role::Auditor];
    RootInChain: [RootInChain::Include, RootInChain::Exclude];
    SelfApproval: [SelfApproval::Forbidden, SelfApproval::Allowed];
    SyncMode: [SyncMode::Enabled, SyncMode::Paused];
    SyncState: [SyncState::Active, SyncState::Deleted];
}

macro_rules! all {
    ($($word:ident)*) => {$(
        impl JsonSchema for $word {
            fn schema_name() -> Cow<'static, str> {
                stringify!($word).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let values: Vec<_> = $word::ALL.iter().filter_map(|value| serde_json::to_value(value).ok()).collect();
                json_schema!({ "type": "string", "enum": values })
            }
        }
    )*};
}

all! { Action Attribute ChallengeKind KeyAlgorithm KeyUsage RevocationReason SignatureAlgorithm }

macro_rules! texts {
    ($($text:ident: $description:literal, $pattern:literal;)*) => {$(
        impl JsonSchema for $text {
            fn schema_name() -> Cow<'static, str> {
                stringify!($text).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $description, "pattern": $pattern })
            }
        }
    )*};
}

texts! {
    ExtendedKeyUsage: "A name such as `server_auth`, or a dotted object identifier.", "^[a-z0-9._]+$";
    Lead: "How long before the end, `30d`, or the part of its life after which, `2/3`.", "^.+$";
    LocalTime: "What a local clock shows, `00:00` to `24:00`.", "^[0-9]{2}:[0-9]{2}$";
    NameTemplate: "Text with placeholders, `web-{lineage}`.", "^.+$";
    Principal: "`user:…`, `machine:…`, `group:…`, or what the engine acts as.", "^(user|machine|group|system|acme):";
    Serial: "A serial number in hex.", "^[0-9a-fA-F:]+$";
    Slug: "1 to 64 lower-case letters, digits, `-` and `_`.", "^[a-z0-9][a-z0-9_-]{0,63}$";
    Span: "A length of time: `90d`, `12h`, `30min`, or ISO 8601.", "^[0-9A-Za-z]+$";
    TimeZone: "A time zone of the IANA database.", "^.+$";
    Weekday: "A day of the week.", "^(mon|tue|wed|thu|fri|sat|sun)$";
}
