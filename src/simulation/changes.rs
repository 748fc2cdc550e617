//! What people change in a simulated world: rules, members, and what is said about renewal; and that things go badly wrong.

use time::Duration;

use super::moves::Visit;
use super::office::{LONGEST, SHORTER, methods, policy, principal, profile, session};
use crate::domain::{AutoRenewal, IncidentSelection, IncidentSpec, Member, Role, Span};
use crate::engine::Error;
use crate::x509::RevocationReason;

/// A change that chance decides.
pub(super) async fn change(visit: &Visit) -> Result<(), Error> {
    let stage = &visit.stage;
    match stage.draw(7) {
        0 => change_policy(visit).await,
        1 => change_profile(visit).await,
        2 => detach(visit).await,
        3 => attach(visit).await,
        4 if stage.strikes(3) => open_incident(visit).await,
        5 => change_members(visit).await,
        _ => set_renewal(visit).await,
    }
}

async fn change_policy(visit: &Visit) -> Result<(), Error> {
    let longest = if visit.stage.strikes(2) { LONGEST } else { SHORTER };
    let saved = session(&visit.desk.0, "root")?.save_policy(policy(longest)?).await?;
    visit.stage.tell(format_args!("policy revision {} allows {longest}", saved.revision));
    Ok(())
}

async fn change_profile(visit: &Visit) -> Result<(), Error> {
    let ttl = Span::days(u16::try_from(1 + visit.stage.draw(3)).unwrap_or(1));
    let saved = session(&visit.desk.0, "root")?.save_profile(profile("web", ttl)?).await?;
    visit.stage.tell(format_args!("profile revision {} says {ttl}", saved.revision));
    Ok(())
}

async fn detach(visit: &Visit) -> Result<(), Error> {
    let office = &visit.desk.1;
    session(&visit.desk.0, "root")?.detach_profile(office.application, office.web).await?;
    visit.stage.tell("the profile is detached");
    Ok(())
}

async fn attach(visit: &Visit) -> Result<(), Error> {
    let (office, alice) = (&visit.desk.1, session(&visit.desk.0, "alice")?);
    session(&visit.desk.0, "root")?.attach_profile(office.application, office.web).await?;
    alice.set_methods(office.application, office.web, methods()).await?;
    visit.stage.tell("the profile is attached");
    Ok(())
}

/// All that ends within some hours must go, whoever owns it.
async fn open_incident(visit: &Visit) -> Result<(), Error> {
    let (office, now) = (&visit.desk.1, visit.stage.now());
    let select = IncidentSelection {
        application: Some(office.application),
        profile: Some(office.web),
        ends_before: Some(now + Duration::hours(30)),
        ..IncidentSelection::default()
    };
    let spec = IncidentSpec {
        reason: RevocationReason::Superseded,
        select,
        deadline: now + Duration::hours(6),
        spread: Span::hours(2),
        explanation: None,
        note: String::new(),
    };
    let incident = session(&visit.desk.0, "root")?.open_incident(spec).await?;
    visit.stage.tell(format_args!("{} is opened", incident.id));
    Ok(())
}

async fn change_members(visit: &Visit) -> Result<(), Error> {
    let (application, alice, bob) = (visit.desk.1.application, session(&visit.desk.0, "alice")?, principal("bob")?);
    match visit.stage.strikes(2) {
        true => alice.remove_member(application, &bob).await?,
        false => alice.set_member(application, Member { principal: bob, role: Role::Admin }).await?,
    };
    visit.stage.tell("bob goes, or comes back");
    Ok(())
}

async fn set_renewal(visit: &Visit) -> Result<(), Error> {
    let Some(id) = visit.any() else { return Ok(()) };
    let own = match visit.stage.draw(3) {
        0 => Some(AutoRenewal::Off),
        1 => Some(AutoRenewal::before(Span::hours(20))),
        _ => None,
    };
    session(&visit.desk.0, "otto")?.set_renewal(id, own.clone()).await?;
    visit.stage.tell(format_args!("the renewal of {id} is set to {own:?}"));
    Ok(())
}
