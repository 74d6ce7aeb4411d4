//! What a user says of the speed of their line.

/// A speed code; 0 to 10 have a meaning (section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Speed(pub u32);

impl Speed {
    /// Not known.
    pub const UNKNOWN: Speed = Speed(0);
    /// A digital subscriber line.
    pub const DSL: Speed = Speed(8);
    /// 45 Mbit/s or more.
    pub const T3: Speed = Speed(10);

    const LABELS: [&'static str; 11] = [
        "unknown",
        "14.4k modem",
        "28.8k modem",
        "33.6k modem",
        "56.7k modem",
        "64k ISDN",
        "128k ISDN",
        "cable",
        "DSL",
        "T1",
        "T3 or more",
    ];

    /// Whether servers accept it at login (N4).
    pub const fn is_valid(self) -> bool {
        self.0 <= Speed::T3.0
    }

    /// For people; codes without a meaning are unknown.
    pub fn label(self) -> &'static str {
        Speed::LABELS.get(self.0 as usize).copied().unwrap_or(Speed::LABELS[0])
    }

    /// The code nearest to a line of that many bits a second.
    pub const fn from_bits(bits_per_second: u64) -> Speed {
        Speed(match bits_per_second {
            0 => 0,
            1..=14_400 => 1,
            14_401..=28_800 => 2,
            28_801..=33_600 => 3,
            33_601..=56_700 => 4,
            56_701..=64_000 => 5,
            64_001..=128_000 => 6,
            128_001..=512_000 => 7,
            512_001..=1_000_000 => 8,
            1_000_001..=2_000_000 => 9,
            _ => 10,
        })
    }
}
