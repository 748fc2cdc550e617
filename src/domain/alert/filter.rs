//! Filters: of which certificates an alert tells.

use serde::{Deserialize, Serialize};

use crate::x509::InvalidValue;

/// One condition; upper and lower case are the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// What is compared.
    pub field: FilterField,
    /// How.
    pub operator: FilterOperator,
    /// With what: 1 to 256 characters.
    pub value: String,
}

/// What a filter compares. Of several values one must fit; where there is none, no filter fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FilterField {
    /// The name of the profile.
    ProfileName,
    /// The subject's common name.
    CommonName,
    /// The subject alternative names.
    San,
    /// The Application's name; only for alerts of the product.
    Application,
    /// The tags, each as `key=value`.
    Tag,
}

/// How a filter compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FilterOperator {
    /// The whole value.
    Equals,
    /// Anywhere in it.
    Contains,
    /// At its beginning.
    StartsWith,
    /// At its end.
    EndsWith,
    /// The whole value, where each `*` stands for any characters or none.
    Matches,
}

/// What filters look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) profile_name: Option<String>,
    pub(crate) common_name: Option<String>,
    pub(crate) sans: Vec<String>,
    pub(crate) application: Option<String>,
    pub(crate) tags: Vec<String>,
}

impl Filter {
    /// Every fault with its field.
    pub(crate) fn faults(&self, is_of_the_product: bool) -> Vec<(&'static str, InvalidValue)> {
        let mut faults = Vec::new();
        if self.field == FilterField::Application && !is_of_the_product {
            let error = InvalidValue::new("field", "application", "the alert is of one Application");
            faults.push(("field", error));
        }
        if !(1..=256).contains(&self.value.chars().count()) {
            faults.push(("value", InvalidValue::new("filter", &self.value, "1 to 256 characters")));
        }
        faults
    }

    /// Whether it lets pass what has these facts.
    pub(crate) fn fits(&self, facts: &Facts) -> bool {
        let fits = |value: &String| self.operator.fits(&value.to_lowercase(), &self.value.to_lowercase());
        match self.field {
            FilterField::ProfileName => facts.profile_name.iter().any(fits),
            FilterField::CommonName => facts.common_name.iter().any(fits),
            FilterField::San => facts.sans.iter().any(fits),
            FilterField::Application => facts.application.iter().any(fits),
            FilterField::Tag => facts.tags.iter().any(fits),
        }
    }
}

impl FilterOperator {
    fn fits(self, value: &str, wanted: &str) -> bool {
        match self {
            Self::Equals => value == wanted,
            Self::Contains => value.contains(wanted),
            Self::StartsWith => value.starts_with(wanted),
            Self::EndsWith => value.ends_with(wanted),
            Self::Matches => fits_pattern(value, wanted),
        }
    }
}

/// The parts between the stars must follow each other: the first at the beginning, the last at the end.
fn fits_pattern(value: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return value == pattern };
    let Some(mut left) = value.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*').filter(|part| !part.is_empty()) {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn operators() {
        use FilterOperator::{Contains, EndsWith, Equals, Matches, StartsWith};
        let table = [
            (Equals, "api.example.com", true),
            (Equals, "API.example.com", true),
            (Equals, "example.com", false),
            (Contains, "example", true),
            (Contains, "*", false),
            (StartsWith, "api.", true),
            (StartsWith, "example", false),
            (EndsWith, ".com", true),
            (EndsWith, ".org", false),
            (Matches, "*", true),
            (Matches, "api.*.com", true),
            (Matches, "*.example.com", true),
            (Matches, "*example*", true),
            (Matches, "**.com", true),
            (Matches, "a*e*m", true),
            (Matches, "example", false),
            (Matches, "*example", false),
            (Matches, "api.example.com*com", false),
            (Matches, "api.ex.mple.com", false),
        ];
        let facts = Facts { sans: vec!["other".into(), "api.example.com".into()], ..Facts::default() };
        for (operator, value, expected) in table {
            let filter = Filter { field: FilterField::San, operator, value: value.into() };
            assert_eq!(filter.fits(&facts), expected, "{operator:?} {value}");
        }
    }

    #[test]
    fn each_field_looks_at_its_own() {
        let facts = Facts {
            profile_name: Some("p".into()),
            common_name: Some("c".into()),
            sans: vec!["s".into()],
            application: Some("a".into()),
            tags: vec!["k=v".into(), "t=1".into()],
        };
        use FilterField::{Application, CommonName, ProfileName, San, Tag};
        for (field, value) in [(ProfileName, "p"), (CommonName, "c"), (San, "s"), (Application, "a"), (Tag, "k=v")] {
            let filter = |value: &str| Filter { field, operator: FilterOperator::Equals, value: value.into() };
            assert!(filter(value).fits(&facts), "{field:?}");
            assert!(!filter("other").fits(&facts), "{field:?}");
            assert!(!filter(value).fits(&Facts::default()), "{field:?}: where there is none, none fits");
        }
    }

    proptest! {
        #[test]
        fn patterns_agree_with_a_slow_matcher(value in "[ab]{0,8}", pattern in "[ab*]{0,6}") {
            fn slow(value: &[u8], pattern: &[u8]) -> bool {
                match pattern.split_first() {
                    None => value.is_empty(),
                    Some((b'*', rest)) => (0..=value.len()).any(|at| slow(&value[at..], rest)),
                    Some((first, rest)) => value.first() == Some(first) && slow(&value[1..], rest),
                }
            }
            prop_assert_eq!(fits_pattern(&value, &pattern), slow(value.as_bytes(), pattern.as_bytes()));
        }
    }
}
