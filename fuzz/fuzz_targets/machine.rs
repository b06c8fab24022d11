//! Operations on a connection, against the model (`src/harness`).
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Err(violation) = mcp_http::harness::run(input) {
        panic!("{violation}");
    }
});
