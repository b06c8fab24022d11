#![allow(clippy::panic, clippy::unwrap_used)]

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, value.parse().unwrap());
    }
    headers
}

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

#[test]
fn media_types_compare_without_case_and_parameters() {
    let other = |text: &str| MediaType::Other(text.to_owned());
    for (lines, expected) in [
        (&["application/json"][..], MediaType::Json),
        // Field: "`Application/JSON` refused".
        (&["Application/JSON"], MediaType::Json),
        (&["application/json; charset=utf-8"], MediaType::Json),
        (&["application/json;charset=UTF-8"], MediaType::Json),
        (&["APPLICATION/JSON ; x=\"a;b\""], MediaType::Json),
        (&["application/json;"], MediaType::Json),
        (&[" application/json\t"], MediaType::Json),
        (&["text/event-stream"], MediaType::EventStream),
        (
            &["Text/Event-Stream; charset=utf-8"],
            MediaType::EventStream,
        ),
        (&[], MediaType::Absent),
        (&[""], MediaType::Absent),
        (&[" ; charset=utf-8"], MediaType::Absent),
        (
            &["application/problem+json"],
            other("application/problem+json"),
        ),
        (&["application/jsonl"], other("application/jsonl")),
        (&["json"], other("json")),
        (&["text/HTML; charset=utf-8"], other("text/html")),
        (&["text/\thtml"], other("text/\\thtml")),
        // Several lines.
        (
            &["application/json", "Application/json; a=b"],
            MediaType::Json,
        ),
        (
            &["application/json", "text/event-stream"],
            other("application/json, text/event-stream"),
        ),
        (
            &["text/html", "application/json"],
            other("text/html, application/json"),
        ),
    ] {
        let lines: Vec<_> = lines.iter().map(|line| ("content-type", *line)).collect();
        assert_eq!(media_type(&headers(&lines)), expected, "{lines:?}");
    }
    let long = headers(&[("content-type", &"x".repeat(5000))]);
    assert_eq!(media_type(&long), other(&"x".repeat(1024)));
}

#[test]
fn retry_after_is_seconds_or_a_date_less_the_date_of_the_answer() {
    const NOW: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (retry_after_lines, dates, expected) in [
        (&["0"][..], &[][..], Some(0)),
        (&["120"], &[], Some(120)),
        (&[" 120\t"], &[], Some(120)),
        (&["00120"], &[], Some(120)),
        (&["99999999999"], &[], Some(99_999_999_999)),
        (&["18446744073709551615"], &[], Some(u64::MAX)),
        (&["18446744073709551616"], &[], Some(u64::MAX)),
        (&["99999999999999999999999999999999"], &[], Some(u64::MAX)),
        (&["120"], &[NOW], Some(120)),
        // Dates, in the three forms of RFC 9110.
        (&["Sun, 06 Nov 1994 08:51:37 GMT"], &[NOW], Some(120)),
        (&["Sunday, 06-Nov-94 08:51:37 GMT"], &[NOW], Some(120)),
        (&["Sun Nov  6 08:51:37 1994"], &[NOW], Some(120)),
        (
            &["Fri, 31 Dec 9999 23:59:59 GMT"],
            &[NOW],
            Some(252_618_189_022),
        ),
        // Now, in the past.
        (&[NOW], &[NOW], Some(0)),
        (&["Sun, 06 Nov 1994 08:49:36 GMT"], &[NOW], Some(0)),
        (&["Thu, 01 Jan 1970 00:00:00 GMT"], &[NOW], Some(0)),
        // A date needs the answer's own, and one that can be read.
        (&["Sun, 06 Nov 1994 08:51:37 GMT"], &[], None),
        (&["Sun, 06 Nov 1994 08:51:37 GMT"], &["yesterday"], None),
        (&["Sun, 06 Nov 1994 08:51:37 GMT"], &[NOW, NOW], None),
        // Neither.
        (&[], &[NOW], None),
        (&[""], &[NOW], None),
        (&["soon"], &[NOW], None),
        (&["+5"], &[NOW], None),
        (&["-5"], &[NOW], None),
        (&["1.5"], &[NOW], None),
        (&["5 s"], &[NOW], None),
        (&["5, 5"], &[NOW], None),
        (&["5", "5"], &[NOW], None),
        (&["\u{665}"], &[NOW], None),
        (&["Sun, 31 Feb 1994 08:51:37 GMT"], &[NOW], None),
    ] {
        let lines = retry_after_lines.iter().map(|line| ("retry-after", *line));
        let lines = lines.chain(dates.iter().map(|line| ("date", *line)));
        let lines: Vec<_> = lines.collect();
        assert_eq!(
            retry_after(&headers(&lines)),
            expected.map(Duration::from_secs),
            "{lines:?}"
        );
    }
}

#[test]
fn session_ids_are_1_to_1024_visible_ascii_characters() {
    let visible: String = ('!'..='~').collect();
    let longest = "x".repeat(1024);
    for id in ["a", &visible, &longest, "0"] {
        let parsed = session_id(&headers(&[("Mcp-Session-Id", id)]))
            .unwrap()
            .unwrap();
        assert_eq!(parsed.to_header(), *id);
    }
    let too_long = "x".repeat(1025);
    for (value, expected) in [
        (&b""[..], BadSessionId::Empty),
        (b" \t", BadSessionId::Empty),
        (too_long.as_bytes(), BadSessionId::TooLong),
        (b"a b", BadSessionId::NotVisibleAscii),
        (b"a\tb", BadSessionId::NotVisibleAscii),
        (b"a\x80", BadSessionId::NotVisibleAscii),
        ("\u{e4}".as_bytes(), BadSessionId::NotVisibleAscii),
    ] {
        let value = HeaderValue::from_bytes(value).unwrap();
        assert_eq!(SessionId::from_header(&value), Err(expected), "{value:?}");
        let map = HeaderMap::from_iter([(MCP_SESSION_ID, value)]);
        assert_eq!(session_id(&map), Err(expected));
    }
}

#[test]
fn several_session_ids_must_agree() {
    let name = "mcp-session-id";
    let id = SessionId::from_header(&HeaderValue::from_static("a")).unwrap();
    for (lines, expected) in [
        (&[][..], Ok(None)),
        (&[(name, "a")], Ok(Some(id.clone()))),
        (&[(name, " a ")], Ok(Some(id.clone()))),
        (&[(name, "a"), (name, "a")], Ok(Some(id))),
        (&[(name, "a"), (name, "b")], Err(BadSessionId::Conflicting)),
        (&[(name, "a"), (name, "A")], Err(BadSessionId::Conflicting)),
        (&[(name, "a"), (name, "")], Err(BadSessionId::Conflicting)),
        (&[(name, ""), (name, "a")], Err(BadSessionId::Empty)),
        (
            &[(name, "a"), (name, "a"), (name, "b")],
            Err(BadSessionId::Conflicting),
        ),
    ] {
        assert_eq!(session_id(&headers(lines)), expected, "{lines:?}");
    }
}

#[test]
fn law_9_session_ids_are_not_shown() {
    let id = SessionId::from_header(&HeaderValue::from_static("secret")).unwrap();
    assert_eq!(format!("{id:?} {id:#?}"), "SessionId(..) SessionId(..)");
    assert!(id.to_header().is_sensitive());
    assert!(!format!("{:?}", id.to_header()).contains("secret"));
    for error in [
        BadSessionId::Conflicting,
        BadSessionId::Empty,
        BadSessionId::NotVisibleAscii,
        BadSessionId::TooLong,
    ] {
        assert!(error.to_string().contains("Mcp-Session-Id"));
    }
}

#[test]
fn session_ids_do_not_hold_the_response_head() {
    let head = Bytes::from(b"Mcp-Session-Id: a".to_vec());
    let value = HeaderValue::from_maybe_shared(head.slice(16..)).unwrap();
    assert!(!head.is_unique());
    let id = SessionId::from_header(&value).unwrap();
    drop(value);
    assert!(head.is_unique());
    assert_eq!(id.to_header(), "a");
}

#[test]
fn excerpts_fit_one_line_of_any_terminal() {
    for (body, expected) in [
        (&b""[..], ""),
        (b"Not found", "Not found"),
        (br#"{"a":"b\n'"}"#, r#"{"a":"b\n'"}"#),
        (
            "gr\u{fc}n \u{2713} \u{1f600}".as_bytes(),
            "gr\u{fc}n \u{2713} \u{1f600}",
        ),
        (b"a\nb\r\n\tc", "a\\nb\\r\\n\\tc"),
        (b"\0\x07\x1b[31m\x7f", "\\u{0}\\u{7}\\u{1b}[31m\\u{7f}"),
        (
            "\u{80}\u{9b}31m\u{85}".as_bytes(),
            "\\u{80}\\u{9b}31m\\u{85}",
        ),
        (
            "\u{202e}\u{2066}\u{2069}\u{200f}\u{61c}".as_bytes(),
            "\\u{202e}\\u{2066}\\u{2069}\\u{200f}\\u{61c}",
        ),
        (
            "\u{2028}\u{2029}\u{feff}\u{200b}".as_bytes(),
            "\\u{2028}\\u{2029}\\u{feff}\\u{200b}",
        ),
        (
            "\u{e0041}\u{2060}\u{fff9}".as_bytes(),
            "\\u{e0041}\\u{2060}\\u{fff9}",
        ),
        (b"a\xff\xc3", "a\u{fffd}\u{fffd}"),
    ] {
        assert_eq!(excerpt(body), expected);
    }
}

#[test]
fn law_8_excerpts_are_cut_between_characters() {
    for (character, shown) in [
        ("x", "x"),
        ("\u{e4}", "\u{e4}"),
        ("\u{20ac}", "\u{20ac}"),
        ("\u{1f600}", "\u{1f600}"),
        ("\n", "\\n"),
        ("\u{1b}", "\\u{1b}"),
        ("\u{202e}", "\\u{202e}"),
    ] {
        for before in 0..12 {
            let before = "x".repeat(before);
            let body = before.clone() + &character.repeat(2000);
            let fitting = (1024 - before.len()) / shown.len();
            assert_eq!(excerpt(body.as_bytes()), before + &shown.repeat(fitting));
        }
    }
    // An incomplete character at each distance from the end of what is looked at.
    for len in 1024 - 8..1024 + 8 {
        let body = ["x".repeat(len).as_bytes(), "\u{1f600}".repeat(9).as_bytes()].concat();
        assert!(!excerpt(&body).contains('\u{fffd}'), "{len}");
    }
}

proptest! {
    #[test]
    fn excerpts_of_anything_are_safe_and_short(body in vec(any::<u8>(), 0..2000), text in any::<String>()) {
        for body in [&body[..], text.as_bytes()] {
            let excerpt = excerpt(body);
            prop_assert!(excerpt.len() <= 1024);
            prop_assert!(!excerpt.contains(is_unsafe));
        }
    }
}

#[test]
fn references_resolve_as_rfc_3986_section_5_4_says() {
    let base = uri("http://a/b/c/d;p?q");
    for (reference, expected) in [
        // Normal examples, without those whose scheme or host is another.
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y", "http://a/b/c/g?y"),
        ("#s", "http://a/b/c/d;p?q"),
        ("g#s", "http://a/b/c/g"),
        ("g?y#s", "http://a/b/c/g?y"),
        (";x", "http://a/b/c/;x"),
        ("g;x", "http://a/b/c/g;x"),
        ("g;x?y#s", "http://a/b/c/g;x?y"),
        (".", "http://a/b/c/"),
        ("./", "http://a/b/c/"),
        ("..", "http://a/b/"),
        ("../", "http://a/b/"),
        ("../g", "http://a/b/g"),
        ("../..", "http://a/"),
        ("../../", "http://a/"),
        ("../../g", "http://a/g"),
        // Abnormal ones.
        ("../../../g", "http://a/g"),
        ("../../../../g", "http://a/g"),
        ("/./g", "http://a/g"),
        ("/../g", "http://a/g"),
        ("g.", "http://a/b/c/g."),
        (".g", "http://a/b/c/.g"),
        ("g..", "http://a/b/c/g.."),
        ("..g", "http://a/b/c/..g"),
        ("./../g", "http://a/b/g"),
        ("./g/.", "http://a/b/c/g/"),
        ("g/./h", "http://a/b/c/g/h"),
        ("g/../h", "http://a/b/c/h"),
        ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
        ("g;x=1/../y", "http://a/b/c/y"),
        ("g?y/./x", "http://a/b/c/g?y/./x"),
        ("g?y/../x", "http://a/b/c/g?y/../x"),
        ("g#s/../x", "http://a/b/c/g"),
        // Encoded dots are dots.
        ("%2e%2E/g", "http://a/b/g"),
        ("//a/../g", "http://a/g"),
        ("http://a/x/../g", "http://a/g"),
    ] {
        let location = HeaderValue::from_str(reference).unwrap();
        let Redirect::Same(to) = resolve_redirect(&base, &location) else {
            panic!("{reference}: {:?}", resolve_redirect(&base, &location));
        };
        assert_eq!(to.to_string(), expected, "{reference}");
    }
}

#[test]
fn law_11_redirects_stay_at_their_origin() {
    let same = |to: &str| Redirect::Same(uri(to));
    let other = |to: &str, hint| Redirect::Other {
        to: to.to_owned(),
        hint,
    };
    let only_the_scheme = Some(RedirectHint::OnlyTheScheme);
    for (from, location, expected) in [
        ("https://h/mcp", "/mcp/", same("https://h/mcp/")),
        (
            "https://h/mcp",
            "https://h/v2/mcp?a=b",
            same("https://h/v2/mcp?a=b"),
        ),
        ("https://h/mcp", "//h/x", same("https://h/x")),
        ("https://h/mcp?a=b", "?c=d", same("https://h/mcp?c=d")),
        ("https://h", "x", same("https://h/x")),
        ("https://h", "?x", same("https://h/?x")),
        ("https://h/mcp", " /x\t", same("https://h/x")),
        // Hosts and schemes have no case; the default port may be said.
        (
            "https://Host/mcp",
            "HTTPS://hOST/mcp",
            same("https://hOST/mcp"),
        ),
        ("https://h/mcp", "https://h:443/x", same("https://h:443/x")),
        ("https://h:443/mcp", "https://h/x", same("https://h/x")),
        ("http://h/mcp", "http://h:80/x", same("http://h:80/x")),
        ("http://h/mcp", "http://h:0080/x", same("http://h:0080/x")),
        ("http://h/mcp", "http://h:/x", same("http://h:/x")),
        ("http://h:8080/mcp", "/x", same("http://h:8080/x")),
        ("http://[::1]:8080/mcp", "/x", same("http://[::1]:8080/x")),
        (
            "http://[::1]/mcp",
            "http://[0:0:0:0:0:0:0:1]/x",
            same("http://[0:0:0:0:0:0:0:1]/x"),
        ),
        (
            "http://[2001:DB8::1]/",
            "//[2001:db8::1]:80/x",
            same("http://[2001:db8::1]:80/x"),
        ),
        // What servers send although it is no URL.
        (
            "https://h/mcp",
            "/a b?c[]={d}",
            same("https://h/a%20b?c%5B%5D=%7Bd%7D"),
        ),
        (
            "https://h/mcp",
            "/\u{e4}\"<>\\^`|",
            same("https://h/%C3%A4%22%3C%3E%5C%5E%60%7C"),
        ),
        (
            "https://h/mcp",
            "/100%/%zz/%4/%4a",
            same("https://h/100%25/%25zz/%254/%4a"),
        ),
        ("https://h/a[b]/c{d}", "x", same("https://h/a%5Bb%5D/x")),
        ("https://h/mcp", "/a//[b]", same("https://h/a//%5Bb%5D")),
        ("https://h/mcp", "a//[b]", same("https://h/a//%5Bb%5D")),
        ("https://h/mcp", "/\\evil/x", same("https://h/%5Cevil/x")),
        // Another host.
        (
            "https://h/mcp",
            "https://evil/mcp",
            other("https://evil/mcp", None),
        ),
        (
            "https://h/mcp",
            "//evil/mcp",
            other("https://evil/mcp", None),
        ),
        (
            "https://h/mcp",
            "https://h.evil/mcp",
            other("https://h.evil/mcp", None),
        ),
        (
            "https://h/mcp",
            "https://h./mcp",
            other("https://h./mcp", None),
        ),
        (
            "https://h/mcp",
            "https://\u{e4}/mcp",
            other("https://%C3%A4/mcp", None),
        ),
        (
            "https://h/mcp",
            "https://[::1]/mcp",
            other("https://[::1]/mcp", None),
        ),
        (
            "https://[::2]/mcp",
            "https://[::1]/mcp",
            other("https://[::1]/mcp", None),
        ),
        ("https://h/mcp", "https:///mcp", other("https:///mcp", None)),
        // Another port, or none that can be.
        (
            "https://h/mcp",
            "https://h:8443/mcp",
            other("https://h:8443/mcp", None),
        ),
        (
            "https://h:8443/mcp",
            "https://h/mcp",
            other("https://h/mcp", None),
        ),
        (
            "https://h/mcp",
            "https://h:99999/mcp",
            other("https://h:99999/mcp", None),
        ),
        (
            "https://h/mcp",
            "https://h:0/mcp",
            other("https://h:0/mcp", None),
        ),
        // Another scheme. Field: "turns https into http".
        (
            "https://h/mcp",
            "http://h/mcp",
            other("http://h/mcp", only_the_scheme),
        ),
        (
            "http://h/mcp",
            "https://h/mcp",
            other("https://h/mcp", only_the_scheme),
        ),
        (
            "https://h/mcp",
            "http://h:443/mcp",
            other("http://h:443/mcp", only_the_scheme),
        ),
        (
            "https://h/mcp",
            "http://h/mcp/",
            other("http://h/mcp/", Some(RedirectHint::SchemeAndSlash)),
        ),
        ("https://h/mcp", "ftp://h/mcp", other("ftp://h/mcp", None)),
        ("https://h/mcp", "mailto:x", other("mailto:x", None)),
        ("https://h/mcp", "https:mcp", other("https:mcp", None)),
        ("https://h/mcp", "a:b://[c]", other("a:b://%5Bc%5D", None)),
        (
            "https://h/mcp",
            "javascript:alert(1)",
            other("javascript:alert(1)", None),
        ),
        // Credentials in the URL, whatever the host.
        (
            "https://h/mcp",
            "https://u:p@h/mcp",
            other("https://...@h/mcp", None),
        ),
        (
            "https://h/mcp",
            "//u@h:1/mcp",
            other("https://...@h:1/mcp", None),
        ),
        (
            "https://h/mcp",
            "https://@h/mcp",
            other("https://...@h/mcp", None),
        ),
        (
            "https://h/mcp",
            "https://h:443@evil/mcp",
            other("https://...@evil/mcp", None),
        ),
        (
            "https://h/mcp",
            "http://u:p@h/mcp",
            other("http://...@h/mcp", None),
        ),
        (
            "https://h/mcp",
            "https://evil\\@h/mcp",
            other("https://...@h/mcp", None),
        ),
        // Law 9: a query may hold a secret.
        (
            "https://h/mcp",
            "https://login/?state=s",
            other("https://login/?...", None),
        ),
        // Nothing to follow.
        ("https://h/mcp", "", Redirect::Unreadable),
        ("https://h/mcp", " ", Redirect::Unreadable),
        ("https://h/mcp", "https://h:port/mcp", Redirect::Unreadable),
        ("https://h/mcp", "https://h:+443/mcp", Redirect::Unreadable),
        ("https://h/mcp", "https://[::1/mcp", Redirect::Unreadable),
        ("https://h/mcp", "https://[h]/mcp", Redirect::Unreadable),
        ("https://h/mcp", "https://a@b@h/mcp", Redirect::Unreadable),
        ("https://h/mcp", ":", Redirect::Unreadable),
        ("https://h/mcp", "/a\tb", Redirect::Unreadable),
        // From nowhere.
        ("/mcp", "/x", Redirect::Unreadable),
        ("ftp://h/mcp", "/x", other("ftp://h/x", None)),
        ("https://u@h/mcp", "/x", other("https://...@h/x", None)),
    ] {
        let location = HeaderValue::from_bytes(location.as_bytes()).unwrap();
        let redirect = resolve_redirect(&uri(from), &location);
        assert_eq!(redirect, expected, "{from} to {location:?}");
    }
    for control in ["/a\nb", "/a\rb", "/a\0b", "/a\u{7f}b"] {
        let redirect = resolve(&uri("https://h/"), control.as_bytes());
        assert_eq!(redirect, Redirect::Unreadable, "{control:?}");
    }
    let latin_1 = HeaderValue::from_bytes(b"/\xe4").unwrap();
    let redirect = resolve_redirect(&uri("https://h/"), &latin_1);
    assert_eq!(redirect, same("https://h/%E4"));
}

#[test]
fn law_9_urls_are_shown_without_user_and_query() {
    for (url, expected) in [
        ("https://h/mcp", "https://h/mcp"),
        ("https://h:8443", "https://h:8443/"),
        ("https://h/mcp?key=secret", "https://h/mcp?..."),
        ("https://user:secret@h/mcp", "https://...@h/mcp"),
        ("https://h/{x}\u{e4}", "https://h/%7Bx%7D%C3%A4"),
        ("/mcp?key=secret", ""),
    ] {
        assert_eq!(shown(&uri(url)), expected, "{url}");
    }
}

#[test]
fn law_8_locations_are_limited() {
    let base = uri("https://h/mcp");
    for path in ["a", "a/", "../", "a/../", "/"] {
        let mut location = format!("/x/{}", path.repeat(8192));
        location.truncate(8192);
        let redirect = resolve(&base, location.as_bytes());
        assert!(matches!(redirect, Redirect::Same(_)), "{path}");
        location.push('a');
        let redirect = resolve(&base, location.as_bytes());
        assert_eq!(redirect, Redirect::Unreadable, "{path}");
    }
    let elsewhere = format!("https://evil/{}", "a".repeat(8192 - 20));
    let Redirect::Other { to, .. } = resolve(&base, elsewhere.as_bytes()) else {
        panic!("no redirect elsewhere")
    };
    assert_eq!(to.len(), 1024);
}

#[test]
fn hints_name_all_that_differs() {
    use RedirectHint::{OnlyTheScheme, OnlyTheSlash, SchemeAndSlash};
    for (from, to, expected) in [
        ("https://h/mcp", "https://h/mcp/", Some(OnlyTheSlash)),
        (
            "https://h/mcp?a=b",
            "https://H:443/mcp/?a=b",
            Some(OnlyTheSlash),
        ),
        (
            "http://h:8080/mcp",
            "http://h:8080/mcp/",
            Some(OnlyTheSlash),
        ),
        ("https://h/mcp", "http://h/mcp", Some(OnlyTheScheme)),
        ("https://h/", "http://h", Some(OnlyTheScheme)),
        ("https://h:443/mcp", "http://h:80/mcp", Some(OnlyTheScheme)),
        (
            "https://h:8080/mcp",
            "http://h:8080/mcp",
            Some(OnlyTheScheme),
        ),
        ("https://h/mcp", "http://h/mcp/", Some(SchemeAndSlash)),
        // Nothing, or more.
        ("https://h/mcp", "https://h/mcp", None),
        ("https://h/mcp", "https://h/MCP", None),
        ("https://h/mcp", "https://h/mcp//", None),
        ("https://h/mcp", "https://h/mcp/x", None),
        ("https://h/mcp", "https://h/mcp/?a", None),
        ("https://h/mcp", "http://h/x", None),
        ("https://h/mcp", "http://h/mcp?a", None),
        ("https://h/mcp", "http://h:8080/mcp", None),
        ("https://h:8443/mcp", "http://h/mcp", None),
        ("https://h/mcp", "https://h:8443/mcp/", None),
        ("https://h/mcp", "http://g/mcp", None),
        ("https://h/mcp", "https://g/mcp/", None),
        ("https://h/mcp", "ftp://h/mcp/", None),
    ] {
        assert_eq!(redirect_hint(&uri(from), &uri(to)), expected, "{from} {to}");
        assert_eq!(redirect_hint(&uri(to), &uri(from)), expected, "{to} {from}");
    }
}

#[test]
fn origins_are_scheme_host_and_port() {
    for (a, b, expected) in [
        ("https://h/a", "https://h/b?c", true),
        ("https://h", "https://H:443", true),
        ("http://h", "http://h:80", true),
        ("http://h", "http://h:", true),
        ("http://h:8080", "http://h:8080", true),
        ("https://[::1]", "https://[0::1]:443", true),
        ("https://[::ABCD]", "https://[::abcd]", true),
        ("https://h", "http://h", false),
        ("https://h", "http://h:443", false),
        ("https://h", "https://h:80", false),
        ("https://h", "https://g", false),
        ("https://h", "https://h.g", false),
        ("https://[::1]", "https://[::2]", false),
        ("https://[::1]", "https://127.0.0.1", false),
        // No origin.
        ("/a", "/a", false),
        ("ftp://h", "ftp://h", false),
        ("https://h:99999", "https://h:99999", false),
        ("https://h:99999", "https://h", false),
        ("https://h:+443", "https://h", false),
        ("https://u@h", "https://u@h", false),
        ("https://:443", "https://:443", false),
        ("https://[h]", "https://[h]", false),
    ] {
        assert_eq!(same_origin(&uri(a), &uri(b)), expected, "{a} {b}");
        assert_eq!(same_origin(&uri(b), &uri(a)), expected, "{b} {a}");
    }
}

#[test]
fn endpoints_are_absolute_http_urls() {
    for (url, expected) in [
        ("https://h/mcp", "https://h/mcp"),
        ("http://h/mcp", "http://h/mcp"),
        ("HTTPS://H/mcp", "https://H/mcp"),
        ("https://h", "https://h/"),
        ("https://h:8443/a/../b;c?d=e", "https://h:8443/a/../b;c?d=e"),
        ("http://127.0.0.1:3000/mcp", "http://127.0.0.1:3000/mcp"),
        ("http://[::1]:3000/mcp", "http://[::1]:3000/mcp"),
        ("https://h/mcp#fragment", "https://h/mcp"),
        ("https://h?a#b", "https://h/?a"),
        ("https://h#b", "https://h/"),
        ("https://h:/mcp", "https://h:/mcp"),
        ("https://h/a@b?c@d", "https://h/a@b?c@d"),
        (
            "https://h/\u{e4}{x}?a[]=1",
            "https://h/%C3%A4%7Bx%7D?a%5B%5D=1",
        ),
    ] {
        let endpoint = check_endpoint(url).map(|uri| uri.to_string());
        assert_eq!(endpoint.as_deref(), Ok(expected), "{url}");
    }
    for (url, expected) in [
        ("https://h:0/", EndpointError::BadPort),
        ("https://h:65536/", EndpointError::BadPort),
        ("https://user@h/", EndpointError::Credentials),
        ("https://user:secret@h/", EndpointError::Credentials),
        ("https://@h/", EndpointError::Credentials),
        ("https://h:port/", EndpointError::Malformed),
        ("https://h:+443/", EndpointError::Malformed),
        ("https://h:1:2/", EndpointError::Malformed),
        ("https://[::1/", EndpointError::Malformed),
        ("https://[v1.a]/", EndpointError::Malformed),
        ("https://a@b@h/", EndpointError::Malformed),
        ("https://\u{e4}/", EndpointError::Malformed),
        ("https://h/mcp ", EndpointError::Malformed),
        (" https://h/mcp", EndpointError::Malformed),
        ("https://h/m cp", EndpointError::Malformed),
        ("https://h/mcp\n", EndpointError::Malformed),
        ("https://h/\0", EndpointError::Malformed),
        ("https://h/mcp\u{a0}", EndpointError::Malformed),
        ("https://", EndpointError::NoHost),
        ("https:///mcp", EndpointError::NoHost),
        ("https://:443/mcp", EndpointError::NoHost),
        ("https:/mcp", EndpointError::NoHost),
        ("https:mcp", EndpointError::NoHost),
        ("https:[https://h]", EndpointError::NoHost),
        ("", EndpointError::NotAbsolute),
        ("/mcp", EndpointError::NotAbsolute),
        ("//h/mcp", EndpointError::NotAbsolute),
        ("h/mcp", EndpointError::NotAbsolute),
        ("example.com", EndpointError::NotAbsolute),
        ("ws://h/mcp", EndpointError::NotHttp),
        ("file:///mcp", EndpointError::NotHttp),
        ("localhost:3000/mcp", EndpointError::NotHttp),
    ] {
        assert_eq!(check_endpoint(url), Err(expected), "{url}");
    }
    let too_long = format!("https://h/{}", "a".repeat(70_000));
    assert_eq!(check_endpoint(&too_long), Err(EndpointError::Malformed));
}

#[test]
fn law_9_endpoint_errors_do_not_show_the_endpoint() {
    for url in [
        "https://user:secret@h/",
        "https://secret:1:2/",
        "secret://h",
    ] {
        let error = check_endpoint(url).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{url}");
    }
}

#[test]
fn applications_may_not_set_what_the_protocol_owns() {
    let owned_names = [
        "Content-Type",
        "Accept",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "TE",
        "Trailer",
        "Upgrade",
        "Host",
        "Expect",
        "Keep-Alive",
        "Accept-Encoding",
        "content-encoding",
        "Proxy-Connection",
        "Mcp-Session-Id",
        "MCP-Protocol-Version",
        "Mcp-Method",
        "Mcp-Name",
        "Mcp-Param-X",
        "Mcp-Param-Region",
        "Last-Event-ID",
    ];
    let free_names = [
        "Authorization",
        "Cookie",
        "User-Agent",
        "Origin",
        "Traceparent",
        "Accept-Language",
        "Cache-Control",
        "X-Mcp-Name",
        "Mcp-Parameter",
        "Mcp-Names",
        "X-Api-Key",
        "Proxy-Authorization",
    ];
    let name = |text: &str| HeaderName::from_bytes(text.as_bytes()).unwrap();
    for text in owned_names {
        assert!(owned(&name(text)), "{text}");
    }
    for text in free_names {
        assert!(!owned(&name(text)), "{text}");
    }
}

/// Pieces of URLs, so that a good part of what they make up can be read.
fn reference() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "http:", "https:", "ftp:", "//", "//h", "//H:443", "//[::1]", "/", "/", "..", ".", "?",
        "#", "@", "[", "]", "[::1]", "h", "g", ":80", ":443", ":", "%", "%2e", "%zz", " ", "\\",
        "\u{e4}", "a", "b;c=d", "\t", "\u{7f}", "+", "&=",
    ];
    let piece = prop_oneof![
        20 => select(pieces.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 1..3),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn law_11_no_reference_leaves_its_origin(
        reference in reference(),
        from in select(vec!["https://h/a/b?c", "http://h:80", "https://[::1]/a", "http://g:443/"]),
    ) {
        let from = uri(from);
        match resolve(&from, &reference) {
            Redirect::Same(to) => {
                // As whoever opens the connection reads it.
                let port = |uri: &Uri| uri.port_u16().unwrap_or(
                    if uri.scheme_str() == Some("https") { 443 } else { 80 });
                prop_assert_eq!(to.scheme(), from.scheme());
                prop_assert!(to.host().unwrap().eq_ignore_ascii_case(from.host().unwrap()));
                prop_assert_eq!(port(&to), port(&from));
                prop_assert!(!to.authority().unwrap().as_str().contains('@'));
                let text = to.to_string();
                prop_assert!(to.path().starts_with('/') && !text.contains('#'));
                prop_assert!(!to.path().split('/').any(|segment| [".", ".."].contains(&segment)));
                // It can be an endpoint, and is resolved already.
                prop_assert_eq!(check_endpoint(&text).map(|uri| uri.to_string()), Ok(text.clone()));
                prop_assert_eq!(resolve(&from, text.as_bytes()), Redirect::Same(to));
            }
            Redirect::Other { to, .. } => {
                prop_assert!(!to.contains(is_unsafe) && to.len() <= 1024);
            }
            Redirect::Unreadable => {}
        }
    }

    #[test]
    fn endpoints_resolve_to_themselves(url in reference()) {
        let url = String::from_utf8_lossy(&url);
        if let Ok(endpoint) = check_endpoint(&url) {
            prop_assert!(same_origin(&endpoint, &endpoint));
            let empty = resolve(&endpoint, b"#");
            prop_assert_eq!(empty, Redirect::Same(endpoint));
        }
    }
}
