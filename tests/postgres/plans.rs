//! How the server finds what is asked for, as it tells itself (`auto_explain`).

use chancery::store::{Batch, Claim, Cursor, Expect, IndexEntry, Key, Order, Over, Scan, Store, Write};

use super::{Cluster, Place, key, put};

const TELL: &str = "shared_preload_libraries = 'auto_explain'\nauto_explain.log_min_duration = 0\n\
    auto_explain.log_analyze = on\nauto_explain.log_timing = off\nautovacuum = off\n\
    parallel_setup_cost = 0\nparallel_tuple_cost = 0\nmin_parallel_table_scan_size = 0\nmin_parallel_index_scan_size = 0";
const DOCUMENTS: usize = 4000;

fn scans() -> impl Iterator<Item = Scan> {
    let bound = |given: bool, value: &str| given.then(|| value.to_owned());
    let after = |given: bool| given.then(|| Cursor { value: "2000".into(), key: Key::new("thing", "2000") });
    let forms = (0..16).flat_map(move |bits: u8| {
        let order = if bits & 8 > 0 { Order::Descending } else { Order::Ascending };
        [Over::Kind("thing".into()), Over::Index("due".into())].map(|over| Scan {
            over,
            from: bound(bits & 1 > 0, "1000"),
            to: bound(bits & 2 > 0, "3000"),
            after: after(bits & 4 > 0),
            order,
            limit: 10,
        })
    });
    forms.into_iter()
}

/// A page deep in an index is found by seeking, and nothing is sorted or thrown away; also by sessions that planned when
/// the tables were empty, and though nobody ever counted the rows.
#[tokio::test]
async fn every_statement_seeks() {
    let Some(cluster) = Cluster::start_on_network(TELL, &[]) else { return };
    let store = Place::new(&cluster.fresh()).open().await;
    for _ in 0..2 {
        for scan in scans() {
            store.scan(&scan).await.unwrap();
        }
    }
    for chunk in (0..DOCUMENTS).collect::<Vec<_>>().chunks(500) {
        let mut writes: Vec<_> =
            chunk.iter().flat_map(|number| put(&format!("{number:04}"), Expect::Absent).writes).collect();
        for write in &mut writes {
            let Write::Put { entries, .. } = write else { unreachable!() };
            entries.push(IndexEntry::new("same", "x"));
        }
        store.commit(Batch { writes }).await.unwrap();
    }
    cluster.clear_log();
    let mut found = 0;
    for scan in scans() {
        found += store.scan(&scan).await.unwrap().len();
    }
    assert_eq!(found, 32 * 10);
    let keys = [key("0001"), key("3999"), key("never")];
    let documents = store.get(&keys).await.unwrap();
    let version = documents[0].as_ref().unwrap().version;
    let mut batch = put("0001", Expect::Version(version));
    batch.push(Write::Check { key: keys[2].clone(), expect: Expect::Absent });
    batch.push(Write::Delete { key: keys[1].clone(), version: documents[1].as_ref().unwrap().version });
    batch.writes.extend(put("new", Expect::Absent).writes);
    store.commit(batch).await.unwrap();
    let claim = Claim { index: "due".into(), to: "2000".into(), lease: IndexEntry::new("due", "9"), limit: 10 };
    assert_eq!(store.claim(&claim).await.unwrap().len(), 10);
    let claim = Claim { index: "same".into(), to: "y".into(), lease: IndexEntry::new("same", "z"), limit: 10 };
    assert_eq!(store.claim(&claim).await.unwrap().len(), 10);
    let log = cluster.log();
    for plan in log.split("Query Text:").skip(1) {
        judge(plan);
    }
    assert!(log.matches("Query Text:").count() >= 40, "the server told of too few plans");
}

#[track_caller]
fn judge(plan: &str) {
    let mut reads = false;
    for line in plan.lines() {
        if line.contains("->") || line.contains("cost=") {
            reads = line.contains(" on document") || line.contains(" on entry") || line.contains(" on index_name");
        }
        assert!(!(reads && line.contains("Seq Scan")), "a table is read from end to end: {plan}");
        // Ten hits, one more to see that there are enough; ten documents of a claim, and the row looked at in vain.
        let rows = line.split("actual rows=").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok());
        assert!(!reads || rows.is_none_or(|rows| rows <= 12), "too many rows are read: {plan}");
        assert!(!(reads && line.contains("Rows Removed by")), "rows are read and thrown away: {plan}");
        // It takes milliseconds to start the workers, for a page that takes one.
        assert!(!line.contains("Gather"), "workers are started for a page: {plan}");
        assert!(!line.trim_start().starts_with("->  Sort") && !line.contains("Hash Join"), "a page is sorted: {plan}");
    }
}
