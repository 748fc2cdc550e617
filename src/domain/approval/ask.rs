//! An enrollment as it is kept while people decide.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{
    ApplicationId, CertificateId, Enrollment, Method, Names, Octets, ProfileId, RenewalKey, Source, Terms,
};
use crate::x509::{Csr, CsrError};

/// All of an [`Enrollment`] but its idempotency key, which has a record of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The Application that asks.
    pub application: ApplicationId,
    /// The attached profile to issue under.
    pub profile: ProfileId,
    /// The method that brought it.
    pub method: Method,
    /// Where the key comes from.
    pub source: AskedSource,
    /// The subject, names and usages asked for.
    pub names: Names,
    /// What else is asked.
    pub terms: Terms,
    /// Tags for request and certificate.
    pub metadata: BTreeMap<String, String>,
}

/// Where a certificate's key comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskedSource {
    /// It is made, sealed and kept here.
    Managed,
    /// A certificate request (PKCS#10, RFC 2986) brings it, DER.
    Csr(Octets),
    /// Another certificate is renewed.
    Renewal {
        /// The certificate to replace.
        certificate: CertificateId,
        /// The successor's key.
        key: AskedKey,
    },
}

/// The key of a certificate that replaces another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskedKey {
    /// A new one, made, sealed and kept here.
    New,
    /// The same again.
    Reused,
    /// A certificate request (PKCS#10, RFC 2986) brings it, DER.
    Csr(Octets),
}

impl Ask {
    /// What is asked, to be kept.
    pub fn of(enrollment: &Enrollment) -> Self {
        let Enrollment { application, profile, method, source, names, terms, metadata, .. } = enrollment.clone();
        let source = match source {
            Source::Managed => AskedSource::Managed,
            Source::Csr(csr) => AskedSource::Csr(Octets(csr.der().to_vec())),
            Source::Renewal { certificate, key } => AskedSource::Renewal { certificate, key: AskedKey::of(&key) },
        };
        Self { application, profile, method, source, names, terms, metadata }
    }

    /// What was asked, as it was.
    ///
    /// # Errors
    /// A certificate request that is not accepted any more: its key has become known as weak.
    pub fn enrollment(&self) -> Result<Enrollment, CsrError> {
        let Self { application, profile, method, source, names, terms, metadata } = self.clone();
        let source = match source {
            AskedSource::Managed => Source::Managed,
            AskedSource::Csr(der) => Source::Csr(Box::new(Csr::parse(&der.0)?)),
            AskedSource::Renewal { certificate, key } => Source::Renewal { certificate, key: key.renewal_key()? },
        };
        Ok(Enrollment { application, profile, method, source, names, terms, metadata, idempotency_key: None })
    }

    /// The certificate that is to be replaced, if this is a renewal.
    pub fn replaces(&self) -> Option<CertificateId> {
        match &self.source {
            AskedSource::Renewal { certificate, .. } => Some(*certificate),
            AskedSource::Managed | AskedSource::Csr(_) => None,
        }
    }
}

impl AskedKey {
    fn of(key: &RenewalKey) -> Self {
        match key {
            RenewalKey::New => Self::New,
            RenewalKey::Reused => Self::Reused,
            RenewalKey::Csr(csr) => Self::Csr(Octets(csr.der().to_vec())),
        }
    }

    fn renewal_key(&self) -> Result<RenewalKey, CsrError> {
        Ok(match self {
            Self::New => RenewalKey::New,
            Self::Reused => RenewalKey::Reused,
            Self::Csr(der) => RenewalKey::Csr(Box::new(Csr::parse(&der.0)?)),
        })
    }
}
