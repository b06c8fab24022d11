//! What answers mean, against the table (`src/harness`).
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Err(what) = mcp_http::harness::response(input) {
        panic!("{what}");
    }
});
