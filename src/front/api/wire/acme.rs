//! ACME enrollment: its settings, binding keys and accounts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MethodBody, Moment, RenewalSettingBody, SecretText};
use crate::domain::acme::{Account, AccountStatus, Binding, BindingScope, BindingSpec, BindingUses, ChallengeKind};
use crate::domain::{
    AcmeAccountId, AcmeBindingId, AcmeChecks, AcmeLimits, AcmeNetworks, AcmeSettings, AutoRenewal, MethodSettings,
    Principal, ProfileId, Rate, Span,
};
use crate::front::{Code, Fault, Problem};
use crate::sealer::Secret;
use crate::x509::SanKind;

/// Settings of ACME enrollment.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct AcmeBody {
    /// Whether clients need not prove control of their identifiers.
    #[serde(default)]
    skip_dns_ownership_verification: bool,
    /// Whether clients need no external account binding.
    #[serde(default)]
    skip_eab_binding: bool,
    /// Where the terms of service stand, https; clients must agree to them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    terms: Option<String>,
    /// A page for people about this server, https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    website: Option<String>,
    /// By which challenges control may be proved; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    challenges: Option<Vec<ChallengeKind>>,
    /// Whether proofs may be looked for in private networks, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    private_networks: Option<bool>,
    /// By which names CAA records know this office; without any they are not asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    caa: Vec<String>,
    /// How often a challenge is looked at, 1 to 10; 3 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempts: Option<u8>,
    /// How long orders live; 24 hours if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order_life: Option<Span>,
    /// How long a proof is good for further orders; 8 hours if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof_life: Option<Span>,
    /// When clients are told to renew (RFC 9773); if absent, the profile says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renewal: Option<RenewalSettingBody>,
    /// How many orders one account may place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    orders_per_account: Option<RateBody>,
    /// How many orders may name one identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    orders_per_identifier: Option<RateBody>,
}

/// So many in such a time.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RateBody {
    /// How many.
    count: u32,
    /// In which time.
    per: Span,
}

impl MethodBody for AcmeBody {
    fn settings(body: Option<Self>) -> Result<MethodSettings, Problem> {
        Ok(MethodSettings::Acme(body.map(Self::read).transpose()?))
    }
}

impl AcmeBody {
    fn read(self) -> Result<AcmeSettings, Problem> {
        let checks = match (self.skip_dns_ownership_verification, self.skip_eab_binding) {
            (false, false) => AcmeChecks::All,
            (true, false) => AcmeChecks::SkipOwnership,
            (false, true) => AcmeChecks::SkipAccountBinding,
            (true, true) => return Err(refused("skipEabBinding", "one of the two checks must stay")),
        };
        let renewal = match self.renewal.map(|setting| setting.setting("renewal")).transpose()? {
            None => None,
            Some(AutoRenewal::On(setting)) => Some(setting),
            Some(AutoRenewal::Off) => return Err(refused("renewal", "clients are always told when to renew")),
        };
        let rate = |rate: Option<RateBody>| rate.map(|RateBody { count, per }| Rate { count, per });
        let usual = AcmeSettings::default();
        Ok(AcmeSettings {
            checks,
            terms: self.terms,
            website: self.website,
            challenges: self.challenges.unwrap_or(usual.challenges),
            networks: if self.private_networks == Some(true) {
                AcmeNetworks::AlsoPrivate
            } else {
                AcmeNetworks::Public
            },
            caa: self.caa,
            attempts: self.attempts.unwrap_or(usual.attempts),
            order_life: self.order_life.unwrap_or(usual.order_life),
            proof_life: self.proof_life.unwrap_or(usual.proof_life),
            renewal,
            limits: AcmeLimits {
                orders_per_account: rate(self.orders_per_account),
                orders_per_identifier: rate(self.orders_per_identifier),
            },
        })
    }
}

fn refused(field: &str, said: &str) -> Problem {
    Problem::new(Code::InvalidValue, said).with([Fault::said(field, "conflict", said)])
}

impl From<AcmeSettings> for AcmeBody {
    /// What is as usual is left out.
    fn from(settings: AcmeSettings) -> Self {
        let usual = AcmeSettings::default();
        let AcmeSettings {
            checks,
            terms,
            website,
            challenges,
            networks,
            caa,
            attempts,
            order_life,
            proof_life,
            renewal,
            limits,
        } = settings;
        let rate = |rate: Option<Rate>| rate.map(|Rate { count, per }| RateBody { count, per });
        Self {
            skip_dns_ownership_verification: checks == AcmeChecks::SkipOwnership,
            skip_eab_binding: checks == AcmeChecks::SkipAccountBinding,
            terms,
            website,
            challenges: Some(challenges).filter(|challenges| *challenges != usual.challenges),
            private_networks: (networks == AcmeNetworks::AlsoPrivate).then_some(true),
            caa,
            attempts: Some(attempts).filter(|attempts| *attempts != usual.attempts),
            order_life: Some(order_life).filter(|life| *life != usual.order_life),
            proof_life: Some(proof_life).filter(|life| *life != usual.proof_life),
            renewal: renewal.map(|setting| RenewalSettingBody::from(&AutoRenewal::On(setting))),
            orders_per_account: rate(limits.orders_per_account),
            orders_per_identifier: rate(limits.orders_per_identifier),
        }
    }
}

/// A key for external account bindings to be made.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct BindingBody {
    /// What it is for, 1 to 100 characters.
    name: String,
    /// For how many accounts it is good; one if absent.
    #[serde(default)]
    uses: BindingUses,
    /// How long accounts can be made with it; until it is revoked if absent.
    #[serde(default)]
    ttl: Option<Span>,
    /// Patterns of the DNS names that its accounts may order.
    #[serde(default)]
    dns_names: Option<Vec<String>>,
    /// The addresses and CIDR blocks that its accounts may order. If neither these nor names are given, everything.
    #[serde(default)]
    ip_addresses: Option<Vec<String>>,
}

impl From<BindingBody> for BindingSpec {
    fn from(body: BindingBody) -> Self {
        let BindingBody { name, uses, ttl, dns_names, ip_addresses } = body;
        let kinds = [(SanKind::DnsName, dns_names), (SanKind::IpAddress, ip_addresses)];
        let identifiers = kinds.into_iter().filter_map(|(kind, patterns)| Some((kind, patterns?))).collect();
        Self { name, uses, ttl, identifiers: BindingScope(identifiers) }
    }
}

/// Where a fault of a key to be made is, as the body spells it.
pub(in crate::front::api) fn binding_field(field: &str) -> String {
    field.replace("identifiers.dns_name", "dnsNames").replace("identifiers.ip_address", "ipAddresses")
}

/// A key for external account bindings.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct BindingView {
    /// Its id: the `kid` that clients are configured with.
    id: AcmeBindingId,
    /// The profile at whose directory accounts are made with it.
    profile_id: ProfileId,
    /// What it is for.
    name: String,
    /// For how many accounts it is good.
    uses: BindingUses,
    /// How many were made with it.
    used: u32,
    /// Patterns of the DNS names that its accounts may order.
    dns_names: Option<Vec<String>>,
    /// The addresses and CIDR blocks that its accounts may order.
    ip_addresses: Option<Vec<String>>,
    /// Who made it.
    made_by: Principal,
    /// When it was made.
    created_at: Moment,
    /// Until when accounts can be made with it.
    expires_at: Option<Moment>,
}

impl From<Binding> for BindingView {
    fn from(binding: Binding) -> Self {
        let patterns = |kind: SanKind| binding.scope.0.get(&kind).cloned();
        let (dns_names, ip_addresses) = (patterns(SanKind::DnsName), patterns(SanKind::IpAddress));
        let Binding { id, profile, name, uses, used, made_by, created_at, expires_at, .. } = binding;
        let (created_at, expires_at) = (created_at.into(), expires_at.map(Into::into));
        Self { id, profile_id: profile, name, uses, used, dns_names, ip_addresses, made_by, created_at, expires_at }
    }
}

/// A key with its secret.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct BindingAnswer {
    /// The key.
    binding: BindingView,
    /// Its secret in base64url, as clients are configured with it.
    hmac_key: SecretText,
}

impl BindingAnswer {
    pub(in crate::front::api) fn new((binding, secret): (Binding, Secret)) -> Self {
        Self { binding: binding.into(), hmac_key: SecretText(secret) }
    }
}

/// The secret of a key.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct BindingSecret {
    /// In base64url, as clients are configured with it.
    hmac_key: SecretText,
}

impl From<Secret> for BindingSecret {
    fn from(secret: Secret) -> Self {
        Self { hmac_key: SecretText(secret) }
    }
}

/// An account of ACME.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct AcmeAccountView {
    /// Its id.
    id: AcmeAccountId,
    /// The profile at whose directory it was made.
    profile_id: ProfileId,
    /// `valid`, `deactivated` or `revoked`.
    status: &'static str,
    /// The thumbprint of its key (RFC 7638), base64url.
    thumbprint: String,
    /// How to reach its owner.
    contacts: Vec<String>,
    /// The binding key that it was made with.
    binding_id: Option<AcmeBindingId>,
    /// When it was made.
    created_at: Moment,
    /// When it last ordered something, to the day.
    used_at: Moment,
}

impl From<Account> for AcmeAccountView {
    fn from(account: Account) -> Self {
        let status: AccountStatus = account.status();
        Self {
            id: account.id,
            profile_id: account.profile,
            status: status.as_str(),
            thumbprint: account.key.thumbprint,
            contacts: account.contacts.iter().map(ToString::to_string).collect(),
            binding_id: account.bound.map(|bound| bound.by),
            created_at: account.created_at.into(),
            used_at: account.used_at.into(),
        }
    }
}
