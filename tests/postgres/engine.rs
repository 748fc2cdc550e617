//! The engine's main walk over PostgreSQL: ask, approve, renew, revoke; and what a person reads of it.

use chancery::domain::{ApprovalPolicySpec, ApprovalStep, Member, RenewalKey, Role};
use chancery::engine::Outcome;
use chancery::x509::RevocationReason;

use super::support::{HOURS, World, issued, principal, slug};
use super::{Cluster, Place};

#[tokio::test]
async fn a_certificate_is_asked_for_approved_renewed_and_revoked() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.fresh_name();
    let place = Place::new(&cluster.url(&database));
    let world = World::over(place.open().await).await;
    let first = world.issue("api.example.com").await;
    let (alice, application) = (world.session("alice"), world.application.id);
    alice.set_member(application, Member { principal: principal("user:bob"), role: Role::Auditor }).await.unwrap();
    let steps = [ApprovalStep::new(1, [principal("user:bob")])];
    alice.save_approval_policy(application, ApprovalPolicySpec::new(slug("all"), steps)).await.unwrap();
    let Outcome::Pending(pending) = world.session("otto").submit(&world.enrollment("b.example.com")).await.unwrap()
    else {
        panic!("nobody need approve")
    };
    let seen = world.session("audra").approval_request(pending.id).await.unwrap();
    issued(world.session("bob").approve(pending.id, &seen.approval.digest, "").await);
    let renewed = world.session("otto").renew(first.record.id, RenewalKey::New).await;
    println!("renewal: {renewed:?}");
    world.session("alice").revoke(first.record.id, RevocationReason::Superseded).await.unwrap();
    for _ in 0..5 {
        world.clock.advance(HOURS);
        world.engine.run_due(100).await.unwrap();
    }
    let count = |view: &str| {
        cluster
            .sql(&database, &format!("SELECT count(*) FROM \"{}\".{view}", place.schema))
            .trim()
            .parse::<u32>()
            .unwrap()
    };
    for view in ["applications", "profiles", "certificates", "requests", "approvals", "events"] {
        assert!(count(view) > 0, "{view} is empty");
    }
}
