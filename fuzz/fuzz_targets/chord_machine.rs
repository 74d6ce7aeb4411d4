//! Hands libFuzzer's inputs to [`throng_fuzz::chord_machine`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| throng_fuzz::chord_machine(data));
