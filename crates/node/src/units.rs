//! Numbers as people write and read them: sizes, rates, durations, dates.
//!
//! Sizes are bytes; `KiB`, `MiB`, `GiB`, `TiB` (or `K`, `M`, `G`, `T`) are powers of 1024, `kB`, `MB`, `GB`, `TB` powers
//! of 1000. Rates are bytes a second.

use std::time::Duration;

const SUFFIXES: [(&str, u64); 17] = [
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("ki", 1 << 10),
    ("mi", 1 << 20),
    ("gi", 1 << 30),
    ("ti", 1 << 40),
    ("k", 1 << 10),
    ("m", 1 << 20),
    ("g", 1 << 30),
    ("t", 1 << 40),
    ("b", 1),
];

/// Reads a size such as `65536`, `64KiB`, `1.5GiB` or `10MB`.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let lower = text.trim().to_ascii_lowercase();
    let (number, factor) = SUFFIXES
        .iter()
        .find_map(|(suffix, factor)| lower.strip_suffix(suffix).map(|number| (number.trim_end(), *factor)))
        .unwrap_or((&lower, 1));
    scaled(number, factor).ok_or_else(|| String::from("not a size; write it like 65536, 64KiB or 4MiB"))
}

/// Reads a rate in bytes a second, `/s` allowed; 0 means no limit.
pub(crate) fn parse_rate(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let size = text.strip_suffix("/s").unwrap_or(text);
    parse_size(size).map_err(|_| String::from("not a rate; write bytes a second like 500000, 512KiB or 4MiB"))
}

/// The limit that a rate from the command line means.
pub(crate) fn limit(rate: Option<u64>) -> Option<u64> {
    rate.filter(|rate| *rate > 0)
}

/// `digits[.digits] × factor`, rounded down, without passing through floating point.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > 9 {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(factor)?;
    let ten = 10u128.pow(u32::try_from(part.len()).ok()?);
    let part = u128::from(part.parse::<u64>().unwrap_or(0)) * u128::from(factor) / ten;
    whole.checked_add(u64::try_from(part).ok()?)
}

/// A size with three digits or so: `17 B`, `4.2 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    const NAMES: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let power = (bytes.ilog2() / 10) as usize;
    let value = bytes as f64 / 2f64.powi(10 * power as i32);
    let name = NAMES.get(power - 1).copied().unwrap_or_default();
    if value >= 99.95 || bytes.is_power_of_two() {
        format!("{value:.0} {name}")
    } else {
        format!("{value:.1} {name}")
    }
}

/// A rate: `4.2 MiB/s`.
pub(crate) fn rate(bytes_a_second: u64) -> String {
    format!("{}/s", size(bytes_a_second))
}

/// How many a second, over a time.
pub(crate) fn per_second(bytes: u64, time: Duration) -> u64 {
    (bytes as f64 / time.as_secs_f64().max(0.001)) as u64
}

/// A time span: `0.4 s`, `37 s`, `4 min 2 s`, `3 h 5 min`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

/// A number with its digits in groups of three.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 file`, `2 files`, `2 queries`, `2 searches`.
pub(crate) fn plural(number: u64, one: &str) -> String {
    let number_of = count(number);
    if number == 1 {
        return format!("{number_of} {one}");
    }
    match one.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{number_of} {stem}ies"),
        _ if one.ends_with("ch") || one.ends_with("sh") || one.ends_with(['s', 'x']) => {
            format!("{number_of} {one}es")
        }
        _ => format!("{number_of} {one}s"),
    }
}

/// Seconds since 1970 as a date and time in UTC, for years 0 to 9999.
pub(crate) fn date(seconds: i64) -> Option<String> {
    let (days, time) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 0000-03-01, so that the leap day is the last of its year.
    let days = days.checked_add(719_468).filter(|days| (0..3_652_425 - 60).contains(days))?;
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year_of_cycle = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = cycle * 400 + year_of_cycle + next_year;
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    Some(format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let good = [
            ("0", 0),
            ("65536", 65_536),
            ("64KiB", 65_536),
            ("64 kib", 65_536),
            ("64k", 65_536),
            ("4MiB", 4 << 20),
            ("1.5GiB", 3 << 29),
            ("10MB", 10_000_000),
            ("7b", 7),
        ];
        for (text, bytes) in good {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "KiB", "-1", "1e3", "0x10", "1..2", "99999999999GiB", "1 1", "1.5.5M", "half"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
        assert_eq!(parse_rate("512KiB/s"), Ok(512 << 10));
        assert_eq!((limit(Some(0)), limit(Some(7)), limit(None)), (None, Some(7), None));
    }

    #[test]
    fn sizes_and_times_are_shown_short() {
        let sizes = [0, 1023, 1024, 1536, 4 << 20, u64::MAX].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1 KiB", "1.5 KiB", "4 MiB", "16.0 EiB"]);
        let times = [400, 37_000, 242_000, 11_100_000].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(times, ["0.4 s", "37 s", "4 min 2 s", "3 h 5 min"]);
        assert_eq!([1, 999, 1_000, 1_234_567].map(count), ["1", "999", "1,000", "1,234,567"]);
        assert_eq!((plural(1, "file"), plural(0, "file")), ("1 file".into(), "0 files".into()));
        let several = ["query", "search", "finger", "day"].map(|one| plural(2, one));
        assert_eq!(several, ["2 queries", "2 searches", "2 fingers", "2 days"]);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let dates = [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
            (253_402_300_799, "9999-12-31 23:59:59 UTC"),
        ];
        for (seconds, shown) in dates {
            assert_eq!(date(seconds).as_deref(), Some(shown));
        }
        assert_eq!((date(i64::MAX), date(i64::MIN), date(253_402_300_800)), (None, None, None));
    }
}
