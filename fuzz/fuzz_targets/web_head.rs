//! Hands libFuzzer's inputs to [`throng_fuzz::web_head`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| throng_fuzz::web_head(data));
