//! Memory of this process as Linux tells it; elsewhere nothing is known.

/// Bytes of memory this process has now (`VmRSS`).
pub fn resident() -> Option<u64> {
    field("VmRSS:")
}

/// The most bytes of memory this process has had (`VmHWM`).
pub fn peak_resident() -> Option<u64> {
    field("VmHWM:")
}

fn field(name: &str) -> Option<u64> {
    parse(&std::fs::read_to_string("/proc/self/status").ok()?, name)
}

/// Reads a line such as `VmRSS:   1234 kB`.
fn parse(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_counts_in_kibibytes() {
        let status = "Name:\tthrong\nVmHWM:\t    2048 kB\nVmRSS:\t     1 kB\n";
        assert_eq!((parse(status, "VmRSS:"), parse(status, "VmHWM:")), (Some(1_024), Some(2 << 20)));
        assert_eq!(parse("VmRSS:\tmuch kB\n", "VmRSS:"), None);
        assert_eq!(parse("", "VmRSS:"), None);
    }
}
