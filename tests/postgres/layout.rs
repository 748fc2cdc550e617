//! The tables: laid out once, by whoever is first, and readable.

use chancery::store::{Column, Expect, KindSchema, ListSchema, Schema, Store, StoreError, Write};
use futures_util::future::join_all;

use super::{Cluster, Place, put};

const COLUMNS: &[Column] =
    &[Column { name: "name", path: "name" }, Column { name: "the subject", path: "content.subject" }];
static KINDS: [KindSchema; 1] = [KindSchema { kind: "thing", view: "things", columns: COLUMNS }];
static FEWER: [KindSchema; 1] = [KindSchema { kind: "thing", view: "things", columns: &[] }];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_nodes_may_start_at_once() {
    let Some(cluster) = Cluster::shared() else { return };
    let place = Place::new(&cluster.fresh());
    let stores = join_all((0..8).map(|_| async {
        let store = place.open().await;
        store.prepare(&Schema { version: 1, kinds: &KINDS, lists: &[] }).await.unwrap();
        store
    }))
    .await;
    let outcomes = join_all(stores.iter().map(|store| store.commit(put("a", Expect::Absent)))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
}

#[tokio::test]
async fn a_newer_layout_is_refused() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.fresh_name();
    let place = Place::new(&cluster.url(&database));
    drop(place.open().await);
    cluster.sql(&database, &format!("UPDATE \"{}\".meta SET value = '7' WHERE name = 'layout'", place.schema));
    let refused = place.options().connect(&place.url).await.unwrap_err();
    assert_eq!(refused, StoreError::Newer { found: 7, supported: 1 });
}

#[tokio::test]
async fn what_is_not_ours_is_refused_and_left_alone() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.fresh_name();
    cluster.sql(&database, "CREATE SCHEMA theirs; CREATE TABLE theirs.meta (name text, value text)");
    let refused = Place { url: cluster.url(&database), schema: "theirs".into() };
    let refused = refused.options().connect(&refused.url).await.unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused:?}");
    let tables = cluster.sql(&database, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'theirs'");
    assert_eq!(tables.trim(), "1");
}

#[tokio::test]
async fn a_person_can_read_the_views() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.fresh_name();
    let place = Place { url: cluster.url(&database), schema: "chancery".into() };
    let store = place.open().await;
    store.prepare(&Schema { version: 1, kinds: &FEWER, lists: &[] }).await.unwrap();
    store.prepare(&Schema { version: 1, kinds: &KINDS, lists: &[] }).await.unwrap();
    store.commit(put("a", Expect::Absent)).await.unwrap();
    let mut odd = put("odd", Expect::Absent);
    let Write::Put { body, .. } = &mut odd.writes[0] else { unreachable!() };
    *body = r#"{"name":"a\u0000b","content":null}"#.into();
    store.commit(odd).await.unwrap();
    let rows = cluster.sql(&database, "SELECT id, name, \"the subject\" FROM chancery.things ORDER BY id");
    assert_eq!(rows, "a|a|CN=a\nodd|a\u{fffd}b|\n");
    let found = store.get(&[super::key("odd")]).await.unwrap();
    assert_eq!(found[0].as_ref().unwrap().body, r#"{"name":"a\u0000b","content":null}"#, "the body is what was put");
}

#[tokio::test]
async fn a_person_can_read_a_list_row_by_row() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.fresh_name();
    let place = Place { url: cluster.url(&database), schema: "chancery".into() };
    let store = place.open().await;
    let list = ListSchema { kind: "thing", path: "of.parts", view: "parts", columns: &COLUMNS[..1] };
    store.prepare(&Schema { version: 1, kinds: &KINDS, lists: Vec::from([list]).leak() }).await.unwrap();
    for (id, body) in
        [("a", r#"{"of":{"parts":[{"name":"x"},"no object",{"name":"y"}]}}"#), ("b", r#"{"of":{"parts":1}}"#)]
    {
        let mut thing = put(id, Expect::Absent);
        let Write::Put { body: written, .. } = &mut thing.writes[0] else { unreachable!() };
        *written = body.into();
        store.commit(thing).await.unwrap();
    }
    assert_eq!(cluster.sql(&database, "SELECT id, name FROM chancery.parts"), "a|x\na|\na|y\n");
}

#[tokio::test]
async fn a_view_does_not_take_the_place_of_a_table() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.fresh_name();
    let place = Place { url: cluster.url(&database), schema: "chancery".into() };
    let store = place.open().await;
    cluster.sql(&database, "CREATE TABLE chancery.things (a int)");
    let refused = store.prepare(&Schema { version: 1, kinds: &KINDS, lists: &[] }).await;
    assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    store.commit(put("a", Expect::Absent)).await.unwrap();
}

/// The rights that the manual asks for are enough, once an administrator's node has laid everything out.
#[tokio::test]
async fn a_role_that_may_only_read_and_write_is_enough() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.fresh_name();
    let place = Place { url: cluster.url(&database), schema: "chancery".into() };
    let schema = Schema { version: 1, kinds: &KINDS, lists: &[] };
    place.open().await.prepare(&schema).await.unwrap();
    cluster.sql(
        &database,
        "CREATE ROLE node LOGIN; GRANT USAGE ON SCHEMA chancery TO node; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA chancery TO node; \
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA chancery TO node",
    );
    let node = place.options().connect(&place.url.replace("postgres@", "node@")).await.unwrap();
    node.prepare(&schema).await.unwrap();
    let version = node.commit(put("a", Expect::Absent)).await.unwrap();
    node.commit(put("a", Expect::Version(version))).await.unwrap();
    let refused = node.prepare(&Schema { version: 2, kinds: &KINDS, lists: &[] }).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
}
