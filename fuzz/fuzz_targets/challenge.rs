//! The parser of challenges, against a naive one (`src/harness`).
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Err(what) = mcp_http::harness::challenge(input) {
        panic!("{what}");
    }
});
