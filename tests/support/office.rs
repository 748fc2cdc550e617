//! An engine over a store in memory, with issuers, ready to issue whatever a test wants to show to strangers.

use std::fs;
use std::path::Path;

use chancery::domain::{
    Actor, Application, ApplicationSpec, Enrollment, IssuerRecord, IssuerSpec, Methods, PolicySpec, Preset, Profile,
    ProfileSpec, Slug, Span,
};
use chancery::engine::{Engine, Issued, Outcome, Root, Session};
use chancery::sealer::AeadSealer;
use chancery::x509::KeyAlgorithm;

/// The engine in its administrator's name, and an Application that asks.
pub(crate) struct Office {
    pub(crate) admin: Session,
    pub(crate) application: Application,
}

pub(crate) fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

/// The specification of a CA that outlives everything below it.
pub(crate) fn ca(name: &str, algorithm: KeyAlgorithm) -> IssuerSpec {
    IssuerSpec { key_algorithm: algorithm, ..IssuerSpec::new(slug(name), &format!("Strangers {name}")) }
}

impl Office {
    pub(crate) async fn open() -> Self {
        let administrator = Actor::user("tester").unwrap();
        let engine = Engine::builder()
            .sealer(AeadSealer::new(&[7; 32]))
            .administrator(administrator.principal().clone())
            .build()
            .await
            .unwrap();
        let admin = engine.acting_as(administrator);
        let application = admin.create_application(ApplicationSpec::new(slug("strangers"))).await.unwrap();
        Self { admin, application }
    }

    /// A root and, below it, an issuer called `name` that may have one level of CAs below itself.
    pub(crate) async fn issuer(&self, name: &str, root: KeyAlgorithm, own: KeyAlgorithm) -> IssuerRecord {
        let root = self.admin.create_root(ca(&format!("{name}-root"), root)).await.unwrap();
        let below = IssuerSpec { path_length: Some(1), ttl: Span::days(3000), ..ca(name, own) };
        self.admin.create_intermediate(below, root.id).await.unwrap()
    }

    /// Saves policy and profile and lets the Application use them.
    pub(crate) async fn profile(&self, policy: PolicySpec, profile: ProfileSpec) -> Profile {
        self.admin.save_policy(policy).await.unwrap();
        let profile = self.admin.save_profile(profile).await.unwrap();
        self.admin.attach_profile(self.application.id, profile.id).await.unwrap();
        self.admin.set_methods(self.application.id, profile.id, Methods::api()).await.unwrap();
        profile
    }

    /// A preset's profile below `issuer`.
    pub(crate) async fn preset(&self, preset: Preset, issuer: &str) -> Profile {
        let name = slug(&format!("{preset:?}-{issuer}").to_lowercase());
        self.profile(preset.policy(name.clone()), preset.profile(name.clone(), slug(issuer), name)).await
    }

    pub(crate) fn ask(&self, profile: &Profile) -> Enrollment {
        Enrollment::managed(self.application.id, profile.id)
    }

    /// Issues what must be permitted.
    pub(crate) async fn issue(&self, enrollment: &Enrollment) -> Box<Issued> {
        match self.admin.submit(enrollment).await.unwrap() {
            Outcome::Issued(issued) => issued,
            other => panic!("{:?}: {other:?}", enrollment.names),
        }
    }
}

/// Writes `leaf.pem`, `leaf.der`, `chain.pem` (with the leaf, without the root), `root.pem` and `key.pem`.
pub(crate) fn write(at: &Path, issued: &Issued) {
    let certificate = issued.certificate();
    fs::write(at.join("leaf.pem"), certificate.pem()).unwrap();
    fs::write(at.join("leaf.der"), certificate.der()).unwrap();
    fs::write(at.join("chain.pem"), issued.chain.pem(Root::Exclude)).unwrap();
    fs::write(at.join("root.pem"), issued.chain.root().unwrap().pem()).unwrap();
    fs::write(at.join("key.pem"), issued.private_key.as_ref().unwrap().pem().expose()).unwrap();
}
