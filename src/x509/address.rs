//! Addresses: which are of the public internet, and which may be inside the host's own network.

use std::net::{IpAddr, Ipv6Addr};

/// Whether an address is of the public internet: none of the special-purpose blocks of RFC 6890 and its successors.
pub fn is_public(address: IpAddr) -> bool {
    const V4: [&str; 15] = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    ];
    // All unicast of the internet is in 2000::/3; these parts of it are not.
    const V6: [&str; 5] = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "64:ff9b::/96"];
    let within = |blocks: &[&str], address: IpAddr| {
        blocks.iter().any(|block| block.parse::<ipnet::IpNet>().is_ok_and(|block| block.contains(&address)))
    };
    match address {
        IpAddr::V4(_) => !within(&V4, address),
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => is_public(four.into()),
            None => is_global_unicast(six) && !within(&V6, address),
        },
    }
}

fn is_global_unicast(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xe000 == 0x2000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet() {
        for text in ["1.1.1.1", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "2001:db8::1",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
            "::127.0.0.1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }
}
