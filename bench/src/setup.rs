//! What the comparisons have in common: the contenders by name, the tracker, and where temporary data goes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use tempfile::TempDir;
use throng_bench::program::{
    Aria2, Libtorrent, Opentracker, Program, Qbittorrent, Rqbit, Rtorrent, Throng, ThrongTracker, Tracker,
    Transmission,
};

/// Options of every comparison.
#[derive(Args, Debug)]
pub(crate) struct Common {
    /// The throng program to compare; left out of the tables if not given.
    #[arg(long, value_name = "FILE")]
    pub(crate) throng: Option<PathBuf>,
    /// Where temporary data goes (default: the system's temporary folder).
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Seconds after which one run has failed.
    #[arg(long, default_value_t = 300)]
    pub(crate) deadline: u64,
}

impl Common {
    /// A temporary folder, and a word on what kind of file system it is on.
    pub(crate) fn temporary(&self) -> Result<(TempDir, String)> {
        let parent = self.dir.clone().unwrap_or_else(std::env::temp_dir);
        std::fs::create_dir_all(&parent)?;
        let parent = parent.canonicalize()?;
        Ok((tempfile::Builder::new().prefix("throng-bench-").tempdir_in(&parent)?, file_system(&parent)?))
    }

    /// The program of this name, if it is installed.
    pub(crate) fn program(&self, name: &str) -> Result<Option<Box<dyn Program>>> {
        let program: Box<dyn Program> = match name {
            "throng" => match &self.throng {
                Some(file) => Box::new(Throng { program: file.canonicalize().context("no such throng")? }),
                None => return Ok(None),
            },
            "libtorrent" => Box::new(Libtorrent),
            "aria2" => Box::new(Aria2),
            "transmission" => Box::new(Transmission),
            "rqbit" => Box::new(Rqbit),
            "rtorrent" => Box::new(Rtorrent),
            "qbittorrent" => Box::new(Qbittorrent),
            _ => bail!("no program is called {name:?} here"),
        };
        Ok(program.is_installed().then_some(program))
    }

    /// throng's own tracker if there is a throng, else opentracker.
    pub(crate) fn tracker(&self) -> Result<Box<dyn Tracker>> {
        if let Some(file) = &self.throng {
            return Ok(Box::new(ThrongTracker { program: file.canonicalize().context("no such throng")? }));
        }
        if Opentracker.is_installed() {
            return Ok(Box::new(Opentracker));
        }
        bail!("no tracker: give --throng or install opentracker")
    }
}

/// The type of the file system that holds `path`, as the kernel's mount table names it.
fn file_system(path: &Path) -> Result<String> {
    let table = std::fs::read_to_string("/proc/mounts")?;
    let mounts = table.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((PathBuf::from(fields.next()?), fields.next()?.to_owned()))
    });
    let deepest = mounts.filter(|(at, _)| path.starts_with(at)).max_by_key(|(at, _)| at.as_os_str().len());
    Ok(deepest.map_or_else(|| "unknown".to_owned(), |(_, kind)| kind))
}

/// The middle value; the mean of the middle two if their number is even.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    match (values.get(n / 2), values.get((n / 2).wrapping_sub(1))) {
        (Some(high), Some(low)) if n.is_multiple_of(2) => f64::midpoint(*low, *high),
        (Some(middle), _) => *middle,
        (None, _) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert!(median(&mut []).is_nan());
    }
}
