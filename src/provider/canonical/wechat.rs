//! WeChat signs its token, a time and a nonce: sorted, and with nothing in between.

use crate::{
    Rejection,
    scheme::{Canonical, SignedRequest, Source},
};

/// How far apart the two readings of one message must be in time.
const DAY: u64 = 24 * 60 * 60;
const TIME_DIGITS: usize = 10;

/// Token, time and nonce, sorted.
///
/// Time and nonce are digits, so that digits could change sides: what is signed of `1800000000` and `234567` is as well that of `180000` and
/// `0000234567`. The time must be near now and has ten digits, which leaves a second reading only where time and nonce are neighbours; it is refused
/// if its time would be near, too.
pub(in crate::provider) const SORTED: Canonical<'static> =
    Canonical { name: "wechat", covers: &[Source::Query("timestamp"), Source::Query("nonce")], parameters: &[], write };

fn write(request: &SignedRequest<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    let [Some(time), Some(nonce)] = [request.query_value("timestamp")?, request.query_value("nonce")?] else {
        return Err(Rejection::MissingSignedValue);
    };
    let is_clear = time.len() == TIME_DIGITS
        && time.bytes().all(|byte| byte.is_ascii_digit())
        && (1..=64).contains(&nonce.len())
        && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !has_second_reading(&time, &nonce);
    if !is_clear {
        return Err(Rejection::AmbiguousMessage);
    }
    let mut parts = [request.secret(), time.as_bytes(), nonce.as_bytes()];
    parts.sort_unstable();
    for part in parts {
        sink(part);
    }
    Ok(())
}

/// Whether time and nonce, one after the other, can be read as another nonce and another time nearby.
fn has_second_reading(time: &str, nonce: &str) -> bool {
    let (joined, other_time) = if time < nonce {
        let joined = [time, nonce].concat();
        let start = joined.len() - TIME_DIGITS;
        (joined, start..)
    } else {
        ([nonce, time].concat(), 0..)
    };
    let other_time = joined.get(other_time).and_then(|text| text.get(..TIME_DIGITS));
    match (time.parse::<u64>(), other_time.map(str::parse::<u64>)) {
        (Ok(time), Some(Ok(other))) => time != other && time.abs_diff(other) < DAY,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_and_a_nonce_that_could_be_another_pair_nearby_are_told() {
        for (time, nonce, expected) in [
            ("1786119001", "486452656", false),
            ("1786119001", "123456789", false),
            ("1786119001", "1786119002", true),
            ("1786119001", "1786118999", true),
            ("1786119001", "1786119001", false),
            ("1786119001", "7", false),
            ("1786119001", "x1786119002", true),
        ] {
            assert_eq!(has_second_reading(time, nonce), expected, "{time} {nonce}");
        }
    }
}
