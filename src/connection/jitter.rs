//! Delays, drawn from the seed in the configuration.

use std::time::Duration;

use crate::Retries;

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A delay drawn evenly from `low` to `high`.
    pub(super) fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let span = high.saturating_sub(low);
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let drawn = self.next() % millis.saturating_add(1);
        low.saturating_add(Duration::from_millis(drawn))
    }

    /// The delay that the server asks for, clamped to the floor (law 10); what is
    /// beyond the ceiling is for the caller to refuse. Else the growing one.
    pub(super) fn told_or_growing(
        &mut self,
        told: Option<Duration>,
        failures: u32,
        retries: &Retries,
    ) -> Duration {
        match told {
            Some(told) => told.max(retries.floor),
            None => self.growing(failures, retries),
        }
    }

    /// The growing delay: doubled with each failure, drawn evenly between the floor and
    /// that.
    pub(super) fn growing(&mut self, failures: u32, retries: &Retries) -> Duration {
        let factor = 1_u32.checked_shl(failures).unwrap_or(u32::MAX);
        let most = retries.first.saturating_mul(factor);
        self.between(retries.floor, most.min(retries.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers that the algorithm's reference gives for this seed.
    #[test]
    fn it_is_splitmix64() {
        let mut jitter = Jitter::new(1_234_567);
        let drawn = [(); 5].map(|()| jitter.next());
        let reference = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(drawn, reference);
    }
}
