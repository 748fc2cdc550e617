//! Conditions, quorums, votes and the digest's form, without a store.

use proptest::prelude::*;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::*;
use crate::domain::{
    Actor, ApplicationId, CertificateId, Decision, Enrollment, Member, Method, Principal, ProfileId, RenewalKey, Role,
    Source, Span,
};
use crate::x509::{
    Attribute, BasicConstraints, Content, Csr, KeyAlgorithm, KeyUsage, KeyUsages, San, SanKind, SignatureAlgorithm,
    Subject, Validity,
};

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

fn profile(at: u8) -> ProfileId {
    ProfileId::new(NOW, [at; 10])
}

fn principal(text: &str) -> Principal {
    text.parse().unwrap()
}

fn content(common_name: &str, names: &[&str]) -> Content {
    let subject = Some(common_name).filter(|name| !name.is_empty()).map(|name| (Attribute::CommonName, name));
    Content {
        subject: Subject::from_parts(subject).unwrap(),
        sans: names.iter().map(|name| San::dns(name).unwrap()).collect(),
        key_algorithm: KeyAlgorithm::P256,
        signature_algorithm: SignatureAlgorithm::EcdsaSha256,
        validity: Validity::new(NOW, NOW + Duration::days(47)).unwrap(),
        key_usages: KeyUsages::default(),
        extended_key_usages: Vec::new(),
        basic_constraints: BasicConstraints::EndEntity,
    }
}

fn enrollment() -> Enrollment {
    Enrollment::managed(ApplicationId::new(NOW, [1; 10]), profile(1))
}

fn step(required: u32, approvers: &[&str]) -> ApprovalStep {
    ApprovalStep::new(required, approvers.iter().map(|each| principal(each)))
}

fn policy(conditions: &str) -> ApprovalPolicy {
    let conditions: Conditions<ProfileId> = serde_json::from_str(conditions).unwrap();
    assert_eq!(conditions.faults(), Vec::new());
    let spec = ApprovalPolicySpec::new("all".parse().unwrap(), [step(1, &["user:bob"])]);
    let policy = spec.kept(Vec::new());
    ApprovalPolicy { conditions, ..policy }
}

fn waits(conditions: &str, requester: &str, method: Method, content: &Content) -> bool {
    let requester = principal(requester);
    let candidate = Candidate { profile: profile(1), method, requester: &requester, content };
    candidate.approval(&[policy(conditions)]).is_some()
}

#[test]
fn every_condition_that_is_given_must_hold_and_one_entry_of_each_list() {
    let plain = content("", &["api.example.com", "www.example.com"]);
    let (own, other) = (profile(1), profile(2));
    for (conditions, expected) in [
        ("{}".to_owned(), true),
        (format!(r#"{{ "profiles": ["{own}"] }}"#), true),
        (format!(r#"{{ "profiles": ["{other}"] }}"#), false),
        (format!(r#"{{ "profiles": ["{other}", "{own}"] }}"#), true),
        (format!(r#"{{ "profiles": ["{own}"], "methods": ["acme"] }}"#), false),
        (r#"{ "methods": ["acme", "api"] }"#.into(), true),
        (r#"{ "requesters": ["user"] }"#.into(), true),
        (r#"{ "requesters": ["machine"] }"#.into(), false),
        (r#"{ "requesters": ["machine", "user"] }"#.into(), true),
        (r#"{ "key_algorithms": ["EC_prime256v1"] }"#.into(), true),
        (r#"{ "key_algorithms": ["RSA_2048"] }"#.into(), false),
        (r#"{ "validity_over": "46d" }"#.into(), true),
        (r#"{ "validity_over": "47d" }"#.into(), false),
        (r#"{ "sans": { "dns_name": ["*.example.com"] } }"#.into(), true),
        (r#"{ "sans": { "dns_name": ["www.example.com"] } }"#.into(), true),
        (r#"{ "sans": { "dns_name": ["example.com", "**.example.org"] } }"#.into(), false),
        (r#"{ "sans": { "dns_name": ["*"] } }"#.into(), true),
        (r#"{ "sans": { "ip_address": ["*"] } }"#.into(), false),
        (r#"{ "sans": { "ip_address": ["10.0.0.0/8"], "dns_name": ["api.example.com"] } }"#.into(), true),
        (r#"{ "sans": { "dns_name": ["api.example.com"] }, "validity_over": "90d" }"#.into(), false),
    ] {
        assert_eq!(waits(&conditions, "user:otto", Method::Api, &plain), expected, "{conditions}");
    }
}

#[test]
fn a_guarded_name_is_not_dodged_by_a_wildcard_or_the_common_name() {
    let guarded = r#"{ "sans": { "dns_name": ["pay.example.com"] } }"#;
    for (common_name, names, expected) in [
        ("", &["pay.example.com"][..], true),
        ("", &["PAY.example.com"], true),
        ("", &["*.example.com"], true),
        ("pay.example.com", &["api.example.com"], true),
        ("Pay.Example.com.", &[], true),
        ("", &["api.example.com"], false),
        ("Payments", &["a.pay.example.com"], false),
    ] {
        let content = content(common_name, names);
        assert_eq!(waits(guarded, "user:otto", Method::Api, &content), expected, "{common_name} {names:?}");
    }
}

#[test]
fn faults_of_conditions_have_their_path() {
    let read = |text: &str| serde_json::from_str::<Conditions<ProfileId>>(text).unwrap().faults();
    let paths = |text: &str| read(text).into_iter().map(|(path, _)| path).collect::<Vec<_>>();
    assert_eq!(paths(r#"{ "sans": { "dns_name": ["ok.example", "a b"] } }"#), ["conditions.sans.dns_name[1]"]);
    assert_eq!(paths(r#"{ "sans": { "ip_address": ["10.0.0.1/8"] } }"#), ["conditions.sans.ip_address[0]"]);
    assert_eq!(paths(r#"{ "sans": { "uri": [] } }"#), ["conditions.sans.uri"]);
    let many: Vec<String> = (0..101).map(|at| format!("h{at}.example.com")).collect();
    let many = serde_json::json!({ "sans": { "dns_name": many } }).to_string();
    assert_eq!(paths(&many), ["conditions"]);
}

fn member(text: &str, role: Role) -> Member {
    Member { principal: principal(text), role }
}

#[test]
fn quorums_that_can_and_can_not_be_reached() {
    use SelfApproval::{Allowed, Forbidden};
    let operators = |names: &[&str]| names.iter().map(|name| member(name, Role::Operator)).collect::<Vec<_>>();
    let mut readers = operators(&["user:otto"]);
    readers.extend(["user:a", "user:b", "user:c"].map(|name| member(name, Role::Auditor)));
    for (label, steps, self_approval, members, expected) in [
        ("enough", vec![step(2, &["user:a", "user:b"])], Forbidden, readers.clone(), vec![]),
        ("too few", vec![step(3, &["user:a", "user:b"])], Forbidden, readers.clone(), vec![0]),
        ("no member", vec![step(1, &["user:x"])], Forbidden, readers.clone(), vec![0]),
        ("group", vec![step(50, &["group:g"])], Forbidden, vec![member("group:g", Role::Auditor)], vec![]),
        ("group that is no member", vec![step(1, &["group:g"])], Forbidden, readers.clone(), vec![0]),
        ("once each", vec![step(1, &["user:a"]), step(1, &["user:a"])], Forbidden, readers.clone(), vec![1]),
        ("moved", vec![step(1, &["user:a", "user:b"]), step(1, &["user:a"])], Forbidden, readers.clone(), vec![]),
        ("alone", vec![step(1, &["user:a"])], Forbidden, operators(&["user:a"]), vec![0]),
        ("alone, allowed", vec![step(1, &["user:a"])], Allowed, operators(&["user:a"]), vec![]),
        ("each other", vec![step(1, &["user:a", "user:b"])], Forbidden, operators(&["user:a", "user:b"]), vec![]),
        ("both", vec![step(2, &["user:a", "user:b"])], Forbidden, operators(&["user:a", "user:b"]), vec![0]),
        ("others ask", vec![step(1, &["user:a"])], Forbidden, operators(&["user:a", "machine:ci"]), vec![]),
    ] {
        assert_eq!(unreachable_steps(&steps, self_approval, &members), expected, "{label}");
    }
}

/// Whether voters can be assigned to steps, by trying everything.
fn can_be_seated(steps: &[(u32, Vec<usize>)], taken: u32) -> bool {
    let Some(((required, approvers), rest)) = steps.split_first() else { return true };
    if *required == 0 {
        return can_be_seated(rest, taken);
    }
    approvers.iter().filter(|user| taken & (1 << **user) == 0).any(|user| {
        let mut less = vec![(required - 1, approvers.clone())];
        less.extend_from_slice(rest);
        can_be_seated(&less, taken | (1 << user))
    })
}

proptest! {
    #[test]
    fn the_matching_finds_what_trying_everything_finds(
        steps in prop::collection::vec((1_u32..3, prop::collection::btree_set(0_usize..6, 1..5)), 1..4),
    ) {
        let name = |user: usize| principal(&format!("user:u{user}"));
        let members: Vec<Member> = (0..6).map(|user| Member { principal: name(user), role: Role::Auditor }).collect();
        let plain: Vec<(u32, Vec<usize>)> =
            steps.iter().map(|(required, users)| (*required, users.iter().copied().collect())).collect();
        let steps: Vec<ApprovalStep> =
            steps.into_iter().map(|(required, users)| ApprovalStep::new(required, users.into_iter().map(name))).collect();
        let found = unreachable_steps(&steps, SelfApproval::Forbidden, &members).is_empty();
        prop_assert_eq!(found, can_be_seated(&plain, 0));
    }
}

fn approval(steps: impl IntoIterator<Item = ApprovalStep>) -> Approval {
    let spec = ApprovalPolicySpec::new("all".parse().unwrap(), steps);
    let asked = (Ask::of(&enrollment()), content("", &["api.example.com"]));
    Approval::new(&spec.kept(Vec::new()), asked, "digest".into(), NOW)
}

fn vote(approval: &Approval, voter: &str, decision: Decision) -> Result<Count, VoteRefusal> {
    let ballot = Ballot { decision, digest: "digest".into(), comment: String::new() };
    let voter = Actor::of_record(principal(voter));
    approval.count((&voter, &principal("user:otto")), &ballot, NOW)
}

#[test]
fn votes_are_counted_step_by_step() {
    let open = approval([step(2, &["user:a", "user:b", "user:c"]), step(1, &["user:c", "user:d"])]);
    assert_eq!((open.current_step(), open.still_required(0)), (Some(0), 2));
    let Ok(Count::Open(one)) = vote(&open, "user:a", Decision::Approve) else { panic!() };
    assert_eq!((one.current_step(), one.still_required(0)), (Some(0), 1));
    assert_eq!(vote(&one, "user:a", Decision::Approve), Ok(Count::Repeated));
    assert_eq!(vote(&one, "user:d", Decision::Approve), Err(VoteRefusal::NotApprover { step: 0 }));
    let Ok(Count::Open(two)) = vote(&one, "user:c", Decision::Approve) else { panic!() };
    assert_eq!(two.current_step(), Some(1));
    let again = VoteRefusal::AlreadyVoted { voter: principal("user:c"), step: 0 };
    assert_eq!(vote(&two, "user:c", Decision::Reject), Err(again));
    assert!(matches!(vote(&two, "user:d", Decision::Reject), Ok(Count::Rejected(_))));
    assert!(matches!(vote(&two, "user:d", Decision::Approve), Ok(Count::Agreed(_))));
}

#[test]
fn a_vote_does_not_take_away_the_only_approver_of_a_later_step() {
    let open = approval([step(1, &["user:a", "user:b"]), step(1, &["user:a"])]);
    assert_eq!(vote(&open, "user:a", Decision::Approve), Err(VoteRefusal::NeededLater { step: 1 }));
    assert!(matches!(vote(&open, "user:a", Decision::Reject), Ok(Count::Rejected(_))));
    let Ok(Count::Open(next)) = vote(&open, "user:b", Decision::Approve) else { panic!() };
    assert!(matches!(vote(&next, "user:a", Decision::Approve), Ok(Count::Agreed(_))));
}

fn csr() -> Csr {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["api.example.com".to_owned()]).unwrap();
    Csr::parse(params.serialize_request(&key).unwrap().der()).unwrap()
}

fn renewal(key: RenewalKey) -> Source {
    Source::Renewal { certificate: CertificateId::new(NOW, [3; 10]), key }
}

#[test]
fn an_ask_comes_back_from_the_store_as_it_was() {
    let full = enrollment()
        .common_name("api.example.com")
        .without(Attribute::Country)
        .attribute(Attribute::Organization, "Example GmbH")
        .dns("not a name at all")
        .san(SanKind::IpAddress, "192.0.2.7")
        .key_algorithm(KeyAlgorithm::P384)
        .ttl(Span::hours(36))
        .tag("team", "payments");
    for source in [
        Source::Managed,
        Source::Csr(Box::new(csr())),
        renewal(RenewalKey::New),
        renewal(RenewalKey::Reused),
        renewal(RenewalKey::Csr(Box::new(csr()))),
    ] {
        let mut asked = Enrollment { source, method: Method::Est, ..full.clone() };
        asked.terms.not_before = Some(NOW);
        asked.terms.basic_constraints = Some(BasicConstraints::Ca { path_length: Some(1) });
        let ask = Ask::of(&asked);
        let kept: Ask = serde_json::from_str(&serde_json::to_string(&ask).unwrap()).unwrap();
        assert_eq!(kept, ask);
        let back = kept.enrollment().unwrap();
        assert_eq!(format!("{back:?}"), format!("{asked:?}"));
    }
}

#[test]
fn the_digest_sees_everything_but_the_moment_of_issue() {
    let shown = |asked: &Enrollment, content: &Content| shown_octets(asked, content).unwrap();
    let later = |content: &Content| Content {
        validity: Validity::new(NOW + Duration::DAY, NOW + Duration::days(48)).unwrap(),
        ..content.clone()
    };
    let (asked, plain) = (enrollment(), content("", &["api.example.com"]));
    assert_eq!(shown(&asked, &plain), shown(&asked, &later(&plain)), "a length was asked for");
    assert_eq!(drift(&asked, &plain, &later(&plain)), Vec::new());
    let mut dated = enrollment();
    dated.terms.not_after = Some(NOW + Duration::days(47));
    assert_ne!(shown(&dated, &plain), shown(&dated, &later(&plain)), "a date was asked for");
    assert_eq!(drift(&dated, &plain, &later(&plain))[0].field, "validity");
    let mut starting = enrollment();
    starting.terms.not_before = Some(NOW);
    assert_ne!(shown(&starting, &plain), shown(&starting, &later(&plain)));
    let change = |edit: fn(&mut Content)| {
        let mut changed = plain.clone();
        edit(&mut changed);
        changed
    };
    let (new_key, same_key) = (csr(), csr());
    let by_csr = |csr: &Csr| Enrollment { source: Source::Csr(Box::new(csr.clone())), ..enrollment() };
    for (field, changed) in [
        ("subject", change(|c| c.subject = Subject::from_parts([(Attribute::CommonName, "x")]).unwrap())),
        ("sans", change(|c| c.sans.push(San::dns("b.example.com").unwrap()))),
        ("key_algorithm", change(|c| c.key_algorithm = KeyAlgorithm::P384)),
        ("signature_algorithm", change(|c| c.signature_algorithm = SignatureAlgorithm::EcdsaSha384)),
        ("validity", change(|c| c.validity = Validity::new(NOW, NOW + Duration::days(48)).unwrap())),
        ("key_usages", change(|c| c.key_usages = KeyUsages::from([KeyUsage::CrlSign]))),
        ("extended_key_usages", change(|c| c.extended_key_usages.push(crate::x509::ExtendedKeyUsage::ServerAuth))),
        ("basic_constraints", change(|c| c.basic_constraints = BasicConstraints::Ca { path_length: None })),
    ] {
        assert_ne!(shown(&asked, &plain), shown(&asked, &changed), "{field}");
        let drifted = drift(&asked, &plain, &changed);
        assert_eq!(drifted.iter().map(|each| each.field.as_str()).collect::<Vec<_>>(), [field]);
    }
    assert_ne!(shown(&by_csr(&new_key), &plain), shown(&by_csr(&same_key), &plain), "the public key");
    assert_ne!(shown(&asked, &plain), shown(&by_csr(&new_key), &plain), "where the key comes from");
    let renewed = |key| Enrollment { source: renewal(key), ..enrollment() };
    assert_ne!(shown(&asked, &plain), shown(&renewed(RenewalKey::New), &plain), "what is replaced");
    assert_ne!(shown(&renewed(RenewalKey::New), &plain), shown(&renewed(RenewalKey::Reused), &plain));
    let elsewhere = Enrollment { profile: profile(2), ..enrollment() };
    assert_ne!(shown(&asked, &plain), shown(&elsewhere, &plain), "the profile");
}

#[test]
fn the_manuals_example_is_an_approval_policy() {
    let manual = include_str!("../../manual/approvals.md");
    let example = manual.split("```json").nth(1).unwrap().split("```").next().unwrap();
    let spec: ApprovalPolicySpec = serde_json::from_str(example).unwrap();
    let members = ["user:alice", "user:bob", "group:leads", "group:security"];
    let members: Vec<Member> = members.iter().map(|name| member(name, Role::Auditor)).collect();
    assert_eq!(spec.faults(&members), Vec::new());
    let least = serde_json::json!({ "name": "production", "steps": spec.steps });
    let least: ApprovalPolicySpec = serde_json::from_value(least).unwrap();
    let ApprovalPolicySpec { description, conditions, .. } = spec.clone();
    assert_eq!(ApprovalPolicySpec { description, conditions, ..least }, spec, "it shows the defaults");
}
