//! The readers of JSON-RPC messages and of first results, against naive ones (`src/harness`).
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Err(what) = mcp_http::harness::message(input) {
        panic!("{what}");
    }
});
