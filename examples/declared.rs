//! An office declared as data: issuers, policies, profiles and Applications from one TOML or JSON file, saved and tried.
//!
//! `cargo run --example declared --features toml -- examples/declared.toml`

use std::error::Error;

use chancery::domain::{Actor, ApplicationSpec, Enrollment, IssuerSpec, PolicySpec, ProfileSpec, read_json, read_toml};
use chancery::engine::{Engine, Outcome, Session};
use chancery::sealer::AeadSealer;
use serde::Deserialize;

/// What the file holds; every field is checked when it is read or saved, and an error names it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Office {
    issuers: Vec<IssuerSpec>,
    policies: Vec<PolicySpec>,
    profiles: Vec<ProfileSpec>,
    applications: Vec<ApplicationSpec>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: declared FILE.toml|FILE.json")?;
    let text = std::fs::read_to_string(&path)?;
    let office: Office = if path.ends_with(".json") { read_json(&text)? } else { read_toml(&text)? };

    let operator = Actor::user("operator")?;
    let engine =
        Engine::builder().sealer(AeadSealer::new(&[7; 32])).administrator(operator.principal().clone()).build().await?;
    let session = engine.acting_as(operator);
    save(&session, office).await
}

async fn save(session: &Session, office: Office) -> Result<(), Box<dyn Error>> {
    for issuer in office.issuers {
        println!("issuer {}", session.create_root(issuer).await?.name);
    }
    for policy in office.policies {
        let saved = session.save_policy(policy).await?;
        println!("policy {}, revision {}", saved.spec.name, saved.revision);
    }
    for profile in office.profiles {
        let saved = session.save_profile(profile).await?;
        println!("profile {}, revision {}", saved.name, saved.revision);
    }
    for application in office.applications {
        let saved = session.create_application(application).await?;
        println!("Application {} with {} members", saved.name, saved.members.len());
        for attachment in &saved.attachments {
            for name in ["api.example.com", "admin.example.com"] {
                let ask = Enrollment::managed(saved.id, attachment.profile).common_name(name).dns(name);
                match session.submit(&ask).await? {
                    Outcome::Issued(issued) => println!("  {name}: issued, valid {}", issued.record.validity),
                    Outcome::Pending(pending) => println!("  {name}: waits as {}", pending.id),
                    Outcome::Refused(refusal) => println!("  {name}: {refusal}"),
                }
            }
        }
    }
    Ok(())
}
