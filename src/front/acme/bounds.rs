//! Bounds of what ACME clients may do, by their address.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::ConnectInfo;
use http::HeaderName;
use http::request::Parts;

use crate::front::Rate;

/// What is taken of one request and of one address, in this process. What an account may order is a setting of the attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcmeBounds {
    /// The longest body, in bytes. A certificate request of 64 KiB takes 120 KiB in it.
    pub body: usize,
    /// How often one address may ask for anything.
    pub requests: Rate,
    /// How often one address may ask for an account.
    pub new_accounts: Rate,
}

impl Default for AcmeBounds {
    /// 160 KiB, 1200 requests a minute with 300 at once, and 20 accounts a minute with 50 at once.
    fn default() -> Self {
        let requests = Rate { per_minute: 1200, burst: 300 };
        Self { body: 160 * 1024, requests, new_accounts: Rate { per_minute: 20, burst: 50 } }
    }
}

/// Where the address of a client is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientAddress {
    /// Of the connection, if the host serves with `into_make_service_with_connect_info::<SocketAddr>()`; otherwise rates are not
    /// counted.
    #[default]
    Connection,
    /// From a header that the proxy in front writes, such as `x-forwarded-for`: its last address, for those before are the client's own
    /// words. Only if nobody can come around the proxy.
    Header(HeaderName),
}

impl ClientAddress {
    /// Who is counted together: an IPv4 address, or the network of an IPv6 address, of which one client has all.
    pub(super) fn of(&self, request: &Parts) -> Option<IpAddr> {
        let address = match self {
            Self::Connection => request.extensions.get::<ConnectInfo<SocketAddr>>()?.0.ip(),
            Self::Header(name) => {
                let last = request.headers.get_all(name).iter().next_back()?.to_str().ok()?;
                last.rsplit(',').next()?.trim().parse().ok()?
            }
        };
        Some(network(address.to_canonical()))
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX)).into(),
        four => four,
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_last_address_of_a_header_counts() {
        let header = ClientAddress::Header(HeaderName::from_static("x-forwarded-for"));
        let of = |values: &[&str]| {
            let headers: Vec<_> = values.iter().map(|value| ("x-forwarded-for", *value)).collect();
            header.of(&parts(&headers)).map(|address| address.to_string())
        };
        assert_eq!(of(&["203.0.113.9, 198.51.100.7"]).as_deref(), Some("198.51.100.7"));
        assert_eq!(of(&["203.0.113.9", "198.51.100.7"]).as_deref(), Some("198.51.100.7"));
        assert_eq!(of(&["2001:db8:1:2:3:4:5:6"]).as_deref(), Some("2001:db8:1:2::"));
        assert_eq!(of(&["::ffff:198.51.100.7"]).as_deref(), Some("198.51.100.7"));
        assert_eq!((of(&["unknown"]), of(&[])), (None, None));
    }

    #[test]
    fn the_connection_counts_otherwise() {
        let mut parts = parts(&[("x-forwarded-for", "203.0.113.9")]);
        assert_eq!(ClientAddress::Connection.of(&parts), None);
        parts.extensions.insert(ConnectInfo(SocketAddr::from(([198, 51, 100, 7], 1))));
        assert_eq!(ClientAddress::Connection.of(&parts).unwrap().to_string(), "198.51.100.7");
    }
}
