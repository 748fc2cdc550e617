//! Certification Authority Authorization (RFC 8659, RFC 8657).

use hickory_resolver::proto::rr::rdata::CAA;

use super::failed;
use super::names::{Names, Trouble};
use crate::challenge::{CaaCheck, ChallengeFailure};
use crate::domain::acme::ValidationFault;

/// Finds the records that are closest to the name, and judges them.
pub(super) async fn check(names: &Names, check: &CaaCheck) -> Result<(), ChallengeFailure> {
    for name in ancestry(check.name.base()) {
        let records = names.caa(name).await.map_err(|trouble| match trouble {
            Trouble::Theirs(reason) => {
                failed(ValidationFault::Caa, format!("the CAA records of {name} can not be read: {reason}"))
            }
            Trouble::Ours(reason) => ChallengeFailure::unavailable(reason),
        })?;
        if !records.is_empty() {
            return judge(&records, check)
                .map_err(|reason| failed(ValidationFault::Caa, format!("the CAA records of {name} {reason}")));
        }
    }
    Ok(())
}

/// The name, and each name above it, the root left out (RFC 8659 section 3).
fn ancestry(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, parent)| parent))
}

fn judge(records: &[CAA], check: &CaaCheck) -> Result<(), &'static str> {
    let is = |record: &CAA, tag: &str| record.tag.eq_ignore_ascii_case(tag);
    let known = ["issue", "issuewild", "iodef", "contactemail", "contactphone", "issuemail", "issuevmc"];
    if records.iter().any(|record| record.issuer_critical && !known.iter().any(|tag| is(record, tag))) {
        return Err("have a critical property that is not understood");
    }
    let of = |tag: &'static str| records.iter().filter(move |record| is(record, tag)).peekable();
    let mut wild = of("issuewild");
    let mut relevant = if check.name.is_wildcard() && wild.peek().is_some() { wild } else { of("issue") };
    if relevant.peek().is_none() || relevant.any(|record| permits(&record.value, check)) {
        return Ok(());
    }
    Err("do not permit this office to issue")
}

/// `issuer-domain-name; key=value; …` (RFC 8659 section 4.2). What can not be read permits nobody.
fn permits(value: &[u8], check: &CaaCheck) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let mut parts = text.split(';').map(str::trim);
    let issuer = parts.next().unwrap_or_default().trim_end_matches('.');
    let is_ours = check.issuers.iter().any(|ours| ours.trim_end_matches('.').eq_ignore_ascii_case(issuer));
    !issuer.is_empty() && is_ours && parts.filter(|part| !part.is_empty()).all(|part| parameter(part, check))
}

fn parameter(part: &str, check: &CaaCheck) -> bool {
    match part.split_once('=').map(|(key, value)| (key.trim().to_ascii_lowercase(), value.trim())) {
        Some((key, methods)) if key == "validationmethods" => {
            methods.split(',').any(|method| method.trim() == check.method.as_str())
        }
        // The strings must be the same: RFC 8657 section 3.
        Some((key, account)) if key == "accounturi" => check.account_url.as_deref() == Some(account),
        Some(_) => true,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::acme::ChallengeKind;

    fn permitted(name: &str, records: &[(&str, &str)]) -> bool {
        let records: Vec<CAA> = records
            .iter()
            .map(|(tag, value)| {
                let mut record = CAA::new_issue(tag.starts_with('!'), None, Vec::new());
                record.tag = tag.trim_start_matches('!').to_owned();
                record.value = value.as_bytes().to_vec();
                record
            })
            .collect();
        let issuers = vec!["ca.example".to_owned(), "ca.test".to_owned()];
        let account_url = Some("https://ca.example/account/1".to_owned());
        let check = CaaCheck { name: name.parse().unwrap(), issuers, method: ChallengeKind::Dns01, account_url };
        let nameless = CaaCheck { account_url: None, ..check.clone() };
        let is_permitted = judge(&records, &check).is_ok();
        let is_bound =
            |record: &CAA| String::from_utf8_lossy(&record.value).to_ascii_lowercase().contains("accounturi");
        assert_eq!(judge(&records, &nameless).is_ok(), is_permitted && !records.iter().any(is_bound));
        is_permitted
    }

    #[test]
    fn names_from_the_leaf_to_the_top() {
        assert_eq!(ancestry("a.b.example").collect::<Vec<_>>(), ["a.b.example", "b.example", "example"]);
    }

    #[test]
    fn who_may_issue() {
        let table: &[(&[(&str, &str)], bool)] = &[
            (&[("iodef", "mailto:a@example.com")], true),
            (&[("issue", "ca.example")], true),
            (&[("ISSUE", "CA.Example.")], true),
            (&[("issue", "other.example"), ("issue", "ca.test")], true),
            (&[("issue", "other.example")], false),
            (&[("issue", ";")], false),
            (&[("issue", "")], false),
            (&[("issue", "\u{fffd}%%")], false),
            (&[("issue", "ca.example; policy=ev")], true),
            (&[("issue", "ca.example; nonsense")], false),
            (&[("issue", "ca.example; validationmethods=http-01,dns-01")], true),
            (&[("issue", "ca.example; validationmethods=http-01")], false),
            (&[("issue", "ca.example; accounturi=https://ca.example/account/1")], true),
            (&[("issue", "ca.example; AccountURI = https://ca.example/account/1 ; validationmethods=dns-01")], true),
            (&[("issue", "ca.example; accounturi=https://ca.example/account/1; validationmethods=http-01")], false),
            (&[("issue", "ca.example; accounturi=https://ca.example/account/2")], false),
            (&[("issue", "ca.example; accounturi=https://CA.example/account/1")], false),
            (&[("issue", "ca.example; accounturi=https://ca.example/account/1; accounturi=https://a.b/2")], false),
            (&[("issue", "ca.example; accounturi=")], false),
            (&[("issuewild", ";")], true),
            (&[("!tbs", "x")], false),
            (&[("tbs", "x")], true),
            (&[("!issue", "ca.example")], true),
        ];
        for (records, expected) in table {
            assert_eq!(permitted("www.example.com", records), *expected, "{records:?}");
        }
    }

    #[test]
    fn wildcards_have_their_own_property() {
        let table: &[(&[(&str, &str)], bool)] = &[
            (&[("issue", "ca.example")], true),
            (&[("issue", "ca.example"), ("issuewild", ";")], false),
            (&[("issue", ";"), ("issuewild", "ca.example")], true),
        ];
        for (records, expected) in table {
            assert_eq!(permitted("*.example.com", records), *expected, "{records:?}");
        }
    }
}
