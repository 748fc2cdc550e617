//! Verbs on certificates: asking, finding, exporting, importing.

use time::OffsetDateTime;

use super::Session;
use crate::domain::{ApplicationId, CertificateId, CertificateRecord, Draft, Enrollment, Metadata, RequestId};
use crate::engine::endings::Endings;
use crate::engine::error::Error;
use crate::engine::inventory::{Import, ImportOutcome};
use crate::engine::outcome::{Chain, Outcome, Refusal, SubjectKey};
use crate::engine::query::{CertificateQuery, Page, PageToken};
use crate::x509::Serial;

/// Certificates.
impl Session {
    /// Asks for a certificate: judged at once, and issued if it is permitted. Needs `certificates.create` and
    /// `certificate-profiles.issue-cert`.
    ///
    /// Every method of enrollment leads here; see [a request's walk](crate::manual::request_walk). With an idempotency key
    /// it is safe to repeat: the same content gets the same certificate. If an approval policy of the Application is about it,
    /// it is kept until people agree ([approvals](crate::manual::approvals)); that needs `approval-requests.create`, too.
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
    /// // In an Application `payments` with a TLS profile `web` attached:
    /// let ask = Enrollment::managed(payments.id, web.id).common_name("api.example.com").dns("api.example.com");
    /// let Outcome::Issued(issued) = session.submit(&ask).await? else { return Err("not issued".into()) };
    /// assert!(issued.private_key.is_some(), "in this answer and no other");
    ///
    /// // What breaks a rule is refused, with every reason.
    /// let ask = ask.dns("not a name").ttl(chancery::domain::Span::days(1000));
    /// let Outcome::Refused(refusal) = session.submit(&ask).await? else { return Err("not refused".into()) };
    /// assert_eq!(refusal.violations.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A refusal is no error. [`Error::Contended`] if what the request is judged by changed eight times while it was judged;
    /// [`Error::Seal`] for a managed key without a sealer; [`Error::IdempotencyKey`] if the key came with other content;
    /// [`Error::Sign`] if a signer in this process fails; [`Error::Issuer`] if the issuer can not be used.
    #[tracing::instrument(level = "debug", skip_all, fields(application = %enrollment.application, method = %enrollment.method), err(level = "debug"))]
    pub async fn submit(&self, enrollment: &Enrollment) -> Result<Outcome, Error> {
        verb!(self.submit(enrollment))
    }

    /// Judges a request without issuing or recording anything: the completed draft, or every reason against it.
    ///
    /// Nothing is drawn, recorded or told: no event is left. What it answers holds for the moment; [`submit`](Self::submit)
    /// judges anew.
    ///
    /// # Errors
    /// As [`submit`](Self::submit) before the permit.
    #[tracing::instrument(level = "debug", skip_all, fields(application = %enrollment.application), err(level = "debug"))]
    pub async fn dry_run(&self, enrollment: &Enrollment) -> Result<Result<Draft, Refusal>, Error> {
        verb!(self.dry_run(enrollment))
    }

    /// Where a request stands. Needs `certificates.read`.
    ///
    /// A managed key comes along, once, for the one who asked, if no answer could hold it before: the request waited for
    /// approval or for a signer. Otherwise only if the actor may read it again.
    ///
    /// # Errors
    /// [`Error::NotFound`] also for a request of an Application that the actor may not see.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn request(&self, id: RequestId) -> Result<Outcome, Error> {
        verb!(self.request(id))
    }

    /// A certificate by its id. Needs `certificates.read`.
    ///
    /// # Errors
    /// [`Error::NotFound`] also for a certificate that the actor may not see.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn certificate(&self, id: CertificateId) -> Result<CertificateRecord, Error> {
        verb!(self.certificate(id))
    }

    /// The certificates with a serial number: one for each issuer that gave it out. Needs `certificates.read`.
    /// Certificates that the actor may not see are left out.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn certificates_by_serial(&self, serial: &Serial) -> Result<Vec<CertificateRecord>, Error> {
        verb!(self.by_serial(serial))
    }

    /// The certificates with a SHA-256 fingerprint over their DER. Needs `certificates.read`.
    /// Certificates that the actor may not see are left out.
    #[tracing::instrument(level = "debug", skip_all, err(level = "debug"))]
    pub async fn certificates_by_fingerprint(&self, fingerprint: &[u8; 32]) -> Result<Vec<CertificateRecord>, Error> {
        verb!(self.by_fingerprint(fingerprint))
    }

    /// One page of the certificates that a query finds. Needs `certificates.list`; without an Application in the query,
    /// a product administrator.
    ///
    /// The first page has `None` for `after`; each further one the token that the page before ended with. Pages are cut by
    /// place, not by number, so that what comes and goes between them neither repeats nor hides anything else.
    /// [`CertificateQuery`] shows a walk over all pages.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that is not one of this query's.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn certificates(
        &self,
        query: &CertificateQuery,
        after: Option<&PageToken>,
    ) -> Result<Page<CertificateRecord>, Error> {
        verb!(self.certificates(query, after))
    }

    /// How many certificates end between each of `bounds` and the next, for a picture of what is to come. Needs
    /// `certificates.list`; without an Application, a product administrator.
    ///
    /// Counting stops at [`MOST_ENDINGS`](crate::engine::MOST_ENDINGS) in each stretch, so that it costs the same whatever the
    /// size of the inventory.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless 2 to 54 instants are given in order.
    #[tracing::instrument(level = "debug", skip(self, bounds), err(level = "debug"))]
    pub async fn endings(
        &self,
        application: Option<ApplicationId>,
        bounds: &[OffsetDateTime],
    ) -> Result<Vec<Endings>, Error> {
        verb!(self.endings(application, bounds))
    }

    /// A certificate with those above it, for export. Needs `certificates.read`.
    ///
    /// # Errors
    /// [`Error::Certificate`] if what is stored can not be read as a certificate; [`Error::Issuer`] if its issuer can not be
    /// used.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn chain(&self, id: CertificateId) -> Result<Chain, Error> {
        let record = verb!(self.certificate(id))?;
        self.context.chain_of(&record).await
    }

    /// Reads a managed private key again; an event tells of it. Needs `certificates.read-private-key`.
    /// The event is committed before the key is handed out.
    ///
    /// # Errors
    /// [`Error::PrivateKey`] if it is not kept here or may not be read any more; [`Error::Seal`] if it does not open.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn private_key(&self, id: CertificateId) -> Result<SubjectKey, Error> {
        verb!(self.private_key(id))
    }

    /// Replaces a certificate's tags. Needs `certificates.edit`.
    ///
    /// # Errors
    /// [`Error::Contended`] if somebody else changed the certificate; read it again.
    #[tracing::instrument(level = "debug", skip(self, metadata), err(level = "debug"))]
    pub async fn tag_certificate(&self, id: CertificateId, metadata: Metadata) -> Result<CertificateRecord, Error> {
        verb!(self.tag_certificate(id, metadata))
    }

    /// Deletes an expired or imported certificate, and its key, from the inventory. Needs `certificates.delete`.
    ///
    /// # Errors
    /// [`Error::InUse`] for a certificate that was issued here and is still valid.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn delete_certificate(&self, id: CertificateId) -> Result<(), Error> {
        verb!(self.delete_certificate(id))
    }

    /// Takes a certificate that was issued elsewhere into an Application's inventory. Needs `certificates.import`.
    /// Its chain must lead
    /// from certificate to certificate, and a key must be the certificate's own.
    ///
    /// # Errors
    /// A policy's refusal is no error but an [`ImportOutcome`]. [`Error::Certificate`] if the chain does not hold together;
    /// [`Error::PrivateKey`] or [`Error::Key`] if the key does not fit or can not be read; [`Error::Seal`] without a sealer;
    /// [`Error::Contended`] if the Application changed meanwhile.
    #[tracing::instrument(level = "debug", skip_all, err(level = "debug"))]
    pub async fn import_certificate(&self, import: Import) -> Result<ImportOutcome, Error> {
        verb!(self.import_certificate(import))
    }
}
