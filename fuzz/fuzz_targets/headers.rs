//! The readers of header fields, against naive ones (`src/harness`).
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Err(what) = mcp_http::harness::headers(input) {
        panic!("{what}");
    }
});
