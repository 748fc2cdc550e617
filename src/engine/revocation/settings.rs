//! Switching CRLs and OCSP on, when an issuer begins and later.

use crate::domain::{
    Actor, EventKind, IssuerId, IssuerRecord, IssuerState, OcspResponder, OcspSettings, StatusSettings,
};
use crate::engine::context::{Change, Context, Versioned};
use crate::engine::error::Error;
use crate::engine::schema::{CrlRecord, ResponderRecord};
use crate::x509::InvalidValue;

impl Context {
    /// Changes how an issuer tells which of its certificates are revoked.
    pub(in crate::engine) async fn set_issuer_status(
        &self,
        actor: &Actor,
        id: IssuerId,
        status: StatusSettings,
    ) -> Result<IssuerRecord, Error> {
        self.authorize_product(actor, "change how issuers tell of revocations")?;
        let Versioned { value: mut record, version } = self.load::<IssuerRecord>(&id.to_string()).await?;
        let mut faults = status.faults(&record.urls);
        let (before, shards) = (record.crl_settings().shards, status.crl.unwrap_or_default().shards);
        if shards < before {
            let accepted = format!("at least {before}: certificates name the shard that they belong to");
            let error = InvalidValue::new("status", shards.to_string(), accepted);
            faults.push(("status.crl.shards".into(), error));
        }
        if !faults.is_empty() {
            return Err(Error::Invalid { faults });
        }
        record.status = status;
        let mut change = self.change(actor, self.now())?;
        change.update(&record, version)?;
        self.begin_status(&record, &mut change).await?;
        change.event(None, EventKind::IssuerSaved { issuer: id, what: "status settings".into() })?;
        match change.commit().await {
            Ok(_) => Ok(record),
            Err(error) if error.is_conflict() => Err(Error::Contended),
            Err(error) => Err(error),
        }
    }

    /// Sees to it that due work makes the CRLs and the responder that an issuer is to have, as soon as it issues.
    pub(in crate::engine) async fn begin_status(
        &self,
        issuer: &IssuerRecord,
        change: &mut Change<'_>,
    ) -> Result<(), Error> {
        if !matches!(issuer.state, IssuerState::Active { .. }) {
            return Ok(());
        }
        if issuer.always_has_crl() {
            for shard in 0..issuer.crl_settings().shards {
                self.begin_crl((issuer, shard), change).await?;
            }
        }
        let is_delegated = matches!(issuer.status.ocsp, Some(OcspSettings { responder: OcspResponder::Delegated, .. }));
        if is_delegated && self.find::<ResponderRecord>(&issuer.id.to_string()).await?.is_none() {
            let (issuer, due) = (issuer.id, change.now);
            change.create(&ResponderRecord { issuer, current: None, next: None, due })?;
        }
        Ok(())
    }

    /// A list that is there already is made anew: its validity may have changed.
    async fn begin_crl(&self, (issuer, shard): (&IssuerRecord, u32), change: &mut Change<'_>) -> Result<(), Error> {
        match self.find::<CrlRecord>(&CrlRecord::id(issuer.id, shard)).await? {
            None => change.create(&CrlRecord::new(issuer.id, shard, change.now)),
            Some(Versioned { value: mut crl, version }) => {
                crl.want(change.now);
                change.update(&crl, version)
            }
        }
    }
}
