//! Networks: an address and how many of its leading bits count (RFC 4632, RFC 4291 section 2.3).

use serde::{Deserialize, Serialize};
use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// `203.0.113.0/24`, or one address alone. What stands behind the bits that count has to be 0.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address.parse().ok()?, Some(bits.parse().ok()?)),
            None => (text.parse().ok()?, None),
        };
        let all = width(address);
        let network = Self { address, bits: bits.unwrap_or(all) };
        (network.bits <= all && rest(value(address), all - network.bits) == 0).then_some(network)
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let all = width(self.address);
        let differs = value(self.address) ^ value(address);
        all == width(address) && differs.checked_shr(u32::from(all - self.bits)).unwrap_or(0) == 0
    }

    /// How many leading bits count, and of how many.
    pub fn bits(&self) -> (u8, u8) {
        (self.bits, width(self.address))
    }
}

impl Display for Network {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn value(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The last bits.
fn rest(value: u128, bits: u8) -> u128 {
    value & (1_u128.checked_shl(bits.into()).map_or(u128::MAX, |end| end - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_what_begins_as_it_does() {
        for (network, address, inside) in [
            ("203.0.113.0/24", "203.0.113.255", true),
            ("203.0.113.0/24", "203.0.114.0", false),
            ("203.0.113.7", "203.0.113.7", true),
            ("203.0.113.7/32", "203.0.113.6", false),
            ("0.0.0.0/0", "198.51.100.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("203.0.113.0/24", "::ffff:203.0.113.9", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db9::1", true),
        ] {
            let network = Network::parse(network).unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), inside, "{network} {address}");
        }
        for text in ["203.0.113.1/24", "203.0.113.0/33", "::1/64", "x/8", "10.0.0.0/", "10/8"] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
