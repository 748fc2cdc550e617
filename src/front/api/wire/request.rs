//! Requests for certificates, and what comes of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::value::{PurposeWord, Ttl, UsageWord};
use super::{AltName, KeyText, Moment, Pair, Pem, given, tags};
use crate::domain::policy::Table;
use crate::domain::{ApplicationId, CertificateId, Draft, Enrollment, Names, ProfileId, RequestId, Terms, Values};
use crate::engine::{Issued, Pending, PendingReason, Root};
use crate::front::{Code, Fault, Problem};
use crate::x509::{Attribute, BasicConstraints, Csr, KeyAlgorithm, SignatureAlgorithm};

/// A request for a certificate. Without a `csr` the key is made and kept here.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct IssueRequest {
    /// The profile to issue under.
    pub(in crate::front::api) profile_id: ProfileId,
    /// The Application that asks; may be left out if there is only one in which the caller may ask for this profile.
    #[serde(default)]
    pub(in crate::front::api) application_id: Option<ApplicationId>,
    /// A PKCS#10 request, PEM, at most 64 KiB. It brings subject, names, usages and key.
    #[serde(default)]
    csr: Option<String>,
    /// What the certificate is to say.
    #[serde(default)]
    attributes: Attributes,
    /// Tags, at most 32.
    #[serde(default)]
    metadata: Vec<Pair>,
    /// Whether the answer's chain leaves root certificates out.
    #[serde(default)]
    pub(in crate::front::api) remove_roots_from_chain: bool,
}

/// What a certificate is to say. Of the subject, an absent attribute takes the profile's default, and `null` clears it; of
/// a renewal, an absent field keeps what the predecessor says.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::front::api) struct Attributes {
    /// The common name, at most 64 characters.
    #[serde(deserialize_with = "given")]
    common_name: Option<Option<Values>>,
    /// The organization.
    #[serde(deserialize_with = "given")]
    organization: Option<Option<Values>>,
    /// The organizational unit, or several.
    #[serde(deserialize_with = "given")]
    organizational_unit: Option<Option<Values>>,
    /// The country, two letters.
    #[serde(deserialize_with = "given")]
    country: Option<Option<Values>>,
    /// The state or province.
    #[serde(deserialize_with = "given")]
    state: Option<Option<Values>>,
    /// The locality.
    #[serde(deserialize_with = "given")]
    locality: Option<Option<Values>>,
    /// The subject's own serial number, a device's for example.
    #[serde(deserialize_with = "given")]
    serial_number: Option<Option<Values>>,
    /// The labels of a domain, each a DC.
    #[serde(deserialize_with = "given")]
    domain_components: Option<Option<Values>>,
    /// The subject alternative names.
    #[serde(deserialize_with = "given")]
    alt_names: Option<Option<Vec<AltName>>>,
    /// The key usages.
    #[serde(deserialize_with = "given")]
    key_usages: Option<Option<Vec<UsageWord>>>,
    /// The extended key usages.
    #[serde(deserialize_with = "given")]
    extended_key_usages: Option<Option<Vec<PurposeWord>>>,
    /// The algorithm of the key.
    key_algorithm: Option<KeyAlgorithm>,
    /// What the issuer signs with.
    signature_algorithm: Option<SignatureAlgorithm>,
    /// How long it is to be valid. Excludes `notBefore` and `notAfter`.
    ttl: Option<Ttl>,
    /// From when.
    not_before: Option<Moment>,
    /// Until when.
    not_after: Option<Moment>,
    /// Whether it is to be a CA.
    basic_constraints: Option<Constraints>,
}

/// Whether a certificate is one of a CA.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct Constraints {
    /// Whether it is.
    #[serde(rename = "isCA")]
    is_ca: bool,
    /// How many CAs may follow below it; without limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_length: Option<u8>,
}

impl From<Constraints> for BasicConstraints {
    fn from(constraints: Constraints) -> Self {
        match constraints.is_ca {
            true => Self::Ca { path_length: constraints.path_length },
            false => Self::EndEntity,
        }
    }
}

impl From<BasicConstraints> for Constraints {
    fn from(constraints: BasicConstraints) -> Self {
        match constraints {
            BasicConstraints::EndEntity => Self { is_ca: false, path_length: None },
            BasicConstraints::Ca { path_length } => Self { is_ca: true, path_length },
        }
    }
}

impl IssueRequest {
    /// What is asked, as the engine takes it.
    pub(in crate::front::api) fn enrollment(self, application: ApplicationId) -> Result<Enrollment, Problem> {
        let metadata = tags(self.metadata).map_err(|fault| Problem::invalid(vec![fault]))?;
        let mut enrollment = match &self.csr {
            None => Enrollment::managed(application, self.profile_id),
            Some(text) => Enrollment::csr(application, self.profile_id, read_csr(text)?),
        };
        (enrollment.names, enrollment.terms) = self.attributes.parts();
        enrollment.metadata = metadata;
        Ok(enrollment)
    }
}

/// A certificate request, or every reason why it is none.
pub(in crate::front::api) fn read_csr(text: &str) -> Result<Csr, Problem> {
    Csr::parse(text.as_bytes()).map_err(|error| {
        let reasons = error.reasons.iter().map(|reason| Fault::said("csr", "invalid", reason.to_string()));
        Problem::new(Code::InvalidValue, "the certificate request is refused").with(reasons)
    })
}

impl Attributes {
    /// Names, and what else is asked. What the engine can not read is reported when it judges.
    pub(in crate::front::api) fn parts(self) -> (Names, Terms) {
        let subject = [
            (Attribute::CommonName, self.common_name),
            (Attribute::Organization, self.organization),
            (Attribute::OrganizationalUnit, self.organizational_unit),
            (Attribute::Country, self.country),
            (Attribute::State, self.state),
            (Attribute::Locality, self.locality),
            (Attribute::SerialNumber, self.serial_number),
            (Attribute::DomainComponent, self.domain_components),
        ];
        let subject = subject.into_iter().filter_map(|(attribute, value)| Some((attribute, value?)));
        let usages = |words: Vec<UsageWord>| words.into_iter().map(|word| word.0).collect();
        let purposes = |words: Vec<PurposeWord>| words.into_iter().map(|word| word.0).collect();
        let sans = |names: Vec<AltName>| names.into_iter().map(Into::into).collect();
        let names = Names {
            subject: subject.collect::<Table<_, _>>(),
            sans: self.alt_names.map(|names| names.map(sans).unwrap_or_default()),
            key_algorithm: self.key_algorithm,
            key_usages: self.key_usages.map(|words| words.map(usages).unwrap_or_default()),
            extended_key_usages: self.extended_key_usages.map(|words| words.map(purposes).unwrap_or_default()),
        };
        let terms = Terms {
            ttl: self.ttl.map(|ttl| ttl.0),
            not_before: self.not_before.map(|moment| moment.0),
            not_after: self.not_after.map(|moment| moment.0),
            basic_constraints: self.basic_constraints.map(Into::into),
            signature_algorithm: self.signature_algorithm,
        };
        (names, terms)
    }
}

/// What came of a request for a certificate.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct IssueAnswer {
    /// The certificate; `null` while people must agree, or the issuer has not answered.
    certificate: Option<IssuedView>,
    /// The request, to be polled while there is no certificate.
    certificate_request_id: RequestId,
    /// How it stands while there is no certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    /// What it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    /// Extensions of the `csr` that are not known and were not copied, by their object identifiers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ignored_extensions: Vec<String>,
}

/// A certificate that was just issued.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct IssuedView {
    /// The certificate, PEM.
    pub(in crate::front::api) certificate: String,
    /// The certificate of its issuer, PEM; absent if it is self-signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::front::api) issuing_ca_certificate: Option<String>,
    /// The certificates above it, PEM, one after the other.
    pub(in crate::front::api) certificate_chain: String,
    /// The private key, PKCS#8 in PEM: in this answer and no other, if it was made here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::front::api) private_key: Option<KeyText>,
    /// The serial number, hex.
    pub(in crate::front::api) serial_number: String,
    /// The certificate's id.
    pub(in crate::front::api) certificate_id: CertificateId,
}

impl IssuedView {
    pub(in crate::front::api) fn of(issued: Issued, root: Root) -> Self {
        let Pem { certificate, issuing_ca_certificate, certificate_chain } = Pem::of(&issued.chain, root);
        Self {
            certificate,
            issuing_ca_certificate,
            certificate_chain,
            private_key: issued.private_key.map(|key| KeyText(key.pem())),
            serial_number: issued.record.serial.to_string(),
            certificate_id: issued.record.id,
        }
    }
}

impl IssueAnswer {
    pub(in crate::front::api) fn issued(issued: Issued, root: Root) -> Self {
        let certificate_request_id = issued.request;
        let ignored_extensions = issued.ignored_extensions.iter().map(|each| each.oid.to_string()).collect();
        let certificate = Some(IssuedView::of(issued, root));
        Self { certificate, certificate_request_id, status: None, message: None, ignored_extensions }
    }

    pub(in crate::front::api) fn pending(pending: Pending) -> Self {
        let (status, message) = waiting(pending.reason);
        Self {
            certificate: None,
            certificate_request_id: pending.id,
            status: Some(status),
            message: Some(message),
            ignored_extensions: Vec::new(),
        }
    }
}

fn waiting(reason: PendingReason) -> (&'static str, &'static str) {
    match reason {
        PendingReason::Approval => ("pending_approval", "people must agree first; poll the certificate request"),
        PendingReason::Signer => ("pending", "the issuer has been asked; poll the certificate request"),
    }
}

/// What came of a renewal: the pieces of the new certificate, or what it waits for.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct RenewAnswer {
    /// The certificate, PEM; `null` while there is none.
    certificate: Option<String>,
    /// The certificate of its issuer, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    issuing_ca_certificate: Option<String>,
    /// The certificates above it, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_chain: Option<String>,
    /// The new private key, if it was made here: in this answer and no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<KeyText>,
    /// The serial number, hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    serial_number: Option<String>,
    /// The new certificate's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_id: Option<CertificateId>,
    /// The request, to be polled while there is no certificate.
    certificate_request_id: RequestId,
    /// How it stands while there is no certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    /// What it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
}

impl From<IssueAnswer> for RenewAnswer {
    fn from(answer: IssueAnswer) -> Self {
        let IssueAnswer { certificate: view, certificate_request_id, status, message, .. } = answer;
        let (mut certificate, mut certificate_chain, mut serial_number, mut certificate_id) = (None, None, None, None);
        let (mut issuing_ca_certificate, mut private_key) = (None, None);
        if let Some(view) = view {
            (certificate, certificate_chain) = (Some(view.certificate), Some(view.certificate_chain));
            (issuing_ca_certificate, private_key) = (view.issuing_ca_certificate, view.private_key);
            (serial_number, certificate_id) = (Some(view.serial_number), Some(view.certificate_id));
        }
        Self {
            certificate,
            issuing_ca_certificate,
            certificate_chain,
            private_key,
            serial_number,
            certificate_id,
            certificate_request_id,
            status,
            message,
        }
    }
}

/// What would come of a request.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct DryRunAnswer {
    /// Whether it would be issued, or go to its approvers.
    permitted: bool,
    /// What the certificate would say; absent if it would be refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::front::api) draft: Option<super::certificate::ContentView>,
    /// Every rule that it breaks.
    violations: Vec<Fault>,
    /// The same for people.
    explanation: String,
}

impl DryRunAnswer {
    pub(in crate::front::api) fn permitted(draft: &Draft, explanation: String) -> Self {
        Self { permitted: true, draft: Some((&draft.content).into()), violations: Vec::new(), explanation }
    }

    pub(in crate::front::api) fn refused(violations: Vec<Fault>, explanation: String) -> Self {
        Self { permitted: false, draft: None, violations, explanation }
    }
}
