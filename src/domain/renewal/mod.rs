//! Renewal: who may be renewed, from when on, and what stands in the way.
//!
//! Everything here is computed from what was issued. What is kept is one [`RenewalPlan`] for each lineage.

mod eligibility;
mod life;
mod plan;
mod setting;
mod window;
mod zone;

#[cfg(test)]
mod window_tests;

pub use eligibility::{Eligibility, Ineligibility, IssuerStanding, Renewing, Surroundings, eligibility};
pub use life::{Life, Schedule};
pub use plan::{BlockedOn, RenewalPlan, RenewalState, Urgency};
pub use setting::{AutoRenewal, Fraction, Lead, RenewalBudget, RenewalSetting};
pub use window::{LocalTime, OpeningSpec, RenewalWindow, RenewalWindowSpec, Weekday};
pub use zone::TimeZone;
