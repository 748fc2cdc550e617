//! What is stored, and how it looks to a person.

use super::{ChainHead, Claim, Entity, Notification, PolicyRecord, Replay, SealedKey, SerialClaim, Watch, Window};
use crate::domain::{
    AlertRecord, Application, AuditBlock, CertificateRecord, CertificateRequest, Event, IssuerRecord, Octets, Profile,
};
use crate::store::{Column, KindSchema, Schema};

const fn column(name: &'static str, path: &'static str) -> Column {
    Column { name, path }
}

/// What is stored, and how it looks to a person.
pub(in crate::engine) const SCHEMA: Schema = Schema {
    version: 1,
    kinds: &[
        KindSchema {
            kind: Application::KIND,
            view: "applications",
            columns: &[
                column("name", "name"),
                column("description", "description"),
                column("created_at", "created_at"),
            ],
        },
        KindSchema {
            kind: Profile::KIND,
            view: "profiles",
            columns: &[column("name", "name"), column("revision", "revision"), column("policy", "policy")],
        },
        KindSchema {
            kind: PolicyRecord::KIND,
            view: "policies",
            columns: &[column("name", "spec.name"), column("revision", "revision"), column("rules", "spec")],
        },
        KindSchema {
            kind: "policy_revision",
            view: "policy_revisions",
            columns: &[column("policy", "id"), column("revision", "revision")],
        },
        KindSchema {
            kind: "profile_revision",
            view: "profile_revisions",
            columns: &[column("profile", "id"), column("revision", "revision")],
        },
        KindSchema {
            kind: IssuerRecord::KIND,
            view: "issuers",
            columns: &[column("name", "name"), column("state", "state.state"), column("created_at", "created_at")],
        },
        KindSchema {
            kind: CertificateRecord::KIND,
            view: "certificates",
            columns: &[
                column("serial", "serial"),
                column("subject", "subject"),
                column("names", "sans"),
                column("not_before", "validity.not_before"),
                column("not_after", "validity.not_after"),
                column("state", "state.state"),
                column("lineage", "lineage"),
                column("application", "application"),
                column("issuer", "issuer"),
                column("requester", "requester"),
                column("fingerprint", "fingerprint"),
                column("created_at", "created_at"),
            ],
        },
        KindSchema {
            kind: CertificateRequest::KIND,
            view: "requests",
            columns: &[
                column("state", "state.state"),
                column("application", "application"),
                column("requester", "requester"),
                column("method", "method"),
                column("certificate", "state.certificate"),
                column("created_at", "created_at"),
            ],
        },
        KindSchema {
            kind: Event::KIND,
            view: "events",
            columns: &[
                column("at", "at"),
                column("actor", "actor"),
                column("event", "event"),
                column("application", "application"),
                column("sealed", "sealed"),
            ],
        },
        KindSchema {
            kind: AuditBlock::KIND,
            view: "audit_blocks",
            columns: &[
                column("number", "number"),
                column("previous", "previous"),
                column("hash", "hash"),
                column("sealed_at", "sealed_at"),
                column("events", "count"),
            ],
        },
        KindSchema {
            kind: ChainHead::KIND,
            view: "audit_heads",
            columns: &[column("number", "head.number"), column("hash", "head.hash")],
        },
        KindSchema {
            kind: AlertRecord::<Octets>::KIND,
            view: "alerts",
            columns: &[
                column("name", "name"),
                column("application", "application"),
                column("state", "state"),
                column("event", "on.event"),
            ],
        },
        KindSchema {
            kind: Notification::<Octets>::KIND,
            view: "notifications",
            columns: &[
                column("alert", "alert"),
                column("type", "message.type"),
                column("summary", "message.summary"),
                column("channels", "channels"),
                column("created_at", "created_at"),
            ],
        },
        KindSchema { kind: Watch::KIND, view: "alert_watches", columns: &[column("next_at", "next_at")] },
        KindSchema {
            kind: Window::KIND,
            view: "alert_windows",
            columns: &[column("alert", "alert"), column("subject", "subject"), column("suppressed", "suppressed")],
        },
        KindSchema { kind: Claim::KIND, view: "names", columns: &[column("owner", "owner")] },
        KindSchema { kind: SerialClaim::KIND, view: "serials", columns: &[column("certificate", "certificate")] },
        KindSchema { kind: SealedKey::KIND, view: "private_keys", columns: &[] },
        KindSchema { kind: Replay::KIND, view: "idempotency_keys", columns: &[column("request", "request")] },
    ],
};
