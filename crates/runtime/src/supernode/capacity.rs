//! What this machine could give as a supernode.

/// A supernode may take this part of the memory that is free.
const PART: u64 = 4;

/// MiB of memory, as Linux tells it; elsewhere nothing is known, and nothing is offered.
pub(super) fn mebibytes() -> u32 {
    let told = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    parse(&told).unwrap_or(0)
}

/// Reads the line `MemAvailable:   1234 kB`.
fn parse(told: &str) -> Option<u32> {
    let line = told.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    u32::try_from(kibibytes / 1_024 / PART).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_free_memory_is_offered() {
        let told = "MemTotal:       24000000 kB\nMemAvailable:     409600 kB\n";
        assert_eq!(parse(told), Some(100));
        assert_eq!(parse("MemTotal: 1 kB\n"), None);
    }
}
