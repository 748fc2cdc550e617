//! The operations, each as the median of many repetitions.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery::domain::CertificateRecord;
use chancery::engine::{CertificateQuery, NameQuery};
use chancery::store::{Claim, IndexEntry, Store};
use chancery::x509::RevocationReason;
use serde::{Deserialize, Serialize};

use crate::fleet::{ARRIVAL, Fleet, START, UNDER};

/// How many callers issue at once.
const CALLERS: usize = 64;
const ROUNDS: usize = 7;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Operation {
    IssueByOne,
    IssueByMany,
    GetBySerial,
    ListAPage,
    UnderADomain,
    NextDue,
    RevokeAndPublish,
}

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::IssueByOne => "issue, one caller",
            Self::IssueByMany => "issue, 64 callers",
            Self::GetBySerial => "get by serial",
            Self::ListAPage => "100 in the middle of the list",
            Self::UnderADomain => "100 under a domain",
            Self::NextDue => "next 100 due, claimed",
            Self::RevokeAndPublish => "revoke, publish the CRL",
        }
    }
}

/// Measures all.
pub(crate) async fn all(
    fleet: &Fleet,
    store: &Arc<dyn Store>,
    some: &[CertificateRecord],
) -> Vec<(Operation, Duration)> {
    let mut costs = vec![
        (Operation::GetBySerial, by_serial(fleet, some).await),
        (Operation::ListAPage, page(fleet).await),
        (Operation::UnderADomain, under(fleet, some).await),
        (Operation::RevokeAndPublish, revoke(fleet, some).await),
        (Operation::NextDue, next_due(store).await),
    ];
    let [one, many] = issue(fleet).await;
    costs.extend([(Operation::IssueByOne, one), (Operation::IssueByMany, many)]);
    costs
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn by_serial(fleet: &Fleet, some: &[CertificateRecord]) -> Duration {
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        for record in some {
            let start = Instant::now();
            let found = fleet.session.certificates_by_serial(&record.serial).await.unwrap();
            if round > 0 {
                times.push(start.elapsed());
            }
            assert_eq!(found.len(), 1);
        }
    }
    median(times)
}

/// Pages of 100 from the middle of the time in which certificates end.
async fn page(fleet: &Fleet) -> Duration {
    let from = START + ARRIVAL / 2 + time::Duration::days(47);
    let query = CertificateQuery { ends_from: Some(from), page_size: 100, ..CertificateQuery::default() };
    let mut times = Vec::new();
    for round in 0..ROUNDS * 10 {
        let start = Instant::now();
        let page = fleet.session.certificates(&query, None).await.unwrap();
        if round >= 10 {
            times.push(start.elapsed());
        }
        assert!(!black_box(page).items.is_empty());
    }
    median(times)
}

async fn under(fleet: &Fleet, some: &[CertificateRecord]) -> Duration {
    let domain = |record: &CertificateRecord| {
        let name = record.sans[0].value().to_owned();
        name.split_once('.').unwrap().1.to_owned()
    };
    let domains: Vec<String> = some.iter().step_by(10).map(domain).collect();
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        for domain in &domains {
            let name = Some(NameQuery::Under(domain.clone()));
            let query = CertificateQuery { name, page_size: 2 * UNDER, ..CertificateQuery::default() };
            let start = Instant::now();
            let page = fleet.session.certificates(&query, None).await.unwrap();
            if round > 0 {
                times.push(start.elapsed());
            }
            assert_eq!(black_box(page).items.len(), UNDER, "under {domain}");
        }
    }
    median(times)
}

/// A revocation, and the due work that makes the list of it: as many are on it at every size.
async fn revoke(fleet: &Fleet, some: &[CertificateRecord]) -> Duration {
    let mut times = Vec::new();
    for record in some.iter().take(20) {
        let start = Instant::now();
        fleet.session.revoke(record.id, RevocationReason::Superseded).await.unwrap();
        let revoked = start.elapsed();
        fleet.clock.advance(time::Duration::MINUTE);
        let start = Instant::now();
        let report = fleet.engine.run_due(100).await.unwrap();
        times.push(revoked + start.elapsed());
        assert_eq!(report.published, 1, "{report:?}");
        fleet.rest().await;
    }
    median(times.split_off(1))
}

/// Claims of 100 renewals, each of those that are due next; when all were, those that were claimed first.
async fn next_due(store: &Arc<dyn Store>) -> Duration {
    let mut times = Vec::new();
    for round in 0..ROUNDS * 3 {
        let to = format!("9{round:03}");
        let lease = IndexEntry::new("renewal.due", to.as_str());
        let claim = Claim { index: "renewal.due".into(), to, lease, limit: 100 };
        let start = Instant::now();
        let hits = store.claim(&claim).await.unwrap();
        if round > 2 {
            times.push(start.elapsed());
        }
        assert_eq!(hits.len(), 100);
    }
    median(times)
}

/// One caller who waits for each commit, and many at once, in turn.
async fn issue(fleet: &Fleet) -> [Duration; 2] {
    let (mut one, mut many) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let start = Instant::now();
        for at in 0..20 {
            fleet.issue(&format!("one-{round}-{at}.example.net")).await;
        }
        one.push(start.elapsed() / 20);
        many.push(many_callers(fleet, round).await);
    }
    [median(one.split_off(1)), median(many.split_off(1))]
}

async fn many_callers(fleet: &Fleet, round: usize) -> Duration {
    const EACH: usize = 10;
    let start = Instant::now();
    let caller = |caller: usize| {
        let fleet = fleet.clone();
        tokio::spawn(async move {
            for at in 0..EACH {
                fleet.issue(&format!("many-{round}-{caller}-{at}.example.net")).await;
            }
        })
    };
    let callers: Vec<_> = (0..CALLERS).map(caller).collect();
    for caller in callers {
        caller.await.unwrap();
    }
    start.elapsed() / u32::try_from(CALLERS * EACH).unwrap()
}
