//! Entropy for production: ChaCha12 seeded by the operating system, one generator a driver.

use rand::rngs::{StdRng, SysRng};
use rand::{Rng, SeedableRng, TryRng};
use throng_machine::Entropy;

/// A cryptographic generator that machines draw from.
pub struct SystemEntropy {
    rng: StdRng,
}

impl SystemEntropy {
    /// Seeded by the operating system; fails only where it has no entropy to give.
    pub fn from_system() -> std::io::Result<SystemEntropy> {
        let mut seed = <StdRng as SeedableRng>::Seed::default();
        SysRng.try_fill_bytes(&mut seed).map_err(std::io::Error::other)?;
        Ok(SystemEntropy { rng: StdRng::from_seed(seed) })
    }
}

impl Entropy for SystemEntropy {
    fn next_u64(&mut self) -> u64 {
        self.rng.next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_generators_share_no_sequence() {
        let (mut a, mut b) = (SystemEntropy::from_system().unwrap(), SystemEntropy::from_system().unwrap());
        assert_ne!([a.next_u64(), a.next_u64()], [b.next_u64(), b.next_u64()]);
    }
}
