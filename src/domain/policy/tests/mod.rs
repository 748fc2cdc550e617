//! Tests of the policy engine: the oracles, properties of every judgement, and what is refused when it is saved.

mod oracles;
mod properties;
mod requests;
mod saving;

use time::OffsetDateTime;
use time::macros::datetime;

use super::{Policy, PolicySpec, Problem, Verdict};
use crate::domain::{
    Asked, Defaults, Draft, IssuerChoice, IssuerId, IssuerTerms, Method, Names, PolicyId, Profile, ProfileId, Source,
    Span, Terms, complete,
};
use crate::x509::{
    BasicConstraints, Content, Csr, ExtendedKeyUsage, KeyAlgorithm, KeyUsage, KeyUsages, San, SignatureAlgorithm,
    Subject, Validity,
};

const NOW: OffsetDateTime = datetime!(2026-06-01 0:00 UTC);

/// A policy from the JSON of its sections.
fn policy(sections: &str) -> Policy {
    let comma = if sections.is_empty() { "" } else { "," };
    let spec: PolicySpec = serde_json::from_str(&format!(r#"{{"name":"test"{comma}{sections}}}"#)).unwrap();
    Policy::try_from(spec).unwrap_or_else(|error| panic!("{sections}: {error}"))
}

fn content() -> Content {
    use crate::x509::Attribute::CommonName;
    Content {
        subject: Subject::from_parts([(CommonName, "www.example.com")]).unwrap(),
        sans: vec![San::dns("www.example.com").unwrap()],
        key_algorithm: KeyAlgorithm::P256,
        signature_algorithm: SignatureAlgorithm::EcdsaSha256,
        validity: Validity::new(NOW, NOW + Span::days(47).as_duration()).unwrap(),
        key_usages: KeyUsages::from([KeyUsage::DigitalSignature]),
        extended_key_usages: vec![ExtendedKeyUsage::ServerAuth],
        basic_constraints: BasicConstraints::EndEntity,
    }
}

/// Field and problem of each violation, in order.
fn broken(verdict: &Verdict) -> Vec<(&str, Problem)> {
    verdict.violations().iter().map(|violation| (violation.field.as_str(), violation.problem)).collect()
}

fn profile(defaults: Defaults) -> Profile {
    Profile {
        id: ProfileId::new(NOW, [1; 10]),
        revision: 1,
        name: "web".parse().unwrap(),
        description: String::new(),
        issuer: IssuerChoice::Ca(IssuerId::new(NOW, [2; 10])),
        policy: PolicyId::new(NOW, [3; 10]),
        defaults,
        backdate: None,
        auto_renew: None,
        updated_at: NOW,
    }
}

fn issuer() -> IssuerTerms {
    IssuerTerms { signature_algorithms: vec![SignatureAlgorithm::EcdsaSha256], not_after: None, path_length: None }
}

fn managed(names: &Names, terms: &Terms, setting: (&Defaults, &Policy)) -> Draft {
    complete(
        Asked::new(&Source::Managed, names, terms),
        Method::Api,
        (&profile(setting.0.clone()), setting.1, &issuer()),
        NOW,
    )
}

fn by_csr(csr: Csr, terms: &Terms, setting: (&Defaults, &Policy)) -> Draft {
    let (source, names) = (Source::Csr(Box::new(csr)), Names::default());
    complete(Asked::new(&source, &names, terms), Method::Api, (&profile(setting.0.clone()), setting.1, &issuer()), NOW)
}

fn csr(edit: impl FnOnce(&mut rcgen::CertificateParams)) -> Csr {
    let mut params = rcgen::CertificateParams::new(vec!["csr.example.com".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "csr.example.com");
    edit(&mut params);
    let request = params.serialize_request(&rcgen::KeyPair::generate().unwrap()).unwrap();
    Csr::parse(request.der()).unwrap()
}

fn ninety_days() -> Terms {
    Terms { ttl: Some(Span::days(90)), ..Terms::default() }
}
