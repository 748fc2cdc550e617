//! What is stored, and how it looks to a person.

use super::{
    ChainHead, Claim, CrlPart, CrlRecord, Entity, KeptBinding, KeptToken, NonceKey, Notification, OcspAnswer,
    PolicyRecord, RemoteClaim, RenewalMeter, RenewalWalk, Replay, ResponderRecord, RevokedCertificate, SealedKey,
    SerialClaim, SyncTask, SyncWalk, TargetLease, Watch, Window,
};
use crate::domain::acme::{Account, Authorization, Meter, Order};
use crate::domain::{
    AlertRecord, Application, AuditBlock, CertificateRecord, CertificateRequest, Deployment, Event, Incident,
    IssuerRecord, Octets, Profile, RenewalPlan, SyncRecord, UnderIncident,
};
use crate::engine::transfer::Place;
use crate::store::{Column, KindSchema, ListSchema, Schema};

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
            kind: RevokedCertificate::KIND,
            view: "revocations",
            columns: &[
                column("certificate", "certificate"),
                column("issuer", "issuer"),
                column("serial", "serial"),
                column("reason", "reason"),
                column("at", "at"),
            ],
        },
        KindSchema {
            kind: CrlRecord::KIND,
            view: "crls",
            columns: &[
                column("issuer", "issuer"),
                column("shard", "shard"),
                column("number", "published.number"),
                column("entries", "published.entries"),
                column("this_update", "published.this_update"),
                column("next_update", "published.next_update"),
            ],
        },
        KindSchema { kind: CrlPart::KIND, view: "crl_parts", columns: &[] },
        KindSchema {
            kind: ResponderRecord::KIND,
            view: "ocsp_responders",
            columns: &[column("issuer", "issuer"), column("not_after", "current.not_after")],
        },
        KindSchema {
            kind: OcspAnswer::KIND,
            view: "ocsp_answers",
            columns: &[column("certificate", "certificate"), column("next_update", "next_update")],
        },
        KindSchema {
            kind: Incident::KIND,
            view: "incidents",
            columns: &[
                column("state", "state.state"),
                column("reason", "spec.reason"),
                column("deadline", "spec.deadline"),
                column("selected", "progress.selected"),
                column("revoked", "progress.revoked"),
            ],
        },
        KindSchema {
            kind: UnderIncident::KIND,
            view: "certificates_under_incident",
            columns: &[column("incident", "incident"), column("revoke_at", "revoke_at")],
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
        KindSchema {
            kind: RenewalPlan::KIND,
            view: "renewals",
            columns: &[
                column("certificate", "certificate"),
                column("application", "application"),
                column("profile", "profile"),
                column("ends_at", "ends_at"),
                column("state", "state.state"),
                column("due_at", "state.due_at"),
                column("reason", "state.reason"),
            ],
        },
        KindSchema { kind: RenewalMeter::KIND, view: "renewal_meters", columns: &[column("used", "used")] },
        KindSchema { kind: RenewalWalk::KIND, view: "renewal_walks", columns: &[column("since", "since")] },
        KindSchema { kind: Claim::KIND, view: "names", columns: &[column("owner", "owner")] },
        KindSchema { kind: SerialClaim::KIND, view: "serials", columns: &[column("certificate", "certificate")] },
        KindSchema { kind: SealedKey::KIND, view: "private_keys", columns: &[] },
        KindSchema { kind: "housekeeping", view: "housekeeping", columns: &[column("due_at", "due_at")] },
        KindSchema { kind: Replay::KIND, view: "idempotency_keys", columns: &[column("request", "request")] },
        KindSchema {
            kind: SyncRecord::KIND,
            view: "syncs",
            columns: &[
                column("name", "spec.name"),
                column("application", "application"),
                column("target", "spec.target"),
                column("state", "state"),
                column("updated_at", "updated_at"),
            ],
        },
        KindSchema {
            kind: Deployment::KIND,
            view: "deployments",
            columns: &[
                column("sync", "sync"),
                column("lineage", "lineage"),
                column("target", "target"),
                column("state", "state"),
                column("wanted", "wanted"),
                column("reason", "reason"),
            ],
        },
        KindSchema {
            kind: RemoteClaim::KIND,
            view: "remote_names",
            columns: &[column("target", "target"), column("name", "name"), column("owner", "owner")],
        },
        KindSchema { kind: TargetLease::KIND, view: "target_leases", columns: &[column("until", "until")] },
        KindSchema {
            kind: SyncWalk::KIND,
            view: "sync_walks",
            columns: &[column("stage", "stage"), column("due", "due")],
        },
        KindSchema {
            kind: KeptToken::KIND,
            view: "tokens",
            columns: &[
                column("name", "token.name"),
                column("principal", "token.principal"),
                column("made_by", "token.made_by"),
                column("created_at", "token.created_at"),
                column("expires_at", "token.expires_at"),
            ],
        },
        KindSchema {
            kind: SyncTask::KIND,
            view: "sync_tasks",
            columns: &[column("certificate", "certificate"), column("due", "due")],
        },
        KindSchema {
            kind: Account::KIND,
            view: "acme_accounts",
            columns: &[
                column("state", "state.state"),
                column("application", "application"),
                column("profile", "profile"),
                column("contacts", "contacts"),
                column("thumbprint", "key.thumbprint"),
                column("binding", "bound.by"),
                column("created_at", "created_at"),
                column("used_at", "used_at"),
            ],
        },
        KindSchema {
            kind: KeptBinding::KIND,
            view: "acme_bindings",
            columns: &[
                column("name", "binding.name"),
                column("application", "binding.application"),
                column("profile", "binding.profile"),
                column("uses", "binding.uses"),
                column("used", "binding.used"),
                column("expires_at", "binding.expires_at"),
            ],
        },
        KindSchema {
            kind: Order::KIND,
            view: "acme_orders",
            columns: &[
                column("state", "state.state"),
                column("account", "account"),
                column("application", "application"),
                column("profile", "profile"),
                column("identifiers", "identifiers"),
                column("request", "state.request"),
                column("created_at", "created_at"),
                column("expires_at", "expires_at"),
            ],
        },
        KindSchema {
            kind: Authorization::KIND,
            view: "acme_authorizations",
            columns: &[
                column("state", "state.state"),
                column("account", "account"),
                column("identifier", "identifier.value"),
                column("created_at", "created_at"),
                column("expires_at", "expires_at"),
            ],
        },
        KindSchema { kind: Meter::KIND, view: "acme_meters", columns: &[column("empty_at", "empty_at")] },
        KindSchema { kind: NonceKey::KIND, view: "acme_nonce_keys", columns: &[] },
        KindSchema { kind: Place::KIND, view: "transfers", columns: &[column("line", "line")] },
    ],
    lists: &[ListSchema {
        kind: CertificateRequest::KIND,
        path: "approval.votes",
        view: "approvals",
        columns: &[
            column("voter", "voter"),
            column("step", "step"),
            column("decision", "decision"),
            column("comment", "comment"),
            column("at", "at"),
        ],
    }],
};
