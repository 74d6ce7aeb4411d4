//! Open files: each connection is one, and the usual limit of 1,024 is none for a directory.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of open files to `wanted`, or as near as the system lets us, and says what it is then.
pub fn raise_open_files(wanted: u64) -> u64 {
    let now = getrlimit(Resource::Nofile);
    let Some(current) = now.current.filter(|current| *current < wanted) else {
        return now.current.unwrap_or(wanted);
    };
    let most = now.maximum.map_or(wanted, |most| most.max(wanted));
    // Beyond the hard limit only for the privileged; others get up to it.
    for (current, maximum) in
        [(wanted, most), (now.maximum.unwrap_or(wanted).min(wanted), now.maximum.unwrap_or(wanted))]
    {
        if setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: Some(maximum) }).is_ok() {
            return current;
        }
    }
    current
}
