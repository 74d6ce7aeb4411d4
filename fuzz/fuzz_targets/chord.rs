//! Hands libFuzzer's inputs to [`throng_fuzz::chord`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| throng_fuzz::chord(data));
