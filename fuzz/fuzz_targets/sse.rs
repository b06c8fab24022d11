//! The decoder of event streams, against a naive one (`src/harness`).
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Err(what) = mcp_http::harness::decode(input) {
        panic!("{what}");
    }
});
