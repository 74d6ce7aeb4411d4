//! Hands libFuzzer's inputs to [`throng_fuzz::plain_plan`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| throng_fuzz::plain_plan(data));
