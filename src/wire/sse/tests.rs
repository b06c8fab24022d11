#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const MIB: usize = 1 << 20;

// ---- A second decoder: the standard's algorithm, on the whole stream as a string. ----

/// What decoding a whole stream gives. The id beside the items is the last one at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Outcome {
    items: Vec<Seen>,
    last_id: Option<String>,
    retry: Option<u128>,
    error: Option<LimitExceeded>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Event {
        kind: String,
        data: String,
        id: Option<String>,
    },
    Cursor(Option<String>),
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_string())
}

/// The naive decoder. Its line limit counts decoded bytes: use it with UTF-8 only.
fn naive(stream: &[u8], limits: Limits) -> Outcome {
    let text = String::from_utf8_lossy(stream).into_owned();
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<&str> = text.split('\n').collect();
    let unfinished = lines.pop().unwrap();

    let mut out = Outcome::default();
    let (mut data, mut kind, mut id, mut has_id) = (String::new(), "", String::new(), false);
    for line in lines {
        if line.len() > limits.line {
            out.error = Some(LimitExceeded::Line { limit: limits.line });
            return out;
        }
        if line.is_empty() {
            out.last_id = some(&id);
            if data.is_empty() {
                if has_id {
                    out.items.push(Seen::Cursor(some(&id)));
                }
            } else {
                data.pop();
                let kind = if kind.is_empty() { "message" } else { kind }.to_string();
                out.items.push(Seen::Event {
                    kind,
                    data: data.clone(),
                    id: some(&id),
                });
            }
            (data, kind, has_id) = (String::new(), "", false);
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => kind = value,
            "data" => {
                data.push_str(value);
                data.push('\n');
                if data.len() - 1 > limits.event {
                    out.error = Some(LimitExceeded::Event {
                        limit: limits.event,
                    });
                    return out;
                }
            }
            "id" if !value.contains('\0') => (id, has_id) = (value.to_string(), true),
            "retry" if !value.is_empty() && value.chars().all(|c| c.is_ascii_digit()) => {
                let number = value.trim_start_matches('0');
                let number = if number.len() > 25 {
                    u128::MAX
                } else {
                    format!("0{number}").parse().unwrap()
                };
                out.retry = Some(number.min(u128::from(u64::MAX)));
            }
            _ => {}
        }
    }
    if unfinished.len() > limits.line {
        out.error = Some(LimitExceeded::Line { limit: limits.line });
    }
    out
}

// ---- Running the decoder. ----

fn own(id: &Option<EventId>) -> Option<String> {
    id.as_ref().map(|id| id.as_str().to_string())
}

fn see(item: Item) -> Seen {
    match item {
        Item::Event(event) => Seen::Event {
            kind: event.kind.as_str().to_string(),
            data: event.data.as_str().to_string(),
            id: own(&event.id),
        },
        Item::Cursor(id) => Seen::Cursor(own(&id)),
    }
}

fn drain(decoder: &mut Decoder, out: &mut Outcome) {
    while let Some(result) = decoder.next() {
        assert_eq!(out.error, None, "nothing follows an error");
        match result {
            Ok(item) => out.items.push(see(item)),
            Err(error) => out.error = Some(error),
        }
    }
    assert!(!decoder.has_input());
}

fn run<'a>(limits: Limits, chunks: impl IntoIterator<Item = &'a [u8]>, at_once: bool) -> Outcome {
    let mut decoder = Decoder::new(limits);
    let mut out = Outcome::default();
    for chunk in chunks {
        decoder.feed(Bytes::copy_from_slice(chunk));
        if !at_once {
            drain(&mut decoder, &mut out);
        }
    }
    drain(&mut decoder, &mut out);
    out.last_id = own(&decoder.last_event_id().cloned());
    out.retry = decoder.retry().map(|retry| retry.as_millis());
    out
}

fn whole(stream: &[u8]) -> Outcome {
    run(Limits::default(), [stream], false)
}

/// Whole, byte by byte, at every split in two; decoded after each chunk and after the last only.
fn run_every_way(limits: Limits, stream: &[u8]) -> Outcome {
    let out = run(limits, [stream], false);
    for at_once in [false, true] {
        assert_eq!(run(limits, stream.chunks(1), at_once), out, "byte by byte");
        for at in 0..=stream.len() {
            let (head, tail) = stream.split_at(at);
            assert_eq!(run(limits, [head, tail], at_once), out, "split at {at}");
        }
    }
    out
}

fn event(kind: &str, data: &str, id: &str) -> Seen {
    Seen::Event {
        kind: kind.into(),
        data: data.into(),
        id: some(id),
    }
}

fn message(data: &str) -> Seen {
    event("message", data, "")
}

fn cursor(id: &str) -> Seen {
    Seen::Cursor(some(id))
}

fn events(stream: &[u8]) -> Vec<Event> {
    let mut decoder = Decoder::new(Limits::default());
    decoder.feed(Bytes::copy_from_slice(stream));
    let items = std::iter::from_fn(|| decoder.next());
    items
        .map(|item| match item {
            Ok(Item::Event(event)) => event,
            other => panic!("{other:?}"),
        })
        .collect()
}

// ---- Fixtures. ----

fn fixtures() -> Vec<(&'static str, &'static [u8], Vec<Seen>)> {
    vec![
        ("nothing", b"", vec![]),
        ("blank lines only", b"\n\r\n\r\n\n", vec![]),
        ("one event", b"data: a\n\n", vec![message("a")]),
        ("CR", b"data: a\r\rdata: b\r\r", vec![message("a"), message("b")]),
        ("CRLF", b"data: a\r\n\r\ndata: b\r\n\r\n", vec![message("a"), message("b")]),
        ("mixed ends", b"data: a\r\ndata: b\rdata: c\n\r", vec![message("a\nb\nc")]),
        ("CRCR is two ends, CRLFLF too", b"data: a\r\n\ndata: b\n\r\n", vec![message("a"), message("b")]),
        ("LFCR is two ends", b"data: a\n\rdata: b\n\r", vec![message("a"), message("b")]),
        ("unfinished line", b"data: a\n\ndata: b", vec![message("a")]),
        ("unfinished event", b"data: a\n\ndata: b\n", vec![message("a")]),
        ("no space after the colon", b"data:a\n\n", vec![message("a")]),
        ("one space only is removed", b"data:  a \n\n", vec![message(" a ")]),
        ("other blanks are not", b"data:\ta\n\n", vec![message("\ta")]),
        ("colons in the value", b"data::a: b\n\n", vec![message(":a: b")]),
        ("field without colon", b"data\n\n", vec![message("")]),
        ("two of them", b"data\ndata\n\n", vec![message("\n")]),
        ("empty data are dispatched", b"id: x\ndata: \n\n", vec![event("message", "", "x")]),
        ("empty lines among the data", b"data: \ndata: a\ndata:\n\n", vec![message("\na\n")]),
        ("the example of the standard", b"data: YHOO\ndata: +2\ndata: 10\n\n", vec![message("YHOO\n+2\n10")]),
        (
            "another one",
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
            vec![event("message", "first event", "1"), message("second event"), message(" third event")],
        ),
        ("a third one", b"data\n\ndata\ndata\n\ndata:", vec![message(""), message("\n")]),
        ("comments", b":\n: a\n:data: b\ndata: c\n:d\n\n", vec![message("c")]),
        ("unknown fields", b"foo: a\nfoo\ndat: b\ndatax: c\n data: d\ndata : e\ndata: f\n\n", vec![message("f")]),
        ("fields have a case", b"Data: a\nDATA: b\nID: c\nEvent: d\ndata: e\n\n", vec![message("e")]),
        ("type", b"event: ping\ndata: a\n\n", vec![event("ping", "a", "")]),
        ("the type is reset", b"event: ping\ndata: a\n\ndata: b\n\n", vec![event("ping", "a", ""), message("b")]),
        ("even if nothing is dispatched", b"event: ping\n\ndata: b\n\n", vec![message("b")]),
        ("the last type counts", b"event: a\nevent: b\ndata: c\n\n", vec![event("b", "c", "")]),
        ("an empty type is none", b"event: a\nevent:\ndata: c\n\nevent: a\nevent\ndata\n\n", vec![message("c"), message("")]),
        ("message is none, too", b"event: a\nevent: message\ndata: c\n\n", vec![message("c")]),
        ("nor does a CR matter there", b"event: a\revent: message\rdata: c\r\r", vec![message("c")]),
        ("nor CRLF", b"event: a\r\nevent: message\r\ndata: c\r\n\r\n", vec![message("c")]),
        ("and CRLF is one end there", b"data: a\r\nevent: message\r\ndata: b\r\n\r\n", vec![message("a\nb")]),
        ("message and more", b"event: messages\ndata: c\n\n", vec![event("messages", "c", "")]),
        (
            "ids stick",
            b"id: 1\ndata: a\n\ndata: b\n\nid: 2\ndata: c\n\n",
            vec![event("message", "a", "1"), event("message", "b", "1"), event("message", "c", "2")],
        ),
        ("an empty id clears", b"id: 1\ndata: a\n\nid:\ndata: b\n\n", vec![event("message", "a", "1"), message("b")]),
        ("without colon, too", b"id: 1\n\nid\n\n", vec![cursor("1"), cursor("")]),
        ("an id with NUL is ignored", b"id: 1\nid: 2\0\ndata: a\n\n", vec![event("message", "a", "1")]),
        ("and moves nothing", b"id: \0\n\n", vec![]),
        ("also if it is long and no ASCII", "id: 0123456789012345678901234567890123456789é\0\n\n".as_bytes(), vec![]),
        ("an id alone moves the cursor", b"id: 1\n\ndata: a\n\n", vec![cursor("1"), event("message", "a", "1")]),
        ("also to where it is", b"id: 1\n\nid: 1\n\n\n", vec![cursor("1"), cursor("1")]),
        ("the last id counts", b"id: 1\nid: 2\n\n", vec![cursor("2")]),
        ("an id that is unfinished does not", b"id: 1\n\nid: 2\n", vec![cursor("1")]),
        ("an id in UTF-8", "id: é\n\n".as_bytes(), vec![cursor("é")]),
        ("blanks belong to the id", b"id:  1 \n\n", vec![cursor(" 1 ")]),
        ("BOM", b"\xEF\xBB\xBFdata: a\n\n", vec![message("a")]),
        ("two BOMs", b"\xEF\xBB\xBF\xEF\xBB\xBFdata: a\ndata: b\n\n", vec![message("b")]),
        ("a BOM later on", b"data: a\n\n\xEF\xBB\xBFdata: b\n\n", vec![message("a")]),
        ("a BOM as data", b"data: \xEF\xBB\xBFa\n\n", vec![message("\u{FEFF}a")]),
        ("a BOM and a blank line", b"\xEF\xBB\xBF\n\ndata: a\n\n", vec![message("a")]),
        ("one byte of a BOM", b"\xEFdata: a\ndata: b\n\n", vec![message("b")]),
        ("two bytes of a BOM", b"\xEF\xBBdata: a\ndata: b\n\n", vec![message("b")]),
        ("two bytes of a BOM as a line", b"\xEF\xBB\ndata: b\n\n", vec![message("b")]),
        ("nothing but half a BOM", b"\xEF\xBB", vec![]),
        ("UTF-8", "data: äöü €\ndata: 😀\n\n".as_bytes(), vec![message("äöü €\n😀")]),
        ("no UTF-8", b"data: a\xFFb\xC0\x80\n\n", vec![message("a\u{FFFD}b\u{FFFD}\u{FFFD}")]),
        (
            "no UTF-8 far from the end",
            b"data: \xFF 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\n\n",
            vec![message("\u{FFFD} 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789")],
        ),
        ("cut before the end of the line", b"data: \xF0\x9F\x98\n\n", vec![message("\u{FFFD}")]),
        ("cut before the end, and goes on", b"data: \xE2\x82\ndata: \xAC\r\n\n", vec![message("\u{FFFD}\n\u{FFFD}")]),
        ("no UTF-8 in type and id", b"event: \xFF\nid: \xE2\x82\ndata: a\n\n", vec![event("\u{FFFD}", "a", "\u{FFFD}")]),
        ("no UTF-8 in a name", b"dat\xFFa: a\ndata\xFF: b\n\n", vec![]),
        ("NUL in data and type", b"event: \0\ndata: a\0b\n\n", vec![event("\0", "a\0b", "")]),
        ("other line separators are none", "data: a\u{2028}b\u{85}c\x0B\x0C\n\n".as_bytes(), vec![message("a\u{2028}b\u{85}c\x0B\x0C")]),
        ("the order of fields is free", b"data: a\nid: 1\nevent: x\ndata: b\n\n", vec![event("x", "a\nb", "1")]),
        ("retry alone gives nothing", b"retry: 1\n\n", vec![]),
    ]
}

#[test]
fn fixtures_every_way() {
    for (name, stream, expected) in fixtures() {
        let out = run_every_way(Limits::default(), stream);
        assert_eq!(out.items, expected, "{name}");
        assert_eq!(
            out,
            naive(stream, Limits::default()),
            "{name}: the naive decoder"
        );
    }
}

// ---- retry ----

#[test]
fn retry_is_ascii_digits_only() {
    let max = u128::from(u64::MAX);
    let cases: &[(&str, Option<u128>)] = &[
        ("retry: 0", Some(0)),
        ("retry:3000", Some(3000)),
        ("retry: 0003000", Some(3000)),
        ("retry: 18446744073709551615", Some(max)),
        ("retry: 18446744073709551616", Some(max)),
        (
            "retry: 99999999999999999999999999999999999999999999",
            Some(max),
        ),
        ("retry", None),
        ("retry:", None),
        ("retry: ", None),
        ("retry:  1", None),
        ("retry: 1 ", None),
        ("retry: +1", None),
        ("retry: -1", None),
        ("retry: 1.5", None),
        ("retry: 1e3", None),
        ("retry: 0x10", None),
        ("retry: 1\0", None),
        ("retry: ١", None),
        ("Retry: 1", None),
        ("retry : 1", None),
    ];
    for (line, expected) in cases {
        let stream = format!("{line}\n");
        let out = run_every_way(Limits::default(), stream.as_bytes());
        assert_eq!(out.retry, *expected, "{line}");
        let stream = format!("retry: 7\n{line}\n");
        let out = run_every_way(Limits::default(), stream.as_bytes());
        assert_eq!(out.retry, expected.or(Some(7)), "{line} after a valid one");
    }
}

#[test]
fn retry_takes_effect_with_its_line() {
    let mut decoder = Decoder::new(Limits::default());
    decoder.feed("retry: 12".into());
    assert!(decoder.next().is_none());
    assert_eq!(decoder.retry(), None);
    decoder.feed("3\r".into());
    assert!(decoder.next().is_none());
    assert_eq!(decoder.retry(), Some(Duration::from_millis(123)));
}

// ---- ids ----

#[test]
fn last_event_id_moves_with_the_blank_line() {
    let mut decoder = Decoder::new(Limits::default());
    decoder.feed("id: 1\n\nid: 2\ndata: a\n".into());
    assert!(matches!(decoder.next(), Some(Ok(Item::Cursor(Some(_))))));
    assert!(decoder.next().is_none());
    assert_eq!(decoder.last_event_id().map(EventId::as_str), Some("1"));
    decoder.feed("\n".into());
    assert!(matches!(decoder.next(), Some(Ok(Item::Event(_)))));
    assert_eq!(decoder.last_event_id().map(EventId::as_str), Some("2"));
    decoder.feed("id\n\n".into());
    assert_eq!(decoder.next(), Some(Ok(Item::Cursor(None))));
    assert_eq!(decoder.last_event_id(), None);
}

#[test]
fn ids_and_types_do_not_keep_a_decoded_chunk_alive() {
    let mut decoder = Decoder::new(Limits::default());
    let chunk = Bytes::from(b"id: 1\n\nid: 2\nevent: x\n".to_vec());
    decoder.feed(chunk.clone());
    drop(decoder.next());
    assert!(decoder.next().is_none());
    assert!(chunk.is_unique());
    assert_eq!(decoder.last_event_id().map(EventId::as_str), Some("1"));
    decoder.feed("data: a\n\n".into());
    let item = decoder.next().map(|item| item.map(see));
    assert_eq!(item, Some(Ok(event("x", "a", "2"))));
}

#[test]
fn an_id_is_copied_out_of_its_chunk_once() {
    let mut decoder = Decoder::new(Limits::default());
    let chunk = Bytes::from(b"id: 1\n\n".to_vec());
    decoder.feed(chunk.clone());
    drop(decoder.next());
    assert!(decoder.next().is_none());
    assert!(chunk.is_unique());
    let before = decoder.last_event_id().unwrap().0.as_ptr();
    for _ in 0..3 {
        decoder.feed("event: x\nid: 2\n".into());
        assert!(decoder.next().is_none());
    }
    assert_eq!(decoder.last_event_id().unwrap().0.as_ptr(), before);
}

#[test]
fn a_detached_id_is_equal_and_keeps_nothing_alive() {
    let mut decoder = Decoder::new(Limits::default());
    let chunk = Bytes::from(b"id: 1\n\n".to_vec());
    decoder.feed(chunk.clone());
    let Some(Ok(Item::Cursor(Some(id)))) = decoder.next() else {
        panic!()
    };
    drop(decoder);
    assert!(!chunk.is_unique());
    let detached = id.detach();
    assert_eq!(detached, id);
    drop(id);
    assert!(chunk.is_unique());
    assert_eq!(detached.as_str(), "1");
}

// ---- resuming ----

fn resumed(cursor: Option<&EventId>, stream: &'static str) -> (Vec<Seen>, Option<String>) {
    let mut decoder = Decoder::resume(Limits::default(), cursor);
    assert_eq!(decoder.last_event_id(), cursor);
    let mut out = Outcome::default();
    decoder.feed(stream.into());
    drain(&mut decoder, &mut out);
    (out.items, own(&decoder.last_event_id().cloned()))
}

#[test]
fn a_resumed_stream_begins_with_the_cursor_and_a_new_one_without() {
    let cursor = EventId::new("7");
    assert!(cursor.is_some());
    for (stream, items, last) in [
        ("data: a\n", vec![], "7"),
        ("data: a\n\n", vec![event("message", "a", "7")], "7"),
        (
            "retry: 1\n\ndata: a\n\n",
            vec![event("message", "a", "7")],
            "7",
        ),
        (
            "id: 8\0\ndata: a\n\n",
            vec![event("message", "a", "7")],
            "7",
        ),
        ("id: 8\ndata: a\n\n", vec![event("message", "a", "8")], "8"),
        (
            "id\n\ndata: a\n\n",
            vec![Seen::Cursor(None), message("a")],
            "",
        ),
    ] {
        assert_eq!(
            resumed(cursor.as_ref(), stream),
            (items, some(last)),
            "{stream:?}"
        );
    }
    assert_eq!(
        resumed(None, "data: a\n\n"),
        (vec![message("a")], None),
        "without a cursor"
    );
}

#[test]
fn the_cursor_outlives_an_error_and_keeps_no_chunk_alive() {
    let mut decoder = Decoder::default();
    let chunk = Bytes::from(b"id: 1\n\n".to_vec());
    decoder.feed(chunk.clone());
    drop(decoder.next());
    let mut resumed = Decoder::resume(small(), decoder.last_event_id());
    drop(decoder);
    assert!(chunk.is_unique());
    resumed.feed("data: 0123456789a\n\n".into());
    assert_eq!(resumed.next(), Some(Err(EVENT)));
    assert_eq!(resumed.last_event_id().map(EventId::as_str), Some("1"));
}

#[test]
fn an_id_is_made_of_what_a_stream_can_set() {
    for text in ["", "\0", "a\0", "\n", "1\r", "1\r\n2"] {
        assert_eq!(EventId::new(text), None, "{text:?}");
    }
    for text in ["1", " 1 ", "é", "\u{FEFF}", "a:b", "\u{2028}"] {
        let stream = format!("id: {text}\n\n");
        let mut decoder = Decoder::default();
        decoder.feed(stream.into());
        let id = EventId::new(text);
        assert_eq!(id.as_ref().map(EventId::as_str), Some(text));
        assert_eq!(decoder.next(), Some(Ok(Item::Cursor(id))), "{text:?}");
    }
}

#[test]
fn the_default_decoder_has_the_default_limits() {
    let text = format!("{:?}", Decoder::default());
    assert!(text.contains(&format!("{:?}", Limits::default())), "{text}");
}

// ---- types and data ----

#[test]
fn the_type_is_message_if_absent_empty_or_so_called() {
    for stream in [
        "data\n\n",
        "event\ndata\n\n",
        "event: message\ndata\n\n",
        "event:message\ndata\n\n",
    ] {
        assert_eq!(
            events(stream.as_bytes())[0].kind,
            EventType::Message,
            "{stream}"
        );
    }
    let other = events(b"event: Message\ndata\n\n").remove(0).kind;
    assert_eq!(other, EventType::Other(EventName("Message".into())));
    assert_eq!(other.as_str(), "Message");
    assert_eq!(EventType::Message.as_str(), "message");
}

#[test]
fn data_say_what_they_hold() {
    let data = events("data: é\n\n".as_bytes()).remove(0).data;
    assert_eq!(
        (data.as_str(), data.as_bytes(), data.len()),
        ("é", "é".as_bytes(), 2)
    );
    assert!(!data.is_empty());
    assert_eq!(data.into_bytes(), "é".as_bytes());
    assert!(events(b"data\n\n")[0].data.is_empty());
}

#[test]
fn debug_shows_no_contents() {
    let mut decoder = Decoder::new(Limits::default());
    decoder.feed(
        "id: secret\nevent: secret\ndata: secret\n\nid: secret\nevent: secret\ndata: secret".into(),
    );
    let item = decoder.next();
    assert!(decoder.next().is_none());
    let text = format!("{item:?} {decoder:?}");
    assert!(!text.contains("secret"), "{text}");
    assert!(
        text.contains("Data(6 bytes)") && text.contains("EventId(6 bytes)"),
        "{text}"
    );
    assert!(
        text.contains("EventName(6 bytes)") && text.contains("buffered: 18"),
        "{text}"
    );
}

// ---- Slices and copies ----

fn lies_in(part: &[u8], chunk: &Bytes) -> bool {
    let chunk = chunk.as_ptr_range();
    chunk.start <= part.as_ptr() && part.as_ptr_range().end <= chunk.end
}

#[test]
fn a_line_in_one_chunk_is_lent() {
    let chunk = Bytes::from("event: x\nid: é1\ndata: abc é\n\n".as_bytes().to_vec());
    let mut decoder = Decoder::new(Limits::default());
    decoder.feed(chunk.clone());
    let Some(Ok(Item::Event(event))) = decoder.next() else {
        panic!()
    };
    assert_eq!(event.data.as_str(), "abc é");
    assert!(lies_in(event.data.as_bytes(), &chunk));
    assert!(lies_in(&event.id.unwrap().0, &chunk));
    let EventType::Other(name) = event.kind else {
        panic!()
    };
    assert!(lies_in(&name.0, &chunk));
}

#[test]
fn a_line_in_one_chunk_is_lent_though_the_event_is_not() {
    let mut decoder = Decoder::new(Limits::default());
    let chunk = Bytes::from(b"a\ndata: abcdefgh\n".to_vec());
    decoder.feed(":".into());
    decoder.feed(chunk.clone());
    decoder.feed("id: 1\n\n".into());
    let Some(Ok(Item::Event(event))) = decoder.next() else {
        panic!()
    };
    assert_eq!(event.data.as_str(), "abcdefgh");
    assert!(lies_in(event.data.as_bytes(), &chunk));
}

/// Unless that would keep alive more than twice as much.
#[test]
fn a_small_part_of_a_chunk_is_lent_to_no_event_that_is_unfinished() {
    let mut decoder = Decoder::new(Limits::default());
    let chunk = Bytes::from(b": a comment\ndata: abcdefgh\n".to_vec());
    decoder.feed(chunk.clone());
    assert!(decoder.next().is_none());
    assert!(chunk.is_unique());
    decoder.feed("\n".into());
    let item = decoder.next().map(|item| item.map(see));
    assert_eq!(item, Some(Ok(event("message", "abcdefgh", ""))));
}

#[test]
fn other_data_are_gathered() {
    for stream in [&b"data: abc\ndata: d\n\n"[..], b"data: \xFF\n\n"] {
        let chunk = Bytes::copy_from_slice(stream);
        let mut decoder = Decoder::new(Limits::default());
        decoder.feed(chunk.clone());
        let Some(Ok(Item::Event(event))) = decoder.next() else {
            panic!()
        };
        assert!(!lies_in(event.data.as_bytes(), &chunk));
    }
}

/// The pieces of a long data line go to the place where they stay.
#[test]
fn a_long_line_is_not_moved_at_its_end() {
    let mut decoder = Decoder::new(Limits::default());
    decoder.feed("data: a".into());
    decoder.feed(vec![b'b'; 1000].into());
    assert!(decoder.next().is_none());
    let place = decoder.line.kept.as_ptr();
    decoder.feed("\n\n".into());
    let Some(Ok(Item::Event(event))) = decoder.next() else {
        panic!()
    };
    assert_eq!(
        (event.data.len(), event.data.as_bytes().as_ptr()),
        (1001, place)
    );
}

/// The decoder looks at many bytes at a time, and gathers what comes in few.
#[test]
fn an_odd_byte_anywhere_in_a_long_line() {
    let odd: [&[u8]; 10] = [
        b"\n",
        b"\r",
        b"\r\n",
        b"\0",
        b"\t",
        b"\x1F",
        b"\x7F",
        b"\x80",
        b"\xFF",
        "é".as_bytes(),
    ];
    const LENGTH: usize = 300;
    for odd in odd {
        for at in 0..LENGTH {
            let rest = vec![b'x'; LENGTH - at];
            let value = [&vec![b'x'; at], odd, &rest].concat();
            let stream = [b"id: ", &value[..], b"\ndata: ", &value, b"\n\ndata: y\n\n"].concat();
            let expected = naive(&stream, Limits::default());
            assert_eq!(whole(&stream), expected, "{odd:?} at {at}");
            for size in [1, 7, 200] {
                let out = run(Limits::default(), stream.chunks(size), false);
                assert_eq!(out, expected, "{odd:?} at {at}, in steps of {size}");
            }
        }
    }
}

#[test]
fn several_small_pieces_of_a_line_at_once() {
    let mut decoder = Decoder::default();
    decoder.feed("data: ab".into());
    assert!(decoder.next().is_none());
    for piece in ["c", "de", "f\n", "\n"] {
        decoder.feed(piece.into());
    }
    assert_eq!(
        decoder.next().map(|item| item.map(see)),
        Some(Ok(message("abcdef")))
    );
    assert!(decoder.next().is_none());
}

#[test]
fn what_is_gathered_keeps_no_chunk_alive() {
    let mut decoder = Decoder::default();
    for piece in [
        "event: gathe",
        "red",
        "\nid: 1",
        "2345678",
        "\ndata: ",
        "a",
        "bcd",
    ] {
        let chunk = Bytes::from(piece.as_bytes().to_vec());
        decoder.feed(chunk.clone());
        assert!(decoder.next().is_none());
        assert!(chunk.is_unique(), "{piece:?}");
    }
    decoder.feed("\n\n".into());
    let item = decoder.next().map(|item| item.map(see));
    assert_eq!(item, Some(Ok(event("gathered", "abcd", "12345678"))));
}

#[test]
fn in_a_pause_a_chunk_is_let_go_of_which_less_than_half_is_left() {
    for (first, rest, is_kept) in [
        ("data: first\n\n", "data: b\n\n", false),
        ("data: a\n\n", "data: b\n\n", true),
        ("data: a\n\n", "data: second\n\n", true),
    ] {
        let mut decoder = Decoder::default();
        let chunk = Bytes::from([first, rest].concat().into_bytes());
        decoder.feed(chunk.clone());
        drop(decoder.next());
        decoder.shrink();
        assert_eq!(!chunk.is_unique(), is_kept, "{first:?} {rest:?}");
        let item = decoder.next().map(|item| item.map(see));
        let data = rest.trim_start_matches("data: ").trim_end();
        assert_eq!(item, Some(Ok(event("message", data, ""))));
    }
    // Nor does the beginning of an event keep it.
    let mut decoder = Decoder::default();
    let chunk = Bytes::from(b"data: a\n".to_vec());
    decoder.feed(chunk.clone());
    assert!(decoder.next().is_none());
    decoder.shrink();
    assert!(chunk.is_unique());
}

// ---- On demand ----

#[test]
fn next_decodes_one_item_and_no_more() {
    let first = "\u{FEFF}: comment\nretry: 1\nid: 1\ndata: a\n\n";
    let second = "retry: 2\nid: 2\n\n";
    let third = "retry: 3\nid: 3\nevent: x\r\ndata: c\r\n\r\n";
    let rest = "retry: 4\ndata: dd";
    let mut decoder = Decoder::new(Limits::default());
    decoder.feed([first, second, third, rest].concat().into());
    assert_eq!(decoder.retry(), None, "feed decodes nothing");

    let left = [second, third, rest].concat().len();
    assert_eq!(
        decoder.next().unwrap().map(see),
        Ok(event("message", "a", "1"))
    );
    assert_eq!(
        (decoder.buffered(), decoder.retry()),
        (left, Some(Duration::from_millis(1)))
    );

    assert_eq!(decoder.next().unwrap().map(see), Ok(cursor("2")));
    let left = [third, rest].concat().len();
    assert_eq!(
        (decoder.buffered(), decoder.retry()),
        (left, Some(Duration::from_millis(2)))
    );

    assert_eq!(decoder.next().unwrap().map(see), Ok(event("x", "c", "3")));
    assert_eq!(
        (decoder.buffered(), decoder.retry()),
        (rest.len(), Some(Duration::from_millis(3)))
    );
    assert!(decoder.has_input());

    assert!(decoder.next().is_none());
    assert_eq!(
        (decoder.buffered(), decoder.retry()),
        (2, Some(Duration::from_millis(4)))
    );
    assert!(!decoder.has_input());
}

#[test]
fn buffered_counts_all_that_is_held() {
    let mut decoder = Decoder::new(Limits::default());
    let steps = [
        ("", 0),
        ("da", 2),
        ("ta: ", 0),
        ("abc", 3),
        ("\n", 3),
        ("data: de\n", 6),
        ("id: xyz\n", 9),
        ("event: type\n", 13),
        ("event: ty", 13 + 9),
        ("\n", 11),
        ("id:\n", 8),
        ("\n", 0),
    ];
    for (chunk, held) in steps {
        let before = decoder.buffered();
        decoder.feed(chunk.into());
        assert_eq!(
            decoder.buffered(),
            before + chunk.len(),
            "{chunk:?} is queued"
        );
        assert_eq!(decoder.has_input(), !chunk.is_empty());
        let got_event = decoder.next().is_some();
        assert_eq!(got_event, held == 0 && chunk == "\n");
        assert!(decoder.next().is_none());
        assert_eq!(decoder.buffered(), held, "{chunk:?} is decoded");
        assert!(!decoder.has_input());
    }
    for chunk in ["data: a", "\n\n", "data"] {
        decoder.feed(chunk.into());
    }
    assert_eq!(decoder.buffered(), 13);
    assert!(decoder.next().is_some());
    assert_eq!((decoder.buffered(), decoder.has_input()), (4, true));
}

#[test]
fn a_cr_ends_the_line_at_once() {
    let mut decoder = Decoder::new(Limits::default());
    decoder.feed("data: a\r\r".into());
    assert_eq!(decoder.next().unwrap().map(see), Ok(message("a")));
    // The LF of a CRLF ends nothing: one blank line, not two.
    decoder.feed("\ndata: b\r".into());
    assert!(decoder.next().is_none());
    decoder.feed("\n".into());
    assert!(decoder.next().is_none());
    decoder.feed("\r".into());
    assert_eq!(decoder.next().unwrap().map(see), Ok(message("b")));
}

#[test]
fn comments_do_not_stall() {
    let mut stream = ": keep-alive\n\n".repeat(1000);
    stream.push_str("data: a\n\n");
    assert_eq!(
        run_every_way(Limits::default(), &stream.as_bytes()[12_000..]).items,
        [message("a")]
    );
    let mut decoder = Decoder::new(Limits::default());
    decoder.feed(stream.into());
    assert_eq!(decoder.next().unwrap().map(see), Ok(message("a")));
    for _ in 0..1000 {
        decoder.feed(":\n".into());
        assert!(decoder.next().is_none());
        assert_eq!(decoder.buffered(), 0);
    }
    decoder.feed("data: b\n\n".into());
    assert_eq!(decoder.next().unwrap().map(see), Ok(message("b")));
}

// ---- Limits ----

const LINE: LimitExceeded = LimitExceeded::Line { limit: 20 };
const EVENT: LimitExceeded = LimitExceeded::Event { limit: 10 };

fn small() -> Limits {
    Limits {
        line: 20,
        event: 10,
    }
}

#[test]
fn the_defaults_are_16_mib() {
    assert_eq!(
        Limits::default(),
        Limits {
            line: 16 * MIB,
            event: 16 * MIB
        }
    );
}

#[test]
fn a_line_of_the_limit_passes_and_one_byte_more_does_not() {
    for start in [
        ":",
        "foo",
        "foo:",
        "data",
        "id: ",
        "event: ",
        "retry: 0",
        "\u{FEFF}:",
        "é",
    ] {
        for end in ["\n", "\r", "\r\n", ""] {
            let length = start.trim_start_matches('\u{FEFF}').len();
            let fits = format!("{start}{}{end}", "1".repeat(20 - length));
            assert_eq!(
                run_every_way(small(), fits.as_bytes()).error,
                None,
                "{fits:?}"
            );
            let exceeds = format!("{start}{}{end}", "1".repeat(21 - length));
            assert_eq!(
                run_every_way(small(), exceeds.as_bytes()).error,
                Some(LINE),
                "{exceeds:?}"
            );
        }
    }
}

#[test]
fn a_line_limit_below_the_usual_line_holds() {
    let limits = |line| Limits { line, event: 10 };
    let error = LimitExceeded::Line { limit: 13 };
    assert_eq!(
        run_every_way(limits(13), b"event: message\n").error,
        Some(error)
    );
    assert_eq!(run_every_way(limits(14), b"event: message\n").error, None);
    let limits = Limits { line: 1, event: 1 };
    let error = LimitExceeded::Line { limit: 1 };
    assert_eq!(run_every_way(limits, b"\xEF\xBB\n").error, Some(error));
    assert_eq!(run_every_way(limits, b"\xEF\xBB\xBF:\n").error, None);
}

#[test]
fn data_of_the_limit_pass_and_one_byte_more_do_not() {
    let fits: &[(&[u8], &str)] = &[
        (b"data: 0123456789\n\n", "0123456789"),
        (b"data: 0123\ndata: 56789\n\n", "0123\n56789"),
        (b"data: 012345678\ndata\n\n", "012345678\n"),
        (b"data: \xFF\xFF\xFF1\n\n", "\u{FFFD}\u{FFFD}\u{FFFD}1"),
    ];
    for (stream, data) in fits {
        let out = run_every_way(small(), stream);
        assert_eq!((out.items, out.error), (vec![message(data)], None));
    }
    let exceed: &[&[u8]] = &[
        b"data: 0123456789a\n\n",
        b"data: 0123\ndata: 56789a\n\n",
        b"data: 0123456789\ndata\n\n",
        b"data: 0123456789\nid: 1\ndata:\n",
        b"data: \xFF\xFF\xFF12\n\n",
        b"data: \xFF\xFF\ndata: \xFF1\n\n",
    ];
    for stream in exceed {
        let out = run_every_way(small(), stream);
        assert_eq!((out.items, out.error), (vec![], Some(EVENT)), "{stream:?}");
    }
    // Each event has the limit for itself.
    let many = b"data: 0123456789\n\n".repeat(3);
    assert_eq!(run_every_way(small(), &many).items.len(), 3);
}

/// Whichever way the stream is split, a line that exceeds both limits exceeds that of lines.
#[test]
fn both_limits_exceeded() {
    assert_eq!(
        run_every_way(small(), b"data: 0123456789abcdef\n\n").error,
        Some(LINE)
    );
}

#[test]
fn the_largest_limits_are_none() {
    let limits = Limits {
        line: usize::MAX,
        event: usize::MAX,
    };
    assert_eq!(run_every_way(limits, b"data: a\n\n").items, [message("a")]);
}

#[test]
fn an_error_comes_once_and_frees_everything() {
    for (stream, error) in [
        (
            &b"id: 1\nretry: 5\n\nid: 2\nevent: x\ndata: 1\ndata: 0123456789\ndata: a\n\n"[..],
            EVENT,
        ),
        (
            b"id: 1\nretry: 5\n\nid: 2\nevent: x\ndata: \xFF\xFF\xFF\xFF\n\ndata: a\n\n",
            EVENT,
        ),
        (
            b"id: 1\nretry: 5\n\nid: 2\nevent: x\ndata: 1\n:23456789012345678901\n\ndata: a\n\n",
            LINE,
        ),
    ] {
        let chunk = Bytes::from(stream.to_vec());
        let mut decoder = Decoder::new(small());
        decoder.feed(chunk.clone());
        decoder.feed(chunk.clone());
        assert!(matches!(decoder.next(), Some(Ok(Item::Cursor(_)))));
        assert_eq!(decoder.next(), Some(Err(error)));
        for _ in 0..3 {
            assert_eq!(decoder.next(), None);
            assert_eq!((decoder.buffered(), decoder.has_input()), (0, false));
            decoder.feed("data: b\n\n".into());
        }
        assert!(chunk.is_unique(), "nothing of it is held");
        // The event that was refused has not moved the cursor.
        assert_eq!(decoder.last_event_id().map(EventId::as_str), Some("1"));
        assert_eq!(decoder.retry(), Some(Duration::from_millis(5)));
    }
}

#[test]
fn an_endless_line_is_not_gathered() {
    let limits = Limits {
        line: MIB,
        event: MIB,
    };
    for start in ["data: ", ": ", "id: "] {
        let mut most = 0;
        let mut decoder = Decoder::new(limits);
        decoder.feed(start.into());
        let error = (0..20).find_map(|_| {
            decoder.feed(vec![b'a'; 1 << 16].into());
            let result = decoder.next();
            most = most.max(decoder.buffered());
            result
        });
        assert_eq!(error, Some(Err(LimitExceeded::Line { limit: MIB })));
        assert!(most <= MIB && most > MIB / 2, "{most}");
    }
}

#[test]
fn errors_name_the_limit() {
    assert_eq!(
        LINE.to_string(),
        "a line of the event stream is longer than the limit of 20 bytes"
    );
    assert_eq!(
        EVENT.to_string(),
        "the data of an event are longer than the limit of 10 bytes"
    );
}

// ---- Against the naive decoder ----

/// Lines made of what matters, so that most streams have events in them.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        8 => prop::sample::select(vec![
            "data: ", "data:", "data", "id: ", "id", "event: ", "event", "event: message", "message", "retry: ",
            "retry", ":", " ", "7", "a", "1234567", "0123456789012345678901234567890123456789", "é", "😀", "\0",
            "\u{FEFF}", "dat", "x",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        6 => prop::sample::select(vec!["\n", "\r", "\r\n", "\n\n", "\r\n\r\n"])
            .prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..4),
        1 => prop::sample::select(vec![&b"\xEF"[..], b"\xEF\xBB", b"\xE2\x82", b"\x82", b"\xF0\x9F\x98"])
            .prop_map(<[u8]>::to_vec),
    ];
    prop::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

/// The stream cut at these places.
fn cut<'a>(stream: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = stream;
    let mut chunks = Vec::new();
    for size in sizes.iter().cycle() {
        if rest.is_empty() || sizes.iter().sum::<usize>() == 0 {
            break;
        }
        let (head, tail) = rest.split_at((*size).min(rest.len()));
        chunks.push(head);
        rest = tail;
    }
    chunks.push(rest);
    chunks
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn agrees_with_the_naive_decoder(
        stream in stream(),
        sizes in prop::collection::vec(0_usize..20, 1..10),
        at_once: bool,
    ) {
        let expected = naive(&stream, Limits::default());
        prop_assert_eq!(&whole(&stream), &expected);
        prop_assert_eq!(&run(Limits::default(), cut(&stream, &sizes), at_once), &expected);
        prop_assert_eq!(&run(Limits::default(), stream.chunks(1), at_once), &expected);
    }

    #[test]
    fn agrees_with_the_naive_decoder_on_limits(
        stream in stream(),
        sizes in prop::collection::vec(0_usize..20, 1..10),
        at_once: bool,
        line in 0_usize..60,
        event in 0_usize..30,
    ) {
        let stream = String::from_utf8_lossy(&stream).into_owned().into_bytes();
        let limits = Limits { line, event };
        let expected = naive(&stream, limits);
        prop_assert_eq!(&run(limits, [&stream[..]], false), &expected);
        prop_assert_eq!(&run(limits, cut(&stream, &sizes), at_once), &expected);
        prop_assert_eq!(&run(limits, stream.chunks(1), at_once), &expected);
    }

    #[test]
    fn holds_no_more_than_the_limits(
        stream in prop::collection::vec(any::<u8>(), 0..300),
        sizes in prop::collection::vec(0_usize..20, 1..10),
    ) {
        let limits = Limits { line: 20, event: 10 };
        let mut decoder = Decoder::new(limits);
        for chunk in cut(&stream, &sizes) {
            decoder.feed(Bytes::copy_from_slice(chunk));
            while let Some(result) = decoder.next() {
                if let Ok(Item::Event(event)) = result {
                    prop_assert!(event.data.len() <= limits.event);
                }
            }
            prop_assert!(decoder.buffered() <= limits.event + 4 * limits.line);
        }
    }
}

#[test]
fn comments_are_noted_at_their_end_wherever_they_are_split() {
    for (stream, are) in [
        (":\n", true),
        ("\u{FEFF}: x\r", true),
        ("data: x\n: y\n\n", true),
        (": no end", false),
        ("data: :\n :\n\n", false),
    ] {
        for at in 0..=stream.len() {
            let mut decoder = Decoder::default();
            for piece in [&stream.as_bytes()[..at], &stream.as_bytes()[at..]] {
                decoder.feed(Bytes::copy_from_slice(piece));
                while decoder.next().is_some() {}
            }
            assert_eq!(decoder.has_commented(), are, "{stream:?} at {at}");
        }
    }
}
