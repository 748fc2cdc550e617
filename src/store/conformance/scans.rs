//! Checks of the clause Scans: order, bounds, limits and pages.

use super::super::{Cursor, Expect, Key, Order, Over, Scan, Store};
use super::check::{
    Outcome, Seen, checks, commit, create_at, delete, descending, ensure, finds, name, place, put, things,
};

checks!("Scans":
    a_kind_is_scanned_in_order_of_ids,
    kinds_do_not_mix,
    what_was_never_written_is_empty,
    bounds_are_inclusive_below_and_exclusive_above,
    bounds_hold_for_kinds,
    bounds_that_cross_hold_nothing,
    a_limit_cuts_from_the_start_of_the_order,
    after_is_exclusive_and_need_not_exist,
    the_tighter_of_after_and_a_bound_counts,
    pages_neither_repeat_nor_skip,
    pages_stand_writes_in_between,
    a_hit_carries_its_document,
);

async fn a_kind_is_scanned_in_order_of_ids(store: &dyn Store) -> Outcome {
    for id in ["m", "B", "é", "b", "10", "9"] {
        create_at(store, id, &[]).await?;
    }
    finds(store, &things(), "10=10 9=9 B=B b=b m=m é=é").await?;
    finds(store, &descending(things()), "é=é m=m b=b B=B 9=9 10=10").await
}

async fn kinds_do_not_mix(store: &dyn Store) -> Outcome {
    for kind in ["thing", "thing2", "thin", "Thing"] {
        let write = super::super::Write::Put {
            key: Key::new(kind, kind),
            expect: Expect::Absent,
            body: super::check::body(0),
            entries: Vec::new(),
        };
        commit(store, vec![write]).await?;
    }
    finds(store, &things(), "thing=thing").await?;
    finds(store, &descending(things()), "thing=thing").await
}

async fn what_was_never_written_is_empty(store: &dyn Store) -> Outcome {
    finds(store, &things(), "").await?;
    finds(store, &place(), "").await?;
    finds(store, &descending(Scan { from: Some("a".into()), ..place() }), "").await
}

async fn four(store: &dyn Store) -> Outcome {
    for (id, value) in [("a", "1"), ("b", "2"), ("c", "2"), ("d", "3")] {
        create_at(store, id, &[value]).await?;
    }
    Ok(())
}

fn between(scan: Scan, from: &str, to: &str) -> Scan {
    Scan { from: Some(from.into()), to: Some(to.into()), ..scan }
}

fn after(scan: Scan, value: &str, id: &str) -> Scan {
    Scan { after: Some(Cursor { value: value.into(), key: super::check::key(id) }), ..scan }
}

async fn bounds_are_inclusive_below_and_exclusive_above(store: &dyn Store) -> Outcome {
    four(store).await?;
    finds(store, &between(place(), "2", "3"), "2=b 2=c").await?;
    finds(store, &descending(between(place(), "1", "3")), "2=c 2=b 1=a").await?;
    finds(store, &Scan { from: Some("11".into()), ..place() }, "2=b 2=c 3=d").await?;
    finds(store, &Scan { to: Some("2".into()), ..place() }, "1=a").await
}

async fn bounds_hold_for_kinds(store: &dyn Store) -> Outcome {
    four(store).await?;
    finds(store, &between(things(), "b", "d"), "b=b c=c").await?;
    finds(store, &descending(between(things(), "b", "d")), "c=c b=b").await?;
    finds(store, &Scan { from: Some("c".into()), ..things() }, "c=c d=d").await?;
    finds(store, &descending(Scan { to: Some("b".into()), ..things() }), "a=a").await
}

async fn bounds_that_cross_hold_nothing(store: &dyn Store) -> Outcome {
    four(store).await?;
    for scan in [between(place(), "3", "1"), between(place(), "2", "2"), between(things(), "d", "a")] {
        finds(store, &scan, "").await?;
        finds(store, &descending(scan), "").await?;
    }
    Ok(())
}

async fn a_limit_cuts_from_the_start_of_the_order(store: &dyn Store) -> Outcome {
    four(store).await?;
    finds(store, &Scan { limit: 2, ..place() }, "1=a 2=b").await?;
    finds(store, &descending(Scan { limit: 2, ..place() }), "3=d 2=c").await?;
    finds(store, &Scan { limit: 1, ..things() }, "a=a").await
}

async fn after_is_exclusive_and_need_not_exist(store: &dyn Store) -> Outcome {
    four(store).await?;
    finds(store, &after(place(), "2", "b"), "2=c 3=d").await?;
    finds(store, &descending(after(place(), "2", "c")), "2=b 1=a").await?;
    finds(store, &after(place(), "2", "bb"), "2=c 3=d").await?;
    finds(store, &after(things(), "b", "b"), "c=c d=d").await?;
    finds(store, &descending(after(things(), "bb", "bb")), "b=b a=a").await
}

async fn the_tighter_of_after_and_a_bound_counts(store: &dyn Store) -> Outcome {
    four(store).await?;
    finds(store, &after(between(place(), "2", "3"), "1", "a"), "2=b 2=c").await?;
    finds(store, &after(between(place(), "1", "3"), "2", "b"), "2=c").await?;
    finds(store, &after(between(place(), "1", "2"), "3", "d"), "").await?;
    finds(store, &descending(after(between(place(), "1", "3"), "3", "d")), "2=c 2=b 1=a").await?;
    finds(store, &descending(after(between(things(), "b", "d"), "c", "c")), "b=b").await
}

async fn pages_neither_repeat_nor_skip(store: &dyn Store) -> Outcome {
    for number in 0..30 {
        create_at(store, &format!("{number:02}"), &[&format!("{}", number / 7)]).await?;
    }
    for over in [Over::Index("place".into()), Over::Kind("thing".into())] {
        for order in [Order::Ascending, Order::Descending] {
            let whole = Scan { order, ..Scan::new(over.clone(), 100) };
            let expected: Vec<String> = store.scan(&whole).await?.iter().map(name).collect();
            ensure!(expected.len() == 30, "a scan of 30 entries finds {}", expected.len());
            let seen = pages(store, Scan { limit: 4, ..whole }).await?;
            ensure!(seen == expected, "{order:?} over {over:?}, pages of 4 show {seen:?}, the whole {expected:?}");
        }
    }
    Ok(())
}

async fn pages(store: &dyn Store, mut scan: Scan) -> Result<Vec<String>, Seen> {
    let mut seen = Vec::new();
    loop {
        let page = store.scan(&scan).await?;
        ensure!(page.len() <= scan.limit, "a page of at most {} has {} hits", scan.limit, page.len());
        ensure!(seen.len() <= 1000, "the pages do not end; the last one starts with {:?}", page.first().map(name));
        let Some(last) = page.last() else { return Ok(seen) };
        scan.after = Some(last.cursor());
        seen.extend(page.iter().map(name));
    }
}

async fn pages_stand_writes_in_between(store: &dyn Store) -> Outcome {
    let mut versions = Vec::new();
    for id in ["b", "d", "f", "h", "j"] {
        versions.push(create_at(store, id, &[id]).await?);
    }
    let first = Scan { limit: 2, ..place() };
    finds(store, &first, "b=b d=d").await?;
    // The hit that the cursor names goes, one comes before it and one behind it.
    commit(store, vec![delete("d", versions[1])]).await?;
    create_at(store, "a", &["a"]).await?;
    create_at(store, "e", &["e"]).await?;
    finds(store, &after(first.clone(), "d", "d"), "e=e f=f").await?;
    commit(store, vec![put("h", Expect::Version(versions[3]))]).await?;
    finds(store, &after(first, "f", "f"), "j=j").await
}

async fn a_hit_carries_its_document(store: &dyn Store) -> Outcome {
    create_at(store, "a", &["1"]).await?;
    let expected = super::check::read(store, "a").await?;
    for scan in [place(), things()] {
        let seen = store.scan(&scan).await?.pop().map(|hit| hit.document);
        ensure!(seen == expected, "a scan shows {seen:?} where a get reads {expected:?}");
    }
    Ok(())
}
