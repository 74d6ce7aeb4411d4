//! Hands libFuzzer's inputs to [`throng_fuzz::metainfo`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| throng_fuzz::metainfo(data));
