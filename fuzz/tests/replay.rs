//! Runs every target over its corpus, and over simple mutations of it, on stable Rust.

use std::fs;
use std::path::Path;

/// The files of a target's corpus in the order of their names.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    paths.iter().map(|path| (path.display().to_string(), fs::read(path).expect("a readable file"))).collect()
}

fn run(target: fn(&[u8]), what: &str, input: &[u8]) {
    let outcome = std::panic::catch_unwind(|| target(input));
    assert!(outcome.is_ok(), "{what} fails");
}

#[test]
fn every_target_survives_its_corpus() {
    for (name, target) in throng_fuzz::TARGETS {
        let corpus = corpus(name);
        assert!(!corpus.is_empty(), "{name} has no corpus");
        corpus.iter().for_each(|(path, bytes)| run(target, path, bytes));
    }
}

#[test]
fn every_target_survives_its_corpus_cut_and_with_a_byte_changed() {
    for (name, target) in throng_fuzz::TARGETS {
        for (path, bytes) in corpus(name) {
            let step = (bytes.len() / 16).max(1);
            for at in (0..bytes.len()).step_by(step) {
                run(target, &format!("{path} cut at {at}"), &bytes[..at]);
                let mut changed = bytes.clone();
                changed[at] ^= 1 << (at % 8);
                run(target, &format!("{path} changed at {at}"), &changed);
            }
        }
    }
}

#[test]
fn every_target_has_a_binary_for_the_fuzzer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    for (name, _) in throng_fuzz::TARGETS {
        assert!(folder.join(name).with_extension("rs").exists(), "{name}");
    }
}
