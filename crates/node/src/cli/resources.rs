//! What a node may use of its machine, and when.

use crate::units;
use clap::Args;
use std::str::FromStr;

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ResourceArgs {
    /// Other limits at some time of day (of this machine's clock): FROM-TO=UPLOAD/DOWNLOAD, like 08:00-18:00=100KiB/1MiB;
    /// 0 is no limit. May be repeated; the first that fits counts
    #[arg(long, value_name = "TIMES=LIMITS")]
    pub(crate) schedule: Vec<Schedule>,
    /// Fetch nothing while the disk that downloads go to has less room than this, like 5GiB [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = units::parse_size)]
    pub(crate) keep_free: Option<u64>,
    /// Fetch nothing and begin nothing new while this program has more memory than this, like 1GiB; a quarter of
    /// it bounds what is kept for the ring as well (256MiB at most) [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = units::parse_size)]
    pub(crate) memory_limit: Option<u64>,
}

/// Limits for a part of each day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Schedule {
    /// Minutes since midnight: from, and up to. A span may pass midnight; equal ends are the whole day.
    from: u16,
    to: u16,
    /// Bytes a second, sending and receiving; `None` is no limit.
    pub(crate) limits: (Option<u64>, Option<u64>),
}

impl Schedule {
    /// Whether it is for this minute of the day.
    pub(crate) fn is_for(&self, minute: u16) -> bool {
        match self.from < self.to {
            true => (self.from..self.to).contains(&minute),
            false => minute >= self.from || minute < self.to,
        }
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Schedule, String> {
        let read = || {
            let (times, limits) = text.split_once('=')?;
            let (from, to) = times.split_once('-')?;
            let (upload, download) = limits.split_once('/')?;
            let limit = |text: &str| units::parse_rate(text).ok().map(|rate| units::limit(Some(rate)));
            Some(Schedule {
                from: minute(from)?,
                to: minute(to)?,
                limits: (limit(upload)?, limit(download)?),
            })
        };
        read().ok_or_else(|| {
            String::from("write FROM-TO=UPLOAD/DOWNLOAD, like 22:30-07:00=0/0 or 08:00-18:00=100KiB/1MiB")
        })
    }
}

/// Of `hh:mm`.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let two = |text: &str| {
        let digits = text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| digits)
    };
    let (hour, minute) = (two(hour)?, two(minute).filter(|_| minute.len() == 2)?);
    // The end of the day is a time people write.
    let all = hour * 60 + minute;
    (minute < 60 && all <= 24 * 60).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_pass_midnight_and_limits_are_rates() {
        let night: Schedule = "22:30-07:00=0/0".parse().unwrap();
        assert_eq!(night.limits, (None, None));
        let at =
            [(22 * 60 + 29, false), (22 * 60 + 30, true), (0, true), (6 * 60 + 59, true), (7 * 60, false)];
        at.into_iter().for_each(|(minute, fits)| assert_eq!(night.is_for(minute), fits, "{minute}"));
        let day: Schedule = "8:00-18:00=100KiB/1MiB".parse().unwrap();
        assert_eq!(day.limits, (Some(100 << 10), Some(1 << 20)));
        assert!(day.is_for(8 * 60) && !day.is_for(18 * 60));
        let always: Schedule = "00:00-00:00=1/2".parse().unwrap();
        assert!((0..1_440).all(|minute| always.is_for(minute)));
        assert!("12:00-24:00=1/1".parse::<Schedule>().unwrap().is_for(1_439));
    }

    #[test]
    fn what_is_no_span_or_no_limit_is_refused() {
        for text in [
            "",
            "8-9=1/1",
            "08:00-18:00",
            "08:00-18:00=1",
            "25:00-01:00=1/1",
            "08:60-09:00=1/1",
            "a:b-c:d=1/1",
        ] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }
}
