//! The server's words on a terminal: what would steer it is escaped.

/// Text for a terminal. Lines after the first are set in, so that no word of a server
/// stands where this command's own lines begin.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.trim_end().chars() {
        match char {
            '\n' => shown.push_str("\n    "),
            char if is_unsafe(char) => shown.extend(char.escape_default()),
            char => shown.push(char),
        }
    }
    shown
}

/// Characters that steer a terminal, or that reorder, break or hide the text around them.
pub(crate) fn is_unsafe(char: char) -> bool {
    (char.is_control() && char != '\t')
        || matches!(char,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal_or_begins_a_line_of_ours() {
        let shown = plain("a\u{1b}[2Jb\r\nerror: c\u{9b}d\u{202e}e\u{e0041}\n");
        assert_eq!(
            shown,
            "a\\u{1b}[2Jb\\r\n    error: c\\u{9b}d\\u{202e}e\\u{e0041}"
        );
    }
}
