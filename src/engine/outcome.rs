//! What becomes of a submitted request.

use std::fmt;
use std::time::Duration;

use crate::domain::{CertificateRecord, RequestId, Verdict, Violation};
use crate::sealer::Secret;
use crate::x509::{Certificate, UnknownExtension, pem};

/// What became of a request.
#[derive(Debug)]
pub enum Outcome {
    /// The certificate is issued.
    Issued(Box<Issued>),
    /// The request stands, and the certificate will come; ask again for the request.
    Pending(Pending),
    /// The request is refused.
    Refused(Refusal),
}

/// A request that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The request.
    pub id: RequestId,
    /// What it waits for.
    pub reason: PendingReason,
    /// How long to wait before asking again ([`Session::request`](super::Session::request)).
    pub retry_after: Duration,
}

/// What a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PendingReason {
    /// The issuer's signer.
    Signer,
    /// People who must agree.
    Approval,
}

/// Why a request was refused: every reason. `Display` gives them as text, one a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reasons, at least one.
    pub violations: Vec<Violation>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Verdict::new(self.violations.clone()).explain())
    }
}

/// An issued certificate, with all that its holder needs.
#[derive(Debug)]
pub struct Issued {
    /// The request that it came of.
    pub request: RequestId,
    /// The certificate in the inventory.
    pub record: CertificateRecord,
    /// The certificate and its issuers.
    pub chain: Chain,
    /// The managed private key, in the first answer to the one who asked: reading it again is a permission of its own.
    pub private_key: Option<SubjectKey>,
    /// Extensions of the certificate request that are not known and were not copied.
    pub ignored_extensions: Vec<UnknownExtension>,
}

/// Whether a chain is written with the root certificate at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Root {
    /// With the root.
    Include,
    /// Without: relying parties have it.
    Exclude,
}

/// A certificate and those above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    leaf: Certificate,
    issuers: std::sync::Arc<[Certificate]>,
}

impl Chain {
    pub(super) fn new(leaf: Certificate, issuers: std::sync::Arc<[Certificate]>) -> Self {
        Self { leaf, issuers }
    }

    /// The certificate itself.
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// The certificate and those above it, in order.
    pub fn certificates(&self, root: Root) -> impl Iterator<Item = &Certificate> {
        let is_left_out = move |certificate: &&Certificate| root == Root::Exclude && certificate.is_self_issued();
        let above = self.issuers.iter().filter(move |certificate| !is_left_out(certificate));
        std::iter::once(&self.leaf).chain(above)
    }

    /// The root certificate, if the chain reaches one.
    /// It is the one whose issuer and subject are the same name.
    pub fn root(&self) -> Option<&Certificate> {
        self.certificates(Root::Include).find(|certificate| certificate.is_self_issued())
    }

    /// PEM of the certificate and those above it.
    /// Blocks follow each other, the certificate first, each with a final
    /// line feed (RFC 7468 section 5).
    pub fn pem(&self, root: Root) -> String {
        self.certificates(root).map(Certificate::pem).collect()
    }

    /// PKCS#7 certs-only (RFC 5652 section 5.1, RFC 7030 section 4.1.3) of the certificate and those above it, DER.
    ///
    /// # Errors
    /// See [`pkcs7_certs_only`](crate::x509::export::pkcs7_certs_only).
    #[cfg(feature = "pkcs7")]
    pub fn pkcs7(&self, root: Root) -> Result<Vec<u8>, crate::x509::export::ExportError> {
        let ders: Vec<Vec<u8>> = self.certificates(root).map(|certificate| certificate.der().to_vec()).collect();
        crate::x509::export::pkcs7_certs_only(&ders)
    }

    /// PKCS#12 (RFC 7292) of the certificate, those above it and the private key, under a password, DER.
    ///
    /// # Errors
    /// See [`pkcs12`](crate::x509::export::pkcs12).
    #[cfg(feature = "pkcs12")]
    pub fn pkcs12(
        &self,
        key: &SubjectKey,
        password: &str,
        friendly_name: &str,
    ) -> Result<Secret, crate::x509::export::ExportError> {
        let above: Vec<Vec<u8>> = self.issuers.iter().map(|certificate| certificate.der().to_vec()).collect();
        let key = key.pkcs8_der().expose();
        crate::x509::export::pkcs12(self.leaf.der(), &above, key, password, friendly_name).map(Secret::from)
    }
}

impl Issued {
    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        self.chain.leaf()
    }

    /// PEM of the certificate and those above it, without the root: what servers are configured with.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use chancery::domain::{Actor, ApplicationSpec, Enrollment, IssuerSpec, Methods, Preset};
    /// # use chancery::engine::{Engine, Outcome};
    /// # let alice = Actor::user("alice")?;
    /// # let builder = Engine::builder().sealer(chancery::sealer::AeadSealer::new(&[7; 32]));
    /// # let engine = builder.administrator(alice.principal().clone()).build().await?;
    /// # let session = engine.acting_as(alice);
    /// # session.create_root(IssuerSpec::new("root".parse()?, "Example Root")).await?;
    /// # session.save_policy(Preset::TlsServer.policy("web".parse()?)).await?;
    /// # let web = session.save_profile(Preset::TlsServer.profile("web".parse()?, "root".parse()?, "web".parse()?)).await?;
    /// # let spec = ApplicationSpec::new("payments-api".parse()?).attach(web.name.clone(), Methods::api());
    /// # let payments = session.create_application(spec).await?;
    /// # let ask = Enrollment::managed(payments.id, web.id).common_name("api.example.com").dns("api.example.com");
    /// # let Outcome::Issued(issued) = session.submit(&ask).await? else { return Err("not issued".into()) };
    /// use chancery::engine::Root;
    ///
    /// // Here the root itself issued: without it the chain is the certificate alone.
    /// assert_eq!(issued.chain_pem(), issued.certificate().pem());
    /// assert_eq!(issued.chain.pem(Root::Include).matches("BEGIN CERTIFICATE").count(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn chain_pem(&self) -> String {
        self.chain.pem(Root::Exclude)
    }
}

/// A subject's private key, an unencrypted PKCS#8 document; wiped when dropped, never shown by `Debug`.
#[derive(Debug)]
pub struct SubjectKey(Secret);

impl SubjectKey {
    pub(super) fn new(pkcs8: Secret) -> Self {
        Self(pkcs8)
    }

    /// The DER document.
    /// PKCS#8 (RFC 5958), not encrypted.
    pub fn pkcs8_der(&self) -> &Secret {
        &self.0
    }

    /// The PEM text, label `PRIVATE KEY`.
    /// The Secret's [`expose`](Secret::expose) is what belongs in a key file that only its owner may
    /// read (RFC 7468 section 10).
    pub fn pem(&self) -> Secret {
        Secret::new(pem::encode(pem::Label::PrivateKey, self.0.expose()).into_bytes())
    }
}
