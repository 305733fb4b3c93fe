//! Inputs like the seeds, and unlike them: what libFuzzer does better, where there is none.

use fastrand::Rng;

/// What parsers trip over.
const TROUBLE: &[&[u8]] = &[
    b"\0",
    b"\\u0000",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"NaN",
    b"-1",
    b"1e999",
    b"0.005",
    b"99999999999999999999",
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"\"",
    b"\\",
    b"%00",
    b"&",
    b"=",
    b"..",
    b"\r\n",
    b"\xf0\x9f\x92\xa9",
    b"\xd9\xa3",
];

/// One input made of the seeds, at most `bytes_max` long.
pub fn mutate(seeds: &[Vec<u8>], bytes_max: usize, random: &mut Rng) -> Vec<u8> {
    let mut input = random.choice(seeds).cloned().unwrap_or_default();
    for _ in 0..random.usize(0..=4) {
        change(&mut input, seeds, random);
    }
    input.truncate(bytes_max);
    input
}

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Rng) {
    let place = random.usize(0..=input.len());
    let end = random.usize(place..=input.len());
    match random.u8(0..8) {
        0 => input.insert(place, random.u8(..)),
        1 => drop(input.drain(place..end)),
        2 => input.truncate(place),
        3 => {
            let twice = input[place..end].to_vec();
            input.splice(place..place, twice);
        }
        4 => {
            let trouble = random.choice(TROUBLE).copied().unwrap_or_default();
            input.splice(place..end.min(place + 1), trouble.iter().copied());
        }
        5 => {
            let other = random.choice(seeds).map_or(&[][..], Vec::as_slice);
            let from = random.usize(0..=other.len());
            input.splice(place.., other[from..].iter().copied());
        }
        6 => *input = (0..random.usize(0..64)).map(|_| random.u8(..)).collect(),
        _ => {
            if let Some(byte) = input.get_mut(place) {
                *byte ^= 1 << random.u8(0..8);
            }
        }
    }
}
