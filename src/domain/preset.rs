//! The usual profiles, each with a policy that fits it.

use serde::{Deserialize, Serialize};

use super::policy::{
    AlgorithmRules, BasicConstraintsRules, CaRule, PolicySpec, SetRules, Table, ValidityRules, ValueRules,
};
use super::{Defaults, IssuerChoice, ProfileSpec, Slug, Span};
use crate::x509::{Attribute, BasicConstraints, ExtendedKeyUsage, KeyAlgorithm, KeyUsage, KeyUsages, SanKind};

/// A usual kind of certificate.
///
/// ```
/// use chancery::domain::{Preset, policy::{Policy, ValueRules}};
/// use chancery::x509::SanKind;
///
/// let mut policy = Preset::TlsServer.policy("web".parse()?);
/// policy.sans = Some([(SanKind::DnsName, ValueRules::allow(["*.example.com"]))].into());
/// let profile = Preset::TlsServer.profile("web".parse()?, "intermediate".parse()?, "web".parse()?);
/// profile.check(&Policy::try_from(policy)?, time::OffsetDateTime::now_utc())?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// TLS servers: DNS names and addresses, server authentication, 90 days.
    TlsServer,
    /// TLS clients: client authentication, 90 days.
    TlsClient,
    /// Services that are both server and client, 90 days.
    Dual,
    /// Code signing, one year.
    CodeSigning,
    /// E-mail protection, one year.
    Email,
    /// Devices: client authentication, one year, identified by serial number or name.
    Device,
    /// Users: client authentication and e-mail, one year.
    User,
    /// An intermediate CA with nothing but end entities below it, five years.
    IntermediateCa,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Preset; 8] = [
        Self::TlsServer,
        Self::TlsClient,
        Self::Dual,
        Self::CodeSigning,
        Self::Email,
        Self::Device,
        Self::User,
        Self::IntermediateCa,
    ];

    /// A policy called `name` for this kind of certificate. It permits every name of the kinds that make sense: put the
    /// patterns of your own names into [`sans`](PolicySpec::sans) and [`subject`](PolicySpec::subject).
    pub fn policy(self, name: Slug) -> PolicySpec {
        PolicySpec {
            subject: Some(self.attributes().into_iter().map(|a| (a, ValueRules::allow(["*"]))).collect()),
            sans: Some(self.san_kinds().into_iter().map(|k| (k, ValueRules::allow(["*"]))).collect()),
            key_usages: Some(self.key_usage_rules()),
            extended_key_usages: Some(SetRules { required: self.purposes(), ..SetRules::default() }),
            algorithms: AlgorithmRules { key: Some(KeyAlgorithm::ALL.to_vec()), signature: None },
            validity: ValidityRules { min: None, max: Some(self.longest()), backdate: Some(Span::days(1)) },
            basic_constraints: self.basic_constraints_rules(),
            ..PolicySpec::new(name)
        }
    }

    /// A profile called `name` with the defaults of this kind, signed by `issuer` under `policy`. notBefore is set five minutes
    /// back, for clocks that are slow.
    pub fn profile(self, name: Slug, issuer: Slug, policy: Slug) -> ProfileSpec {
        let mut profile = ProfileSpec::new(name, IssuerChoice::Ca(issuer), policy);
        profile.defaults = self.defaults();
        profile.backdate = Some(Span::minutes(5));
        profile
    }

    /// The defaults of this kind.
    pub fn defaults(self) -> Defaults {
        Defaults {
            ttl: Some(self.longest()),
            subject: Table::default(),
            key_algorithm: Some(KeyAlgorithm::P256),
            signature_algorithm: None,
            key_usages: Some(self.usages()),
            extended_key_usages: Some(self.purposes()),
            basic_constraints: self.is_ca().then_some(BasicConstraints::Ca { path_length: Some(0) }),
        }
    }

    fn is_ca(self) -> bool {
        self == Self::IntermediateCa
    }

    fn longest(self) -> Span {
        match self {
            Self::TlsServer | Self::TlsClient | Self::Dual => Span::days(90),
            Self::CodeSigning | Self::Email | Self::Device | Self::User => Span::days(365),
            Self::IntermediateCa => Span::days(5 * 365),
        }
    }

    fn usages(self) -> KeyUsages {
        match self {
            Self::IntermediateCa => {
                KeyUsages::from([KeyUsage::KeyCertSign, KeyUsage::CrlSign, KeyUsage::DigitalSignature])
            }
            Self::Email | Self::User => KeyUsages::from([KeyUsage::DigitalSignature, KeyUsage::KeyEncipherment]),
            _ => KeyUsages::from([KeyUsage::DigitalSignature]),
        }
    }

    fn key_usage_rules(self) -> SetRules<KeyUsage> {
        let required = match self {
            Self::IntermediateCa => vec![KeyUsage::KeyCertSign, KeyUsage::CrlSign],
            _ => vec![KeyUsage::DigitalSignature],
        };
        let allowed = match self {
            Self::IntermediateCa => vec![KeyUsage::DigitalSignature],
            Self::CodeSigning => Vec::new(),
            Self::Email | Self::User => {
                vec![KeyUsage::KeyEncipherment, KeyUsage::KeyAgreement, KeyUsage::NonRepudiation]
            }
            _ => vec![KeyUsage::KeyEncipherment, KeyUsage::KeyAgreement],
        };
        SetRules { allowed, required, denied: Vec::new() }
    }

    fn purposes(self) -> Vec<ExtendedKeyUsage> {
        match self {
            Self::TlsServer => vec![ExtendedKeyUsage::ServerAuth],
            Self::TlsClient | Self::Device => vec![ExtendedKeyUsage::ClientAuth],
            Self::Dual => vec![ExtendedKeyUsage::ServerAuth, ExtendedKeyUsage::ClientAuth],
            Self::CodeSigning => vec![ExtendedKeyUsage::CodeSigning],
            Self::Email => vec![ExtendedKeyUsage::EmailProtection],
            Self::User => vec![ExtendedKeyUsage::ClientAuth, ExtendedKeyUsage::EmailProtection],
            Self::IntermediateCa => Vec::new(),
        }
    }

    fn attributes(self) -> Vec<Attribute> {
        use Attribute::{CommonName, Country, Locality, Organization, OrganizationalUnit, SerialNumber, State};
        match self {
            Self::TlsServer | Self::TlsClient | Self::Dual => vec![CommonName],
            Self::Device => vec![CommonName, Organization, OrganizationalUnit, SerialNumber],
            _ => vec![CommonName, Country, State, Locality, Organization, OrganizationalUnit],
        }
    }

    fn san_kinds(self) -> Vec<SanKind> {
        match self {
            Self::TlsServer => vec![SanKind::DnsName, SanKind::IpAddress],
            Self::TlsClient | Self::Dual | Self::Device => vec![SanKind::DnsName, SanKind::IpAddress, SanKind::Uri],
            Self::Email => vec![SanKind::Email],
            Self::User => vec![SanKind::Email, SanKind::Upn],
            Self::CodeSigning | Self::IntermediateCa => Vec::new(),
        }
    }

    fn basic_constraints_rules(self) -> BasicConstraintsRules {
        match self.is_ca() {
            true => BasicConstraintsRules { ca: CaRule::Required, max_path_length: Some(0) },
            false => BasicConstraintsRules::default(),
        }
    }
}
