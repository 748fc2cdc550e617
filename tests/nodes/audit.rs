//! What must be true of the office at the end: one successor each, none lost, nothing signed that is not known.

use std::collections::{BTreeMap, BTreeSet};

use chancery::domain::CertificateRecord;
use chancery::engine::{CertificateQuery, Engine};
use chancery::store::{Hit, MAX_SCAN_LIMIT, Over, Scan, Store};
use serde_json::Value;

use crate::office::{Office, session};

/// All documents of a kind: id and body.
pub(crate) async fn all(store: &impl Store, kind: &'static str) -> BTreeMap<String, Value> {
    let mut scan = Scan::new(Over::Kind(kind.into()), MAX_SCAN_LIMIT);
    let mut found = BTreeMap::new();
    loop {
        let hits = store.scan(&scan).await.unwrap();
        scan.after = hits.last().map(Hit::cursor);
        let is_last = hits.len() < scan.limit;
        found.extend(hits.into_iter().map(|hit| (hit.value, serde_json::from_slice(&hit.document.body).unwrap())));
        if is_last {
            return found;
        }
    }
}

/// Every certificate of the Application.
pub(crate) async fn inventory(engine: &Engine) -> Vec<CertificateRecord> {
    let office = Office::enter(engine).await;
    let query = CertificateQuery {
        application: Some(office.application.id),
        page_size: MAX_SCAN_LIMIT,
        ..CertificateQuery::default()
    };
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = office.session.certificates(&query, after.as_ref()).await.unwrap();
        found.extend(page.items);
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

/// Each certificate has its serial number claimed, its key and its request, and nobody else has; all that was signed is in
/// the inventory; the chain of events is whole.
pub(crate) async fn nothing_is_lost(engine: &Engine, store: &impl Store, signed: &BTreeSet<String>) {
    let inventory = inventory(engine).await;
    let known: BTreeSet<String> = inventory.iter().map(|record| record.id.to_string()).collect();
    let keys: BTreeSet<String> = all(store, "private_key").await.into_keys().collect();
    assert_eq!(known, keys, "a key for each certificate, and no other");
    let serials = all(store, "serial").await;
    let mut claimed: Vec<String> =
        serials.values().map(|claim| claim["certificate"].as_str().unwrap().to_owned()).collect();
    claimed.retain(|id| known.contains(id));
    assert_eq!(claimed.len(), known.len(), "a serial number for each certificate");
    assert_eq!(serials.len(), known.len() + 2, "no other serial number but those of the issuers");
    let recorded: BTreeSet<String> = inventory.iter().map(|record| record.serial.to_string()).collect();
    let unknown: Vec<&String> = signed.difference(&recorded).collect();
    assert!(unknown.is_empty(), "signed, and in no inventory: {unknown:?}");
    let requests = all(store, "request").await;
    assert_eq!(requests.len(), known.len(), "a request for each certificate");
    for (id, request) in &requests {
        assert_eq!(request["state"]["state"], "issued", "{id} is stuck");
    }
    let report = session(engine).verify_audit(1, None).await.unwrap();
    assert!(report.is_sound(), "{report:?}");
    let told = all(store, "event").await;
    assert_eq!(report.events, told.len() as u64, "an event is not sealed");
    let issued = told.values().filter(|event| {
        ["certificate-issued", "certificate-renewed"].contains(&event["event"].as_str().unwrap_or_default())
    });
    assert_eq!(issued.count(), known.len(), "an event for each certificate");
    println!("  {} certificates, {} events in {} sealed blocks", known.len(), report.events, report.blocks);
}

/// Of a fleet of so many, each has been renewed, once.
pub(crate) async fn each_is_renewed_once(engine: &Engine, certificates: usize) {
    let inventory = inventory(engine).await;
    let (first, successors): (Vec<_>, Vec<_>) = inventory.iter().partition(|record| record.replaces.is_none());
    assert_eq!((first.len(), successors.len()), (certificates, certificates), "enrolled, and their successors");
    let of: BTreeMap<_, _> = successors.iter().map(|record| (record.replaces, record)).collect();
    assert_eq!(of.len(), certificates, "two replace the same certificate");
    for record in first {
        let successor = of.get(&Some(record.id)).unwrap_or_else(|| panic!("{} is lost", record.id));
        assert_eq!(record.replaced_by, Some(successor.id), "{}: it does not know its successor", record.id);
        assert_eq!((successor.lineage, &successor.sans), (record.lineage, &record.sans));
        assert_eq!(successor.replaced_by, None, "{}: renewed twice", record.id);
    }
}
