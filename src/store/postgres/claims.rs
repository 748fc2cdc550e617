//! The statement that takes what waits.

use std::collections::HashMap;

use super::super::{Claim, StoreError};
use super::connections::{Parameter, bind};
use super::failure::{Failure, corrupt};
use super::text::encode;

// It waits for nobody: what somebody else has locked is passed over. Read committed looks at a locked row anew where it
// changed between the statement's snapshot and the lock; such a row is passed over as well (its version is not the one
// that the snapshot has), because the entries beside it are still those of the snapshot. Each document is found by its
// first entry only. The new version is drawn after the snapshot was taken, so that it is greater than the one found.
// `OFFSET 0` keeps the planner from seeking old entries by less than all of their key.
/// The statement.
pub(super) const SQL: &str = r#"
    WITH held AS MATERIALIZED (
        SELECT e.value, d.kind, d.id, d.entries, d.body
        FROM entry AS e JOIN document AS d ON d.kind = e.kind AND d.id = e.id
        WHERE e.name = $1 AND e.value < $2
          AND d.version = (SELECT seen.version FROM document AS seen WHERE seen.kind = e.kind AND seen.id = e.id)
          AND e.value = (
              SELECT min((pair.pair ->> 1) COLLATE "C") FROM jsonb_array_elements(d.entries::jsonb) AS pair (pair)
              WHERE (pair.pair ->> 0)::integer = $1)
        ORDER BY e.value, e.kind, e.id
        LIMIT $3
        FOR UPDATE OF d SKIP LOCKED
    ), token AS MATERIALIZED (
        SELECT nextval('versions') AS version
    ), gone AS (
        DELETE FROM entry AS e
        USING (
            SELECT (pair.pair ->> 1) COLLATE "C" AS value, h.kind, h.id
            FROM held AS h, jsonb_array_elements(h.entries::jsonb) AS pair (pair)
            WHERE (pair.pair ->> 0)::integer = $1 AND (pair.pair ->> 1) COLLATE "C" < $2
            OFFSET 0
        ) AS old
        WHERE e.name = $1 AND e.value = old.value AND e.kind = old.kind AND e.id = old.id
    ), leased AS (
        INSERT INTO entry (name, value, kind, id) SELECT $4::integer, $5::text, kind, id FROM held ON CONFLICT DO NOTHING
    ), renewed AS (
        UPDATE document AS d SET version = token.version, entries = (
            SELECT jsonb_agg(kept.pair)::text FROM (
                SELECT pair.pair FROM jsonb_array_elements(h.entries::jsonb) AS pair (pair)
                WHERE NOT ((pair.pair ->> 0)::integer = $1 AND (pair.pair ->> 1) COLLATE "C" < $2)
                UNION SELECT jsonb_build_array($4::integer, $5::text)
            ) AS kept)
        FROM held AS h, token
        WHERE d.kind = h.kind AND d.id = h.id
    )
    SELECT h.value, h.kind, h.id, token.version, h.body FROM held AS h, token
"#;

/// What the statement is given.
pub(super) fn parameters(claim: &Claim, codes: &HashMap<String, i32>) -> Result<Vec<Parameter>, Failure> {
    let code = |name: &str| codes.get(name).copied().ok_or_else(|| corrupt(format!("the index {name} has no number")));
    Ok(vec![
        bind(code(&claim.index)?),
        bind(encode(&claim.to).into_owned()),
        bind(i64::try_from(claim.limit).unwrap_or(i64::MAX)),
        bind(code(&claim.lease.index)?),
        bind(encode(&claim.lease.value).into_owned()),
    ])
}

/// Refuses what the database can not hold.
pub(super) fn validate(claim: &Claim) -> Result<(), StoreError> {
    super::text::validate_key(&claim.lease.value)
}
