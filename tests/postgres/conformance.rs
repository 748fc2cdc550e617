//! The conformance kit.

use std::sync::Arc;

use chancery::store::postgres::Isolation;
use chancery::store::{Store, conformance};

use super::{Cluster, Place};

#[tokio::test]
async fn the_postgres_store_conforms() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.fresh();
    conformance::run_durable(async || Place::new(&url), async |place: &Place| place.open().await).await.assert_passed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_postgres_store_under_the_servers_own_serializable_conforms() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.fresh();
    let open = async |place: &Place| {
        let options = place.options().isolation(Isolation::Serializable);
        Arc::new(options.connect(&place.url).await.unwrap()) as Arc<dyn Store>
    };
    conformance::run_durable(async || Place::new(&url), open).await.assert_passed();
}
