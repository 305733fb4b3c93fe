//! A payment code as characters of a bar code: Code 128, set C, two digits a character (ISO/IEC 15417).

use crate::payment_code::{CODE_LEN, PaymentCode};

/// The widths of each character's bars and spaces, in turns, as decimal digits; their sum is eleven modules. The last three begin a
/// code: in set A, B and C.
#[allow(clippy::unreadable_literal, reason = "six widths, no number")]
pub const CHARACTERS: [u32; 106] = [
    212222, 222122, 222221, 121223, 121322, 131222, 122213, 122312, 132212, 221213, 221312, 231212, 112232,
    122132, 122231, 113222, 123122, 123221, 223211, 221132, 221231, 213212, 223112, 312131, 311222, 321122,
    321221, 312212, 322112, 322211, 212123, 212321, 232121, 111323, 131123, 131321, 112313, 132113, 132311,
    211313, 231113, 231311, 112133, 112331, 132131, 113123, 113321, 133121, 313121, 211331, 231131, 213113,
    213311, 213131, 311123, 311321, 331121, 312113, 312311, 332111, 314111, 221411, 431111, 111224, 111422,
    121124, 121421, 141122, 141221, 112214, 112412, 122114, 122411, 142112, 142211, 241211, 221114, 413111,
    241112, 134111, 111242, 121142, 121241, 114212, 124112, 124211, 411212, 421112, 421211, 212141, 214121,
    412121, 111143, 111341, 131141, 114113, 114311, 411113, 411311, 113141, 114131, 311141, 411131, 211412,
    211214, 211232,
];

/// The last entry of [`CHARACTERS`]: what follows are pairs of digits.
pub const START_C: usize = 105;

/// Ends a code; thirteen modules.
pub const STOP: [u8; 7] = [2, 3, 3, 1, 1, 1, 2];

/// Bars and spaces of a payment code: the start, twelve pairs of digits, the check character, the stop.
pub const WIDTHS: usize = 6 * (CODE_LEN / 2 + 2) + STOP.len();

/// The widths of a character's three bars and of the space after each.
pub fn widths_of(character: usize) -> Option<[u8; 6]> {
    let mut rest = *CHARACTERS.get(character)?;
    let mut widths = [0; 6];
    for width in widths.iter_mut().rev() {
        #[allow(clippy::cast_possible_truncation, reason = "one digit")]
        let digit = (rest % 10) as u8;
        *width = digit;
        rest /= 10;
    }
    Some(widths)
}

/// The check character: of the start and, weighed by their places, of the pairs.
pub fn check_of(pairs: impl IntoIterator<Item = usize>) -> usize {
    pairs.into_iter().zip(1..).fold(START_C, |sum, (pair, place)| sum + pair * place) % 103
}

/// The widths of a payment code's bars and of the spaces between them, in turns, in modules; without the quiet zone of ten.
pub fn barcode_widths(code: &PaymentCode) -> Vec<u8> {
    let digit = |byte: u8| usize::from(byte - b'0');
    let pairs = code
        .reveal()
        .as_bytes()
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |all, byte| all * 10 + digit(*byte)));
    let characters = [START_C].into_iter().chain(pairs.clone()).chain([check_of(pairs)]);
    let mut widths = Vec::with_capacity(WIDTHS);
    widths.extend(characters.filter_map(widths_of).flatten());
    widths.extend(STOP);
    widths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn a_code_is_drawn_as_another_encoder_draws_it() -> Result<(), ErrorCode> {
        // 00 to 99 each, so that every character of set C is compared.
        for pair in 0..100_u64 {
            for prefix in ["70", "71", "72"] {
                let head = format!("{prefix}{:019}{pair:02}", pair * 97_654_321_987_654_321);
                let complete = |digit| PaymentCode::parse(&format!("{head}{digit}")).ok();
                let code = (0..10).find_map(complete).ok_or(ErrorCode::Internal)?;
                let theirs = code128::Code128::encode(code.reveal().as_bytes());
                let mut theirs: Vec<u8> = theirs.bars().flat_map(|bar| [bar.width, bar.space]).collect();
                assert_eq!(theirs.pop(), Some(0), "nothing after the last bar");
                assert_eq!(barcode_widths(&code), theirs, "{}", code.reveal());
            }
        }
        Ok(())
    }

    #[test]
    fn a_code_is_167_modules_long() -> Result<(), ErrorCode> {
        let widths = barcode_widths(&PaymentCode::parse("701234567890123456789017")?);
        assert_eq!(widths.len(), WIDTHS);
        assert_eq!(widths.iter().map(|width| u32::from(*width)).sum::<u32>(), 167);
        Ok(())
    }

    #[test]
    fn every_character_is_eleven_modules_and_no_two_are_alike() {
        let all: std::collections::BTreeSet<u32> = CHARACTERS.into_iter().collect();
        assert_eq!(all.len(), CHARACTERS.len());
        for character in 0..CHARACTERS.len() {
            let widths = widths_of(character).unwrap_or_default();
            assert_eq!(widths.iter().sum::<u8>(), 11, "{character}");
            assert!(widths.iter().all(|width| (1..=4).contains(width)), "{character}");
        }
        assert_eq!(widths_of(106), None);
    }
}
