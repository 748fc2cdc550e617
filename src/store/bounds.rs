//! Where a scan begins and ends in a SQL store: one bound on each side.

use super::{Cursor, Order, Scan};

/// A cursor's value, kind and id, as rows are compared.
pub(super) fn place(cursor: &Cursor) -> [&str; 3] {
    [&cursor.value, &cursor.key.kind, &cursor.key.id]
}

/// The cursor, where it is the tighter of the two lower bounds.
pub(super) fn lower(scan: &Scan) -> Option<&Cursor> {
    let after = scan.after.as_ref().filter(|_| scan.order == Order::Ascending)?;
    scan.from.as_ref().is_none_or(|from| after.value >= *from).then_some(after)
}

/// The cursor, where it is the tighter of the two upper bounds.
pub(super) fn upper(scan: &Scan) -> Option<&Cursor> {
    let after = scan.after.as_ref().filter(|_| scan.order == Order::Descending)?;
    scan.to.as_ref().is_none_or(|to| after.value < *to).then_some(after)
}
