//! Tests of how an order looks: a table of its authorizations.

use time::macros::datetime;

use super::*;
use crate::domain::Span;
use crate::domain::acme::{Challenge, ChallengeKind, ChallengeState, ValidationError, ValidationFault};

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

fn order(identifiers: usize) -> Order {
    let ids = 0..u8::try_from(identifiers).unwrap();
    Order {
        id: AcmeOrderId::new(NOW, [1; 10]),
        account: AcmeAccountId::new(NOW, [2; 10]),
        application: ApplicationId::new(NOW, [3; 10]),
        profile: ProfileId::new(NOW, [4; 10]),
        chosen: None,
        identifiers: ids.clone().map(|at| Identifier::dns(&format!("h{at}.example.com")).unwrap()).collect(),
        authorizations: ids.map(|at| AcmeAuthorizationId::new(NOW, [at; 10])).collect(),
        not_before: None,
        not_after: None,
        replaces: None,
        state: OrderState::Open,
        created_at: NOW,
        expires_at: NOW + Duration::DAY,
        collect_at: Order::collected(NOW + Duration::DAY),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum A {
    Pending,
    Shown,
    Waived,
    Failed,
    GivenUp,
    Expired,
    Gone,
}

fn authorization(how: A) -> Option<Authorization> {
    let challenge = |state| vec![Challenge { kind: ChallengeKind::Http01, state }];
    let shown = AuthorizationState::Valid { proof: Proof::Shown { kind: ChallengeKind::Http01, at: NOW } };
    let error = ValidationError::new(ValidationFault::Caa, "seen");
    let state = match how {
        A::Pending => AuthorizationState::Pending { challenges: challenge(ChallengeState::Pending) },
        A::Shown | A::Expired => shown,
        A::Waived => AuthorizationState::Valid { proof: Proof::Waived },
        A::Failed => AuthorizationState::Invalid { challenges: challenge(ChallengeState::Invalid { at: NOW, error }) },
        A::GivenUp => AuthorizationState::Deactivated,
        A::Gone => return None,
    };
    let life = if how == A::Expired { Span::minutes(0) } else { Span::hours(1) };
    Some(Authorization {
        id: AcmeAuthorizationId::new(NOW, [9; 10]),
        account: AcmeAccountId::new(NOW, [2; 10]),
        account_url: None,
        application: ApplicationId::new(NOW, [3; 10]),
        profile: ProfileId::new(NOW, [4; 10]),
        identifier: Identifier::dns("h0.example.com").unwrap(),
        token: String::new(),
        state,
        created_at: NOW,
        expires_at: NOW + life.as_duration(),
    })
}

#[test]
fn authorizations_decide_how_an_open_order_looks() {
    use OrderStatus::{Pending, Ready};
    use Ownership::{Required, Skipped};
    for (seen, ownership, expected) in [
        (&[A::Shown, A::Shown][..], Required, Ok(Ready)),
        (&[A::Shown, A::Pending], Required, Ok(Pending)),
        (&[A::Pending, A::Pending], Required, Ok(Pending)),
        (&[A::Waived, A::Waived], Skipped, Ok(Ready)),
        (&[A::Shown, A::Waived], Skipped, Ok(Ready)),
        (&[A::Shown, A::Waived], Required, Err(ProblemKind::Unauthorized)),
        (&[A::Shown, A::Failed], Required, Err(ProblemKind::Caa)),
        (&[A::Pending, A::Failed], Required, Err(ProblemKind::Caa)),
        (&[A::Failed, A::GivenUp], Required, Err(ProblemKind::Compound)),
        (&[A::Shown, A::GivenUp], Required, Err(ProblemKind::Unauthorized)),
        (&[A::Shown, A::Expired], Required, Err(ProblemKind::Unauthorized)),
        (&[A::Shown, A::Gone], Required, Err(ProblemKind::Unauthorized)),
        (&[A::Shown], Required, Ok(Pending)),
    ] {
        let authorizations: Vec<Option<Authorization>> = seen.iter().map(|each| authorization(*each)).collect();
        let looks = order(2).open_status(&authorizations, (ownership, NOW));
        assert_eq!(looks.map_err(|problem| problem.kind), expected, "{seen:?} {ownership:?}");
    }
}

#[test]
fn an_order_whose_time_has_passed_is_invalid_whatever_was_proved() {
    let proved = [authorization(A::Shown)];
    let late = order(1).open_status(&proved, (Ownership::Required, NOW + Duration::DAY));
    assert_eq!(late.unwrap_err().kind, ProblemKind::Malformed);
}
