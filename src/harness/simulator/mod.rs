//! Whole worlds in virtual time: several clients, servers of all eras that execute calls
//! and remember which, that restart, forget and answer late; balancers without stickiness;
//! proxies that cut, hold back, answer for the server or turn its answers into others;
//! networks that part and heal. One seed makes one world.
//!
//! The clients are real [`Connection`](crate::Connection)s, driven through their public API
//! as any embedder drives them. A judge who knows what really happened holds the laws of
//! the design against what they send and tell; in the end every call has ended once, what
//! was executed agrees with what was told, and nothing is left.
//!
//! `judge` does not judge law 1 (that a seed makes the same world everywhere: a test does), nor
//! law 9. What a proxy does to a call by turning the answer to what was executed into a
//! refusal is not held against a client (law 5).

mod asked;
mod board;
mod client;
mod dice;
mod judge;
mod liar;
mod middle;
mod network;
mod part;
mod plan;
mod queue;
mod rule;
mod server;
mod story;
mod summary;
mod wire;
mod world;

use std::fmt;

use self::dice::Dice;
use self::judge::Breach;
use self::plan::Plan;
use self::story::Story;
use self::world::World;
use crate::Config;
use crate::breakage::Breakage;

pub use self::plan::Era;
pub use self::rule::Rule;
pub use self::summary::{Summary, Thing};

/// How worlds are simulated.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Has the last word about how each client is set up.
    pub configure: fn(Config) -> Config,
    /// How the machines are broken, to see whether the judge finds it out.
    pub broken: Option<Breakage>,
    /// The rule that seems to be broken, to see whether the judge holds to it.
    pub lie: Option<Rule>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            configure: |config| config,
            broken: None,
            lie: None,
        }
    }
}

impl Options {
    fn config(&self, config: Config) -> Config {
        let config = (self.configure)(config);
        match self.broken {
            Some(how) => config.broken(how),
            None => config,
        }
    }
}

/// A world in which a rule was broken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Broken {
    pub seed: u64,
    pub rule: Rule,
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, rule, what } = self;
        write!(f, "seed {seed}, law {}: {what}", rule.law())
    }
}

impl std::error::Error for Broken {}

/// The world of this seed.
///
/// # Errors
/// The first rule that was seen broken.
pub fn simulate(seed: u64) -> Result<Summary, Broken> {
    simulate_with(seed, &Options::default())
}

/// The same.
///
/// # Errors
/// The first rule that was seen broken.
pub fn simulate_with(seed: u64, options: &Options) -> Result<Summary, Broken> {
    let (summary, _, breach) = World::new(seed, options, Story::default()).run();
    match breach {
        None => Ok(summary),
        Some(Breach { rule, what }) => Err(Broken { seed, rule, what }),
    }
}

/// Tells the world that this seed makes from the one that it makes once worlds are drawn in
/// another way: a hash of its plan.
#[must_use]
pub fn world(seed: u64) -> u64 {
    let plan = Plan::draw(&mut Dice::new(seed));
    let text = format!("{plan:?}");
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// The story of the world of this seed, line by line.
#[must_use]
pub fn simulate_told(seed: u64, options: &Options) -> String {
    let (_, story, _) = World::new(seed, options, Story::told()).run();
    story.text()
}
