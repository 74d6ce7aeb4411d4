//! Hands libFuzzer's inputs to [`throng_fuzz::gnutella_servent`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| throng_fuzz::gnutella_servent(data));
