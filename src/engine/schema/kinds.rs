//! What the bodies of all kinds say: read as the engine reads them, for whoever carries documents without knowing them.

use serde_json::Error;

use super::{
    ChainHead, Claim, CrlPart, CrlRecord, Entity, KeptBinding, KeptToken, NonceKey, Notification, OcspAnswer,
    PolicyRecord, RemoteClaim, RenewalMeter, RenewalWalk, Replay, ResponderRecord, Revision, RevokedCertificate,
    SealedKey, SerialClaim, SyncTask, SyncWalk, TargetLease, Watch, Window,
};
use crate::domain::acme::{Account, Authorization, Meter, Order};
use crate::domain::{
    AlertRecord, Application, AuditBlock, CertificateRecord, CertificateRequest, Deployment, Event, Incident,
    IssuerRecord, Octets, Profile, RenewalPlan, SyncRecord, UnderIncident,
};
use crate::engine::housekeeping::Sweep;
use crate::engine::transfer::Place;
use crate::store::IndexEntry;

/// What a document's body says of the document.
pub(in crate::engine) struct Derived {
    pub(in crate::engine) id: String,
    pub(in crate::engine) entries: Vec<IndexEntry>,
}

/// Reads a body of a kind; `None` if there is no such kind.
pub(in crate::engine) fn derive(kind: &str, body: &[u8]) -> Option<Result<Derived, Error>> {
    let (_, read) = KINDS.iter().find(|(known, _)| *known == kind)?;
    Some(read(body))
}

fn read<T: Entity>(body: &[u8]) -> Result<Derived, Error> {
    let value: T = serde_json::from_slice(body)?;
    Ok(Derived { id: value.document_id(), entries: value.entries() })
}

type Read = fn(&[u8]) -> Result<Derived, Error>;

const fn kind<T: Entity>() -> (&'static str, Read) {
    (T::KIND, read::<T>)
}

const KINDS: &[(&str, Read)] = &[
    kind::<Account>(),
    kind::<Authorization>(),
    kind::<KeptBinding>(),
    kind::<Meter>(),
    kind::<NonceKey>(),
    kind::<Order>(),
    kind::<AlertRecord<Octets>>(),
    kind::<Application>(),
    kind::<AuditBlock>(),
    kind::<CertificateRecord>(),
    kind::<CertificateRequest>(),
    kind::<ChainHead>(),
    kind::<Claim>(),
    kind::<CrlPart>(),
    kind::<CrlRecord>(),
    kind::<Deployment>(),
    kind::<Event>(),
    kind::<Incident>(),
    kind::<IssuerRecord>(),
    kind::<KeptToken>(),
    kind::<Notification<Octets>>(),
    kind::<OcspAnswer>(),
    kind::<Place>(),
    kind::<PolicyRecord>(),
    kind::<Profile>(),
    kind::<RemoteClaim>(),
    kind::<RenewalMeter>(),
    kind::<RenewalPlan>(),
    kind::<RenewalWalk>(),
    kind::<Replay>(),
    kind::<ResponderRecord>(),
    kind::<Revision<PolicyRecord>>(),
    kind::<Revision<Profile>>(),
    kind::<RevokedCertificate>(),
    kind::<SealedKey>(),
    kind::<SerialClaim>(),
    kind::<Sweep>(),
    kind::<SyncRecord>(),
    kind::<SyncTask>(),
    kind::<SyncWalk>(),
    kind::<TargetLease>(),
    kind::<UnderIncident>(),
    kind::<Watch>(),
    kind::<Window>(),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::SCHEMA;
    use super::*;

    #[test]
    fn every_kind_of_the_schema_can_be_read() {
        let declared: BTreeSet<&str> = SCHEMA.kinds.iter().map(|kind| kind.kind).collect();
        let read: BTreeSet<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(read, declared);
        assert_eq!(KINDS.len(), read.len(), "a kind is listed twice");
    }
}
