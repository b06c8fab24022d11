//! What is made of URLs and references, against a naive reader (`src/harness`).
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Err(what) = mcp_http::harness::url(input) {
        panic!("{what}");
    }
});
