#![allow(clippy::panic, clippy::unwrap_used)]

use http::HeaderValue;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const LIMIT: usize = 16 * 1024;

fn parse<L: AsRef<[u8]>>(lines: &[L]) -> Vec<Challenge> {
    let mut headers = HeaderMap::new();
    for line in lines {
        let value = HeaderValue::from_bytes(line.as_ref()).unwrap();
        headers.append(WWW_AUTHENTICATE, value);
    }
    parse_challenges(&headers)
}

/// `Scheme token68 name=<value> …`, challenges joined by ` ; `.
fn shown(challenges: &[Challenge]) -> String {
    let shown = challenges.iter().map(|challenge| {
        let mut text = challenge.scheme().to_owned();
        text.extend(challenge.token68().map(|token| format!(" {token}")));
        text.extend(challenge.params().map(|(n, v)| format!(" {n}=<{v}>")));
        text
    });
    shown.collect::<Vec<_>>().join(" ; ")
}

#[test]
fn reads_what_the_grammar_allows() {
    for (line, expected) in [
        // A scheme alone, with parameters, with a token.
        ("Bearer", "Bearer"),
        ("Negotiate", "Negotiate"),
        ("Basic realm=\"x\"", "Basic realm=<x>"),
        ("Basic realm=x", "Basic realm=<x>"),
        ("Bearer   realm=\"x\"", "Bearer realm=<x>"),
        ("Negotiate YII=", "Negotiate YII="),
        ("NTLM a-b._~+/9==", "NTLM a-b._~+/9=="),
        ("Negotiate abc", "Negotiate abc"),
        // What MCP servers send.
        (
            "Bearer resource_metadata=\"https://h/.well-known/oauth-protected-resource\", \
             scope=\"files:read files:write\"",
            "Bearer resource_metadata=<https://h/.well-known/oauth-protected-resource> \
             scope=<files:read files:write>",
        ),
        // Several in one line.
        ("Bearer, Basic", "Bearer ; Basic"),
        (
            "Bearer realm=\"x\", Basic realm=\"y\"",
            "Bearer realm=<x> ; Basic realm=<y>",
        ),
        (
            "Bearer realm=\"x\", error=\"e\", Negotiate, Basic realm=\"y\", charset=\"UTF-8\"",
            "Bearer realm=<x> error=<e> ; Negotiate ; Basic realm=<y> charset=<UTF-8>",
        ),
        (
            "Negotiate YII==, Basic realm=y",
            "Negotiate YII== ; Basic realm=<y>",
        ),
        // RFC 9110, section 11.6.1.
        (
            "Basic realm=\"simple\", Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\"",
            "Basic realm=<simple> ; Newauth realm=<apps> type=<1> title=<Login to \"apps\">",
        ),
        // Quoted commas, equals signs and schemes; quoted pairs.
        (
            "Digest qop=\"auth, auth-int\"",
            "Digest qop=<auth, auth-int>",
        ),
        (
            "Bearer realm=\"a, Basic realm=b\", scope=s",
            "Bearer realm=<a, Basic realm=b> scope=<s>",
        ),
        (r#"Bearer realm="a\"b\\c\d""#, r#"Bearer realm=<a"b\cd>"#),
        (r#"Bearer realm="", scope=s"#, "Bearer realm=<> scope=<s>"),
        // Blanks around `=` and commas; tabs.
        (
            "Bearer realm = \"x\" ,scope\t=\ts",
            "Bearer realm=<x> scope=<s>",
        ),
        ("  Bearer\trealm=x  ", "Bearer realm=<x>"),
        // Empty elements of the list.
        (
            ", ,Bearer , ,realm=x,, ,Basic,,",
            "Bearer realm=<x> ; Basic",
        ),
        ("", ""),
        (" , ", ""),
        // The first of several wins, whatever the case.
        (
            "Bearer scope=a, SCOPE=b, scope=c, Basic scope=d",
            "Bearer scope=<a> ; Basic scope=<d>",
        ),
        // Every character of a token.
        ("!#$%&'*+-.^_`|~09azAZ x", "!#$%&'*+-.^_`|~09azAZ x"),
    ] {
        assert_eq!(shown(&parse(&[line])), expected, "{line}");
    }
}

#[test]
fn keeps_what_stands_around_the_unreadable() {
    for (line, expected) in [
        // Forgiven: no comma between parameters, unquoted URLs.
        (
            "Bearer realm=\"x\" error=\"e\"",
            "Bearer realm=<x> error=<e>",
        ),
        (
            "Bearer resource_metadata=https://h/a?b=c, scope=s",
            "Bearer resource_metadata=<https://h/a?b=c> scope=<s>",
        ),
        // A parameter without a value, a value with a tail.
        (
            "Bearer realm=\"x\", scope=, error=e",
            "Bearer realm=<x> error=<e>",
        ),
        ("Bearer scope=a b, error=e", "Bearer scope=<a> error=<e>"),
        ("Bearer scope=a b", "Bearer scope=<a>"),
        (
            "Bearer scope=a\"b, Basic\", error=e",
            "Bearer scope=<a> error=<e>",
        ),
        ("Bearer realm=\"x\"y, error=e", "Bearer realm=<x> error=<e>"),
        // More than one token after the scheme.
        ("Bearer a b, error=e", "Bearer error=<e>"),
        ("Bearer abc realm=x", "Bearer realm=<x>"),
        ("Bearer scope=a b realm=x", "Bearer scope=<a> realm=<x>"),
        ("Bearer realm=x Basic", "Bearer realm=<x>"),
        // No scheme to begin with.
        ("realm=x, Bearer scope=s", "Bearer scope=<s>"),
        ("=x, Bearer", "Bearer"),
        ("@, Bearer", "Bearer"),
        ("\"Basic, \\\" Digest\", Bearer", "Bearer"),
        ("B@sic realm=x, Bearer", "Bearer"),
        (
            "Bearer realm=x, <html>, scope=s",
            "Bearer realm=<x> scope=<s>",
        ),
        ("Basic; realm=x, Bearer", "Bearer"),
        // Quotes that never end.
        (
            "Bearer realm=\"x\", scope=\"a, Basic realm=y",
            "Bearer realm=<x>",
        ),
        ("Bearer scope=\"a\\", "Bearer"),
        ("Bearer \"a, Basic", "Bearer"),
    ] {
        assert_eq!(shown(&parse(&[line])), expected, "{line}");
    }
}

#[test]
fn reads_every_line_by_itself() {
    let challenges = parse(&[
        "Bearer realm=\"x",
        "Basic realm=\"y\"",
        "error=e",
        "",
        "DPoP",
    ]);
    assert_eq!(shown(&challenges), "Bearer ; Basic realm=<y> ; DPoP");
    assert_eq!(parse_challenges(&HeaderMap::new()), []);
}

#[test]
fn what_is_not_utf8_is_replaced() {
    let challenges = parse(&[b"Bearer realm=\"\xff\xc3\xa4\", scope=\xe4, \xe4=b, error=e"]);
    assert_eq!(
        shown(&challenges),
        "Bearer realm=<\u{fffd}ä> scope=<\u{fffd}> error=<e>"
    );
}

#[test]
fn names_have_no_case_and_values_have() {
    let challenges = parse(&["bEARER Realm=R, SCOPE=S, Error=E, x=y, \
        ERROR_description=\"D d\", Resource_Metadata=\"M\""]);
    let challenge = challenges.first().unwrap();
    assert_eq!(challenge.scheme(), "bEARER");
    assert!(challenge.is("Bearer"));
    assert!(!challenge.is("Basic"));
    assert_eq!(challenge.realm(), Some("R"));
    assert_eq!(challenge.scope(), Some("S"));
    assert_eq!(challenge.error(), Some("E"));
    assert_eq!(challenge.error_description(), Some("D d"));
    assert_eq!(challenge.resource_metadata(), Some("M"));
    assert_eq!(challenge.param("X"), Some("y"));
    assert_eq!(challenge.param("y"), None);
    assert_eq!(challenge.token68(), None);
}

#[test]
fn what_is_absent_is_none() {
    let challenges = parse(&["Bearer"]);
    let challenge = challenges.first().unwrap();
    assert_eq!(challenge.realm(), None);
    assert_eq!(challenge.scope(), None);
    assert_eq!(challenge.error(), None);
    assert_eq!(challenge.error_description(), None);
    assert_eq!(challenge.resource_metadata(), None);
}

#[test]
fn law_8_challenges_are_limited() {
    let one_line = (0..20).map(|n| format!("s{n} a={n}")).collect::<Vec<_>>();
    let limited = parse(&[one_line.join(", ")]);
    assert_eq!(limited.len(), MAX_CHALLENGES);
    assert_eq!(limited.last().unwrap().scheme(), "s15");
    assert_eq!(limited.last().unwrap().param("a"), Some("15"));
    assert_eq!(parse(&one_line), limited);
}

#[test]
fn law_8_parameters_are_limited() {
    let params = (0..40).map(|n| format!("p{n}={n}")).collect::<Vec<_>>();
    let challenges = parse(&[format!("A {}, B p39=1", params.join(", "))]);
    let [a, b] = challenges.as_slice() else {
        panic!("{challenges:?}")
    };
    assert_eq!(a.params().count(), MAX_PARAMS);
    assert_eq!(a.params().last(), Some(("p31", "31")));
    assert_eq!(shown(std::slice::from_ref(b)), "B p39=<1>");
}

#[test]
fn law_8_input_is_limited_and_nothing_cut_short_passes_for_whole() {
    let room = LIMIT - "Bearer realm=\"\"".len();
    for (tail, expected) in [
        ("", "Bearer"),
        (", scope=s", "Bearer"),
        (", Basic", "Bearer"),
    ] {
        let fits = format!("Bearer realm=\"{}\"", "x".repeat(room));
        assert_eq!(parse(&[&fits]).first().unwrap().params().count(), 1);
        let cut = format!("Bearer realm=\"{}\"{tail}", "x".repeat(room + 1));
        assert_eq!(shown(&parse(&[cut])), expected);
    }
    // The cut falls into a token, an unquoted value, a scheme, a token68.
    let filler = |len: usize| format!("A x=\"{}\"", "x".repeat(len - "A x=\"\"".len()));
    for tail in [
        ", B realm=long",
        ", B scope=long",
        ", Cdefghijklmnop",
        ", B abcdefghijklm",
    ] {
        for left in 0..tail.len() {
            let challenges = parse(&[filler(LIMIT - left) + tail]);
            let seen = shown(challenges.get(1..).unwrap());
            let has_scheme = tail.starts_with(", B ") && left > ", B".len();
            let expected = if has_scheme { "B" } else { "" };
            assert_eq!(seen, expected, "{left} bytes of {tail}");
        }
        let whole = parse(&[filler(LIMIT - tail.len()) + tail]);
        assert_eq!(
            format!(", {}", shown(whole.get(1..).unwrap())).replace(['<', '>'], ""),
            tail
        );
    }
    // All lines together.
    let lines = [&filler(LIMIT - 20), "B realm=x", "C realm=toolong", "D"];
    assert_eq!(shown(parse(&lines).get(1..).unwrap()), "B realm=<x> ; C");
}

#[test]
fn law_8_no_input_costs_more_than_its_limit() {
    for nasty in [
        ",", "\"", "\\\"", "a=", "a ", "a,", "=", "\"\\", "a=\"", "a b,", "\u{e4}",
    ] {
        let long = nasty.repeat(LIMIT * 64 / nasty.len());
        let long = format!("Bearer {long}");
        let cut = long.as_bytes().get(..LIMIT).unwrap();
        let at_blank = [cut, b" "].concat();
        assert!(kept(&parse(&[&long])) <= LIMIT * 3, "{nasty}");
        assert!(kept(&parse(&[&at_blank])) <= LIMIT * 3, "{nasty}");
    }
}

fn kept(challenges: &[Challenge]) -> usize {
    let sizes = challenges.iter().map(|challenge| {
        let params = challenge
            .params()
            .map(|(name, value)| name.len() + value.len());
        challenge.scheme().len() + challenge.token68().map_or(0, str::len) + params.sum::<usize>()
    });
    sizes.sum()
}

#[derive(Clone, Debug)]
struct Written {
    scheme: String,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Nothing,
    Params(Vec<(String, String, Style)>),
    Token68(String),
}

#[derive(Clone, Debug)]
struct Style {
    before_equals: &'static str,
    after_equals: &'static str,
    comma: &'static str,
    quoted: bool,
    escape_all: bool,
}

const TOKEN: &str = "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}";
const TEXT: &str = "[\t -~äß€\u{1f600}]{0,12}";

fn style() -> impl Strategy<Value = Style> {
    let blank = || select(vec!["", " ", "\t", "  "]);
    let comma = select(vec![",", ", ", " ,", " , ", ",,", ", ,\t,"]);
    (blank(), blank(), comma, any::<bool>(), any::<bool>()).prop_map(
        |(before_equals, after_equals, comma, quoted, escape_all)| Style {
            before_equals,
            after_equals,
            comma,
            quoted,
            escape_all,
        },
    )
}

fn written() -> impl Strategy<Value = Written> {
    let param = (TOKEN, prop_oneof![TOKEN, TEXT], style());
    let content = prop_oneof![
        Just(Content::Nothing),
        vec(param, 1..6).prop_map(Content::Params),
        "[A-Za-z0-9._~+/-]{1,12}={0,2}".prop_map(Content::Token68),
    ];
    (TOKEN, content).prop_map(|(scheme, content)| Written { scheme, content })
}

fn render(challenges: &[Written]) -> Vec<u8> {
    let mut line = String::new();
    for challenge in challenges {
        line.push_str(&challenge.scheme);
        match &challenge.content {
            Content::Nothing => {}
            Content::Params(params) => {
                line.push(' ');
                for (name, value, style) in params {
                    let is_token = !value.is_empty() && value.bytes().all(is_token);
                    let value = match style.quoted || !is_token {
                        true => quote(value, style.escape_all),
                        false => value.clone(),
                    };
                    line.push_str(name);
                    line.push_str(style.before_equals);
                    line.push('=');
                    line.push_str(style.after_equals);
                    line.push_str(&value);
                    line.push_str(style.comma);
                }
            }
            Content::Token68(token) => line.extend([" ", token]),
        }
        line.push_str(", ");
    }
    line.into_bytes()
}

fn quote(value: &str, escape_all: bool) -> String {
    let mut quoted = String::from("\"");
    for char in value.chars() {
        // A backslash can stand before any byte of a quoted pair, here only before ASCII.
        if matches!(char, '"' | '\\') || escape_all && char.is_ascii() {
            quoted.push('\\');
        }
        quoted.push(char);
    }
    quoted + "\""
}

fn as_parsed(written: &Written) -> Challenge {
    let mut challenge = Challenge {
        scheme: written.scheme.clone(),
        token68: None,
        params: Vec::new(),
    };
    match &written.content {
        Content::Nothing => {}
        Content::Token68(token) => challenge.token68 = Some(token.clone()),
        Content::Params(params) => {
            for (name, value, _) in params {
                let is_new = |(known, _): &(String, String)| !known.eq_ignore_ascii_case(name);
                if challenge.params.iter().all(is_new) {
                    challenge.params.push((name.clone(), value.clone()));
                }
            }
        }
    }
    challenge
}

proptest! {
    #[test]
    fn what_is_written_is_read(lines in vec(vec(written(), 0..4), 0..4)) {
        let expected: Vec<_> = lines.iter().flatten().map(as_parsed).collect();
        let lines: Vec<_> = lines.iter().map(|line| render(line)).collect();
        prop_assert_eq!(parse(&lines), expected);
    }

    #[test]
    fn law_8_any_bytes_are_read_within_the_limits(
        lines in vec(vec(prop_oneof![select(b" \t,=\"\\aB1~@".to_vec()), 0x20..=0xffu8], 0..80), 0..40)
    ) {
        let lines: Vec<_> = lines.into_iter().map(|line| {
            line.into_iter().filter(|&byte| byte != 0x7f).collect::<Vec<_>>()
        }).collect();
        let size: usize = lines.iter().map(Vec::len).sum();
        let challenges = parse(&lines);
        prop_assert!(challenges.len() <= MAX_CHALLENGES);
        // A byte that is no UTF-8 becomes three.
        prop_assert!(kept(&challenges) <= 3 * size);
        for challenge in &challenges {
            prop_assert!(challenge.params().count() <= MAX_PARAMS);
            prop_assert!(!challenge.scheme().is_empty());
            prop_assert!(challenge.scheme().bytes().all(is_token));
            for (at, (name, _)) in challenge.params().enumerate() {
                prop_assert!(!name.is_empty() && name.bytes().all(is_token));
                let same = |(other, _): &(&str, &str)| other.eq_ignore_ascii_case(name);
                prop_assert_eq!(challenge.params().position(|param| same(&param)), Some(at));
            }
        }
    }
}

#[test]
fn the_token_of_a_challenge_is_shown_by_no_debug() {
    let mut headers = HeaderMap::new();
    let line = HeaderValue::from_static("Negotiate c2VjcmV0, Bearer scope=\"a\"");
    headers.insert(WWW_AUTHENTICATE, line);
    let challenges = parse_challenges(&headers);
    assert_eq!(challenges[0].token68(), Some("c2VjcmV0"));
    let shown = format!("{challenges:?}");
    assert!(
        !shown.contains("c2VjcmV0") && shown.contains("scope"),
        "{shown}"
    );
}
