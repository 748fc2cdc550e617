//! What names stand for: addresses, texts and CAA records, asked of recursive resolvers and never cached.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::rdata::CAA;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::time::timeout;

use super::{NetworkVerifierError, failed};
use crate::challenge::ChallengeFailure;
use crate::domain::acme::ValidationFault;

/// More records than this at one name are not read.
const MOST_RECORDS: usize = 64;

/// The resolver.
pub(super) struct Names {
    resolver: TokioResolver,
    patience: Duration,
}

impl Names {
    pub(super) fn new(resolvers: &[SocketAddr], whole: Duration) -> Result<Self, NetworkVerifierError> {
        let refused = |error: NetError| NetworkVerifierError { reason: error.to_string() };
        let mut builder = if resolvers.is_empty() {
            TokioResolver::builder_tokio().map_err(refused)?
        } else {
            let servers = resolvers.iter().map(server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        set_options(builder.options_mut(), whole);
        let resolver = builder.build().map_err(refused)?;
        // The other half is for what is done with the answer.
        Ok(Self { resolver, patience: whole / 2 })
    }

    /// The addresses of a name, IPv6 first. At least one.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, ChallengeFailure> {
        let (six, four) = join(self.records(host, RecordType::AAAA), self.records(host, RecordType::A)).await;
        let (found, trouble) = match (six, four) {
            (Ok(six), Ok(four)) => ([six, four].concat(), None),
            (Ok(some), Err(error)) | (Err(error), Ok(some)) => (some, Some(error)),
            (Err(error), Err(_)) => (Vec::new(), Some(error)),
        };
        let addresses: Vec<_> = found.iter().filter_map(RData::ip_addr).collect();
        match (addresses.is_empty(), trouble) {
            (false, _) => Ok(addresses),
            (true, Some(error)) => Err(error.for_name(host)),
            (true, None) => Err(failed(ValidationFault::Dns, format!("{host} has no address"))),
        }
    }

    /// The TXT records at a name, the strings of each put together; none if there are none.
    pub(super) async fn texts(&self, name: &str) -> Result<Vec<Vec<u8>>, ChallengeFailure> {
        let records = self.records(name, RecordType::TXT).await.map_err(|error| error.for_name(name))?;
        let text = |data: RData| match data {
            RData::TXT(text) => Some(text.txt_data.concat()),
            _ => None,
        };
        Ok(records.into_iter().filter_map(text).collect())
    }

    /// The CAA records at a name, aliases followed; none if there are none.
    pub(super) async fn caa(&self, name: &str) -> Result<Vec<CAA>, Trouble> {
        let records = self.records(name, RecordType::CAA).await?;
        let caa = |data: RData| match data {
            RData::CAA(record) => Some(record),
            _ => None,
        };
        Ok(records.into_iter().filter_map(caa).collect())
    }

    async fn records(&self, name: &str, kind: RecordType) -> Result<Vec<RData>, Trouble> {
        let mut name = Name::from_ascii(name).map_err(|error| Trouble::Theirs(error.to_string()))?;
        // Never below a search domain of this host.
        name.set_fqdn(true);
        let silent = || Trouble::Ours("the resolver does not answer".to_owned());
        match timeout(self.patience, self.resolver.lookup(name, kind)).await.map_err(|_| silent())? {
            Ok(lookup) => {
                let answers = lookup.answers().iter().filter(|record| record.record_type() == kind);
                Ok(answers.take(MOST_RECORDS).map(|record| record.data.clone()).collect())
            }
            Err(error) => Trouble::of(error),
        }
    }
}

/// Why a name could not be resolved.
pub(super) enum Trouble {
    /// The servers of the name are at fault.
    Theirs(String),
    /// The resolver does not answer.
    Ours(String),
}

impl Trouble {
    /// That there is nothing of the kind is an answer.
    fn of(error: NetError) -> Result<Vec<RData>, Self> {
        match error {
            NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
                ResponseCode::NoError | ResponseCode::NXDomain => Ok(Vec::new()),
                code => Err(Self::Theirs(format!("the resolver answered {code}"))),
            },
            NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)) => {
                Err(Self::Ours("the resolver refuses to answer".to_owned()))
            }
            NetError::Dns(error) => Err(Self::Theirs(error.to_string())),
            NetError::Proto(error) => Err(Self::Theirs(error.to_string())),
            error => Err(Self::Ours(error.to_string())),
        }
    }

    fn for_name(self, name: &str) -> ChallengeFailure {
        match self {
            Self::Theirs(reason) => failed(ValidationFault::Dns, format!("{name} can not be resolved: {reason}")),
            Self::Ours(reason) => ChallengeFailure::unavailable(reason),
        }
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

fn set_options(options: &mut ResolverOpts, whole: Duration) {
    options.cache_size = 0;
    options.positive_max_ttl = Some(Duration::ZERO);
    options.negative_max_ttl = Some(Duration::ZERO);
    options.use_hosts_file = ResolveHosts::Never;
    options.timeout = whole / 6;
    options.attempts = 1;
    options.edns0 = true;
}
