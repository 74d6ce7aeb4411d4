//! Hands libFuzzer's inputs to [`throng_fuzz::client_name`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| throng_fuzz::client_name(data));
