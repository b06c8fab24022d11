//! A server in a process of its own, and clients of it, for those who measure them.

mod message;
mod raw;
mod rmcp;
mod server;

pub use message::{arguments, params};
pub use raw::{Http, Hyper, Reqwest, Session, Ureq};
pub use rmcp::Rmcp;
pub use server::{Server, serve_if_asked};
