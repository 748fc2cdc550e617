//! The arithmetic that recognises weak RSA keys: bad exponents, small factors, ROCA, primes close to each other.

use rsa::BoxedUint;

use super::KeyRefusal;

/// The odd primes up to 751: what NIST SP 800-89 section 5.3.3 asks to divide by, and what other CAs divide by.
const PRIMES: [u16; 132] = odd_primes();

/// Primes for which the powers of 65537 are few: a modulus that the flawed generator made is such a power for each of
/// them, any other for all of them about once in 2^27.
const ROCA_PRIMES: [u16; 17] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

/// How many candidates Fermat's method tries.
const FERMAT_ROUNDS: u64 = 100;

/// Moduli that tell most numbers from squares, with their squares as a bit set.
const SQUARES: [(u64, u128); 4] = [(64, squares(64)), (63, squares(63)), (65, squares(65)), (11, squares(11))];

/// The length in bits of a big-endian number without leading zero octets.
pub(super) fn bit_length(number: &[u8]) -> u32 {
    let leading = number.first().map_or(0, |first| first.leading_zeros());
    (number.len() as u32 * 8).saturating_sub(leading)
}

/// Checks a big-endian public exponent: odd, 65537 ≤ e < 2^256 (FIPS 186-5 section 5.1).
pub(super) fn check_exponent(exponent: &[u8]) -> Result<(), KeyRefusal> {
    let odd = exponent.last().is_some_and(|last| last & 1 == 1);
    if odd && (17..=256).contains(&bit_length(exponent)) {
        return Ok(());
    }
    Err(KeyRefusal::RsaExponent { seen: exponent.iter().take(32).map(|octet| format!("{octet:02x}")).collect() })
}

/// Checks a big-endian modulus of a multiple of 32 bits for the known signs of weakness.
pub(super) fn check_modulus(modulus: &[u8]) -> Result<(), KeyRefusal> {
    if modulus.last().is_some_and(|last| last & 1 == 0) {
        return Err(KeyRefusal::RsaModulusEven);
    }
    let residues = residues(modulus);
    if let Some((prime, _)) = residues.iter().find(|(_, residue)| *residue == 0) {
        return Err(KeyRefusal::RsaSmallFactor { prime: *prime });
    }
    if residues.iter().filter(|(prime, _)| ROCA_PRIMES.contains(prime)).all(is_power_of_65537) {
        return Err(KeyRefusal::RsaRoca);
    }
    if has_close_primes(modulus) { Err(KeyRefusal::RsaClosePrimes) } else { Ok(()) }
}

/// What is left of the number after division by each of the primes.
fn residues(number: &[u8]) -> Vec<(u16, u16)> {
    // Three primes at once: their product stays below 2^32, so one pass over the number serves three of them.
    let of_group = |group: &'static [u16]| {
        let rest = residue(number, group.iter().map(|prime| u64::from(*prime)).product());
        group.iter().map(move |prime| (*prime, (rest % u64::from(*prime)) as u16))
    };
    PRIMES.chunks(3).flat_map(of_group).collect()
}

/// A big-endian number of whole 32-bit words modulo something below 2^32.
fn residue(number: &[u8], modulus: u64) -> u64 {
    let (words, _) = number.as_chunks::<4>();
    words.iter().fold(0, |rest, word| (rest << 32 | u64::from(u32::from_be_bytes(*word))) % modulus)
}

fn is_power_of_65537((prime, residue): &(u16, u16)) -> bool {
    let (prime, residue) = (u32::from(*prime), u32::from(*residue));
    let generator = 65537 % prime;
    let powers = std::iter::successors(Some(1), |power| Some(power * generator % prime).filter(|next| *next != 1));
    powers.into_iter().any(|power| power == residue)
}

/// Whether one of the first candidates a ≥ √n has a² - n = b², so that n = (a - b)(a + b).
fn has_close_primes(modulus: &[u8]) -> bool {
    let bits = modulus.len() as u32 * 8;
    // One more word, for a² may be a little above 2^bits.
    let n = BoxedUint::from_be_slice_truncated(modulus, bits + 64);
    let start = n.floor_sqrt_vartime();
    if start.wrapping_square() == n {
        return true;
    }
    let wheel: u64 = SQUARES.iter().map(|(modulus, _)| modulus).product();
    let (n_rest, start_rest) = (residue(modulus, wheel), residue(&start.to_be_bytes(), wheel));
    (1..=FERMAT_ROUNDS).any(|round| {
        let a = (start_rest + round) % wheel;
        // The wheel passes about one candidate in 120, so that the long numbers are seldom touched.
        looks_square((a * a + wheel - n_rest) % wheel) && is_square_less(&n, &start, round)
    })
}

fn looks_square(residue: u64) -> bool {
    SQUARES.iter().all(|(modulus, squares)| squares >> (residue % modulus) & 1 == 1)
}

fn is_square_less(n: &BoxedUint, start: &BoxedUint, round: u64) -> bool {
    start.wrapping_add(BoxedUint::from(round)).wrapping_square().wrapping_sub(n).checked_sqrt_vartime().is_some()
}

const fn odd_primes() -> [u16; 132] {
    let (mut primes, mut found, mut candidate) = ([0; 132], 0, 3);
    while found < primes.len() {
        let mut divisor = 3;
        while candidate % divisor != 0 {
            divisor += 2;
        }
        if divisor == candidate {
            primes[found] = candidate;
            found += 1;
        }
        candidate += 2;
    }
    primes
}

const fn squares(modulus: u64) -> u128 {
    let (mut set, mut root) = (0, 0);
    while root < modulus {
        set |= 1 << (root * root % modulus);
        root += 1;
    }
    set
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn number(value: u128, shift: u32) -> BoxedUint {
        let mut number = BoxedUint::from_be_slice_truncated(&value.to_be_bytes(), 2048);
        for _ in 0..shift {
            number = number.wrapping_add(&number);
        }
        number
    }

    fn bytes(number: &BoxedUint) -> Vec<u8> {
        number.to_be_bytes().to_vec()
    }

    /// A modulus of 2048 bits that no small prime divides: the first above 2^2047 plus an offset.
    fn sound(offset: u128) -> Vec<u8> {
        let candidates = (0..).map(|step| bytes(&number(1, 2047).wrapping_add(number(offset + 2 * step + 1, 0))));
        candidates.into_iter().find(|modulus| residues(modulus).iter().all(|(_, rest)| *rest != 0)).unwrap()
    }

    /// A modulus with the ROCA fingerprint: 65537^k modulo the product of the seventeen primes.
    pub(in crate::x509) fn roca_modulus() -> Vec<u8> {
        let product: u128 = ROCA_PRIMES.iter().map(|prime| u128::from(*prime)).product();
        let shifted = (0..2047).fold(1, |power, _| power * 2 % product);
        let offsets = (0..).map(|k: u32| (0..k).fold(1u128, |power, _| power * 65537 % product));
        let offsets = offsets.map(|power| (power + product - shifted) % product);
        let moduli = offsets.map(|offset| bytes(&number(1, 2047).wrapping_add(number(offset, 0))));
        moduli.into_iter().find(|modulus| modulus[255] & 1 == 1 && residues(modulus).iter().all(|r| r.1 != 0)).unwrap()
    }

    /// The product of two odd numbers that differ by little.
    pub(in crate::x509) fn close_modulus(distance: u128) -> Vec<u8> {
        let halves = (0..).map(|step| number(3, 1022).wrapping_add(number(2 * step + 1, 0)));
        let moduli = halves.map(|half| bytes(&half.wrapping_mul(half.wrapping_add(number(distance, 0)))));
        moduli.into_iter().find(|modulus| residues(modulus).iter().all(|(_, rest)| *rest != 0)).unwrap()
    }

    #[test]
    fn the_tables_are_right() {
        assert_eq!((PRIMES[0], PRIMES[131]), (3, 751));
        for prime in PRIMES.iter().filter(|prime| **prime <= 167) {
            let members = (1..*prime).filter(|residue| is_power_of_65537(&(*prime, *residue))).count();
            // Only a proper subgroup tells anything.
            assert!(!ROCA_PRIMES.contains(prime) || members < usize::from(*prime - 1), "{prime}");
        }
        assert_eq!(bit_length(&[1, 0]), 9);
        assert_eq!(bit_length(&[0]), 0);
    }

    #[test]
    fn exponents_are_odd_and_in_range() {
        let mut largest = vec![0xff; 32];
        for good in [&[1, 0, 1][..], &[1, 0, 3], &[1, 0, 0, 0, 1], &largest] {
            assert_eq!(check_exponent(good), Ok(()));
        }
        largest.push(0xff);
        for bad in [&[0][..], &[1], &[3], &[0xff, 0xff], &[1, 0, 0], &largest] {
            assert!(matches!(check_exponent(bad), Err(KeyRefusal::RsaExponent { .. })), "{bad:?}");
        }
        assert_eq!(check_exponent(&[3]), Err(KeyRefusal::RsaExponent { seen: "03".into() }));
    }

    #[test]
    fn moduli_with_known_weaknesses_are_refused() {
        assert_eq!(check_modulus(&bytes(&number(1, 2047))), Err(KeyRefusal::RsaModulusEven));
        for prime in [3, 7, 751] {
            let factor = number(1, 2030).wrapping_add(number(1, 0));
            let modulus = bytes(&factor.wrapping_mul(number(prime, 0)));
            assert!(matches!(check_modulus(&modulus), Err(KeyRefusal::RsaSmallFactor { .. })));
        }
        assert_eq!(check_modulus(&roca_modulus()), Err(KeyRefusal::RsaRoca));
        for distance in [0, 2, 1 << 20, 1 << 120] {
            assert_eq!(check_modulus(&close_modulus(distance)), Err(KeyRefusal::RsaClosePrimes), "{distance}");
        }
        for offset in [0, 1 << 40, 1 << 100] {
            assert_eq!(check_modulus(&sound(offset)), Ok(()));
        }
    }

    #[test]
    fn fermat_counts_rounds_from_the_root() {
        // n = a² - b² for a as many rounds above the root as b²/2a: with b of 516 bits that is about 128 rounds or more.
        let far = (0..).map(|step| number(3, 1022).wrapping_add(number(2 * step + 1, 0)));
        let far = far.map(|half| bytes(&half.wrapping_mul(half.wrapping_add(number(1, 518)))));
        assert!(far.take(5).all(|modulus| !has_close_primes(&modulus)));
    }
}
