#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    session_reaper_fuzz::policy(input);
});
