//! JSON text laid out anew. Only the blanks between its tokens change: numbers keep
//! their digits, members their order.

use std::fmt::Write;

use crate::escape::is_unsafe;

/// Deeper than anybody reads; without a bound, a hostile depth would cost its square.
const DEEPEST_INDENT: usize = 40;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// One line for each member and element; else one line for all.
    pub(crate) pretty: bool,
    /// Escapes, as JSON does, what would steer a terminal.
    pub(crate) escaped: bool,
}

impl Layout {
    /// For a line that is escaped as a whole.
    pub(crate) const LINE: Self = Self {
        pretty: false,
        escaped: false,
    };
    pub(crate) const TERMINAL: Self = Self {
        pretty: true,
        escaped: true,
    };

    /// The text, which has to be JSON, in this layout.
    pub(crate) fn of(self, json: &str) -> String {
        let mut text = String::with_capacity(json.len());
        let mut depth = 0_usize;
        let mut in_string = false;
        let mut after_backslash = false;
        let mut after_opening = false;
        for char in json.chars() {
            if in_string {
                self.push(&mut text, char);
                in_string = after_backslash || char != '"';
                after_backslash = !after_backslash && char == '\\';
                continue;
            }
            if matches!(char, ' ' | '\t' | '\n' | '\r') {
                continue;
            }
            let closes = matches!(char, '}' | ']');
            if closes {
                depth = depth.saturating_sub(1);
            }
            // An empty object or array stays on its line.
            if after_opening != closes {
                self.new_line(&mut text, depth);
            }
            after_opening = matches!(char, '{' | '[');
            text.push(char);
            match char {
                '{' | '[' => depth += 1,
                '"' => in_string = true,
                ',' => self.new_line(&mut text, depth),
                ':' if self.pretty => text.push(' '),
                _ => {}
            }
        }
        text
    }

    fn new_line(self, text: &mut String, depth: usize) {
        if self.pretty {
            text.push('\n');
            text.extend(std::iter::repeat_n("  ", depth.min(DEEPEST_INDENT)));
        }
    }

    fn push(self, text: &mut String, char: char) {
        if self.escaped && is_unsafe(char) {
            for unit in char.encode_utf16(&mut [0; 2]) {
                // A string takes everything.
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(char);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = " {\"b\" : [1.10, 12345678901234567890123, 1E400], \"a\\\"}\": {},\n \
                        \"a\":[ ] , \"\u{9b}\": \"x\\\\\", \"c\":null} ";

    fn pretty(json: &str) -> String {
        Layout::TERMINAL.of(json)
    }

    #[test]
    fn a_line_keeps_digits_order_and_strings() {
        assert_eq!(
            Layout::LINE.of(JSON),
            "{\"b\":[1.10,12345678901234567890123,1E400],\"a\\\"}\":{},\"a\":[],\
             \"\u{9b}\":\"x\\\\\",\"c\":null}"
        );
    }

    #[test]
    fn pretty_is_what_people_know_and_steers_no_terminal() {
        assert_eq!(
            pretty(JSON),
            r#"{
  "b": [
    1.10,
    12345678901234567890123,
    1E400
  ],
  "a\"}": {},
  "a": [],
  "\u009b": "x\\",
  "c": null
}"#
        );
        assert_eq!(pretty("\"\u{e0041}\""), r#""\udb40\udc41""#);
        assert_eq!(pretty(" 1 "), "1");
    }

    #[test]
    fn pretty_is_serde_json_s_own_layout() {
        for json in [
            r#"[[],{},[{"a":[]}],"",0]"#,
            r#"{"a":{"b":{}},"c":[[1],2]}"#,
        ] {
            let value: serde_json::Value = serde_json::from_str(json).unwrap();
            assert_eq!(pretty(json), serde_json::to_string_pretty(&value).unwrap());
        }
    }

    #[test]
    fn depth_costs_no_more_than_its_length() {
        let json = "[".repeat(5_000) + &"]".repeat(5_000);
        assert!(pretty(&json).len() < json.len() * (2 + 2 * DEEPEST_INDENT));
    }
}
