//! What the parsers are given: pieces of what servers send, so that a good part of what they make
//! up can be read.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Lines of `WWW-Authenticate`.
pub(crate) fn challenges() -> impl Strategy<Value = Bytes> {
    let element = pieces(
        &[
            "Bearer",
            "Basic ",
            "Negotiate YII==",
            "NTLM abc",
            "Bearer realm=\"x\"",
            "Bearer resource_metadata=https://h/a?b=c",
            "Digest qop=\"auth, auth-int\"",
            "error=\"insufficient_scope\"",
            "scope=\"a b\"",
            "SCOPE = s",
            "realm",
            "x",
            " ",
            "\t",
            "=",
            "==",
            ",",
            "\"",
            "\\",
            "\"a\\\"b\\\\c\"",
            "\"a, Basic realm=b\"",
            "/",
            ";",
            "@",
            "\u{e4}",
        ],
        1..4,
    );
    let wordy = (0..40_u8).prop_map(|count| {
        let params = (0..count).map(|at| format!("p{at}={at}"));
        let params: Vec<_> = params.collect();
        format!("A {}", params.join(", ")).into_bytes()
    });
    let many = (0..20_u8).prop_map(|count| {
        let schemes = (0..count).map(|at| format!("s{at}"));
        schemes.collect::<Vec<_>>().join(",").into_bytes()
    });
    let element = prop_oneof![30 => element, 1 => wordy, 1 => many];
    let line = vec(element, 0..6).prop_map(|elements| elements.join(&b", "[..]));
    vec(line, 1..4).prop_map(|lines| lines.join(&b'\n').into())
}

/// Header fields and the beginning of a body.
pub(crate) fn headers() -> impl Strategy<Value = Bytes> {
    let field = prop_oneof![
        field("Content-Type", types()),
        field("Retry-After", prop_oneof![times(), dates()]),
        field("Date", dates()),
        field("Mcp-Session-Id", ids()),
    ];
    (vec(field, 0..5), body())
        .prop_map(|(fields, body)| [fields.concat(), body].join(&b'\n').into())
}

/// First bytes of answers with 200, 307, 400, 403, 404 and 503.
const ROWS: [u8; 7] = [2, 15, 18, 18, 20, 21, 29];

/// An answer, after four bytes that say status and request.
pub(crate) fn response() -> impl Strategy<Value = Bytes> {
    let field = prop_oneof![
        3 => field("Content-Type", types()),
        1 => field("Content-Length", pieces(&["0", "1", "00", ""], 1..2)),
        2 => field("Retry-After", times()),
        4 => field("Location", reference()),
        4 => field("WWW-Authenticate", challenges().prop_map(|lines| {
            let lines = lines.iter().filter(|byte| **byte != b'\n');
            lines.copied().collect()
        })),
    ];
    let status = prop_oneof![0..32_u8, select(ROWS.to_vec())];
    let known = (status, any::<[u8; 3]>()).prop_map(|(a, [b, c, d])| [a, b, c, d]);
    let first = prop_oneof![8 => known, 1 => any::<[u8; 4]>()];
    let body = prop_oneof![3 => error(), 1 => body()];
    (first, vec(field, 0..4), body).prop_map(|(first, fields, body)| {
        [&first[..], &fields.concat(), b"\n", &body].concat().into()
    })
}

/// An endpoint, and what a server refers to from there.
pub(crate) fn urls() -> impl Strategy<Value = Bytes> {
    let any = (prop_oneof![6 => url(), 1 => reference()], reference());
    let alike = (url(), url());
    prop_oneof![any.boxed(), alike.boxed()].prop_map(|(a, b)| [a, b].join(&b'\n').into())
}

/// One of a few that differ little.
fn url() -> impl Strategy<Value = Vec<u8>> {
    let parts = (
        select(vec!["http", "https", "HTTPS"]),
        select(vec!["h", "h", "H", "g", "[::1]", "[0::1]"]),
        select(vec!["", "", ":80", ":443", ":8443", ":0", ":"]),
        select(vec!["", "/", "/mcp", "/mcp/", "/a/../b/c"]),
        select(vec!["", "", "?a=b", "?", "#f"]),
    );
    parts.prop_map(|(scheme, host, port, path, query)| {
        format!("{scheme}://{host}{port}{path}{query}").into_bytes()
    })
}

fn field(
    name: &'static str,
    value: impl Strategy<Value = Vec<u8>>,
) -> impl Strategy<Value = Vec<u8>> {
    value.prop_map(move |value| [name.as_bytes(), b":", &value, b"\n"].concat())
}

fn types() -> impl Strategy<Value = Vec<u8>> {
    let types = [
        "application/json",
        "Application/JSON",
        "text/event-stream",
        "text/html",
        ";",
        "; charset=utf-8",
        " ",
        "x",
        "\u{e4}",
        "\t",
    ];
    pieces(&types, 0..4)
}

fn times() -> impl Strategy<Value = Vec<u8>> {
    let times = [
        "0",
        "7",
        "120",
        "86401",
        "18446744073709551615",
        " ",
        "-",
        "+",
        ".",
        "\u{665}",
    ];
    pieces(&times, 0..4)
}

fn dates() -> impl Strategy<Value = Vec<u8>> {
    let whole = [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:51:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Tue, 29 Feb 2000 23:59:59 GMT",
        "Thu, 29 Feb 1900 00:00:00 GMT",
        "Wed, 31 Dec 9999 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
    ];
    let parts = [
        "Sun", "Monday", ", ", " ", "06", " 6", "31", "-Nov-", " Feb ", "94", "1994", "2024",
        "08:49:37", "24:00:00", " GMT",
    ];
    prop_oneof![4 => pieces(&whole, 1..2), 1 => pieces(&parts, 0..9)]
}

fn ids() -> impl Strategy<Value = Vec<u8>> {
    let long = (1020..1028_usize).prop_map(|length| vec![b'x'; length]);
    let short = pieces(
        &["a", "a", "b", "!~", " ", "\t", "\u{e4}", "3f2504e0-4f89"],
        0..3,
    );
    prop_oneof![8 => short, 1 => long]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "Not found",
        "<html>",
        "\n",
        "\t",
        "\u{1b}[31m",
        "\u{7f}",
        "\u{85}",
        "\u{202e}",
        "\u{200d}",
        "\u{2028}",
        "\u{feff}",
        "\u{e0041}",
        "\u{e4}",
        "\u{20ac}",
        "\u{1f600}",
        "=?base64?",
        "?=",
        " ",
    ];
    let plain = pieces(&["a", " ", "\t", "=?base64?", "?="], 0..4);
    prop_oneof![3 => pieces(&known, 0..9), 1 => plain]
}

/// What may be a JSON-RPC error.
fn error() -> impl Strategy<Value = Vec<u8>> {
    let member = select(vec![
        r#""jsonrpc":"2.0""#,
        r#""id":3"#,
        r#""id":4"#,
        r#""id":9"#,
        r#""id":3.0"#,
        r#""id":null"#,
        r#""id":"server-error""#,
        r#""error":{"code":-32601,"message":"no"}"#,
        r#""error":{"code":-32000,"message":"no","data":{"a":1}}"#,
        r#""error":{"code":-32019,"message":"\u001b"}"#,
        r#""error":{"code":-32020}"#,
        r#""error":{"code":1,"message":"Session not found"}"#,
        r#""error":{"code":1.0,"message":"x"}"#,
        r#""error":{"code":1,"message":null}"#,
        r#""error":[-32601,"x",null]"#,
        r#""error":null"#,
        r#""result":null"#,
        r#""result":{}"#,
        r#""method":"x""#,
        r#""method":null"#,
        r#""params":1"#,
    ]);
    let id = select(vec![r#""id":3"#, r#""id":3"#, r#""id":4"#, r#""id":null"#]);
    let code = select(vec!["-32601", "-32020", "-32019", "-32000", "-31999", "1"]);
    let usual = (id, code).prop_map(|(id, code)| format!(r#"{id},"error":{{"code":{code}}}"#));
    let members = prop_oneof![1 => usual, 1 => vec(member, 0..5).prop_map(|all| all.join(","))];
    members.prop_map(|members| format!("{{{members}}}").into_bytes())
}

/// A JSON-RPC message, or a batch.
pub(crate) fn messages() -> impl Strategy<Value = Bytes> {
    let one = object(vec![
        r#""jsonrpc":"2.0""#,
        r#""id":3"#,
        r#""id":"a\u0062""#,
        r#""id":null"#,
        r#""id":-0"#,
        r#""id":1.0"#,
        r#""id":18446744073709551616"#,
        r#""i\u0064":[3]"#,
        r#""method":"a""#,
        r#""method":"\u0061\ud800""#,
        r#""method":null"#,
        r#""method":1"#,
        r#""error":{"code":-32022,"data":{"supported":["2025-11-25","x"]}}"#,
        r#""error":{"code":1,"code":2}"#,
        r#""error":{"code":9223372036854775808}"#,
        r#""error":[1,"x"]"#,
        r#""error":null"#,
    ]);
    let one = (one, inside("params", params()), inside("result", results()));
    let one = one.prop_flat_map(|(rest, params, result)| {
        let members = [rest, params, result].into_iter();
        let members: Vec<_> = members.filter(|text| !text.is_empty()).collect();
        Just(members).prop_shuffle()
    });
    let one = one.prop_map(|members| format!("{{{}}}", members.join(",")).into_bytes());
    let whole = prop_oneof![9 => one, 1 => pieces(&["{", "}", "[", "]", "1", "\"", " "], 0..6)];
    let batch = vec(whole.clone().boxed(), 0..5)
        .prop_map(|messages| [&b"["[..], &messages.join(&b','), b" ]"].concat());
    prop_oneof![4 => whole.boxed(), 1 => batch.boxed()].prop_map(Bytes::from)
}

/// Members of an object, with commas.
fn object(members: Vec<&'static str>) -> impl Strategy<Value = String> + Clone {
    vec(select(members), 0..3).prop_map(|members| members.join(","))
}

/// A member of this name, perhaps.
fn inside(
    name: &'static str,
    members: impl Strategy<Value = String> + Clone,
) -> impl Strategy<Value = String> + Clone {
    let some = members.prop_map(move |members| format!("\"{name}\":{{{members}}}"));
    let rare = select(vec!["", "", "[]", "null", "1"]);
    let rare = rare.prop_map(move |value| match value {
        "" => String::new(),
        value => format!("\"{name}\":{value}"),
    });
    prop_oneof![some, rare]
}

fn params() -> impl Strategy<Value = String> + Clone {
    object(vec![
        r#""progressToken":7"#,
        r#""progressToken":"a\u0062""#,
        r#""requestId":3"#,
        r#""requestId":"x""#,
        r#""_meta":{}"#,
        r#""_meta":{"progressToken":1,"a":[1.50]}"#,
        r#""_meta":null"#,
        r#""\u005fmeta":{"b":1}"#,
        r#""a":{"_meta":1}"#,
    ])
}

fn results() -> impl Strategy<Value = String> + Clone {
    object(vec![
        r#""resultType":"complete""#,
        r#""resultType":"input_required""#,
        r#""resultType":"input_required""#,
        r#""result\u0054ype":"task""#,
        r#""resultType":null"#,
        r#""resultType":1"#,
        r#""inputRequests":{"a":{"method":"m","params":{}}}"#,
        r#""inputRequests":{"\u0061":{"method":"m"},"b":{"method":"n","x":1}}"#,
        r#""inputRequests":{"a":{"method":"m"},"a":{"method":"m"}}"#,
        r#""inputRequests":{"a":{"params":null}}"#,
        r#""inputRequests":{"a":["m"]}"#,
        r#""inputRequests":[]"#,
        r#""requestState":"s""#,
        r#""requestState":1"#,
        r#""protocolVersion":"2025-11-25""#,
        r#""protocolVersion":1"#,
        r#""capabilities":{}"#,
        r#""capabilities":{"tools":{}}"#,
        r#""capabilities":[]"#,
        r#""supportedVersions":["2026-07-28","2025-11-25"]"#,
        r#""supportedVersions":[1]"#,
    ])
}

/// A URL, or what refers to one.
fn reference() -> impl Strategy<Value = Vec<u8>> {
    pieces(
        &[
            "http:", "https:", "HTTPS:", "ftp:", "//", "//h", "//H:443", "//u:p@h", "//[::1]",
            "a://[", "/", "/", "..", ".", "/./", "/../", "?", "?secret", "#", "@", "[", "]",
            "[::1]", "[v1.a]", "h", "g", ":80", ":443", ":0", ":99999", ":", "%", "%2e", "%2E",
            "%zz", " ", "\\", "\u{e4}", "a", "b;c=d", "mcp", "\t", "\u{7f}", "+", "&=",
        ],
        0..10,
    )
}

fn pieces(
    known: &[&'static str],
    count: std::ops::Range<usize>,
) -> impl Strategy<Value = Vec<u8>> + use<> {
    let known = select(known.to_vec()).prop_map(|piece| piece.as_bytes().to_vec());
    let piece = prop_oneof![40 => known, 1 => vec(any::<u8>(), 1..3)];
    vec(piece, count).prop_map(|pieces| pieces.concat())
}
