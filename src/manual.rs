//! The manual, page by page; every example in it compiles.
//!
//! - [A request's walk](request_walk): who wants to know what is on disk when the process dies.
//! - [Writing a policy](policies): who decides what may be issued.
//! - [Approvals](approvals): who must agree to certificates, and to what exactly.
//! - [Renewal](renewal): who has certificates that must not expire.
//! - [Revocation](revocation): who must take certificates back, and tell the world.
//! - [Syncs](syncs): who has places that certificates must reach.
//! - [Events and alerts](alerts): who wants to be told, or to prove what was done.
//! - The JSON API (`manual::api`, feature `api`): who asks for certificates over HTTP, or mounts it.
//! - The console (`manual::console`, feature `console`): who gives people pages.
//! - ACME (`manual::acme`, feature `acme`): who has clients that enroll by themselves.
//! - The server (`manual::server`, feature `server`): who wants all of it as one process, or to mount it in their own.
//! - [Due work](due_work): who runs it.
//! - [PostgreSQL](postgres): who runs several nodes.
//! - [Writing a store](stores): who has a database.
//! - [Backups and upgrades](upgrades): who keeps the data for years.
//! - [Security model](security): who has to trust the crate.
//! - [Features and dependencies](features): who has to ship it.
//! - [House rules](house_rules): who changes it.

#[doc = include_str!("manual/request_walk.md")]
pub mod request_walk {}

#[doc = include_str!("manual/policies.md")]
pub mod policies {}

#[doc = include_str!("manual/approvals.md")]
pub mod approvals {}

#[doc = include_str!("manual/renewal.md")]
pub mod renewal {}

#[doc = include_str!("manual/revocation.md")]
pub mod revocation {}

#[doc = include_str!("manual/syncs.md")]
pub mod syncs {}

#[doc = include_str!("manual/alerts.md")]
pub mod alerts {}

#[cfg(feature = "api")]
#[doc = include_str!("manual/api.md")]
pub mod api {}

#[cfg(feature = "console")]
#[doc = include_str!("manual/console.md")]
pub mod console {}

#[cfg(feature = "acme")]
#[doc = include_str!("manual/acme.md")]
pub mod acme {}

#[cfg(feature = "server")]
#[doc = include_str!("manual/server.md")]
pub mod server {}

#[doc = include_str!("manual/due_work.md")]
pub mod due_work {}

#[cfg(feature = "postgres")]
#[doc = include_str!("manual/postgres.md")]
pub mod postgres {}

#[doc = include_str!("manual/stores.md")]
#[doc = "\n# The store on redb\n\n```ignore"]
#[doc = include_str!("../examples/custom_store/store.rs")]
#[doc = "```"]
pub mod stores {}

#[doc = include_str!("manual/upgrades.md")]
pub mod upgrades {}

#[doc = include_str!("manual/security.md")]
pub mod security {}

#[doc = include_str!("manual/features.md")]
pub mod features {}

#[doc = include_str!("manual/house_rules.md")]
pub mod house_rules {}
