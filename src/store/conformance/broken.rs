//! Proof that the kit can fail: a plain store with one bug at a time, and the clause that must be named for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;

use super::super::{
    Batch, Claim, Cursor, Document, Expect, Hit, IndexEntry, Key, Order, Over, Scan, Schema, Store, StoreError,
    Version, Write,
};
use super::check::give_way;
use super::{Report, differential, run};
use crate::store::sequence::Sequence;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    IgnoresChecks,
    IgnoresDeleteVersions,
    NamesTheLastKey,
    JudgesBetweenWrites,
    WritesDespiteConflict,
    ReusesVersions,
    KeepsOldEntries,
    ForgetsEqualValues,
    SortsByLength,
    SortsTiesBackwards,
    RepeatsTheCursor,
    IncludesTheUpperBound,
    LosesUpdates,
    CommitsInSteps,
    CutsLongValues,
    SkipsMissing,
    ForgetsSchema,
    NeedsTheCursor,
    ClaimsTheLast,
    ClaimsTheBound,
    ClaimsTwice,
    ClaimsBeyondTheLimit,
    PassesOver,
    KeepsWhatWasFound,
    DropsOtherEntries,
    ForgetsTheLease,
    KeepsTheVersion,
    TellsTheOldVersion,
    SharesClaims,
    ClaimsInSteps,
    ClaimsUnasked,
    ForgetsBodies,
    AcceptsStaleVersions,
}

type Row = (Version, Bytes, Vec<IndexEntry>);

#[derive(Debug, Default)]
struct State {
    rows: BTreeMap<Key, Row>,
    ghosts: Vec<(IndexEntry, Key)>,
    last: u64,
    schema: u32,
}

#[derive(Debug)]
struct PlainStore {
    bug: Bug,
    state: Mutex<State>,
}

impl PlainStore {
    fn new(bug: Bug) -> Self {
        Self { bug, state: Mutex::default() }
    }

    fn judge(&self, state: &State, writes: &[Write]) -> Result<(), StoreError> {
        let fails = |write: &&Write| {
            let found = state.rows.get(write.key()).map(|row| row.0);
            match (self.bug, write) {
                (Bug::IgnoresChecks, Write::Check { .. }) => false,
                (Bug::IgnoresDeleteVersions, Write::Delete { .. }) => found.is_none(),
                _ => match write.expect() {
                    Expect::Absent => found.is_some(),
                    Expect::Version(version) if self.bug == Bug::AcceptsStaleVersions => found < Some(version),
                    Expect::Version(version) => found != Some(version),
                },
            }
        };
        let found = match self.bug {
            Bug::NamesTheLastKey => writes.iter().rfind(fails),
            _ => writes.iter().find(fails),
        };
        found.map_or(Ok(()), |write| Err(StoreError::Conflict { key: write.key().clone() }))
    }

    fn apply(&self, state: &mut State, writes: Vec<Write>) -> Version {
        state.last += 1;
        let mut version = Version(state.last);
        for write in writes {
            let old = state.rows.get(write.key()).cloned();
            match write {
                Write::Put { key, body, mut entries, .. } => {
                    if self.bug == Bug::ReusesVersions {
                        version = Version(old.as_ref().map_or(1, |row| row.0.0 + 1));
                    }
                    if self.bug == Bug::KeepsOldEntries {
                        let kept = old.into_iter().flat_map(|row| row.2).map(|entry| (entry, key.clone()));
                        state.ghosts.extend(kept);
                    }
                    if self.bug == Bug::CutsLongValues {
                        entries.iter_mut().for_each(|entry| entry.value = entry.value.chars().take(255).collect());
                    }
                    state.rows.insert(key, (version, body, entries));
                }
                Write::Delete { key, .. } => drop(state.rows.remove(&key)),
                Write::Check { .. } => {}
            }
        }
        version
    }

    fn hits(&self, state: &State, scan: &Scan) -> Vec<Hit> {
        let row = |key: &Key| state.rows.get(key).cloned();
        let places: BTreeSet<(String, Key)> = match &scan.over {
            Over::Kind(kind) => {
                state.rows.keys().filter(|key| key.kind == *kind).map(|key| (key.id.clone(), key.clone())).collect()
            }
            Over::Index(index) => {
                let of = |(key, row): (&Key, &Row)| row.2.iter().map(|e| (e.clone(), key.clone())).collect::<Vec<_>>();
                let all = state.rows.iter().flat_map(of).chain(state.ghosts.clone());
                all.filter(|(entry, _)| entry.index == *index).map(|(entry, key)| (entry.value, key)).collect()
            }
        };
        let mut places: Vec<_> = places.into_iter().collect();
        let is_there = |after: &Cursor| places.iter().any(|(value, key)| (value, key) == (&after.value, &after.key));
        let lost = self.bug == Bug::NeedsTheCursor && !scan.after.as_ref().is_none_or(is_there);
        let scan = &Scan { after: scan.after.clone().filter(|_| !lost), ..scan.clone() };
        match self.bug {
            Bug::ForgetsEqualValues => places.dedup_by(|a, b| a.0 == b.0),
            Bug::SortsByLength => places.sort_by_key(|(value, _)| value.len()),
            Bug::SortsTiesBackwards => places.sort_by(|a, b| (&a.0, &b.1).cmp(&(&b.0, &a.1))),
            _ => {}
        }
        if scan.order == Order::Descending {
            places.reverse();
        }
        let hit = |(value, key): (String, Key)| {
            let (version, body, _) = row(&key)?;
            Some(Hit { value, document: Document { key, version, body } })
        };
        places
            .into_iter()
            .filter(|(value, key)| self.within(scan, value, key))
            .filter_map(hit)
            .take(scan.limit)
            .collect()
    }

    fn within(&self, scan: &Scan, value: &str, key: &Key) -> bool {
        let above = scan.from.as_deref().is_none_or(|from| value >= from);
        let below =
            scan.to.as_deref().is_none_or(|to| value < to || self.bug == Bug::IncludesTheUpperBound && value == to);
        let behind = scan.after.as_ref().is_none_or(|after| {
            let order = (value, key).cmp(&(&after.value, &after.key));
            match scan.order {
                _ if order.is_eq() => self.bug == Bug::RepeatsTheCursor,
                Order::Ascending => order.is_gt(),
                Order::Descending => order.is_lt(),
            }
        });
        above && below && behind
    }
}

#[async_trait]
impl Store for PlainStore {
    async fn prepare(&self, schema: &Schema) -> Result<(), StoreError> {
        let mut state = self.state.lock().unwrap();
        if state.schema > schema.version && self.bug != Bug::ForgetsSchema {
            return Err(StoreError::Newer { found: state.schema, supported: schema.version });
        }
        state.schema = schema.version;
        Ok(())
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Document>>, StoreError> {
        let state = self.state.lock().unwrap();
        let read = |key: &Key| {
            let (version, body, _) = state.rows.get(key).cloned()?;
            Some(Document { key: key.clone(), version, body })
        };
        let found = keys.iter().map(read);
        Ok(found.filter(|found| self.bug != Bug::SkipsMissing || found.is_some() || keys.len() == 1).collect())
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<Hit>, StoreError> {
        scan.validate()?;
        Ok(self.hits(&self.state.lock().unwrap(), scan))
    }

    async fn commit(&self, batch: Batch) -> Result<Version, StoreError> {
        batch.validate()?;
        let judged = self.judge(&self.state.lock().unwrap(), &batch.writes);
        if self.bug == Bug::LosesUpdates {
            judged.clone()?;
            // Others come between judging and writing.
            give_way().await;
            return Ok(self.apply(&mut self.state.lock().unwrap(), batch.writes));
        }
        match self.bug {
            Bug::WritesDespiteConflict => {
                let mut state = self.state.lock().unwrap();
                let held = |write: &Write| self.judge(&state, std::slice::from_ref(write)).is_ok();
                let writes: Vec<Write> = batch.writes.into_iter().filter(held).collect();
                let version = self.apply(&mut state, writes);
                judged.map(|()| version)
            }
            Bug::JudgesBetweenWrites => {
                let mut state = self.state.lock().unwrap();
                let (rows, last) = (state.rows.clone(), state.last);
                let mut version = Version(last);
                for write in batch.writes {
                    if let Err(conflict) = self.judge(&state, std::slice::from_ref(&write)) {
                        state.rows = rows;
                        return Err(conflict);
                    }
                    state.last = last;
                    version = self.apply(&mut state, vec![write]);
                }
                Ok(version)
            }
            Bug::CommitsInSteps => {
                judged?;
                let last = self.state.lock().unwrap().last;
                let mut version = Version(last);
                for write in batch.writes {
                    self.state.lock().unwrap().last = last;
                    version = self.apply(&mut self.state.lock().unwrap(), vec![write]);
                    give_way().await;
                }
                Ok(version)
            }
            _ => judged.map(|()| self.apply(&mut self.state.lock().unwrap(), batch.writes)),
        }
    }

    async fn claim(&self, claim: &Claim) -> Result<Vec<Hit>, StoreError> {
        if self.bug != Bug::ClaimsUnasked {
            claim.validate()?;
        }
        let mut hits = self.waiting(&self.state.lock().unwrap(), claim);
        if self.bug == Bug::SharesClaims {
            // Others come between finding and taking.
            give_way().await;
        }
        let version = {
            let mut state = self.state.lock().unwrap();
            state.last += 1;
            Version(state.last)
        };
        for hit in &mut hits {
            if self.bug == Bug::ClaimsInSteps {
                give_way().await;
            }
            self.lease(&mut self.state.lock().unwrap(), claim, version, hit);
        }
        Ok(hits)
    }
}

impl PlainStore {
    fn waiting(&self, state: &State, claim: &Claim) -> Vec<Hit> {
        let to = if self.bug == Bug::ClaimsTheBound { format!("{}\0", claim.to) } else { claim.to.clone() };
        let scan = Scan { to: Some(to), ..Scan::new(Over::Index(claim.index.clone()), usize::MAX) };
        let mut met = BTreeSet::new();
        let mut hits = self.hits(state, &scan);
        hits.retain(|hit| met.insert(hit.document.key.clone()) || self.bug == Bug::ClaimsTwice);
        match self.bug {
            Bug::ClaimsTheLast => hits.reverse(),
            Bug::PassesOver if hits.len() > 5 => drop(hits.remove(3)),
            _ => {}
        }
        if self.bug != Bug::ClaimsBeyondTheLimit {
            hits.truncate(claim.limit);
        }
        hits
    }

    fn lease(&self, state: &mut State, claim: &Claim, version: Version, hit: &mut Hit) {
        let Some(row) = state.rows.get_mut(&hit.document.key) else { return };
        if self.bug != Bug::KeepsTheVersion {
            row.0 = version;
        }
        if self.bug != Bug::TellsTheOldVersion {
            hit.document.version = row.0;
        }
        if self.bug == Bug::ForgetsBodies {
            row.1 = Bytes::from_static(b"{}");
        }
        let kept = |entry: &IndexEntry| match self.bug {
            Bug::KeepsWhatWasFound => true,
            Bug::DropsOtherEntries => entry.index != claim.index,
            _ => !claim.takes(entry),
        };
        row.2.retain(kept);
        if self.bug != Bug::ForgetsTheLease {
            row.2.push(claim.lease.clone());
        }
    }
}

async fn report(bug: Bug) -> Report {
    run(async || PlainStore::new(bug)).await
}

#[tokio::test]
async fn a_plain_store_passes() {
    report(Bug::None).await.assert_passed();
}

#[tokio::test]
async fn each_bug_is_named_by_its_clause() {
    for (bug, clause, check) in [
        (Bug::IgnoresChecks, "Expectations", "a_check_makes_a_batch_lose"),
        (Bug::IgnoresDeleteVersions, "Expectations", "a_delete_loses_with_a_stale_version"),
        (Bug::NamesTheLastKey, "Expectations", "the_first_key_is_named"),
        (Bug::JudgesBetweenWrites, "Expectations", "a_check_judges_the_state_before_the_batch"),
        (Bug::WritesDespiteConflict, "Atomicity", "a_lost_batch_writes_nothing"),
        (Bug::ReusesVersions, "Versions", "versions_are_not_used_again_after_a_delete"),
        (Bug::KeepsOldEntries, "Index entries", "a_put_replaces_all_entries"),
        (Bug::ForgetsEqualValues, "Index entries", "two_documents_may_share_a_value"),
        (Bug::SortsByLength, "Index entries", "values_sort_by_their_bytes"),
        (Bug::SortsTiesBackwards, "Index entries", "equal_values_sort_by_kind_then_id"),
        (Bug::RepeatsTheCursor, "Scans", "after_is_exclusive_and_need_not_exist"),
        (Bug::IncludesTheUpperBound, "Scans", "bounds_are_inclusive_below_and_exclusive_above"),
        (Bug::LosesUpdates, "Isolation", "concurrent_increments_are_all_counted"),
        (Bug::CommitsInSteps, "Cancellation", "a_dropped_commit_is_all_or_nothing"),
        (Bug::CommitsInSteps, "Isolation", "a_get_sees_one_state"),
        (Bug::CutsLongValues, "Sizes", "the_largest_key_entry_and_body_come_back_whole"),
        (Bug::SkipsMissing, "Isolation", "a_get_reads_keys_in_order_and_shows_what_is_missing"),
        (Bug::ForgetsSchema, "Preparation", "a_later_schema_is_taken_and_an_earlier_one_refused"),
        (Bug::NeedsTheCursor, "Scans", "after_is_exclusive_and_need_not_exist"),
        (Bug::NeedsTheCursor, "Scans", "pages_hold_while_others_come_go_and_move"),
        (Bug::RepeatsTheCursor, "Scans", "pages_hold_while_others_come_go_and_move"),
        (Bug::ClaimsTheLast, "Claims", "the_first_of_the_index_are_taken_in_order"),
        (Bug::ClaimsTheBound, "Claims", "the_bound_is_exclusive"),
        (Bug::ClaimsTwice, "Claims", "a_document_is_taken_once_however_many_entries_it_has"),
        (Bug::ClaimsBeyondTheLimit, "Claims", "what_is_not_taken_is_left_alone"),
        (Bug::PassesOver, "Claims", "nothing_is_passed_over_when_nobody_else_is_there"),
        (Bug::KeepsWhatWasFound, "Claims", "the_lease_takes_the_place_of_what_was_found"),
        (Bug::DropsOtherEntries, "Claims", "the_lease_may_be_in_another_index"),
        (Bug::ForgetsTheLease, "Claims", "a_lease_that_ran_out_is_taken_again"),
        (Bug::ForgetsTheLease, "Claims", "the_lease_takes_the_place_of_what_was_found"),
        (Bug::KeepsTheVersion, "Claims", "a_new_version_is_given_and_the_old_one_loses"),
        (Bug::KeepsTheVersion, "Claims", "a_claim_and_a_commit_never_both_win"),
        (Bug::KeepsTheVersion, "Claims", "a_late_holder_loses"),
        (Bug::AcceptsStaleVersions, "Claims", "a_late_holder_loses"),
        (Bug::AcceptsStaleVersions, "Claims", "work_that_stalls_and_is_taken_again_is_done_once"),
        (Bug::TellsTheOldVersion, "Claims", "body_and_other_entries_stay"),
        (Bug::SharesClaims, "Claims", "concurrent_claims_never_share"),
        (Bug::ClaimsInSteps, "Claims", "readers_see_all_of_a_claim_or_nothing"),
        (Bug::ClaimsInSteps, "Cancellation", "a_dropped_claim_is_all_or_nothing"),
        (Bug::ClaimsUnasked, "Sizes", "a_claim_of_nothing_or_too_much_is_refused"),
        (Bug::ClaimsUnasked, "Sizes", "a_claim_that_would_find_its_own_lease_is_refused"),
        (Bug::ForgetsBodies, "Claims", "body_and_other_entries_stay"),
    ] {
        let run =
            super::all().find(|each| each.clause == clause && each.name == check).expect("a check of the kit").run;
        assert!(run(&PlainStore::new(bug)).await.is_err(), "{bug:?} should fail {clause}: {check}");
    }
}

#[tokio::test]
async fn a_report_names_clause_and_check_and_says_what_was_seen() {
    let report = report(Bug::ClaimsTheBound).await;
    let text = report.to_string();
    let said = "FAILED  Claims: the_bound_is_exclusive: expected [1=a] to be taken by";
    assert!(text.contains(said), "{text}");
    assert!(!report.passed() && report.failures().count() < report.findings().len());
}

#[tokio::test]
async fn the_comparison_with_the_model_sees_bugs_on_its_own() {
    for bug in [
        Bug::IgnoresChecks,
        Bug::KeepsOldEntries,
        Bug::SortsTiesBackwards,
        Bug::WritesDespiteConflict,
        Bug::ClaimsTwice,
        Bug::KeepsTheVersion,
        Bug::ForgetsTheLease,
        Bug::DropsOtherEntries,
    ] {
        let mut seen = Vec::new();
        for seed in super::SEEDS {
            let octets = Sequence::new(seed).octets(super::OCTETS_PER_SEED);
            seen.extend(differential(&octets, &PlainStore::new(bug)).await.err());
        }
        assert!(!seen.is_empty(), "{bug:?}");
    }
}
