//! The reader of lists of tools and of arguments, against a naive one (`src/harness`).
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Err(what) = mcp_http::harness::tools(input) {
        panic!("{what}");
    }
});
