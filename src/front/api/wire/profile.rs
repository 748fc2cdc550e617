//! Profiles.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::request::Constraints;
use super::{Moment, RenewalSettingBody};
use crate::domain::policy::Table;
use crate::domain::{Defaults, IssuerChoice, IssuerId, PolicyId, Profile, ProfileId, ProfileSpec, Slug, Span, Values};
use crate::front::{Code, Fault, Problem};
use crate::x509::{Attribute, ExtendedKeyUsage, KeyAlgorithm, KeyUsage, SignatureAlgorithm};

/// A profile: an issuer, a policy and defaults.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct ProfileBody {
    /// The unique name.
    pub(in crate::front::api) slug: Slug,
    /// What it is for.
    #[serde(default)]
    description: String,
    /// Who signs.
    issuer_type: IssuerType,
    /// The issuer's name, if it is one.
    #[serde(default)]
    ca: Option<Slug>,
    /// The policy's name.
    certificate_policy: Slug,
    /// What requests that leave something open get.
    #[serde(default)]
    defaults: DefaultsBody,
    /// How far notBefore is set before the moment of issue.
    #[serde(default)]
    backdate: Option<Span>,
    /// Whether and when certificates with managed keys renew by themselves, unless an attachment says otherwise.
    #[serde(default)]
    auto_renew: Option<RenewalSettingBody>,
}

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum IssuerType {
    /// An issuer.
    Ca,
    /// Each certificate's own key.
    SelfSigned,
}

/// What requests that leave something open get.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct DefaultsBody {
    /// How long certificates are valid, in whole days. Excludes `ttl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_days: Option<u16>,
    /// How long certificates are valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<Span>,
    /// The common name.
    #[serde(skip_serializing_if = "Option::is_none")]
    common_name: Option<Values>,
    /// The organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<Values>,
    /// The organizational unit, or several.
    #[serde(skip_serializing_if = "Option::is_none")]
    organizational_unit: Option<Values>,
    /// The country.
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<Values>,
    /// The state or province.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<Values>,
    /// The locality.
    #[serde(skip_serializing_if = "Option::is_none")]
    locality: Option<Values>,
    /// The labels of a domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    domain_components: Option<Values>,
    /// The algorithm of managed keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_algorithm: Option<KeyAlgorithm>,
    /// What the issuer signs with.
    #[serde(skip_serializing_if = "Option::is_none")]
    signature_algorithm: Option<SignatureAlgorithm>,
    /// Key usages.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_usages: Option<Vec<KeyUsage>>,
    /// Extended key usages.
    #[serde(skip_serializing_if = "Option::is_none")]
    extended_key_usages: Option<Vec<ExtendedKeyUsage>>,
    /// Whether certificates are CAs.
    #[serde(skip_serializing_if = "Option::is_none")]
    basic_constraints: Option<Constraints>,
}

impl DefaultsBody {
    fn defaults(self) -> Result<Defaults, Problem> {
        let ttl = match (self.ttl, self.ttl_days) {
            (Some(_), Some(_)) => {
                let fault = Fault::said("defaults.ttlDays", "conflict", "`ttl` and `ttlDays` exclude each other");
                return Err(Problem::new(Code::InvalidValue, "one of two fields may be given").with([fault]));
            }
            (ttl, days) => ttl.or(days.map(Span::days)),
        };
        let subject = [
            (Attribute::CommonName, self.common_name),
            (Attribute::Organization, self.organization),
            (Attribute::OrganizationalUnit, self.organizational_unit),
            (Attribute::Country, self.country),
            (Attribute::State, self.state),
            (Attribute::Locality, self.locality),
            (Attribute::DomainComponent, self.domain_components),
        ];
        let subject = subject.into_iter().filter_map(|(attribute, values)| Some((attribute, values?)));
        Ok(Defaults {
            ttl,
            subject: subject.collect::<Table<_, _>>(),
            key_algorithm: self.key_algorithm,
            signature_algorithm: self.signature_algorithm,
            key_usages: self.key_usages.map(Into::into),
            extended_key_usages: self.extended_key_usages,
            basic_constraints: self.basic_constraints.map(Into::into),
        })
    }
}

impl From<&Defaults> for DefaultsBody {
    fn from(defaults: &Defaults) -> Self {
        let values = |attribute| defaults.subject.get(&attribute).cloned();
        Self {
            ttl_days: None,
            ttl: defaults.ttl,
            common_name: values(Attribute::CommonName),
            organization: values(Attribute::Organization),
            organizational_unit: values(Attribute::OrganizationalUnit),
            country: values(Attribute::Country),
            state: values(Attribute::State),
            locality: values(Attribute::Locality),
            domain_components: values(Attribute::DomainComponent),
            key_algorithm: defaults.key_algorithm,
            signature_algorithm: defaults.signature_algorithm,
            key_usages: defaults.key_usages.map(Into::into),
            extended_key_usages: defaults.extended_key_usages.clone(),
            basic_constraints: defaults.basic_constraints.map(Into::into),
        }
    }
}

impl ProfileBody {
    /// The profile as the engine takes it.
    pub(in crate::front::api) fn spec(self) -> Result<ProfileSpec, Problem> {
        let issuer = match (self.issuer_type, self.ca) {
            (IssuerType::Ca, Some(name)) => IssuerChoice::Ca(name),
            (IssuerType::SelfSigned, None) => IssuerChoice::SelfSigned,
            (kind, _) => {
                let said = if kind == IssuerType::Ca { "an issuer must be named" } else { "no issuer may be named" };
                let fault = Fault::said("ca", "conflict", said);
                return Err(Problem::new(Code::InvalidValue, said).with([fault]));
            }
        };
        let auto_renew = self.auto_renew.map(|setting| setting.setting("autoRenew")).transpose()?;
        let (name, policy, defaults) = (self.slug, self.certificate_policy, self.defaults.defaults()?);
        let (description, backdate) = (self.description, self.backdate);
        Ok(ProfileSpec { name, description, issuer, policy, defaults, backdate, auto_renew })
    }
}

/// A profile as it is kept.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct ProfileView {
    /// Its id.
    id: ProfileId,
    /// Grows with each change.
    revision: u32,
    /// The unique name.
    slug: Slug,
    /// What it is for.
    description: String,
    /// Who signs.
    issuer_type: IssuerType,
    /// The issuer; `null` if it is self-signed.
    ca_id: Option<IssuerId>,
    /// The policy.
    certificate_policy_id: PolicyId,
    /// What requests that leave something open get.
    defaults: DefaultsBody,
    /// How far notBefore is set before the moment of issue.
    backdate: Option<Span>,
    /// Whether and when certificates with managed keys renew by themselves.
    auto_renew: Option<RenewalSettingBody>,
    /// When this revision was made.
    updated_at: Moment,
}

impl From<Profile> for ProfileView {
    fn from(profile: Profile) -> Self {
        let ca_id = profile.issuer_id();
        Self {
            id: profile.id,
            revision: profile.revision,
            slug: profile.name,
            description: profile.description,
            issuer_type: if ca_id.is_some() { IssuerType::Ca } else { IssuerType::SelfSigned },
            ca_id,
            certificate_policy_id: profile.policy,
            defaults: (&profile.defaults).into(),
            backdate: profile.backdate,
            auto_renew: profile.auto_renew.as_ref().map(Into::into),
            updated_at: profile.updated_at.into(),
        }
    }
}
