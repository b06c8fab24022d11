//! What is measured, and what came out.

use std::env;

use crate::{allocations, valgrind};

/// How often a case is to be run.
#[derive(Clone, Copy)]
pub struct Plan {
    pub times: usize,
    /// Make ready for so many, which are the same in both runs: then it is in neither figure.
    pub room: usize,
}

impl Plan {
    /// What was made ready, so much of it as is wanted. The rest is not even freed: in the other
    /// run it is used, and freed there.
    pub fn take<T>(self, mut ready: Vec<T>) -> std::vec::IntoIter<T> {
        let each = ready.len() / self.room;
        std::mem::forget(ready.split_off(each * self.times));
        ready.into_iter()
    }
}

/// Something that can be done any number of times.
pub struct Case {
    pub name: String,
    times: usize,
    /// How many units (events, bytes) one time is.
    units: f64,
    run: Box<dyn Fn(Plan)>,
}

/// What one unit of a case costs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Absent without valgrind.
    pub instructions: Option<f64>,
    pub allocations: f64,
}

impl Case {
    pub fn new(name: impl Into<String>, times: usize, run: impl Fn(Plan) + 'static) -> Self {
        Self {
            name: name.into(),
            times,
            units: 1.0,
            run: Box::new(run),
        }
    }

    #[must_use]
    pub fn units(self, units: usize) -> Self {
        Self {
            units: units as f64,
            ..self
        }
    }

    pub fn measure(&self) -> Cost {
        let allocations = |times| {
            let before = allocations::count();
            (self.run)(self.plan(times));
            Some(allocations::count() - before)
        };
        let instructions = |times| valgrind::instructions(&self.name, times);
        Cost {
            instructions: self.difference(instructions),
            allocations: self.difference(allocations).unwrap_or_default(),
        }
    }

    fn plan(&self, times: usize) -> Plan {
        Plan {
            times,
            room: self.times * 2,
        }
    }

    fn difference(&self, count: impl Fn(usize) -> Option<u64>) -> Option<f64> {
        let once = count(self.times)?;
        let twice = count(self.times * 2)?;
        Some((twice as f64 - once as f64) / self.times as f64 / self.units)
    }
}

/// Whether this process was started to be measured; then it has done its part.
pub fn run_once(cases: &[Case]) -> bool {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [mode, name, times] = arguments.as_slice() else {
        return false;
    };
    if mode != valgrind::ONCE {
        return false;
    }
    let case = cases.iter().find(|case| case.name == *name);
    let case = case.expect("only cases that there are are measured");
    let times = times.parse().expect("a number of times");
    (case.run)(case.plan(times));
    true
}
