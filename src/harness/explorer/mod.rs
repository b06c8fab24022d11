//! Model checking: all that can happen to a connection, in every order, to a depth. It drives
//! the machine through its public API. Of states that differ in numbers, in the time of day and
//! in how many bytes were let go by alone, one is gone on from (what a state is, `Connection::state` says).

mod alike;
mod exchange;
mod laws;
mod letter;
mod liar;
mod moves;
mod network;
mod rule;
mod setting;
mod wire;
mod world;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub use self::letter::{Act, Letter, Move};
pub use self::rule::{Broken, Rule};
pub use self::setting::{SETTINGS, Setting};

use self::world::World;

/// What was explored.
#[derive(Clone, Debug)]
pub struct Explored {
    pub setting: &'static str,
    /// How many moves deep.
    pub depth: usize,
    /// Whether all that can happen to that depth did.
    pub whole: bool,
    pub states: usize,
    pub moves: usize,
    /// How often each letter was used.
    pub letters: BTreeMap<&'static str, usize>,
}

/// A rule was broken: which, and by which moves.
#[derive(Clone, Debug)]
pub struct Counterexample {
    pub what: Broken,
    pub setting: &'static str,
    pub moves: Vec<Move>,
}

/// Where a path came from, and what was done there.
type Steps = Vec<(usize, Move)>;

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// How many moves deep.
    pub depth: usize,
    /// After how many of them nobody looks what the machine says, before the next one.
    pub unread: usize,
    /// No more states than about so many.
    pub states: usize,
}

/// Explores a setting.
///
/// # Errors
/// The shortest path on which a rule is seen broken.
pub fn explore(setting: &Setting, reach: Reach) -> Result<Explored, Counterexample> {
    let found = |what, moves| Counterexample {
        what,
        setting: setting.name,
        moves,
    };
    let root = World::new(setting, reach.unread).map_err(|what| found(what, Vec::new()))?;
    let mut explored = Explored {
        setting: setting.name,
        depth: 0,
        whole: true,
        states: 1,
        moves: 0,
        letters: BTreeMap::new(),
    };
    let mut seen = BTreeSet::from([fingerprint(&root)]);
    // Each state by the one before it: paths are short, and made again fast.
    let mut steps: Steps = Vec::new();
    let mut frontier = vec![usize::MAX];
    for _ in 0..reach.depth {
        let mut next = Vec::new();
        for from in frontier {
            let path = path(&steps, from);
            let world = walk(&root, &path).map_err(|what| found(what, path.clone()))?;
            for one in world.moves() {
                let mut after = world.clone();
                explored.moves += 1;
                *explored.letters.entry(one.letter.name()).or_default() += 1;
                let made = after.make(one).and_then(|()| {
                    let is_new = seen.insert(fingerprint(&after));
                    if is_new {
                        after.finish().map(|()| true)
                    } else {
                        Ok(false)
                    }
                });
                match made {
                    Ok(false) => {}
                    Ok(true) => {
                        explored.states += 1;
                        steps.push((from, one));
                        next.push(steps.len() - 1);
                    }
                    Err(what) => {
                        let mut moves = path.clone();
                        moves.push(one);
                        return Err(found(what, moves));
                    }
                }
            }
            if explored.states >= reach.states {
                explored.whole = false;
                return Ok(explored);
            }
        }
        explored.depth += 1;
        frontier = next;
    }
    Ok(explored)
}

/// Whether states that are taken for one, of which only one is gone on from, go on alike, for so
/// many moves `further`. Gives how many there are, and how much of what was sent and told was
/// compared.
///
/// # Errors
/// By which move they differ.
pub fn alike(setting: &Setting, depth: usize, further: usize) -> Result<(usize, usize), String> {
    let mut root = World::new(setting, 0).map_err(|what| what.to_string())?;
    root.log = Some(String::new());
    let mut seen = BTreeMap::from([(fingerprint(&root), root.clone())]);
    let mut frontier = vec![root];
    let (mut pairs, mut compared) = (0, 0);
    for _ in 0..depth {
        let mut next = Vec::new();
        for world in frontier {
            for one in world.moves() {
                let mut after = world.clone();
                after.make(one).map_err(|what| what.to_string())?;
                match seen.entry(fingerprint(&after)) {
                    Entry::Vacant(place) => {
                        place.insert(after.clone());
                        next.push(after);
                    }
                    Entry::Occupied(first) => {
                        pairs += 1;
                        compared += go_on_alike(first.get(), &after, further)?;
                    }
                }
            }
        }
        frontier = next;
    }
    Ok((pairs, compared))
}

/// Whatever happens to one and to the other, for so many moves: the same leaves, the same is
/// told, and the same is held to be different. Gives how many bytes left and were told.
fn go_on_alike(one: &World, other: &World, further: usize) -> Result<usize, String> {
    let (moves, others) = (one.moves(), other.moves());
    if moves != others {
        return Err(format!("{moves:?} can happen, and {others:?}"));
    }
    let mut compared = 0;
    for at in moves {
        let [mut one, mut other] = [one.clone(), other.clone()];
        let made = [&mut one, &mut other].map(|world| match world.make(at) {
            Ok(()) => {
                let log = alike::normalized(world.log.as_deref().unwrap_or_default(), world.now);
                compared += log.len();
                format!("{log}{}", alike::normalized(&world.state(), world.now))
            }
            Err(what) => what.to_string(),
        });
        if let Some(unlike) = alike::unlike(&made) {
            return Err(format!("by `{at}` they become unlike:\n{unlike}"));
        }
        if further > 1 {
            let went = go_on_alike(&one, &other, further - 1);
            compared += went.map_err(|unlike| format!("by `{at}`, and then {unlike}"))?;
        }
    }
    Ok(compared)
}

/// Makes these moves, and then lets everything end.
///
/// # Errors
/// The rule that is seen broken.
pub fn replay(setting: &str, moves: &str) -> Result<(), Broken> {
    let named = SETTINGS.iter().find(|named| named.name == setting);
    let named = named.ok_or_else(|| format!("there is no setting `{setting}`"))?;
    let root = World::new(named, usize::MAX)?;
    walk(&root, &letter::moves(moves)?)?.finish()
}

fn walk(root: &World, moves: &[Move]) -> Result<World, Broken> {
    let mut world = root.clone();
    for one in moves {
        if !world.moves().contains(one) {
            return Err(format!("`{one}` cannot happen there").into());
        }
        world.make(*one)?;
    }
    Ok(world)
}

fn path(steps: &Steps, mut at: usize) -> Vec<Move> {
    let mut moves = Vec::new();
    while let Some((before, one)) = steps.get(at) {
        moves.push(*one);
        at = *before;
    }
    moves.reverse();
    moves
}

/// Two hashes (FNV-1a) of the state: that two states share both is not to be feared.
fn fingerprint(world: &World) -> (u64, u64) {
    let state = alike::normalized(&world.state(), world.now);
    let mixed = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    let start = (0xCBF2_9CE4_8422_2325, 0x9E37_79B9_7F4A_7C15);
    state.bytes().fold(start, |(one, other), byte| {
        (mixed(one, byte), mixed(other, byte))
    })
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.whole { "" } else { "more than " };
        let Self {
            setting,
            depth,
            states,
            moves,
            ..
        } = self;
        writeln!(
            f,
            "{setting}: {whole}{depth} deep, {states} states, {moves} moves"
        )?;
        for (letter, count) in &self.letters {
            writeln!(f, "{count:>10}  {letter}")?;
        }
        Ok(())
    }
}

/// A test that shows it.
impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moves = letter::written(&self.moves);
        writeln!(f, "{}\n", self.what)?;
        writeln!(f, "#[test]\nfn the_explorer_found_this() {{")?;
        writeln!(f, "    holds(\"{}\", \"{moves}\");\n}}", self.setting)
    }
}

impl std::error::Error for Counterexample {}
