//! Certificate serial numbers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

use super::InvalidValue;

/// A certificate's serial number: positive, at most 20 octets (RFC 5280 section 4.1.2.2). Its text is lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Serial {
    /// Big-endian, filled up with zeros on the left.
    octets: [u8; 20],
}

impl Serial {
    /// A serial of 20 octets from 158 of the given random bits: the top bits are set so that it is positive and its
    /// length does not vary.
    pub fn from_random(mut octets: [u8; 20]) -> Self {
        octets[0] = (octets[0] & 0x3f) | 0x40;
        Self { octets }
    }

    /// A serial from big-endian octets.
    ///
    /// # Errors
    /// Zero, or more than 20 octets, or negative as DER (top bit of the twentieth octet set).
    pub fn from_octets(octets: &[u8]) -> Result<Self, InvalidValue> {
        let significant = &octets[octets.iter().take_while(|octet| **octet == 0).count()..];
        let is_positive = !significant.is_empty() && (significant.len() < 20 || significant[0] & 0x80 == 0);
        if significant.len() > 20 || !is_positive {
            let seen: String = octets.iter().take(40).map(|octet| format!("{octet:02x}")).collect();
            return Err(InvalidValue::new("serial number", seen, "1 to 20 octets, positive"));
        }
        let mut padded = [0; 20];
        padded[20 - significant.len()..].copy_from_slice(significant);
        Ok(Self { octets: padded })
    }

    /// The octets without leading zeros, big-endian.
    pub fn as_octets(&self) -> &[u8] {
        &self.octets[self.octets.iter().take_while(|octet| **octet == 0).count()..]
    }

    /// A serial from the content octets of a DER INTEGER, which may be negative there.
    pub(super) fn from_der_integer(octets: &[u8]) -> Result<Self, InvalidValue> {
        let is_negative = octets.first().is_some_and(|octet| octet & 0x80 != 0);
        if is_negative {
            let seen = octets.iter().take(40).fold("-".to_owned(), |text, octet| format!("{text}{octet:02x}"));
            return Err(InvalidValue::new("serial number", seen, "1 to 20 octets, positive"));
        }
        Self::from_octets(octets)
    }
}

impl FromStr for Serial {
    type Err = InvalidValue;

    /// Reads hex, upper or lower case, with or without colons between octets.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let accepted = "1 to 20 octets in hex, positive";
        let refuse = || InvalidValue::new("serial number", text, accepted);
        let digits: String = text.chars().take(129).filter(|c| *c != ':').collect();
        // `from_str_radix` below would read a sign, too.
        if text.len() > 128 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(refuse());
        }
        let padded = if digits.len().is_multiple_of(2) { digits } else { format!("0{digits}") };
        let octets = (0..padded.len())
            .step_by(2)
            .map(|at| padded.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
            .collect::<Option<Vec<u8>>>()
            .ok_or_else(refuse)?;
        Self::from_octets(&octets).map_err(|_| refuse())
    }
}

impl TryFrom<String> for Serial {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl Serialize for Serial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let octets = self.as_octets();
        let mut text = [0; 40];
        for (at, octet) in octets.iter().enumerate() {
            text[2 * at] = HEX[usize::from(octet >> 4)];
            text[2 * at + 1] = HEX[usize::from(octet & 15)];
        }
        f.write_str(std::str::from_utf8(&text[..2 * octets.len()]).unwrap_or_default())
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn random_serials_are_positive_and_twenty_octets_long(random in any::<[u8; 20]>()) {
            let serial = Serial::from_random(random);
            prop_assert_eq!(serial.as_octets().len(), 20);
            prop_assert!(serial.as_octets()[0] & 0x80 == 0);
            prop_assert_eq!(serial.to_string().parse::<Serial>().unwrap(), serial);
        }
    }

    #[test]
    fn text_forms() {
        let serial: Serial = "01:Ab".parse().unwrap();
        assert_eq!(serial.to_string(), "01ab");
        assert_eq!("1ab".parse::<Serial>().unwrap(), serial);
        let too_long = "ff".repeat(21);
        let trailing = format!("01{}xyz", ":".repeat(126));
        for text in ["", "0", "00", "xyz", "ab cd", "+f", &too_long, &"80".repeat(20), "é1", &trailing] {
            assert!(text.parse::<Serial>().is_err(), "{text:?}");
        }
    }
}
