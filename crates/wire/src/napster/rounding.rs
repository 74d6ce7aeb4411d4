//! How servers round bitrates and frequencies of shared files (N9); filters and hits use the rounded values.

const BITRATES: [u32; 19] =
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 192, 224, 256, 320, 512];
const FREQUENCIES: [u32; 6] = [16_000, 24_000, 22_050, 32_000, 44_100, 48_000];

/// kbit/s rounded up as G does (A has no 512); 0 and what is above the last become 8.
pub fn round_bitrate(kbits: u32) -> u32 {
    BITRATES.into_iter().find(|rate| *rate >= kbits).unwrap_or(8)
}

/// Hz: the first of the servers' list that is not smaller, 16,000 above the last; 22,050 becomes 24,000.
pub fn round_frequency(hertz: u32) -> u32 {
    FREQUENCIES.into_iter().find(|frequency| *frequency >= hertz).unwrap_or(16_000)
}
