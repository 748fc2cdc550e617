//! Verbs on revocation: single certificates, incidents, and how issuers tell of them.

use super::Session;
use crate::domain::{
    CertificateId, CertificateRecord, CertificateRef, Incident, IncidentId, IncidentSpec, IssuerId, IssuerRecord,
    KeyProof, Revocation, StatusSettings, UnderIncident,
};
use crate::engine::error::Error;

/// Revocation.
impl Session {
    /// Revokes a certificate: for the next CRL, and for OCSP at once. Needs `certificates.edit`, which Admins and Operators
    /// have; the matrix has no row of its own for it. Certificates of issuers, and those whose Application is gone, are for
    /// product administrators.
    ///
    /// To revoke again for the same reason changes nothing. A hold may become a revocation, and any reason a compromise of
    /// the key; the time of the first revocation stays.
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
    /// use chancery::domain::CertificateState;
    /// use chancery::x509::RevocationReason;
    ///
    /// let revoked = session.revoke(issued.record.id, RevocationReason::Superseded).await?;
    /// assert!(matches!(revoked.state, CertificateState::Revoked { .. }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Revocation`] for a certificate that was issued elsewhere, is self-signed, has expired, or is revoked for
    /// another reason already.
    #[tracing::instrument(level = "debug", skip_all, err(level = "debug"))]
    pub async fn revoke(
        &self,
        which: impl Into<CertificateRef>,
        revocation: impl Into<Revocation>,
    ) -> Result<CertificateRecord, Error> {
        let (which, revocation) = (which.into(), revocation.into());
        verb!(self.revoke(which, revocation))
    }

    /// Revokes the certificate of a fingerprint for keyCompromise. Needs no role: whoever has its private key may, and a
    /// signature over [`KeyProof::message`] shows that they do.
    ///
    /// # Errors
    /// As [`revoke`](Self::revoke). A signature that proves nothing is [`Error::Revocation`] for those who may see the
    /// certificate, and [`Error::NotFound`] for others.
    #[tracing::instrument(level = "debug", skip_all, err(level = "debug"))]
    pub async fn revoke_by_key_proof(
        &self,
        fingerprint: [u8; 32],
        proof: &KeyProof,
    ) -> Result<CertificateRecord, Error> {
        verb!(self.revoke_by_key_proof(fingerprint, proof))
    }

    /// Lifts a certificate's hold: it is active again, OCSP says so at once, and the next CRL leaves it out. For those who may
    /// [`revoke`](Self::revoke) it.
    ///
    /// # Errors
    /// [`Error::Revocation`] if it is not on hold.
    #[tracing::instrument(level = "debug", skip_all, err(level = "debug"))]
    pub async fn release_hold(&self, which: impl Into<CertificateRef>) -> Result<CertificateRecord, Error> {
        let which = which.into();
        verb!(self.release_hold(which))
    }

    /// Opens a mass revocation. For product administrators, and within one Application for its Admins.
    ///
    /// Due work looks for the certificates, brings their renewal forward, and revokes them when their time has come.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every fault of the specification.
    #[tracing::instrument(level = "debug", skip_all, fields(reason = %spec.reason), err(level = "debug"))]
    pub async fn open_incident(&self, spec: IncidentSpec) -> Result<Incident, Error> {
        verb!(self.open_incident(spec))
    }

    /// A mass revocation and how far it is. For product administrators, and within one Application whoever may read its
    /// certificates.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn incident(&self, id: IncidentId) -> Result<Incident, Error> {
        verb!(self.incident(id))
    }

    /// Calls a mass revocation off: what it has revoked stays revoked, the rest is let go. For those who may open it.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn call_off_incident(&self, id: IncidentId) -> Result<Incident, Error> {
        verb!(self.call_off_incident(id))
    }

    /// The mass revocation that a certificate is under, with the time of its revocation. Needs `certificates.read`.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn certificate_incident(&self, id: CertificateId) -> Result<Option<UnderIncident>, Error> {
        verb!(self.certificate_incident(id))
    }

    /// Changes how an issuer tells which of its certificates are revoked. For product administrators.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every fault; shards can grow and never shrink. [`Error::Contended`] if somebody else changed
    /// the issuer.
    #[tracing::instrument(level = "debug", skip(self), err(level = "debug"))]
    pub async fn set_issuer_status(&self, id: IssuerId, status: StatusSettings) -> Result<IssuerRecord, Error> {
        verb!(self.set_issuer_status(id, status))
    }
}
