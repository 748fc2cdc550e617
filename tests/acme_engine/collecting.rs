//! What is over is collected: orders, authorizations, and the marks that they left.

use chancery::domain::{AcmeChecks, AcmeSettings};
use chancery::store::MemoryStore;
use time::Duration;

use super::scene::{Scene, csr};
use super::support::bodies;

#[tokio::test]
async fn orders_and_authorizations_go_after_a_week_and_certificates_stay() {
    let store = MemoryStore::new();
    let settings = AcmeSettings { checks: AcmeChecks::SkipAccountBinding, ..AcmeSettings::default() };
    let scene = Scene::over(store.clone(), settings).await;
    let account = scene.account(1).await;
    let order = scene.ready(&account, &["a.example.com"]).await;
    scene.finalize(&account, order.order.id, &csr(&["a.example.com"])).await.unwrap();
    scene.order(&account, &["never-proved.example.com"]).await;
    scene.world.clock.advance(Duration::days(2));
    scene.work().await;
    assert_eq!((bodies(&store, "acme_order").await.len(), bodies(&store, "acme_authorization").await.len()), (2, 2));
    scene.world.clock.advance(Duration::days(7));
    scene.work().await;
    assert_eq!((bodies(&store, "acme_order").await.len(), bodies(&store, "acme_authorization").await.len()), (0, 0));
    assert_eq!(bodies(&store, "certificate").await.iter().filter(|each| each["origin"] == "profile").count(), 1);
    assert_eq!(bodies(&store, "acme_account").await.len(), 1);
    let next = scene.world.engine.until_next_due().await.unwrap();
    assert!(next.is_some_and(|next| next > std::time::Duration::ZERO), "nothing is left that is due: {next:?}");
}
