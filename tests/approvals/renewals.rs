//! Renewals that say more than before, and so wait for people.

use chancery::domain::{CertificateRecord, Enrollment, Methods};

use super::*;

/// An office with a certificate that is old enough, and a policy that came after it.
async fn with_a_certificate() -> (Office, CertificateRecord) {
    let office = Office::new().await;
    let ask = office.ask().ttl(Span::days(90));
    let record = issued(office.session("alice").submit(&ask).await).record;
    office.save(ApprovalPolicySpec::new(slug("all"), [step(1, &["user:bob"])])).await.unwrap();
    office.world.clock.advance(Duration::hours(2));
    (office, record)
}

fn with(record: &CertificateRecord, name: &str) -> Enrollment {
    Enrollment::renewal(record).unwrap().dns(name)
}

#[tokio::test]
async fn one_waits_at_a_time() {
    let (office, record) = with_a_certificate().await;
    let first = waits(office.session("alice").submit(&with(&record, "one.example.com")).await);
    let (again, two) = (with(&record, "one.example.com"), with(&record, "two.example.com"));
    for second in [again, two.clone()] {
        let refusal = refused(office.session("alice").submit(&second).await);
        assert_eq!(refusal.violations.len(), 1, "{refusal:?}");
        assert_eq!(refusal.violations[0].rule, "renewal.open");
        assert!(refusal.violations[0].seen.contains(&first.to_string()), "{refusal:?}");
    }
    office.session("alice").cancel(first).await.unwrap();
    let second = waits(office.session("alice").submit(&two).await);
    let Outcome::Issued(successor) = office.approve("bob", second).await.unwrap() else { panic!("not issued") };
    assert_eq!((successor.record.lineage, successor.record.replaces), (record.lineage, Some(record.id)));
    let names: Vec<String> = successor.record.sans.iter().map(|san| san.value()).collect();
    assert_eq!(names, ["two.example.com"]);
    let replaced = office.session("alice").certificate(record.id).await.unwrap();
    assert_eq!(replaced.replaced_by, Some(successor.record.id));
    assert_eq!(office.certificates().await, 2);
}

#[tokio::test]
async fn two_that_meet_are_one() {
    use chancery::store::MemoryStore;
    let (office, record) = with_a_certificate().await;
    let other = support::builder(MemoryStore::clone(&office.store), &office.world.clock, 7).build().await.unwrap();
    let other = other.acting_as(user("alice"));
    let (one, two) = (with(&record, "one.example.com"), with(&record, "two.example.com"));
    let alice = office.session("alice");
    let both = tokio::join!(alice.submit(&one), other.submit(&two));
    let waiting = [both.0, both.1].into_iter().filter(|outcome| matches!(outcome, Ok(Outcome::Pending(_)))).count();
    assert_eq!(waiting, 1);
    let states = bodies(&office.store, "request").await;
    assert_eq!(states.iter().filter(|each| each["state"]["state"] == "awaiting_approval").count(), 1);
}

#[tokio::test]
async fn people_who_do_not_decide_let_nothing_expire() {
    let (office, record) = with_a_certificate().await;
    let methods: Methods = serde_json::from_str(r#"{ "api": { "auto_renew": "30d" } }"#).unwrap();
    let (application, profile) = (office.world.application.id, office.world.profile.id);
    office.session("alice").set_methods(application, profile, methods).await.unwrap();
    office.world.clock.advance(Duration::days(69));
    let asked = waits(office.session("alice").submit(&with(&record, "one.example.com")).await);
    office.world.clock.advance(Duration::days(3));
    while office.world.engine.run_due(100).await.unwrap().total() > 0 {}
    let renewed = office.session("alice").certificate(record.id).await.unwrap();
    let successor = office.session("alice").certificate(renewed.replaced_by.unwrap()).await.unwrap();
    assert_eq!(successor.sans, record.sans, "as it was");
    let refusal = refused(office.approve("bob", asked).await);
    assert!(refusal.violations.iter().any(|violation| violation.rule == "renewal.eligibility"), "{refusal:?}");
    assert_eq!(office.status(asked).await, RequestStatus::Voided);
    assert_eq!(office.certificates().await, 2);
}
