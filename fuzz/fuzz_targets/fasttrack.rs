//! Hands libFuzzer's inputs to [`throng_fuzz::fasttrack`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| throng_fuzz::fasttrack(data));
