//! Properties that hold for every policy and every content.

use proptest::prelude::*;

use super::*;
use crate::domain::policy::{SetRules, Table, ValueRules};
use crate::x509::{Attribute, SanKind};

fn dns_pattern() -> impl Strategy<Value = String> {
    prop_oneof![Just("*".to_owned()), "(\\*\\.|\\*\\*\\.)?[a-c](\\.[a-c]){0,2}"]
}

fn value_rules() -> impl Strategy<Value = ValueRules> {
    let list = || prop::collection::btree_set(dns_pattern(), 0..3).prop_map(Vec::from_iter);
    (list(), list(), list()).prop_map(|(allowed, required, denied)| ValueRules { allowed, required, denied })
}

fn usage_rules() -> impl Strategy<Value = SetRules<KeyUsage>> {
    let list = || prop::collection::btree_set(prop::sample::select(&KeyUsage::ALL[..4]), 0..3).prop_map(Vec::from_iter);
    (list(), list(), list()).prop_map(|(allowed, required, denied)| SetRules { allowed, required, denied })
}

fn spec() -> impl Strategy<Value = PolicySpec> {
    let maximum = prop::option::of((1_u16..100).prop_map(Span::days));
    let sections = (prop::option::of(value_rules()), prop::option::of(value_rules()), prop::option::of(usage_rules()));
    (sections, maximum).prop_map(|((names, sans, key_usages), max)| {
        let mut spec = PolicySpec::new("test".parse().unwrap());
        spec.subject = names.map(|rules| Table::from([(Attribute::CommonName, rules)]));
        spec.sans = sans.map(|rules| Table::from([(SanKind::DnsName, rules)]));
        spec.key_usages = key_usages;
        spec.validity.max = max;
        spec
    })
}

fn contents() -> impl Strategy<Value = Content> {
    let name = || "(\\*\\.)?[a-c](\\.[a-c]){0,3}";
    let usages = prop::collection::vec(prop::sample::select(&KeyUsage::ALL[..4]), 0..3);
    (name(), prop::collection::vec(name(), 0..3), usages, 1_u16..100).prop_map(|(common_name, sans, usages, days)| {
        Content {
            subject: Subject::from_parts([(Attribute::CommonName, common_name)]).unwrap(),
            sans: sans.iter().map(|name| San::dns(name).unwrap()).collect(),
            key_usages: usages.into_iter().collect(),
            validity: Validity::new(NOW, NOW + Span::days(days).as_duration()).unwrap(),
            ..content()
        }
    })
}

fn permits(spec: &PolicySpec, content: &Content) -> Option<bool> {
    Policy::try_from(spec.clone()).ok().map(|policy| policy.judge(content, NOW).permits())
}

fn names_of(spec: &mut PolicySpec) -> Vec<&mut ValueRules> {
    let subject = spec.subject.iter_mut().flat_map(|table| table.0.values_mut());
    subject.chain(spec.sans.iter_mut().flat_map(|table| table.0.values_mut())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn deny_beats_allow(spec in spec(), content in contents()) {
        let mut spec = spec;
        let seen = content.sans.first().map(|san| san.value());
        let Some((rules, seen)) = spec.sans.as_mut().and_then(|table| table.0.values_mut().next()).zip(seen) else {
            return Ok(());
        };
        rules.allowed = vec!["*".to_owned()];
        rules.denied.push(seen);
        rules.denied.dedup();
        prop_assert_ne!(permits(&spec, &content), Some(true));
    }

    #[test]
    fn denying_more_never_widens(spec in spec(), content in contents(), pattern in dns_pattern(), usage in 0_usize..4) {
        let mut narrower = spec.clone();
        for rules in names_of(&mut narrower) {
            rules.denied.push(pattern.clone());
        }
        if let Some(rules) = &mut narrower.key_usages {
            rules.denied.push(KeyUsage::ALL[usage]);
        }
        if permits(&narrower, &content) == Some(true) {
            prop_assert_ne!(permits(&spec, &content), Some(false));
        }
    }

    #[test]
    fn allowing_more_never_narrows(spec in spec(), content in contents(), pattern in dns_pattern(), usage in 0_usize..4) {
        let mut wider = spec.clone();
        for rules in names_of(&mut wider) {
            rules.allowed.push(pattern.clone());
        }
        if let Some(rules) = &mut wider.key_usages {
            rules.allowed.push(KeyUsage::ALL[usage]);
        }
        if permits(&spec, &content) == Some(true) {
            prop_assert_ne!(permits(&wider, &content), Some(false));
        }
    }

    #[test]
    fn explanations_are_whole_and_judging_is_deterministic(spec in spec(), content in contents()) {
        let Ok(policy) = Policy::try_from(spec) else { return Ok(()) };
        let verdict = policy.judge(&content, NOW);
        prop_assert_eq!(&verdict, &policy.judge(&content, NOW));
        let text = verdict.explain();
        prop_assert_eq!(verdict.permits(), text == "permitted: no rule is broken");
        prop_assert_eq!(text.lines().count(), 1 + verdict.violations().len());
        for violation in verdict.violations() {
            let (line, seen) = (violation.to_string(), &violation.seen);
            prop_assert!(text.contains(&line) && line.contains(&violation.rule) && line.contains(seen.as_str()));
        }
    }

    #[test]
    fn specifications_survive_json(spec in spec()) {
        let text = serde_json::to_string(&spec).unwrap();
        prop_assert_eq!(crate::domain::read_json::<PolicySpec>(&text).unwrap(), spec);
    }

    #[cfg(feature = "toml")]
    #[test]
    fn specifications_survive_toml(spec in spec()) {
        let text = toml::to_string(&spec).unwrap();
        prop_assert_eq!(crate::domain::read_toml::<PolicySpec>(&text).unwrap(), spec);
    }
}
