//! The phases of a connection: the table as text, and each phase as it is lived through.

use mcp_http::{Connection, Listening, Phase};

use crate::world::World;

#[test]
fn the_table_is_the_committed_one() {
    // The same text as in the docs; `UPDATE=1 cargo test phase_table` writes it.
    let committed = include_str!("../../src/connection/phase_table.txt");
    let table = Connection::phase_table();
    assert_eq!(table, committed, "review the change:\n{table}");
}

#[test]
fn every_phase_can_be_lived_through() {
    for (phase, mut w) in World::in_every_phase() {
        w.close();
        w.answer_all("DELETE", 200);
        w.advance(crate::world::secs(100));
        assert_eq!(w.phase(), Phase::Closed, "closed from {phase:?}");
        assert_eq!(w.connection.poll_timeout(), None, "closed from {phase:?}");
    }
}

#[test]
fn every_phase_in_its_turn() {
    let mut w = World::idle();
    let mut seen = vec![w.phase()];
    w.connection.connect(w.now).unwrap();
    seen.push(w.phase());
    w.drive();
    seen.push(w.phase());
    w.accept_initialize("s1");
    seen.push(w.phase());
    w.accept("notifications/initialized");
    seen.push(w.phase());
    w.close();
    seen.push(w.phase());
    w.answer_all("DELETE", 204);
    seen.push(w.phase());
    use Phase::{Closed, Closing, Confirming, Due, Idle, Initializing, Ready};
    assert_eq!(
        seen,
        [Idle, Due, Initializing, Confirming, Ready, Closing, Closed]
    );
}

#[test]
fn status_shows_what_there_is_in_each_phase() {
    for (phase, w) in World::in_every_phase() {
        let status = w.connection.status();
        let lives = matches!(phase, Phase::Confirming | Phase::Ready | Phase::Held);
        assert_eq!(status.revision.is_some(), lives, "{phase:?}");
        assert_eq!(status.has_session_id, lives, "{phase:?}");
        assert_eq!(status.listening, Listening::Off, "{phase:?}");
        assert_eq!(
            w.connection.is_closed(),
            phase == Phase::Closed,
            "{phase:?}"
        );
    }
}

#[test]
fn the_listening_stream_in_each_phase() {
    use Listening::{Degraded, Off, Open, Opening};
    let mut w = World::new(crate::world::config().listen(true));
    let status = |w: &World| w.connection.status().listening;
    w.connect();
    assert_eq!((w.phase(), status(&w)), (Phase::Initializing, Off));
    w.accept_initialize("s1");
    assert_eq!((w.phase(), status(&w)), (Phase::Confirming, Off));
    w.accept("notifications/initialized");
    assert_eq!((w.phase(), status(&w)), (Phase::Ready, Opening));
    let get = w.reopen();
    assert_eq!(status(&w), Open);
    w.end(&get);
    assert_eq!(status(&w), Degraded);
    w.reopen();
    w.call("tools/call");
    w.answer_all("tools/call", 404);
    assert_eq!((w.phase(), status(&w)), (Phase::Due, Off));
    w.recover("s2");
    assert_eq!((w.phase(), status(&w)), (Phase::Ready, Opening));
    w.close();
    assert_eq!((w.phase(), status(&w)), (Phase::Closing, Off));
}
