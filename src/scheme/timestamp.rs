use std::time::SystemTime;

use super::Tolerance;
use crate::{Rejection, clock::UnixTime};

/// How a timestamp is written.
///
/// Strict: ASCII digits without sign, blanks or leading zeros. What a lenient parser accepts in two spellings,
/// two parsers read as two different times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum TimestampFormat {
    /// Whole seconds since 1970.
    #[default]
    UnixSeconds,
    /// Milliseconds since 1970.
    UnixMillis,
    /// RFC 3339: `2021-07-25T10:00:00Z`, with or without a fraction, `Z` or an offset.
    Rfc3339,
    /// `2021-07-25T10:00:00` without a zone, which means UTC.
    Rfc3339NoZone,
    /// Seconds in ten digits or milliseconds in thirteen, for providers that changed from one to the other.
    UnixSecondsOrMillis,
    /// RFC 9110 section 5.6.7: `Sun, 25 Jul 2021 10:00:00 GMT`.
    HttpDate,
}

impl TimestampFormat {
    /// The moment that `text` names; `None` if it is not strictly of this format.
    pub(crate) fn parse(self, text: &str) -> Option<UnixTime> {
        match self {
            Self::UnixSeconds => digits(text).map(UnixTime::from_secs),
            Self::UnixMillis => digits(text).map(UnixTime::from_millis),
            Self::Rfc3339 => rfc3339(text.as_bytes()),
            Self::Rfc3339NoZone => rfc3339(&[text.as_bytes(), b"Z"].concat()),
            Self::UnixSecondsOrMillis => match text.len() {
                10 => digits(text).map(UnixTime::from_secs),
                13 => digits(text).map(UnixTime::from_millis),
                _ => None,
            },
            Self::HttpDate => {
                let time: SystemTime = httpdate::parse_http_date(text).ok()?;
                // httpdate also reads the two obsolete formats; only one spelling is canonical.
                (httpdate::fmt_http_date(time) == text).then(|| time.try_into().ok()).flatten()
            }
        }
    }

    pub(super) fn write(self, time: UnixTime) -> String {
        match self {
            Self::UnixSeconds => time.as_secs().to_string(),
            Self::UnixMillis => time.as_millis().to_string(),
            Self::Rfc3339 => write_rfc3339(time),
            Self::Rfc3339NoZone => write_rfc3339(time).trim_end_matches('Z').to_owned(),
            Self::UnixSecondsOrMillis => time.as_millis().to_string(),
            Self::HttpDate => httpdate::fmt_http_date(time.into()),
        }
    }

    /// Whether `signed` is fresh at `now`.
    pub(crate) fn judge(self, signed: UnixTime, now: UnixTime, tolerance: Tolerance) -> Result<(), Rejection> {
        let now = match self {
            // A second has not passed before it is over: 300.9 s after a timestamp in seconds is still 300 s.
            Self::UnixSeconds | Self::HttpDate => now.floor_to_second(),
            Self::UnixSecondsOrMillis if signed == signed.floor_to_second() => now.floor_to_second(),
            Self::UnixMillis | Self::UnixSecondsOrMillis | Self::Rfc3339 | Self::Rfc3339NoZone => now,
        };
        if now.since(signed) > tolerance.past {
            Err(Rejection::Stale)
        } else if signed.since(now) > tolerance.future {
            Err(Rejection::FromTheFuture)
        } else {
            Ok(())
        }
    }
}

/// Up to 15 digits: enough for milliseconds until the year 33658, and far from any overflow.
fn digits(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    if bytes.is_empty() || bytes.len() > 15 || (bytes[0] == b'0' && bytes.len() > 1) {
        return None;
    }
    number(bytes)
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.iter().try_fold(0_u64, |number, byte| {
        byte.is_ascii_digit().then(|| number.checked_mul(10)?.checked_add(u64::from(byte - b'0')))?
    })
}

fn rfc3339(text: &[u8]) -> Option<UnixTime> {
    let (date_time, rest) = text.split_at_checked(19)?;
    for (position, expected) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')] {
        if date_time[position] != expected {
            return None;
        }
    }
    let at = |range: std::ops::Range<usize>| number(&date_time[range]);
    let (year, month, day) = (at(0..4)?, at(5..7)?, at(8..10)?);
    let (hour, minute, second) = (at(11..13)?, at(14..16)?, at(17..19)?);
    if day == 0 || day > days_in(year, month)? || hour > 23 || minute > 59 || second > 59 {
        return None;
    }

    let (fraction, zone) = match rest.strip_prefix(b".") {
        Some(rest) => rest.split_at(rest.iter().take_while(|byte| byte.is_ascii_digit()).count()),
        None => (&b"0"[..], rest),
    };
    if fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let millis = number(&[fraction, b"00"].concat()[..3])?;

    let offset_minutes = match zone {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), hour @ .., b':', tens, ones] if hour.len() == 2 => {
            let (hours, minutes) = (number(hour)?, number(&[*tens, *ones])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let minutes = i64::try_from(hours * 60 + minutes).ok()?;
            if *sign == b'+' { minutes } else { -minutes }
        }
        _ => return None,
    };

    let minutes = i64::try_from((days_from_epoch(year, month, day)? * 24 + hour) * 60 + minute).ok()?;
    let seconds = u64::try_from(minutes.checked_sub(offset_minutes)?).ok()? * 60 + second;
    Some(UnixTime::from_millis(seconds * 1000 + millis))
}

fn days_in(year: u64, month: u64) -> Option<u64> {
    Some(match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => return None,
    })
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// `None` before 1970.
fn days_from_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap_days = |before: u64| {
        let last = before - 1;
        last / 4 - last / 100 + last / 400
    };
    let years = year.checked_sub(1970)? * 365 + leap_days(year) - leap_days(1970);
    let months: u64 = (1..month).filter_map(|month| days_in(year, month)).sum();
    Some(years + months + day - 1)
}

fn write_rfc3339(time: UnixTime) -> String {
    let (mut days, second_of_day) = (time.as_secs() / 86_400, time.as_secs() % 86_400);
    let mut year = 1970;
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if days < length || year == 9999 {
            break;
        }
        days -= length;
        year += 1;
    }
    let mut month = 1;
    while let Some(length) = days_in(year, month).filter(|length| days >= *length) {
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", days + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_strict() {
        let secs = TimestampFormat::UnixSeconds;
        for (text, expected) in [
            ("1800000000", Some(1_800_000_000)),
            ("0", Some(0)),
            ("999999999999999", Some(999_999_999_999_999)),
            ("1000000000000000", None),
            ("+1800000000", None),
            ("-1", None),
            ("-9223372036854775808", None),
            ("9223372036854775807", None),
            ("18446744073709551615", None),
            ("01800000000", None),
            ("00", None),
            (" 1800000000", None),
            ("1800000000 ", None),
            ("1_800_000_000", None),
            ("1800000000.0", None),
            ("1e9", None),
            ("0x6B49D200", None),
            ("NaN", None),
            ("", None),
            ("١٨٠٠٠٠٠٠٠٠", None),
            ("１８００００００００", None),
            (&"1".repeat(40), None),
            (&"1".repeat(10_000), None),
        ] {
            assert_eq!(secs.parse(text), expected.map(UnixTime::from_secs), "{text}");
        }
    }

    #[test]
    fn dates_are_strict() {
        let date = TimestampFormat::Rfc3339;
        for (text, expected) in [
            ("2021-07-25T10:00:00Z", Some(1_627_207_200_000)),
            ("2021-07-25T12:00:00+02:00", Some(1_627_207_200_000)),
            ("2021-07-25T04:30:00-05:30", Some(1_627_207_200_000)),
            ("2019-11-16T10:11:12.634234626Z", Some(1_573_899_072_634)),
            ("2024-02-29T00:00:00.5Z", Some(1_709_164_800_500)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01T00:30:00+01:00", None),
            ("1969-12-31T23:59:59Z", None),
            ("2023-02-29T00:00:00Z", None),
            ("2021-13-01T00:00:00Z", None),
            ("2021-00-01T00:00:00Z", None),
            ("2021-07-00T00:00:00Z", None),
            ("2021-07-25T24:00:00Z", None),
            ("2021-07-25T10:00:60Z", None),
            ("2021-07-25t10:00:00z", None),
            ("2021-07-25 10:00:00Z", None),
            ("2021-07-25T10:00:00", None),
            ("2021-07-25T10:00:00.Z", None),
            ("2021-07-25T10:00:00.1234567890Z", None),
            ("2021-07-25T10:00:00+0200", None),
            ("2021-07-25T10:00:00+2:00", None),
            ("+021-07-25T10:00:00Z", None),
            ("2021-07-25T10:00:00ZZ", None),
            ("", None),
        ] {
            assert_eq!(date.parse(text), expected.map(UnixTime::from_millis), "{text}");
        }
        let http = TimestampFormat::HttpDate;
        assert_eq!(http.parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(UnixTime::from_secs(784_111_777)));
        assert_eq!(http.parse("Sunday, 06-Nov-94 08:49:37 GMT"), None);
    }

    #[test]
    fn the_edges_of_the_tolerance_are_inside() {
        let signed = UnixTime::from_secs(1000);
        let tolerance =
            Tolerance { past: std::time::Duration::from_secs(300), future: std::time::Duration::from_secs(60) };
        let secs = TimestampFormat::UnixSeconds;
        for (format, now_millis, expected) in [
            (secs, 1_300_000, Ok(())),
            (secs, 1_300_999, Ok(())),
            (secs, 1_301_000, Err("stale")),
            (secs, 940_000, Ok(())),
            (secs, 939_999, Err("from_the_future")),
            (TimestampFormat::UnixMillis, 1_300_000, Ok(())),
            (TimestampFormat::UnixMillis, 1_300_001, Err("stale")),
        ] {
            let judged = format.judge(signed, UnixTime::from_millis(now_millis), tolerance);
            assert_eq!(judged.map_err(|rejection| rejection.reason()), expected, "{format:?} {now_millis}");
        }
        let zero = Tolerance::seconds(0);
        assert!(secs.judge(signed, UnixTime::from_secs(1000), zero).is_ok());
        assert!(secs.judge(signed, UnixTime::from_secs(1001), zero).is_err());
        assert!(secs.judge(UnixTime::from_secs(u64::MAX), signed, tolerance).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(secs in 0_u64..253_402_300_800, text in ".{0,40}") {
            let time = UnixTime::from_secs(secs);
            for format in [TimestampFormat::UnixSeconds, TimestampFormat::UnixMillis, TimestampFormat::Rfc3339, TimestampFormat::HttpDate] {
                prop_assert_eq!(format.parse(&format.write(time)), Some(time));
                let _ = format.parse(&text);
            }
        }
    }
}
