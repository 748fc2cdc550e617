//! Unit tests for policies: tables of requests with what is expected of each, from code or TOML.
//!
//! ```
//! use chancery::domain::{PolicySpec, Span, policy::Problem};
//! use chancery::testing::{Expected, PolicyCase, PolicyTable, Request};
//!
//! let policy: PolicySpec = chancery::domain::read_toml(r#"
//!     name = "web"
//!     [sans.dns_name]
//!     allowed = ["*.example.com"]
//!     denied = ["admin.example.com"]
//! "#)?;
//! let request = |name: &str| Request::default().dns(name).ttl(Span::days(1));
//! PolicyTable::new(policy)
//!     .case(PolicyCase::permits("a host", request("www.example.com")))
//!     .case(PolicyCase::refuses(
//!         "a wildcard over a denied host",
//!         request("*.example.com"),
//!         [Expected::field("sans[0]").problem(Problem::Denied)],
//!     ))
//!     .run(time::macros::datetime!(2026-06-01 0:00 UTC))
//!     .assert_passed();
//! # Ok::<_, chancery::domain::SpecError>(())
//! ```

mod case;
mod report;
mod run;

#[cfg(test)]
mod tests;

pub use case::{Expectation, Expected, PolicyCase, PolicyTable, Request};
pub use report::{CaseReport, Difference, TableReport};
