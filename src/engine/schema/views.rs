//! What is stored, and how it looks to a person.

use super::{
    Claim, Entity, PolicyRecord, RemoteClaim, Replay, SealedKey, SerialClaim, SyncTask, SyncWalk, TargetLease,
    UnfollowedEvent,
};
use crate::domain::{
    Application, CertificateRecord, CertificateRequest, Deployment, Event, IssuerRecord, Profile, SyncRecord,
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
            ],
        },
        KindSchema { kind: Claim::KIND, view: "names", columns: &[column("owner", "owner")] },
        KindSchema { kind: SerialClaim::KIND, view: "serials", columns: &[column("certificate", "certificate")] },
        KindSchema { kind: SealedKey::KIND, view: "private_keys", columns: &[] },
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
            kind: SyncTask::KIND,
            view: "sync_tasks",
            columns: &[column("certificate", "certificate"), column("due", "due")],
        },
        KindSchema { kind: UnfollowedEvent::KIND, view: "unfollowed_events", columns: &[] },
    ],
};
