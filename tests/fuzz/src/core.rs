//! The parsers of the core, and its arithmetic on any numbers they let through.

use std::borrow::Cow;

use mps_core::card::CardTypeRules;
use mps_core::level::Level;
use mps_core::payment_code::{
    CodeParts, DeviceKey, Handle, MasterKey, RANDOM_BYTES_ENOUGH, Step, TerminalCode, offline_code,
    online_code,
};
use mps_core::price::CorporateDiscount;
use mps_core::{
    BindingRole, CardType, Discount, ErrorCode, Fingerprint, IdempotencyKey, Levels, Money, PaymentCode,
    PriceRequest, RefundablePayment, points_for, quote,
};

use crate::{take, text};

/// The first 23 digits of a code are what its parts say.
fn hold_parts(code: &PaymentCode) {
    let body = match code.parts() {
        CodeParts::Online => return,
        CodeParts::Offline { handle, otp } | CodeParts::OfflineTerminal { handle, otp } => {
            assert!(Handle::parse(handle.as_str()).is_ok());
            format!("{}{}{}", code.kind().prefix(), handle.as_str(), otp.reveal())
        }
    };
    assert_eq!(code.reveal()[..23], body);
}

pub(crate) fn payment_code(data: &[u8]) {
    let text = text(data);
    if let Ok(code) = PaymentCode::parse(&text) {
        assert_eq!(code.reveal(), text);
        assert_eq!(text.len(), 24);
        hold_parts(&code);
        let shown = format!("{code:?}");
        assert!(!shown.contains(&text[2..]), "{shown}");
    }
}

/// `[0-9]{1,12}(\.[0-9]{1,2})?`, told in another way than the parser's.
fn is_amount(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let is_digits = |part: &&str, most| {
        !part.is_empty() && part.len() <= most && part.chars().all(|c| c.is_ascii_digit())
    };
    match parts.as_slice() {
        [whole] => is_digits(whole, 12),
        [whole, fraction] => is_digits(whole, 12) && is_digits(fraction, 2),
        _ => false,
    }
}

pub(crate) fn amount(data: &[u8]) {
    let text = text(data);
    let amount = Money::parse(&text);
    assert_eq!(amount.is_ok(), is_amount(&text), "{text:?}");
    assert_eq!(text.parse::<Money>(), amount);
    let price = Money::parse_price(&text);
    let Ok(amount) = amount else {
        assert_eq!(price, Err(ErrorCode::InvalidPrice));
        return;
    };
    assert_eq!(price.ok(), (!amount.is_zero()).then_some(amount));
    let shown = amount.to_string();
    assert_eq!(shown.split_once('.').map(|(_, cents)| cents.len()), Some(2));
    assert_eq!(Money::parse(&shown), Ok(amount));
    assert_eq!(amount.whole_units(), amount.hundredths() / 100);
    assert_eq!(amount.checked_sub(amount), Some(Money::ZERO));
    assert!(amount.checked_add(amount).is_none_or(|twice| twice.hundredths() == 2 * amount.hundredths()));
    assert_eq!(points_for(amount), amount.whole_units());
}

pub(crate) fn discount(data: &[u8]) {
    let text = text(data);
    if let Ok(discount) = Discount::parse(&text) {
        assert_eq!(discount.to_string().len(), 5);
        assert_eq!(Discount::parse(&discount.to_string()), Ok(discount));
        assert!(discount <= Discount::FULL_PRICE);
    }
}

pub(crate) fn idempotency_key(data: &[u8]) {
    let text = text(data);
    if let Ok(key) = IdempotencyKey::parse(&text) {
        assert!((1..=255).contains(&key.as_str().len()));
        assert!(key.as_str().bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        let quoted = format!("\"{}\"", key.as_str().replace('\\', "\\\\").replace('"', "\\\""));
        assert_eq!(IdempotencyKey::parse(&quoted), Ok(key));
    }
}

pub(crate) fn terminal_code(data: &[u8]) {
    let text = text(data);
    if let Ok(terminal) = TerminalCode::parse(&text) {
        assert_eq!(terminal.as_str(), text);
        assert_eq!(text.len(), 6);
    }
}

pub(crate) fn device_key(data: &[u8]) {
    let text = text(data);
    if let Ok(key) = DeviceKey::parse(&text) {
        let shown = key.reveal().iter().fold(String::new(), |shown, byte| format!("{shown}{byte:02x}"));
        assert_eq!(shown, text.to_ascii_lowercase());
        assert!(!format!("{key:?}").contains(&shown));
    }
}

pub(crate) fn handle(data: &[u8]) {
    let text = text(data);
    if let Ok(handle) = Handle::parse(&text) {
        assert_eq!(handle.as_str(), text);
        assert_eq!(text.len(), 10);
    }
}

/// Types, roles and codes of the catalogue: each is read from its own text and no other.
pub(crate) fn names(data: &[u8]) {
    let text = text(data);
    assert!(
        text.parse::<CardType>().is_ok_and(|read| read.as_str() == text) || text.parse::<CardType>().is_err()
    );
    assert!(text.parse::<BindingRole>().map_or(true, |read| read.as_str() == text));
    if let Ok(code) = text.parse::<ErrorCode>() {
        assert_eq!(code.as_str(), text);
        assert!((400..=599).contains(&code.status()));
    }
}

pub(crate) fn fingerprint(data: &[u8]) {
    let text = text(data);
    let fields: Vec<Option<&str>> =
        text.split('\u{1}').map(|field| Some(field).filter(|field| *field != "-")).collect();
    let made = Fingerprint::of("rpc", &fields);
    assert_eq!(made.is_err(), text.contains('\0'));
    assert_eq!(made, Fingerprint::of("rpc", &fields));
    if let Ok(made) = made {
        let mut more = fields.clone();
        more.push(None);
        assert!(Fingerprint::of("rpc", &more).is_ok_and(|other| other != made));
    }
}

/// Codes of any bytes for randomness, key, time and names.
pub(crate) fn code_making(data: &[u8]) {
    if let Ok(code) = online_code(data) {
        assert!(data.len() >= 21);
        assert_eq!(PaymentCode::parse(code.reveal()).as_ref(), Ok(&code));
    } else {
        assert!(data.len() < RANDOM_BYTES_ENOUGH || data.iter().filter(|byte| **byte < 250).count() < 21);
    }
    let mut rest = data;
    let key = DeviceKey::new(take(&mut rest));
    let step = Step::at(u64::from_be_bytes(take(&mut rest)));
    let handle = Handle::parse(&format!("{:010}", u32::from_be_bytes(take(&mut rest))));
    let terminal =
        take::<6>(&mut rest).map(|byte| b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[usize::from(byte % 36)]);
    let terminal = TerminalCode::parse(&text(&terminal));
    let (Ok(handle), Ok(terminal)) = (handle, terminal) else { panic!("both are well-formed") };
    for terminal in [None, Some(&terminal)] {
        let code = offline_code(&handle, &key, step, terminal);
        assert_eq!(PaymentCode::parse(code.reveal()).as_ref(), Ok(&code));
        hold_parts(&code);
    }
    assert!(step.is_accepted_at(step));
    let master = MasterKey::new(take(&mut rest));
    assert_eq!(master.device_key(&handle).reveal(), master.device_key(&handle).reveal());
}

fn money(data: &mut &[u8]) -> Money {
    let hundredths = u64::from_be_bytes(take(data)) % 100_000_000_000_000;
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    Money::parse(&text).unwrap_or_else(|code| panic!("{text}: {code}"))
}

fn thousandths(data: &mut &[u8]) -> Discount {
    let thousandths = u32::from(u16::from_be_bytes(take(data))) % 1001;
    Discount::from_thousandths(thousandths).unwrap_or(Discount::FULL_PRICE)
}

/// Levels of any numbers: refused, or with exactly one level for any points.
fn levels_of(data: &mut &[u8]) -> Option<Levels> {
    let [count] = take(data);
    let level = |number: u8, data: &mut &[u8]| {
        let [flags] = take(data);
        // Mostly in a row, so that some are taken.
        let points = |data: &mut &[u8]| u64::from(u16::from_be_bytes(take(data)));
        let begin = if flags & 1 == 0 { u64::from(number) * 1000 } else { points(data) };
        let end = if flags & 2 == 0 { begin.saturating_add(999) } else { points(data) };
        Level {
            level: if flags & 4 == 0 { number.into() } else { u16::from_be_bytes(take(data)) },
            name: Cow::Borrowed("level"),
            points_min: if flags & 8 == 0 { begin } else { u64::from_be_bytes(take(data)) },
            points_max: match flags & 0b11_0000 {
                0 => Some(end),
                16 => Some(u64::MAX),
                _ => None,
            },
            discount: thousandths(data),
        }
    };
    Levels::try_new((0..count % 8).map(|number| level(number, data)).collect()).ok()
}

pub(crate) fn levels(data: &[u8]) {
    let mut rest = data;
    let Some(levels) = levels_of(&mut rest) else { return };
    for points in
        [u64::from_be_bytes(take(&mut rest)), u64::from(u16::from_be_bytes(take(&mut rest))), 0, u64::MAX]
    {
        let standing = levels.standing(points);
        let level = standing.level;
        assert!(level.points_min <= points && level.points_max.is_none_or(|max| points <= max));
        assert_eq!(standing.next.map(|next| next.points_min - points), standing.points_to_next);
        let around = levels.as_slice().iter();
        assert_eq!(
            around
                .filter(|one| one.points_min <= points && one.points_max.is_none_or(|max| points <= max))
                .count(),
            1
        );
    }
}

pub(crate) fn price(data: &[u8]) {
    let mut rest = data;
    let [kind, flags] = take(&mut rest);
    let raw_amount = money(&mut rest);
    let corporate = [thousandths(&mut rest), thousandths(&mut rest)];
    let cards = ["COR00000002", "COR00000001"];
    let corporate: Vec<CorporateDiscount<'_>> = cards
        .into_iter()
        .zip(corporate)
        .map(|(card_no, discount)| CorporateDiscount { card_no, discount })
        .collect();
    let levels = levels_of(&mut rest).unwrap_or_else(Levels::house);
    let rules: CardTypeRules = CardType::ALL[usize::from(kind % 4)].default_rules();
    let request = PriceRequest {
        rules,
        raw_amount,
        points: u64::from_be_bytes(take(&mut rest)),
        fixed_discount: (flags & 1 == 1).then(|| thousandths(&mut rest)),
        corporate_discounts: &corporate[..usize::from(flags >> 1) % 3],
        levels: &levels,
    };
    match quote(&request) {
        Ok(quote) => {
            let (raw, thousandths) =
                (u128::from(raw_amount.hundredths()), quote.discount.as_decimal().mantissa());
            let exact = raw * u128::try_from(thousandths).unwrap_or_default();
            assert_eq!(u128::from(quote.final_amount.hundredths()), (exact + 500) / 1000);
            assert!(quote.points_earned <= raw_amount.whole_units());
        }
        Err(code) => assert_eq!((code, raw_amount.is_zero()), (ErrorCode::InvalidPrice, true)),
    }
}

pub(crate) fn refund(data: &[u8]) {
    let mut rest = data;
    let payment = RefundablePayment {
        final_amount: money(&mut rest),
        points_earned: u64::from_be_bytes(take(&mut rest)),
        refunded_before: money(&mut rest),
        points_taken_before: u64::from_be_bytes(take(&mut rest)),
    };
    let (amount, points_left) = (money(&mut rest), u64::from_be_bytes(take(&mut rest)));
    match payment.refund_preview(amount, points_left) {
        Ok(preview) => {
            let given =
                payment.refunded_before.hundredths() + amount.hundredths() + preview.remaining.hundredths();
            assert_eq!(given, payment.final_amount.hundredths());
            assert!(preview.points_taken <= points_left.min(payment.points_earned));
        }
        Err(code) => {
            assert!(matches!(code, ErrorCode::InvalidRefundAmount | ErrorCode::RefundExceedsRemaining));
        }
    }
}
