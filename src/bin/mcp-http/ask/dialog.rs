//! The dialog with the person. Whatever it prints of the server's is escaped.

use std::io::{self, BufRead, ErrorKind, Write};

use mcp_http::RawJson;

use super::form::{Choosable, Content, Field, Kind, Page, Question, Shape};
use crate::escape::plain;
use crate::layout::Layout;

/// What the person chose.
#[derive(Debug, PartialEq)]
pub(crate) enum Choice {
    Accept(Option<Content>),
    Cancel,
    Decline,
}

pub(crate) struct Dialog<R, W> {
    input: R,
    output: W,
}

impl<R: BufRead, W: Write> Dialog<R, W> {
    pub(crate) fn new(input: R, output: W) -> Self {
        Self { input, output }
    }

    /// Puts the question. An error is the end of the input, or of the terminal.
    pub(crate) fn put(&mut self, server: &str, question: &Question) -> io::Result<Choice> {
        let message = plain(&question.message);
        writeln!(self.output, "\nThe server at {server} asks:\n    {message}")?;
        match &question.kind {
            Kind::Form(fields) => self.form(fields),
            Kind::Page(page) => self.page(page),
        }
    }

    fn form(&mut self, fields: &[Field]) -> io::Result<Choice> {
        let names: Vec<String> = fields.iter().map(|field| plain(&field.name)).collect();
        if !names.is_empty() {
            writeln!(self.output, "It wants: {}", names.join(", "))?;
            match self.choose("[a]nswer, [d]ecline, [c]ancel", "adc")? {
                'a' => {}
                letter => return Ok(refusal(letter)),
            }
        }
        let mut content = Content::new();
        loop {
            for (index, field) in fields.iter().enumerate() {
                writeln!(self.output, "\n({} of {})", index + 1, fields.len())?;
                self.fill(field, &mut content)?;
            }
            writeln!(self.output, "\nThis is sent:")?;
            for (name, value) in &content {
                let value = plain(&Layout::LINE.of(value.as_str()));
                writeln!(self.output, "    {}: {value}", plain(name))?;
            }
            if content.is_empty() {
                writeln!(self.output, "    (that you agree)")?;
            }
            let (offered, letters) = match fields {
                [] => ("[s]end, [d]ecline, [c]ancel", "sdc"),
                _ => ("[s]end, [e]dit, [d]ecline, [c]ancel", "sedc"),
            };
            match self.choose(offered, letters)? {
                's' => return Ok(Choice::Accept(Some(content))),
                'e' => {}
                letter => return Ok(refusal(letter)),
            }
        }
    }

    /// Asks for one field until the answer fits.
    fn fill(&mut self, field: &Field, content: &mut Content) -> io::Result<()> {
        let name = plain(&field.name);
        let title = field.title.as_deref().map(plain);
        let title = title.map(|title| format!("{title} ({name})"));
        writeln!(self.output, "{}", title.unwrap_or_else(|| name.clone()))?;
        if let Some(description) = &field.description {
            writeln!(self.output, "    {}", plain(description))?;
        }
        if let Shape::One(options) | Shape::Many { options, .. } = &field.shape {
            self.list(options)?;
        }
        // What was answered before, when it is edited.
        let default = content.get(&field.name).or(field.default.as_ref()).cloned();
        let enter = match &default {
            Some(default) => {
                let default = plain(&Layout::LINE.of(default.as_str()));
                format!("; Enter for {default}")
            }
            None if field.required => "; required".to_owned(),
            None => "; Enter to leave it out".to_owned(),
        };
        writeln!(self.output, "    {}{enter}", plain(&field.shape.hint()))?;
        loop {
            let typed = self.ask(&format!("  {name}: "))?;
            match answered(field, &typed, default.as_ref()) {
                Ok(Some(value)) => {
                    content.insert(field.name.clone(), value);
                    return Ok(());
                }
                Ok(None) => return Ok(()),
                Err(why) => writeln!(self.output, "    {}", plain(&why))?,
            }
        }
    }

    fn list(&mut self, options: &[Choosable]) -> io::Result<()> {
        for (index, option) in options.iter().enumerate() {
            let value = plain(&option.value);
            let title = option.title.as_deref().map(plain);
            let title = title.filter(|title| *title != value);
            let title = title.map(|title| format!(" ({title})"));
            let number = index + 1;
            writeln!(
                self.output,
                "    {number}. {value}{}",
                title.unwrap_or_default()
            )?;
        }
        Ok(())
    }

    /// Safe URL handling: shown in full, the host by itself, and opened by nobody but
    /// the person.
    fn page(&mut self, page: &Page) -> io::Result<Choice> {
        let Page {
            url,
            host,
            is_secure,
        } = page;
        writeln!(
            self.output,
            "It wants you to open a page yourself; nothing opens it for you:\n    {}\n    \
             Its host is {}",
            plain(url),
            plain(host)
        )?;
        let is_foreign = |label: &str| label.to_ascii_lowercase().starts_with("xn--");
        if host.split('.').any(is_foreign) {
            let warning = "Careful: the host is written in another alphabet than it seems";
            writeln!(self.output, "    {warning}")?;
        }
        if !is_secure {
            writeln!(
                self.output,
                "    Careful: what you type there is not encrypted"
            )?;
        }
        match self.choose("[y]es, I open it, [d]ecline, [c]ancel", "ydc")? {
            'y' => Ok(Choice::Accept(None)),
            letter => Ok(refusal(letter)),
        }
    }

    /// Asks until the answer begins with one of these letters.
    fn choose(&mut self, offered: &str, letters: &str) -> io::Result<char> {
        loop {
            let typed = self.ask(&format!("{offered}: "))?;
            let letter = typed.trim().to_lowercase().chars().next();
            if let Some(letter) = letter.filter(|letter| letters.contains(*letter)) {
                return Ok(letter);
            }
        }
    }

    fn ask(&mut self, prompt: &str) -> io::Result<String> {
        write!(self.output, "{prompt}")?;
        self.output.flush()?;
        let mut line = String::new();
        if self.input.read_line(&mut line)? == 0 {
            writeln!(self.output)?;
            self.output.flush()?;
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// The value that was typed; none to leave the field out.
fn answered(
    field: &Field,
    typed: &str,
    default: Option<&RawJson>,
) -> Result<Option<RawJson>, String> {
    if !typed.is_empty() {
        return field.shape.read(typed).map(Some);
    }
    match default {
        Some(default) => Ok(Some(default.clone())),
        None if field.required => Err("it is required".to_owned()),
        None => Ok(None),
    }
}

fn refusal(letter: char) -> Choice {
    match letter {
        'd' => Choice::Decline,
        _ => Choice::Cancel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = r##"{
        "message": "Who\u001b[2J are you?\nerror: you",
        "requestedSchema": {
            "type": "object",
            "properties": {
                "name": { "type": "string", "title": "Your name", "minLength": 2 },
                "age": { "type": "integer", "minimum": 18, "default": 30 },
                "colour": { "type": "string", "oneOf": [
                    { "const": "#f00", "title": "Red" }, { "const": "\u009b0f0", "title": "Green" }] },
                "fruits": { "type": "array", "items": { "type": "string", "enum": ["fig", "kiwi"] } },
                "news": { "type": "boolean", "description": "By mail" }
            },
            "required": ["name", "news"]
        }
    }"##;

    fn put(params: &str, typed: &str) -> (io::Result<Choice>, String) {
        let question = Question::read(params).unwrap();
        let mut shown = Vec::new();
        let choice = Dialog::new(typed.as_bytes(), &mut shown).put("http://x", &question);
        (choice, String::from_utf8(shown).unwrap())
    }

    fn accepted(params: &str, typed: &str) -> (String, String) {
        match put(params, typed) {
            (Ok(Choice::Accept(content)), shown) => {
                (serde_json::to_string(&content).unwrap(), shown)
            }
            (other, shown) => panic!("{other:?}\n{shown}"),
        }
    }

    #[test]
    fn a_form_is_filled_in_field_by_field_in_the_server_s_order() {
        let typed = "a\nAda\n\nred\n1\nfig, 2\nmaybe\ny\ns\n";
        let (content, shown) = accepted(FORM, typed);
        assert_eq!(
            content,
            r##"{"age":30,"colour":"#f00","fruits":["fig","kiwi"],"name":"Ada","news":true}"##
        );
        assert!(
            shown.contains("It wants: name, age, colour, fruits, news\n"),
            "{shown}"
        );
        assert!(
            shown.contains("Your name (name)\n    text, at least 2 characters; required\n"),
            "{shown}"
        );
        assert!(
            shown.contains("a whole number, at least 18; Enter for 30\n"),
            "{shown}"
        );
        assert!(shown.contains("that is not among the 2"), "{shown}");
        assert!(shown.contains("say yes or no"), "{shown}");
        assert!(
            shown.contains("This is sent:\n    age: 30\n    colour: \"#f00\"\n"),
            "{shown}"
        );
    }

    #[test]
    fn what_does_not_fit_is_asked_again_and_what_is_optional_can_be_left_out() {
        let (content, shown) = accepted(FORM, "a\n\nA\nAda\n17\n18\n\n\nn\ns\n");
        assert_eq!(content, r#"{"age":18,"name":"Ada","news":false}"#);
        assert!(shown.contains("it is required"), "{shown}");
        assert!(
            shown.contains("it has to be at least 2 characters"),
            "{shown}"
        );
        assert!(shown.contains("it is not within the bounds"), "{shown}");
    }

    #[test]
    fn answers_are_reviewed_and_edited_before_they_leave() {
        let (content, shown) = accepted(FORM, "a\nAda\n\n\n\ny\ne\nBea\n\n\n\n\ns\n");
        assert_eq!(content, r#"{"age":30,"name":"Bea","news":true}"#);
        assert!(shown.contains("Enter for \"Ada\""), "{shown}");
    }

    #[test]
    fn the_person_may_decline_or_cancel_before_and_after() {
        for (typed, choice) in [
            ("d\n", Choice::Decline),
            ("x\nc\n", Choice::Cancel),
            ("a\nAda\n\n\n\ny\nd\n", Choice::Decline),
            ("a\nAda\n\n\n\ny\nc\n", Choice::Cancel),
        ] {
            assert_eq!(put(FORM, typed).0.unwrap(), choice, "{typed:?}");
        }
        let (ended, _) = put(FORM, "a\nAda\n");
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn the_server_s_words_steer_no_terminal_and_are_told_apart() {
        let (_, shown) = put(FORM, "a\nAda\n\n2\n\ny\ns\n");
        assert!(
            shown.contains(
                "The server at http://x asks:\n    Who\\u{1b}[2J are you?\n    error: you\n"
            ),
            "{shown}"
        );
        assert!(
            !shown.contains(|char: char| char.is_control() && char != '\n'),
            "{shown:?}"
        );
    }

    #[test]
    fn a_form_without_fields_asks_for_consent_alone() {
        let form =
            r#"{"message": "Delete it?", "requestedSchema": {"type": "object", "properties": {}}}"#;
        let (content, shown) = accepted(form, "e\ns\n");
        assert_eq!(content, "{}");
        assert!(!shown.contains("[e]dit"), "{shown}");
    }

    #[test]
    fn a_page_is_shown_in_full_with_its_host_and_opened_by_nobody() {
        let page = r#"{"mode": "url", "message": "Log in", "elicitationId": "1",
            "url": "http://bank.xn--80ak6aa92e.example/connect?id=1"}"#;
        let (choice, shown) = put(page, "y\n");
        assert_eq!(choice.unwrap(), Choice::Accept(None));
        assert!(
            shown.contains("    http://bank.xn--80ak6aa92e.example/connect?id=1\n"),
            "{shown}"
        );
        assert!(
            shown.contains("Its host is bank.xn--80ak6aa92e.example\n"),
            "{shown}"
        );
        assert_eq!(shown.matches("Careful").count(), 2, "{shown}");
        assert_eq!(put(page, "d\n").0.unwrap(), Choice::Decline);
        let plain = page.replace("http://bank.xn--80ak6aa92e.", "https://bank.");
        assert!(!put(&plain, "y\n").1.contains("Careful"));
    }
}
