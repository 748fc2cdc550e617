//! What a CA's certificate and its chain must be.

use crate::domain::{IssuerSpec, Slug};
use crate::engine::cache::Issuer;
use crate::engine::error::{Error, IssuerFault};
use crate::x509::{BasicConstraints, Certificate, Content, KeyUsage};

/// A CA below another must not outlive it and must fit into its path length.
pub(super) fn fit_below(spec: &IssuerSpec, content: &Content, parent: &Issuer) -> Result<(), Error> {
    let above = parent.chain[0].content();
    let refused = |reason: String| Err(Error::issuer(&spec.name, IssuerFault::Refused { reason }));
    let (until, limit) = (content.validity.not_after(), above.validity.not_after());
    if until > limit {
        return refused(format!("it would be valid until {until}, and its issuer only until {limit}"));
    }
    let BasicConstraints::Ca { path_length: Some(above) } = above.basic_constraints else { return Ok(()) };
    match spec.path_length {
        _ if above == 0 => refused("the issuer's path length is 0: no CA may follow it".into()),
        Some(length) if length < above => Ok(()),
        Some(length) => refused(format!("path length {length} does not fit below the issuer's {above}")),
        None => refused(format!("a path length of at most {} is needed below the issuer's {above}", above - 1)),
    }
}

/// The first certificate of a chain that holds together and belongs to a CA that may sign certificates.
pub(super) fn fit_chain<'a>(name: &Slug, chain: &'a [Certificate]) -> Result<&'a Certificate, Error> {
    let broken = |reason: String| Error::issuer(name, IssuerFault::Chain { reason });
    let own = chain.first().ok_or_else(|| broken("it is empty".into()))?;
    for pair in chain.windows(2) {
        pair[0].verify_issued_by(&pair[1]).map_err(|error| broken(error.to_string()))?;
    }
    if let Some(last) = chain.last().filter(|last| last.is_self_issued()) {
        last.verify_issued_by(last).map_err(|error| broken(error.to_string()))?;
    }
    no_authority(own).map_or(Ok(()), |reason| Err(Error::issuer(name, IssuerFault::NoAuthority { reason })))?;
    for (below, above) in chain.iter().enumerate().skip(1) {
        let subject = &above.content().subject;
        if let Some(reason) = no_authority(above) {
            return Err(broken(format!("{subject}: {reason}")));
        }
        // RFC 5280 section 6.1.4 (l): certificates that are self-issued do not count.
        let between = chain[..below].iter().filter(|each| !each.is_self_issued()).count();
        if let BasicConstraints::Ca { path_length: Some(length) } = above.content().basic_constraints
            && between > usize::from(length)
        {
            return Err(broken(format!("{subject} permits a path length of {length}, and {between} CAs are below it")));
        }
    }
    Ok(own)
}

/// Why a certificate can not sign others, if it can not.
fn no_authority(certificate: &Certificate) -> Option<&'static str> {
    let content = certificate.content();
    if !content.basic_constraints.is_ca() {
        return Some("the CA flag is not set");
    }
    let may_sign = content.key_usages.is_empty() || content.key_usages.contains(KeyUsage::KeyCertSign);
    (!may_sign).then_some("it has no key usage key_cert_sign")
}

/// An issuer is not begun with a chain that is not valid, or no longer.
pub(super) fn fit_time(name: &Slug, chain: &[Certificate], now: time::OffsetDateTime) -> Result<(), Error> {
    let is_out = |each: &&Certificate| {
        let validity = each.content().validity;
        now < validity.not_before() || now > validity.not_after()
    };
    match chain.iter().find(is_out) {
        None => Ok(()),
        Some(out) => {
            let (subject, validity) = (&out.content().subject, out.content().validity);
            let (from, until) = (validity.not_before(), validity.not_after());
            let reason = format!("{subject} is valid from {from} until {until}, and it is {now}");
            Err(Error::issuer(name, IssuerFault::Chain { reason }))
        }
    }
}
