//! What is stored, and how it looks to a person.

use super::{Claim, Entity, PolicyRecord, RenewalMeter, RenewalWalk, Replay, SealedKey, SerialClaim};
use crate::domain::{Application, CertificateRecord, CertificateRequest, Event, IssuerRecord, Profile, RenewalPlan};
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
        KindSchema { kind: Replay::KIND, view: "idempotency_keys", columns: &[column("request", "request")] },
    ],
};
