//! A connection and what drives it, for those who measure it.

mod driver;

pub use driver::Driver;
