//! How worlds are drawn.

use std::time::Duration;

use super::super::dice::Dice;
use super::{Era, Faults, Habits, Incident, Plan, Probe, Setup, Unknown};
use crate::{Budget, Clocks, Recovery, Retries, Revision};

const REVISIONS: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];

impl Plan {
    pub(in super::super) fn draw(dice: &mut Dice) -> Self {
        let era = dice.pick(&[Era::HttpSse, Era::Session, Era::Session, Era::Stateless]);
        let servers = if dice.chance(650) {
            1
        } else {
            dice.between(2, 3)
        } as usize;
        let sticky = servers == 1
            || dice.chance(match era {
                Era::HttpSse => 900,
                Era::Session | Era::Stateless => 500,
            });
        let span = dice.pick(&[5, 20, 20, 60, 60, 240]);
        let span = Duration::from_secs(span);
        let clients = if dice.chance(650) {
            1
        } else {
            dice.between(2, 3)
        } as usize;
        let habits = Habits::draw(dice, era);
        let faults = Faults::draw(dice);
        let many = if dice.chance(300) {
            0
        } else {
            dice.between(1, 3)
        };
        let incidents = (0..many).map(|_| {
            let at = dice.millis(0, span.as_millis() as u64);
            (at, Incident::draw(dice, era, servers, clients))
        });
        let incidents = incidents.collect();
        let clients = (0..clients).map(|_| Setup::draw(dice, era, habits.revision));
        let clients = clients.collect();
        let tokens = dice.chance(250);
        Self {
            era,
            servers,
            sticky,
            span,
            habits,
            faults,
            incidents,
            clients,
            tokens,
        }
    }
}

impl Habits {
    pub(in super::super) fn draw(dice: &mut Dice, era: Era) -> Self {
        let revision = match era {
            Era::HttpSse if dice.chance(700) => "2024-11-05",
            Era::HttpSse | Era::Session => dice.pick(&REVISIONS),
            Era::Stateless => "2026-07-28",
        };
        let unknown = dice.pick(&[
            Unknown::NotFound,
            Unknown::NotFound,
            Unknown::NotFound,
            Unknown::BadRequest,
            Unknown::PlainBadRequest,
            Unknown::NotFoundError,
            Unknown::Failure,
        ]);
        let probe = dice.pick(&[
            Probe::BadRequest,
            Probe::BadRequest,
            Probe::MethodNotAllowed,
            Probe::NotFound,
            Probe::UnknownMethod,
            Probe::Unsupported,
            Probe::Silence,
        ]);
        Self {
            revision,
            unknown,
            probe,
            streams: dice.pick(&[0, 300, 1000]),
            ids: dice.chance(500),
            polls: dice.now_and_then(600),
            asks: dice.now_and_then(400),
            refuses: dice.now_and_then(150),
            odd: dice.now_and_then(100),
            late: dice.now_and_then(100),
            listens: dice.chance(700),
            nameless: dice.chance(80),
            work: dice.pick(&[20, 300, 3000, 30_000]),
            chatter: dice.now_and_then(500),
            deletes: dice.chance(700),
        }
    }
}

impl Faults {
    fn draw(dice: &mut Dice) -> Self {
        let latency = dice.pick(&[1, 20, 200, 2000]);
        if dice.chance(150) {
            return Self {
                latency,
                ..Self::default()
            };
        }
        Self {
            refused: dice.now_and_then(120),
            reset_before: dice.now_and_then(80),
            reset_after: dice.now_and_then(120),
            hole: dice.now_and_then(40),
            half_open: dice.now_and_then(40),
            gateway: dice.now_and_then(100),
            gateway_after: dice.now_and_then(60),
            html: dice.now_and_then(40),
            busy: dice.now_and_then(80),
            not_found: dice.now_and_then(80),
            lie: if dice.chance(150) { 60 } else { 0 },
            cut: dice.now_and_then(200),
            buffer: dice.now_and_then(150),
            redirect: dice.now_and_then(80),
            away: dice.now_and_then(40),
            deadline: dice.chance(150).then(|| dice.between(500, 40_000)),
            longest: dice.chance(200).then(|| dice.between(200, 60_000)),
            latency,
        }
    }
}

impl Incident {
    fn draw(dice: &mut Dice, era: Era, servers: usize, clients: usize) -> Self {
        let server = dice.below(servers as u64) as usize;
        let most = dice.pick(&[500, 5000, 40_000, 120_000]);
        match dice.below(16) {
            0..=4 => Self::Restart {
                server,
                down: dice.millis(0, most),
            },
            5..=9 => Self::Forget {
                server,
                breaks: dice.chance(300),
            },
            10 => Self::Replace {
                server,
                era: dice.pick(&Era::ALL.map(|it| if it == era { Era::Session } else { it })),
            },
            11 | 12 => Self::Revoke,
            _ => Self::Part {
                client: dice.below(clients as u64) as usize,
                long: dice.millis(100, most),
            },
        }
    }
}

impl Setup {
    fn draw(dice: &mut Dice, era: Era, revision: &str) -> Self {
        let secs = |dice: &mut Dice, from: &[u64]| Duration::from_secs(dice.pick(from));
        let known = dice.below(4);
        let pinned = (known == 0)
            .then(|| Revision::from_date(revision))
            .flatten();
        let remembered = match known {
            1 => Some(era.binding()),
            2 if dice.chance(300) => Some(dice.pick(&Era::ALL).binding()),
            _ => None,
        };
        let recovery = match dice.below(10) {
            0 => Recovery::Hold,
            1 => Recovery::Manual,
            _ => Recovery::Automatic,
        };
        let mut clocks = Clocks::default();
        if dice.chance(400) {
            clocks.head = Some(secs(dice, &[2, 10, 30]));
            clocks.call = Some(secs(dice, &[5, 60, 600]));
            clocks.silence = dice.chance(800).then(|| secs(dice, &[3, 20, 300]));
            clocks.delete = secs(dice, &[1, 30]);
            clocks.progress = dice.chance(200).then(|| secs(dice, &[120]));
        }
        let mut budget = Budget::default();
        if dice.chance(200) {
            budget.handshakes = dice.between(1, 6) as usize;
            budget.window = secs(dice, &[10, 60]);
            budget.resends = dice.between(0, 4) as usize;
        }
        let mut retries = Retries::default();
        if dice.chance(150) {
            retries.resends = dice.between(0, 3) as u32;
            retries.failures = dice.between(1, 6) as u32;
            retries.floor = dice.millis(10, 500);
        }
        Self {
            pinned,
            remembered,
            recovery,
            listen: dice.chance(700),
            authorize: dice.chance(700),
            elicits: dice.chance(800),
            clocks,
            budget,
            retries,
            lag: dice.pick(&[0, 0, 0, 20, 300]),
            slow: dice.chance(250),
            events_first: dice.chance(300),
            calls: dice.between(1, 8),
            notes: dice.below(3),
            hears: dice.chance(250),
            roams: if dice.chance(250) {
                dice.between(1, 3)
            } else {
                0
            },
            closes: dice.chance(150),
            connects: dice.chance(300),
            seed: dice.next(),
        }
    }
}
