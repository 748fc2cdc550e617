//! Approval policies: which applies to what, which can be saved, and which requests wait for them.

use chancery::domain::{
    ApprovalPolicySpec, ApprovalPolicyState, ApprovalStep, Member, RequestId, RequestStatus, Role, Span,
};
use chancery::engine::{Error, RequestQuery};
use time::Duration;

use crate::support::{builder, issued, principal, reasons, refused, slug, user};
use crate::{Office, about, faults, step, waits};

#[tokio::test]
async fn a_request_that_its_approvers_could_never_complete_is_refused_at_once() {
    let office = Office::with([step(2, &["user:otto", "user:bob"])]).await;
    let refusal = refused(office.session("otto").submit(&office.ask()).await);
    assert_eq!(reasons(&refusal), [("approval", "approval policy `all`: step 1")]);
    waits(office.session("alice").submit(&office.ask()).await);
}

#[tokio::test]
async fn an_idempotency_key_leads_to_the_request_as_long_as_it_waits() {
    let office = Office::with([step(1, &["user:bob"])]).await;
    let ask = office.ask().idempotency_key("order-1");
    let id = waits(office.session("otto").submit(&ask).await);
    office.world.clock.advance(Duration::days(6));
    office.world.engine.run_due(10).await.unwrap();
    assert_eq!(waits(office.session("otto").submit(&ask).await), id);
    issued(office.approve("bob", id).await);
    let mine = issued(office.session("otto").submit(&ask).await);
    assert_eq!((mine.request, mine.private_key.is_some(), office.certificates().await), (id, true, 1));
}

#[tokio::test]
async fn the_first_policy_in_force_that_is_about_a_request_applies() {
    let office = Office::new().await;
    let application = office.world.application.id;
    let named = |name: &str, approver: &str| ApprovalPolicySpec {
        name: slug(name),
        ..ApprovalPolicySpec::new(slug(name), [step(1, &[approver])])
    };
    office.save(named("first", "user:bob")).await.unwrap();
    office.save(named("second", "user:carol")).await.unwrap();
    let alice = office.session("alice");
    let policy_of = async |id| alice.approval_request(id).await.unwrap().approval.policy;
    assert_eq!(policy_of(office.waiting().await).await, slug("first"));
    for names in [&["second"][..], &["second", "second"], &["first", "third"], &["first", "second", "third"]] {
        let names: Vec<_> = names.iter().map(|name| slug(name)).collect();
        let refused = alice.order_approval_policies(application, &names).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
    }
    alice.order_approval_policies(application, &[slug("second"), slug("first")]).await.unwrap();
    assert_eq!(policy_of(office.waiting().await).await, slug("second"));
    // Changed where it stands.
    let idle = ApprovalPolicySpec { state: ApprovalPolicyState::Inactive, ..named("second", "user:dora") };
    office.save(idle).await.unwrap();
    let names: Vec<_> =
        alice.approval_policies(application).await.unwrap().into_iter().map(|policy| policy.name).collect();
    assert_eq!(names, [slug("second"), slug("first")]);
    assert_eq!(policy_of(office.waiting().await).await, slug("first"));
    alice.delete_approval_policy(application, &slug("first")).await.unwrap();
    issued(office.session("otto").submit(&office.ask()).await);
    let gone = alice.delete_approval_policy(application, &slug("first")).await;
    assert!(matches!(gone, Err(Error::NotFound { .. })), "{gone:?}");
}

#[tokio::test]
async fn conditions_look_at_the_completed_draft() {
    let office = Office::new().await;
    let guarded = r#"{ "profiles": ["web"], "sans": { "dns_name": ["pay.example.com"] }, "validity_over": "1d" }"#;
    office.save(about(serde_json::from_str(guarded).unwrap())).await.unwrap();
    // The length is the profile's default: nobody asked for it.
    waits(office.session("otto").submit(&office.world.enrollment("pay.example.com")).await);
    waits(office.session("otto").submit(&office.world.enrollment("*.example.com")).await);
    issued(office.session("otto").submit(&office.world.enrollment("api.example.com")).await);
    issued(office.session("otto").submit(&office.world.enrollment("pay.example.com").ttl(Span::hours(20))).await);
    let nowhere = about(serde_json::from_str(r#"{ "profiles": ["nowhere"] }"#).unwrap());
    let unknown = office.save(nowhere).await.unwrap_err();
    assert!(matches!(unknown, Error::NotFound { what: "profile", .. }), "{unknown:?}");
}

#[tokio::test]
async fn what_can_not_be_completed_is_not_saved() {
    let office = Office::new().await;
    let save = async |steps: Vec<ApprovalStep>| faults(office.save(ApprovalPolicySpec::new(slug("all"), steps)).await);
    assert_eq!(save(vec![]).await, ["steps"]);
    assert_eq!(save(vec![step(1, &[])]).await, ["steps[0].approvers"]);
    assert_eq!(save(vec![step(0, &["user:bob"])]).await, ["steps[0].required"]);
    assert_eq!(save(vec![step(101, &["group:ops"])]).await, ["steps[0].required"]);
    assert_eq!(save(vec![step(1, &["user:mallory"])]).await, ["steps[0].approvers[0]"]);
    assert_eq!(save(vec![step(1, &["group:other"])]).await, ["steps[0].approvers[0]"]);
    assert_eq!(save(vec![step(1, &["machine:ci", "user:bob"])]).await, ["steps[0].approvers[0]"]);
    assert_eq!(save(vec![step(2, &["user:bob", "user:bob"])]).await, ["steps[0].approvers[1]"]);
    assert_eq!(save(vec![step(2, &["user:bob"])]).await, ["steps[0].required"]);
    // Each votes once in all steps.
    assert_eq!(save(vec![step(1, &["user:bob"]), step(1, &["user:bob"])]).await, ["steps[1].required"]);
    // Of a group, the host alone knows the size.
    office.save(ApprovalPolicySpec::new(slug("all"), [step(100, &["group:ops"])])).await.unwrap();
    for at in 0..49 {
        office.save(ApprovalPolicySpec::new(slug(&format!("p{at}")), [step(1, &["user:bob"])])).await.unwrap();
    }
    let one_more = ApprovalPolicySpec::new(slug("more"), [step(1, &["user:bob"])]);
    assert_eq!(faults(office.save(one_more).await), ["name"]);
}

#[tokio::test]
async fn a_quorum_that_is_lost_is_found_when_members_leave() {
    let office = Office::with([step(1, &["user:dora"]), step(2, &["user:bob", "user:carol"])]).await;
    let (alice, application) = (office.session("alice"), office.world.application.id);
    assert!(alice.unreachable_approvals(application).await.unwrap().is_empty());
    alice.remove_member(application, &principal("user:audra")).await.unwrap();
    assert_eq!(office.told("approval-unreachable").await, 0);
    alice.remove_member(application, &principal("user:carol")).await.unwrap();
    let lost = alice.unreachable_approvals(application).await.unwrap();
    assert_eq!((lost.len(), lost[0].policy.as_str(), lost[0].step), (1, "all", 1));
    assert_eq!(office.told("approval-unreachable").await, 1);
    // Told once, and what still can not be completed is refused at once instead of waiting in vain.
    alice.remove_member(application, &principal("group:ops")).await.unwrap();
    assert_eq!(office.told("approval-unreachable").await, 1);
    assert_eq!(refused(office.session("otto").submit(&office.ask()).await).violations[0].field, "approval");
    alice.set_member(application, Member { principal: principal("user:carol"), role: Role::Auditor }).await.unwrap();
    assert!(alice.unreachable_approvals(application).await.unwrap().is_empty());
    waits(office.session("otto").submit(&office.ask()).await);
}

#[tokio::test]
async fn requests_are_listed_by_state_the_latest_first() {
    let office = Office::new().await;
    office.world.issue("free.example.com").await;
    office.save(ApprovalPolicySpec::new(slug("all"), [step(1, &["user:bob"])])).await.unwrap();
    let mut ids = Vec::new();
    for at in 0..5 {
        office.world.clock.advance(Duration::SECOND);
        ids.push(waits(office.session("otto").submit(&office.world.enrollment(&format!("{at}.example.com"))).await));
    }
    issued(office.approve("bob", ids[1]).await);
    refused(office.session("otto").cancel(ids[3]).await);
    let (audra, application) = (office.session("audra"), office.world.application.id);
    let list = async |status, page_size| {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = audra.requests(application, RequestQuery { status, page_size }, after.as_ref()).await.unwrap();
            found.extend(page.items);
            after = page.next;
            if after.is_none() {
                return found;
            }
        }
    };
    let all = list(None, 2).await;
    let order: Vec<RequestId> = all.iter().map(|each| each.id).collect();
    assert_eq!(order[..5], [ids[4], ids[3], ids[2], ids[1], ids[0]]);
    assert_eq!(order.len(), 6);
    let of = async |status| list(Some(status), 1).await.into_iter().map(|each| each.id).collect::<Vec<_>>();
    assert_eq!(of(RequestStatus::AwaitingApproval).await, [ids[4], ids[2], ids[0]]);
    assert_eq!(of(RequestStatus::Issued).await.len(), 2);
    assert_eq!(of(RequestStatus::Cancelled).await, [ids[3]]);
    assert!(all[3].certificate.is_some());
    let decided = audra.approval_requests(application, RequestStatus::Issued, None).await.unwrap().items;
    assert_eq!(decided.iter().map(|each| each.id).collect::<Vec<_>>(), [ids[1]], "not the one that needed none");
    let open = audra.approval_requests(application, RequestStatus::AwaitingApproval, None).await.unwrap().items;
    assert_eq!(open.iter().map(|each| each.id).collect::<Vec<_>>(), [ids[4], ids[2], ids[0]]);
    office.world.clock.advance(Duration::days(8));
    let open = audra.approval_requests(application, RequestStatus::AwaitingApproval, None).await.unwrap().items;
    assert!(open.is_empty(), "expired, recorded or not");
}

#[tokio::test]
async fn a_process_that_has_not_heard_of_a_policy_issues_nothing_without_it() {
    let office = Office::new().await;
    let elsewhere = builder(office.store.clone(), &office.world.clock, 9).build().await.unwrap();
    let otto = elsewhere.acting_as(user("otto"));
    issued(otto.submit(&office.ask()).await);
    office.save(ApprovalPolicySpec::new(slug("all"), [step(1, &["user:bob"])])).await.unwrap();
    let id = waits(otto.submit(&office.ask()).await);
    // Nor the other way round, of the members that a vote rests on.
    let bob = elsewhere.acting_as(user("bob"));
    let digest = office.digest(id).await;
    office.session("alice").delete_approval_policy(office.world.application.id, &slug("all")).await.unwrap();
    issued(otto.submit(&office.ask()).await);
    issued(bob.approve(id, &digest, "").await);
}
