//! Hands libFuzzer's inputs to [`throng_fuzz::transfer`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| throng_fuzz::transfer(data));
