//! Names become addresses on a thread that nobody has to wait for.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::exchange::Exchange;

/// How many names are looked up at once: an application talks to one host or two.
const LOOKUPS: usize = 4;
/// How many addresses of a name are tried.
const ADDRESSES: usize = 16;

/// The names that are being looked up. Who asks for the same one waits for the same
/// thread.
pub(super) struct Names {
    lookups: Mutex<Vec<Arc<Lookup>>>,
    resolver: Box<Resolver>,
}

/// Blocks until it knows the addresses of a name, or that there are none.
type Resolver = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

struct Lookup {
    host: String,
    port: u16,
    answer: Mutex<Option<Result<Vec<SocketAddr>, String>>>,
    answered: Condvar,
}

impl Default for Names {
    fn default() -> Self {
        Self::new(|host, port| Ok((host, port).to_socket_addrs()?.collect()))
    }
}

impl Names {
    fn new(
        resolver: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            lookups: Mutex::default(),
            resolver: Box::new(resolver),
        }
    }

    pub(super) fn resolve(
        self: &Arc<Self>,
        host: &str,
        port: u16,
        exchange: &Exchange,
    ) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let lookup = self.lookup(host, port)?;
        let woken = Arc::clone(&lookup);
        let _hook = exchange.abort.on_abort(move || {
            // Under the lock, lest it goes to sleep after having looked.
            let _answer = lock(&woken.answer);
            woken.answered.notify_all();
        });
        let left = exchange.left()?;
        let (answer, _) = lookup
            .answered
            .wait_timeout_while(lock(&lookup.answer), left, |answer| {
                answer.is_none() && !exchange.abort.is_aborted()
            })
            .unwrap_or_else(PoisonError::into_inner);
        match &*answer {
            Some(Ok(addresses)) => Ok(addresses.clone()),
            Some(Err(why)) => Err(io::Error::other(format!("`{host}` was not found: {why}"))),
            None => Err(io::Error::other(format!("`{host}` was not found in time"))),
        }
    }

    fn lookup(self: &Arc<Self>, host: &str, port: u16) -> io::Result<Arc<Lookup>> {
        let mut lookups = lock(&self.lookups);
        if let Some(lookup) = lookups.iter().find(|it| it.host == host && it.port == port) {
            return Ok(Arc::clone(lookup));
        }
        if lookups.len() == LOOKUPS {
            return Err(io::Error::other("too many names are being looked up"));
        }
        let lookup = Arc::new(Lookup {
            host: host.to_owned(),
            port,
            answer: Mutex::new(None),
            answered: Condvar::new(),
        });
        let (names, asked) = (Arc::clone(self), Arc::clone(&lookup));
        thread::Builder::new()
            .name("mcp-http-resolve".to_owned())
            .spawn(move || names.look_up(&asked))?;
        lookups.push(Arc::clone(&lookup));
        Ok(lookup)
    }

    fn look_up(&self, lookup: &Arc<Lookup>) {
        let answer = (self.resolver)(&lookup.host, lookup.port)
            .map(|addresses| addresses.into_iter().take(ADDRESSES).collect())
            .map_err(|error| error.to_string());
        lock(&self.lookups).retain(|other| !Arc::ptr_eq(other, lookup));
        *lock(&lookup.answer) = Some(answer);
        lookup.answered.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
