//! The streams that are decoded.

use bytes::Bytes;

/// Events of one size, in chunks of one size.
pub struct Stream {
    pub name: &'static str,
    /// What the figures are of.
    pub unit: &'static str,
    /// Its line `event`.
    kind: &'static str,
    /// What its data have among letters.
    between: &'static str,
    /// The bytes of one event, all in all.
    event: usize,
    pub events: usize,
    chunk: usize,
    /// How often it is decoded to be measured.
    pub times: usize,
}

const KIB: usize = 1 << 10;

/// That of all that MCP sends.
const USUAL: &str = "event: message";

pub const STREAMS: [Stream; 9] = [
    small("240 B in 16 KiB", 16 * KIB, 20),
    Stream {
        kind: "event: progress",
        ..small("240 B in 16 KiB, another type", 16 * KIB, 20)
    },
    Stream {
        between: "é",
        ..small("240 B in 16 KiB, not all ASCII", 16 * KIB, 20)
    },
    small("240 B in 7 B", 7, 2),
    small("240 B in 1 B", 1, 1),
    large("64 KiB in 1,460 B", 64 * KIB, 1460, 8),
    large("64 KiB in 16 KiB", 64 * KIB, 16 * KIB, 8),
    Stream {
        between: "é",
        ..large("64 KiB in 16 KiB, not all ASCII", 64 * KIB, 16 * KIB, 8)
    },
    large("8 MiB in 16 KiB", 8192 * KIB, 16 * KIB, 1),
];

const fn small(name: &'static str, chunk: usize, times: usize) -> Stream {
    Stream {
        name,
        unit: "an event",
        kind: USUAL,
        between: "",
        event: 240,
        events: 1024,
        chunk,
        times,
    }
}

const fn large(name: &'static str, event: usize, chunk: usize, times: usize) -> Stream {
    Stream {
        name,
        unit: "a byte",
        kind: USUAL,
        between: "",
        event,
        events: 1,
        chunk,
        times,
    }
}

impl Stream {
    /// What its cost is divided by.
    pub fn units(&self) -> usize {
        match self.unit {
            "a byte" => self.bytes(),
            _ => self.events,
        }
    }

    pub fn bytes(&self) -> usize {
        self.event * self.events
    }

    /// The chunks of it so often, as parts of one buffer: so a network's buffers are given out.
    pub fn chunks(&self, times: usize) -> Vec<Bytes> {
        let text: String = (0..self.events).map(|at| self.text(at)).collect();
        let text = Bytes::from(text);
        let starts = (0..text.len()).step_by(self.chunk);
        let chunk = |start: usize| text.slice(start..text.len().min(start + self.chunk));
        (0..times).flat_map(|_| starts.clone().map(chunk)).collect()
    }

    fn text(&self, at: usize) -> String {
        let (kind, between) = (self.kind, self.between);
        let before = format!(
            "{kind}\nid: {at:08}\ndata: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\
             \"params\":{{\"level\":\"info\",\"data\":\""
        );
        let after = "\"}}\n\n";
        let missing = self.event - before.len() - after.len();
        let mut text = String::with_capacity(missing);
        while text.len() + between.len() + 100 < missing {
            text.extend(('a'..='z').cycle().take(100));
            text.push_str(between);
        }
        let rest = missing - text.len();
        text.extend(('a'..='z').cycle().take(rest));
        format!("{before}{text}{after}")
    }
}
