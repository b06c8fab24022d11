//! The phases of a connection, and the one table that changes them.

use std::fmt::Write as _;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Phase {
    /// Nothing is known of the server, and nothing wants to know.
    Idle,
    /// A handshake is due, now or after a delay.
    Due,
    /// `server/discover` is under way, or waits for authorisation (2026-07-28).
    Discovering,
    /// The GET for an HTTP+SSE server's event stream is under way, or waits for
    /// authorisation (2024-11-05).
    Opening,
    /// `initialize` is under way, or waits for authorisation.
    Initializing,
    /// `notifications/initialized` is under way, or waits for authorisation.
    Confirming,
    /// A session is established, or none is needed; calls go out.
    Ready,
    /// A new session is established after a loss; the refused calls wait for
    /// [`resume`](crate::Connection::resume).
    Held,
    /// The session is gone; everything waits for
    /// [`reinitialize`](crate::Connection::reinitialize).
    Lost,
    /// Closed by the application; the session's DELETE may be under way.
    Closing,
    /// Nothing is ever sent again.
    Closed,
}

/// What can change the phase.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Input {
    /// Something wants a session.
    Want,
    /// `server/discover` was polled.
    Probed,
    /// `server/discover` was answered with a valid result.
    Discovered,
    /// The GET for an HTTP+SSE server's event stream was polled.
    Opened,
    /// `initialize` was polled.
    Sent,
    /// `initialize` was answered with a valid result.
    Accepted,
    /// The handshake is to be tried again, or to go on with its next request.
    Again,
    /// The handshake failed, or its budget is spent.
    Failed,
    /// `notifications/initialized` was accepted.
    Confirmed,
    /// The same, and the application wants to restore its state first.
    ConfirmedHeld,
    /// The session is gone, and a new one is to be made.
    Gone,
    /// The session is gone, and the application decides.
    GoneManual,
    /// The application says `resume`.
    Resume,
    /// The application says `reinitialize`.
    Reinitialize,
    /// The application says `close`.
    Close,
    /// The DELETE is over, or there was nothing to delete.
    Ended,
}

/// What an input does in a phase.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// The phase changes.
    To(Phase),
    /// Nothing changes.
    Stay,
    /// A mistake of the caller; nothing changes.
    Misuse,
}

pub(super) const PHASES: [Phase; 11] = {
    use Phase::*;
    [
        Idle,
        Due,
        Discovering,
        Opening,
        Initializing,
        Confirming,
        Ready,
        Held,
        Lost,
        Closing,
        Closed,
    ]
};

pub(super) const INPUTS: [Input; 16] = {
    use Input::*;
    [
        Want,
        Probed,
        Discovered,
        Opened,
        Sent,
        Accepted,
        Again,
        Failed,
        Confirmed,
        ConfirmedHeld,
        Gone,
        GoneManual,
        Resume,
        Reinitialize,
        Close,
        Ended,
    ]
};

/// The table: every phase with every input.
pub(super) fn step(phase: Phase, input: Input) -> Step {
    use Phase::*;
    use Step::{Misuse, Stay, To};
    match input {
        Input::Want => match phase {
            Idle => To(Due),
            Due | Discovering | Opening | Initializing | Confirming | Ready | Held | Lost => Stay,
            Closing | Closed => Misuse,
        },
        Input::Probed => match phase {
            Due => To(Discovering),
            Idle | Discovering | Opening | Initializing | Confirming | Ready | Held | Lost
            | Closing | Closed => Stay,
        },
        Input::Discovered => match phase {
            Discovering => To(Ready),
            Idle | Due | Opening | Initializing | Confirming | Ready | Held | Lost | Closing
            | Closed => Stay,
        },
        Input::Opened => match phase {
            Due => To(Opening),
            Idle | Discovering | Opening | Initializing | Confirming | Ready | Held | Lost
            | Closing | Closed => Stay,
        },
        Input::Sent => match phase {
            Due => To(Initializing),
            Idle | Discovering | Opening | Initializing | Confirming | Ready | Held | Lost
            | Closing | Closed => Stay,
        },
        Input::Accepted => match phase {
            Initializing => To(Confirming),
            Idle | Due | Discovering | Opening | Confirming | Ready | Held | Lost | Closing
            | Closed => Stay,
        },
        Input::Again => match phase {
            Discovering | Opening | Initializing => To(Due),
            Idle | Due | Confirming | Ready | Held | Lost | Closing | Closed => Stay,
        },
        Input::Failed => match phase {
            Due | Discovering | Opening | Initializing | Confirming => To(Idle),
            Idle | Ready | Held | Lost | Closing | Closed => Stay,
        },
        Input::Confirmed => match phase {
            Confirming => To(Ready),
            Idle | Due | Discovering | Opening | Initializing | Ready | Held | Lost | Closing
            | Closed => Stay,
        },
        Input::ConfirmedHeld => match phase {
            Confirming => To(Held),
            Idle | Due | Discovering | Opening | Initializing | Ready | Held | Lost | Closing
            | Closed => Stay,
        },
        Input::Gone => match phase {
            Confirming | Ready | Held => To(Due),
            Idle | Due | Discovering | Opening | Initializing | Lost | Closing | Closed => Stay,
        },
        // Calls are held where recovery is not manual.
        Input::GoneManual => match phase {
            Confirming | Ready => To(Lost),
            Idle | Due | Discovering | Opening | Initializing | Held | Lost | Closing | Closed => {
                Stay
            }
        },
        Input::Resume => match phase {
            Held => To(Ready),
            Idle | Due | Discovering | Opening | Initializing | Confirming | Ready | Lost
            | Closing | Closed => Misuse,
        },
        Input::Reinitialize => match phase {
            Lost => To(Due),
            Idle | Due | Discovering | Opening | Initializing | Confirming | Ready | Held
            | Closing | Closed => Misuse,
        },
        Input::Close => match phase {
            Idle | Due | Discovering | Opening | Initializing | Confirming | Ready | Held
            | Lost => To(Closing),
            Closing | Closed => Stay,
        },
        Input::Ended => match phase {
            Closing => To(Closed),
            Idle | Due | Discovering | Opening | Initializing | Confirming | Ready | Held
            | Lost | Closed => Stay,
        },
    }
}

/// The table as text: a row for each input, a column for each phase.
pub(super) fn table() -> String {
    let mut text = String::new();
    let cell = |text: &mut String, word: &str| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{word:<14}");
    };
    cell(&mut text, "");
    for phase in PHASES {
        cell(&mut text, &format!("{phase:?}"));
    }
    for input in INPUTS {
        text.truncate(text.trim_end().len());
        text.push('\n');
        cell(&mut text, &format!("{input:?}"));
        for phase in PHASES {
            cell(
                &mut text,
                &match step(phase, input) {
                    Step::To(phase) => format!("{phase:?}"),
                    Step::Stay => "-".to_owned(),
                    Step::Misuse => "misuse".to_owned(),
                },
            );
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// The transitions of the table as a graph, in the language of mermaid.
#[cfg(test)]
fn graph() -> String {
    let mut text = "stateDiagram-v2\n    [*] --> Idle\n".to_owned();
    for from in PHASES {
        for to in PHASES {
            let leads = |input: &Input| step(from, *input) == Step::To(to);
            let inputs = INPUTS.into_iter().filter(leads);
            let inputs: Vec<_> = inputs.map(|input| format!("{input:?}")).collect();
            if !inputs.is_empty() {
                // Writing to a `String` cannot fail.
                let _ = writeln!(text, "    {from:?} --> {to:?}: {}", inputs.join(", "));
            }
        }
    }
    text.push_str("    Closed --> [*]\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Likewise.
    #[test]
    fn phase_table_as_a_graph_is_the_committed_one() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/connection/phase_graph.mmd"
        );
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, graph()).expect("the graph can be written");
        }
        assert_eq!(
            graph(),
            std::fs::read_to_string(path).expect("the graph is committed")
        );
    }

    /// The table in the docs is this text: `UPDATE=1 cargo test phase_table` writes it.
    #[test]
    fn phase_table_is_the_committed_one() {
        println!("{}", table());
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/connection/phase_table.txt"
        );
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, table()).expect("the table can be written");
        }
        assert_eq!(
            table(),
            std::fs::read_to_string(path).expect("the table is committed")
        );
    }
}
