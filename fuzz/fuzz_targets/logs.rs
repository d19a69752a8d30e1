#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    x402_escrow_fuzz::logs::run(data);
});
