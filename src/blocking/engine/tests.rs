//! What is kept for an exchange or a call is gone when it is over.

use std::io::Cursor;
use std::sync::mpsc;

use http::Response;

use super::super::{Client, Handle};
use super::*;
use crate::{CallOptions, Config};

/// Answers at once; but `tools/call` hangs until it is aborted, and says that it does.
struct Desk(Mutex<mpsc::Sender<()>>);

impl Transport for Desk {
    type Body = Cursor<Bytes>;

    fn send(
        &self,
        request: Request<Bytes>,
        abort: &Abort,
    ) -> Result<Response<Self::Body>, Failure> {
        let text = String::from_utf8_lossy(request.body());
        if text.contains(r#""tools/call""#) {
            let (aborted, was_aborted) = mpsc::channel();
            let _hook = abort.on_abort(move || aborted.send(()).unwrap());
            self.0.lock().unwrap().send(()).unwrap();
            was_aborted.recv().unwrap();
            return Err(Failure::broken("it was aborted"));
        }
        let (status, headers, body) = crate::adapter::tests::answer(&request);
        let mut response = Response::new(Cursor::new(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

/// Many times, for an exchange that is aborted by one thread may just begin to wait in another.
#[test]
fn nothing_is_kept_of_what_was_answered_dropped_or_aborted() {
    for _ in 0..100 {
        come_and_go();
    }
}

fn come_and_go() {
    let (hangs, hanging) = mpsc::channel();
    let config = Config::new("http://localhost/mcp").unwrap();
    let shared = Arc::new(Shared::new(config, Box::new(|| Time::ZERO)));
    let engine = Engine::new(Arc::clone(&shared), Desk(Mutex::new(hangs)));
    let client = Client {
        handle: Arc::new(Handle {
            shared: Arc::clone(&shared),
            engine: Arc::clone(&engine) as Arc<dyn Turn>,
        }),
    };
    client.call("tools/list", ()).unwrap();
    client.notify("notifications/x", ()).unwrap();
    let dropped = client.start("tools/call", (), CallOptions::new()).unwrap();
    hanging.recv().unwrap();
    drop(dropped);
    let open = client.start("tools/call", (), CallOptions::new()).unwrap();
    hanging.recv().unwrap();
    client.close();
    assert!(open.wait().is_err());
    assert_eq!(engine.threads().aborts.len(), 0);
    assert_eq!(shared.lock().waited_for(), 0);
}
