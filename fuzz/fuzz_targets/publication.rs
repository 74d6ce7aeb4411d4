//! Hands libFuzzer's inputs to [`throng_fuzz::publication`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| throng_fuzz::publication(data));
