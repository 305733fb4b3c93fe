//! The Luhn check digit (ISO/IEC 7812-1, annex B): it catches every single wrong digit and most swapped neighbours.

/// The check digit of ASCII digits, as an ASCII digit.
pub(super) fn luhn(digits: &str) -> u8 {
    let sum: u32 = digits.bytes().rev().enumerate().map(|(place, byte)| weighed(place, byte)).sum();
    b"0987654321"[(sum % 10) as usize]
}

/// Every second digit from the right, the rightmost first, counts twice; of two digits, their sum.
fn weighed(place: usize, byte: u8) -> u32 {
    let digit = u32::from(byte - b'0');
    match (place % 2, digit * 2) {
        (0, twice) if twice > 9 => twice - 9,
        (0, twice) => twice,
        _ => digit,
    }
}

#[cfg(test)]
mod tests {
    use super::luhn;

    #[test]
    fn the_check_digit_is_that_of_the_published_examples() {
        // 7992739871-3 is the example every description of the algorithm uses; 411111111111111-1 the well-known card.
        assert_eq!(luhn("7992739871"), b'3');
        assert_eq!(luhn("411111111111111"), b'1');
        assert_eq!(luhn("0"), b'0');
    }
}
