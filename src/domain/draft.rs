//! Completing a request: what was asked, then the profile's defaults, then what the method gives.

mod defaults;
mod limits;
mod renewal;

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::acme;
use super::enrollment::{Names, Source, Terms, Values};
use super::policy::{Policy, Problem, Verdict, Violation};
use super::{Defaults, KeyCustody, Method, Profile, Span};
use crate::x509::{
    Attribute, BasicConstraints, Content, Csr, ExtendedKeyUsage, InvalidValue, KeyAlgorithm, KeyUsage, KeyUsages, San,
    SignatureAlgorithm, Subject, UnknownExtension, lint_content,
};

pub(super) use self::defaults::judge_defaults;

/// A completed request: the content to be judged, and what was wrong already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What the certificate would say. Where something asked could not be read, it is left out here and reported in
    /// `violations`.
    pub content: Content,
    /// Faults of the request that no policy needs to see.
    pub violations: Vec<Violation>,
    /// Extensions of a certificate request that are not known and are not copied; for the requester to know.
    pub ignored_extensions: Vec<UnknownExtension>,
}

/// What an issuer can do for a draft.
#[derive(Clone, Debug)]
pub struct IssuerTerms {
    /// What its key can sign with, the usual first. Empty for a self-signed profile: the subject's own key decides.
    pub signature_algorithms: Vec<SignatureAlgorithm>,
    /// When it ends; no certificate may outlive it. `None` for a self-signed profile.
    pub not_after: Option<OffsetDateTime>,
    /// How many CAs may follow below it; `None` without limit.
    pub path_length: Option<u8>,
}

/// What is asked, and what the certificate says that it is to replace.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Where the key comes from.
    pub source: &'a Source,
    /// Subject, names and usages.
    pub names: &'a Names,
    /// What else is asked.
    pub terms: &'a Terms,
    /// The certificate that is renewed; `None` if none is.
    pub predecessor: Option<Predecessor<'a>>,
}

/// What a renewal begins with.
#[derive(Clone, Copy, Debug)]
pub struct Predecessor<'a> {
    /// What the certificate says that is renewed.
    pub content: &'a Content,
    /// Where its key is.
    pub custody: KeyCustody,
}

impl<'a> Asked<'a> {
    /// An ask that renews nothing.
    pub fn new(source: &'a Source, names: &'a Names, terms: &'a Terms) -> Self {
        Self { source, names, terms, predecessor: None }
    }
}

/// Completes what is asked under `profile` into a [`Draft`], as of `now`.
///
/// Subject, names, usages and key of a certificate request win; of a managed-key request, what is asked; the profile's
/// defaults fill holes. A key usage of keyCertSign makes the request one for a CA.
pub fn complete(
    asked: Asked<'_>,
    method: Method,
    setting: (&Profile, &Policy, &IssuerTerms),
    now: OffsetDateTime,
) -> Draft {
    let Asked { source, names, terms, predecessor } = asked;
    let (profile, policy, issuer) = setting;
    let inherited = predecessor.map(|of| renewal::inherited(of.content));
    let (defaults, backdate) = (inherited.as_ref().unwrap_or(&profile.defaults), profile.backdate);
    let (kept, violations) = (None, Vec::new());
    let completion = Completion { terms, defaults, backdate, policy, issuer, method, now, kept, violations };
    match source {
        Source::Managed => completion.managed(names),
        Source::Csr(csr) => completion.csr(csr, names),
        Source::Renewal { key, .. } => match predecessor {
            Some(of) => completion.renewal(key, names, of),
            // Nobody knows what to keep: the profile's defaults would be a guess.
            None => completion.without_predecessor(names),
        },
    }
}

struct Completion<'a> {
    terms: &'a Terms,
    defaults: &'a Defaults,
    backdate: Option<Span>,
    policy: &'a Policy,
    issuer: &'a IssuerTerms,
    method: Method,
    now: OffsetDateTime,
    /// What is renewed.
    kept: Option<Content>,
    violations: Vec<Violation>,
}

impl Draft {
    /// The whole judgement, as of `now`: what was wrong with the request already, what `policy` says of the content, and
    /// what no certificate may say.
    pub fn judge(&self, policy: &Policy, now: OffsetDateTime) -> Verdict {
        let standard = lint_content(&self.content).into_iter().map(Violation::from);
        let judged = policy.judge(&self.content, now).into_violations();
        Verdict::new(self.violations.iter().cloned().chain(judged).chain(standard).collect())
    }
}

impl Completion<'_> {
    fn managed(mut self, names: &Names) -> Draft {
        let key_algorithm = self.managed_key_algorithm(names.key_algorithm);
        let subject = self.managed_subject(names);
        let sans = self.sans(names);
        let usages = names.key_usages.unwrap_or_else(|| self.default_usages(key_algorithm));
        let purposes = names.extended_key_usages.clone().unwrap_or_else(|| self.default_purposes());
        let constraints = self.terms.basic_constraints.or(self.defaults.basic_constraints);
        self.finish(Parts { subject, sans, key_algorithm, usages, purposes, constraints, ignored: Vec::new() })
    }

    fn without_predecessor(mut self, names: &Names) -> Draft {
        self.report("certificate", Problem::Missing, "request: the certificate to renew", "");
        self.managed(names)
    }

    fn csr(mut self, csr: &Csr, names: &Names) -> Draft {
        self.refuse_names_beside_csr(names);
        let asked = csr.extensions();
        let key_algorithm = csr.public_key().algorithm();
        if self.issuer.signature_algorithms.is_empty() {
            self.report("csr", Problem::Conflict, "profile.issuer", "a self-signed profile needs a managed key");
        }
        self.refuse_critical(&asked.unknown);
        let usages = if asked.key_usages.is_empty() { self.default_usages(key_algorithm) } else { asked.key_usages };
        let purposes = match asked.extended_key_usages.as_slice() {
            [] => self.default_purposes(),
            purposes => purposes.to_vec(),
        };
        // A request that says in so many words that it is for no CA leaves no hole for a default to fill.
        let constraints = self.terms.basic_constraints.or(asked.basic_constraints).or(self.defaults.basic_constraints);
        let subject = self.csr_subject(csr.subject());
        let ignored = asked.unknown.clone();
        // To ACME a common name is an identifier like the others; relying parties look for those among the alternative names.
        let sans = if self.method == Method::Acme { acme::names_of(csr) } else { asked.sans.clone() };
        self.finish(Parts { subject, sans, key_algorithm, usages, purposes, constraints, ignored })
    }

    fn refuse_names_beside_csr(&mut self, names: &Names) {
        if !names.say_nothing() {
            let seen =
                "subject, names, usages and key come from the certificate request and can not be asked beside it";
            self.report("names", Problem::Conflict, "request", seen);
        }
    }

    fn refuse_critical(&mut self, unknown: &[UnknownExtension]) {
        for extension in unknown.iter().filter(|extension| extension.critical) {
            let rule = "standard: an unknown extension must not be critical (RFC 5280 4.2)";
            let violation = Violation::of(Problem::NotAllowed, "csr.extensions", rule).seen(extension.oid.as_str());
            self.violations.push(violation.allowed(KNOWN_EXTENSIONS.map(str::to_owned).to_vec()));
        }
    }

    /// Request, then profile; where the policy has a list, something must supply an algorithm.
    fn managed_key_algorithm(&mut self, asked: Option<KeyAlgorithm>) -> KeyAlgorithm {
        let supplied = asked.or(self.defaults.key_algorithm);
        let listed = self.policy.spec().algorithms.key.as_deref();
        match (supplied, listed) {
            (Some(algorithm), _) => algorithm,
            (None, None) => KeyAlgorithm::Rsa2048,
            (None, Some(listed)) => {
                let allowed = listed.iter().map(ToString::to_string).collect();
                self.violations.push(missing("key_algorithm", "policy.algorithms.key", allowed));
                listed.first().copied().unwrap_or(KeyAlgorithm::Rsa2048)
            }
        }
    }

    fn managed_subject(&mut self, names: &Names) -> Subject {
        let mut parts: BTreeMap<Attribute, &Values> = self.defaults.subject.iter().map(|(a, v)| (*a, v)).collect();
        for (attribute, asked) in names.subject.iter() {
            match asked {
                Some(values) => parts.insert(*attribute, values),
                None => parts.remove(attribute),
            };
        }
        self.subject_from(parts)
    }

    fn subject_from(&mut self, parts: BTreeMap<Attribute, &Values>) -> Subject {
        let readable = parts.into_iter().filter_map(|(attribute, values)| {
            let values = values.as_slice().iter().map(|value| (attribute, value.clone()));
            match Subject::from_parts(values) {
                Ok(subject) => Some(subject),
                Err(error) => {
                    self.violations.push(invalid(format!("subject.{attribute}"), &error));
                    None
                }
            }
        });
        let pairs: Vec<(Attribute, String)> = readable.flat_map(Vec::from).collect();
        Subject::from_parts(pairs).unwrap_or_default()
    }

    /// The request's subject in its own order; where defaults fill holes, in the order of parts.
    fn csr_subject(&mut self, own: &Subject) -> Subject {
        let absent = |attribute: &Attribute| own.values(*attribute).next().is_none();
        let holes: BTreeMap<Attribute, &Values> =
            self.defaults.subject.iter().filter(|(a, _)| absent(a)).map(|(a, v)| (*a, v)).collect();
        if holes.is_empty() {
            return own.clone();
        }
        let filled = self.subject_from(holes);
        let parts = own.iter().chain(filled.iter());
        Subject::from_parts(parts).unwrap_or_else(|_| own.clone())
    }

    fn sans(&mut self, names: &Names) -> Vec<San> {
        let asked = names.sans.as_deref().unwrap_or_default();
        let mut sans = Vec::with_capacity(asked.len());
        for (at, spec) in asked.iter().enumerate() {
            match San::parse(spec.kind, &spec.value) {
                Ok(san) => sans.push(san),
                Err(error) => self.violations.push(invalid(format!("sans[{at}]"), &error)),
            }
        }
        sans
    }

    fn default_usages(&self, key: KeyAlgorithm) -> KeyUsages {
        self.defaults.key_usages.unwrap_or_default().difference(key.unfit_usages())
    }

    fn default_purposes(&self) -> Vec<ExtendedKeyUsage> {
        self.defaults.extended_key_usages.clone().unwrap_or_default()
    }

    fn finish(mut self, parts: Parts) -> Draft {
        let Parts { subject, sans, key_algorithm, usages, purposes, constraints, ignored } = parts;
        let basic_constraints = self.basic_constraints(constraints, usages);
        let content = Content {
            subject,
            sans,
            key_algorithm,
            signature_algorithm: self.signature_algorithm(key_algorithm),
            validity: self.validity(),
            key_usages: usages,
            extended_key_usages: purposes,
            basic_constraints,
        };
        self.respect_issuer(&content);
        Draft { content, violations: self.violations, ignored_extensions: ignored }
    }

    /// keyCertSign makes it a CA; who says no to the one can not ask for the other.
    fn basic_constraints(&mut self, stated: Option<BasicConstraints>, usages: KeyUsages) -> BasicConstraints {
        let signs = usages.contains(KeyUsage::KeyCertSign);
        if signs && self.terms.basic_constraints == Some(BasicConstraints::EndEntity) {
            let seen = "no CA is asked for, and the key usage key_cert_sign, which makes it one";
            self.report("basic_constraints", Problem::Conflict, "request", seen);
        }
        let implied = signs.then_some(BasicConstraints::Ca { path_length: None });
        stated.filter(|constraints| constraints.is_ca()).or(implied).unwrap_or_default()
    }

    /// Request, then profile, then the first that both issuer and policy can agree on.
    fn signature_algorithm(&mut self, subject_key: KeyAlgorithm) -> SignatureAlgorithm {
        let own = &self.issuer.signature_algorithms;
        let possible = if own.is_empty() { subject_key.signature_algorithms() } else { own.as_slice() };
        let listed = self.policy.spec().algorithms.signature.as_deref();
        let supplied = self.terms.signature_algorithm.or(self.defaults.signature_algorithm);
        let supplied = supplied.or_else(|| self.kept_signature(possible));
        let agreed = possible.iter().copied().find(|each| listed.is_none_or(|listed| listed.contains(each)));
        let chosen = supplied.or(agreed).or_else(|| listed.and_then(|listed| listed.first().copied()));
        let chosen = chosen.unwrap_or(possible[0]);
        if !possible.contains(&chosen) {
            let rule = "issuer.key: its key can not sign so";
            let violation = Violation::of(Problem::NotAllowed, "signature_algorithm", rule).seen(chosen.to_string());
            self.violations.push(violation.allowed(possible.iter().map(ToString::to_string).collect()));
        }
        chosen
    }

    fn report(&mut self, field: &str, problem: Problem, rule: &str, seen: &str) {
        self.violations.push(Violation::of(problem, field, rule).seen(seen));
    }
}

struct Parts {
    subject: Subject,
    sans: Vec<San>,
    key_algorithm: KeyAlgorithm,
    usages: KeyUsages,
    purposes: Vec<ExtendedKeyUsage>,
    constraints: Option<BasicConstraints>,
    ignored: Vec<UnknownExtension>,
}

const KNOWN_EXTENSIONS: [&str; 4] = ["subjectAltName", "keyUsage", "extKeyUsage", "basicConstraints"];

fn invalid(field: String, error: &InvalidValue) -> Violation {
    let rule = format!("standard: {}", error.what);
    Violation::of(Problem::Invalid, field, rule).seen(error.seen.as_str()).allowed(vec![error.accepted.to_string()])
}

fn missing(field: &str, rule: &str, allowed: Vec<String>) -> Violation {
    Violation::of(Problem::Missing, field, rule).allowed(allowed)
}
