//! Running a table: each request is completed, judged and compared with what is expected.

use time::OffsetDateTime;

use super::report::{CaseReport, Difference, TableReport};
use super::{Expectation, Expected, PolicyCase, PolicyTable, Request};
use crate::domain::policy::Violation;
use crate::domain::{
    Asked, IssuerChoice, IssuerId, IssuerTerms, Method, Policy, PolicyId, Profile, ProfileId, Source, complete,
};
use crate::x509::Csr;

impl PolicyTable {
    /// Runs every case as of `now`. A policy that is refused when it is saved fails the table as a whole.
    pub fn run(&self, now: OffsetDateTime) -> TableReport {
        match Policy::try_from(self.policy.clone()) {
            Ok(policy) => {
                let profile = self.profile(now);
                let cases = self.cases.iter().map(|case| self.run_case(case, (&policy, &profile), now)).collect();
                TableReport { policy: self.policy.name.to_string(), refused: None, cases }
            }
            Err(error) => {
                let refused = Some(error.to_string());
                TableReport { policy: self.policy.name.to_string(), refused, cases: Vec::new() }
            }
        }
    }

    fn profile(&self, now: OffsetDateTime) -> Profile {
        let preset = || self.preset.map(|preset| preset.defaults());
        Profile {
            id: ProfileId::new(now, [0; 10]),
            revision: 1,
            name: self.policy.name.clone(),
            description: String::new(),
            issuer: IssuerChoice::Ca(IssuerId::new(now, [0; 10])),
            policy: PolicyId::new(now, [0; 10]),
            defaults: self.defaults.clone().or_else(preset).unwrap_or_default(),
            backdate: None,
            auto_renew: None,
            updated_at: now,
        }
    }

    fn run_case(&self, case: &PolicyCase, setting: (&Policy, &Profile), now: OffsetDateTime) -> CaseReport {
        let differences = match source(&case.request) {
            Ok(source) => {
                let signature_algorithms = self.issuer_key.signature_algorithms().to_vec();
                let issuer = IssuerTerms { signature_algorithms, not_after: None, path_length: None };
                let (names, terms) = (case.request.names(), case.request.terms());
                let asked = Asked::new(&source, &names, &terms);
                let method = case.request.method.unwrap_or(Method::Api);
                let draft = complete(asked, method, (setting.1, setting.0, &issuer), now);
                compare(&case.expect, draft.judge(setting.0, now).into_violations())
            }
            Err(reason) => vec![Difference::Unreadable(reason)],
        };
        CaseReport { name: case.name.clone(), differences }
    }
}

fn source(request: &Request) -> Result<Source, String> {
    let Some(pem) = &request.csr else { return Ok(Source::Managed) };
    Csr::parse(pem.as_bytes()).map(|csr| Source::Csr(Box::new(csr))).map_err(|error| error.to_string())
}

fn compare(expect: &Expectation, violations: Vec<Violation>) -> Vec<Difference> {
    match expect {
        Expectation::Permit => violations.into_iter().map(Difference::Unexpected).collect(),
        Expectation::Refuse(_) if violations.is_empty() => vec![Difference::Permitted],
        Expectation::Refuse(expected) if expected.is_empty() => Vec::new(),
        Expectation::Refuse(expected) => pair(expected, violations),
    }
}

/// Pairs each expectation with a violation of its own. The more an expectation says, the earlier it chooses; a violation
/// that an earlier one took is given up again if that one has another (augmenting paths).
fn pair(expected: &[Expected], violations: Vec<Violation>) -> Vec<Difference> {
    let mut order: Vec<usize> = (0..expected.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(expected[*at].weight()));
    let mut owners: Vec<Option<usize>> = vec![None; violations.len()];
    let mut missing = Vec::new();
    for at in order {
        let mut tried = vec![false; violations.len()];
        if !claim(at, (expected, &violations), &mut owners, &mut tried) {
            missing.push(at);
        }
    }
    missing.sort_unstable();
    let missing = missing.into_iter().map(|at| Difference::Missing(expected[at].clone()));
    let unexpected = violations.into_iter().zip(owners).filter(|(_, owner)| owner.is_none());
    missing.chain(unexpected.map(|(violation, _)| Difference::Unexpected(violation))).collect()
}

fn claim(wanting: usize, sides: (&[Expected], &[Violation]), owners: &mut [Option<usize>], tried: &mut [bool]) -> bool {
    for at in 0..owners.len() {
        if tried[at] || !sides.0[wanting].matches(&sides.1[at]) {
            continue;
        }
        tried[at] = true;
        if owners[at].is_none_or(|owner| claim(owner, sides, owners, tried)) {
            owners[at] = Some(wanting);
            return true;
        }
    }
    false
}
