//! What the benches share: how instructions and allocations are counted, and how they are shown.
//!
//! Each case is run twice, so often and twice so often: in processes of its own to count instructions,
//! in that of the bench to count allocations. What the second run costs more is what it did more: the start of the process, what is made ready before, and what
//! grows once are in both.

mod allocations;
mod baseline;
mod case;
mod table;
mod valgrind;

pub use allocations::in_use;
pub use baseline::Baseline;
pub use case::{Case, Cost, Plan, run_once};
pub use table::{Row, Table, grouped};
pub use valgrind::is_there as valgrind_is_there;
