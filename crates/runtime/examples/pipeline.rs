//! What moving received data costs: 1 GiB is placed in 16 KiB blocks, hashed and written by the workers, and the
//! parts are measured alone for comparison. Arguments: [DIR] [PIECE_KIB] [v1|v2|hybrid].
//!
//! `cargo run --release -p throng-runtime --example pipeline -- /tmp 256 v1`

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;
use throng_machine::{ContentId, Extent};
use throng_runtime::create::{Control, Source, create, verify};
use throng_runtime::hashing::{Assembly, AssemblyOptions, Outcome, PieceHasher};
use throng_runtime::storage::{Options as StorageOptions, Storage};
use throng_wire::metainfo::{Format, Metainfo, Options};

const TOTAL: usize = 1 << 30;
const BLOCK: usize = 16 * 1024;
type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = |index: usize| arguments.get(index).map(String::as_str);
    let dir = tempfile::tempdir_in(text(0).unwrap_or("/tmp"))?;
    let piece_length = text(1).map_or(Ok(256), str::parse::<u32>)? * 1024;
    let format = match text(2) {
        Some("v2") => Format::V2,
        Some("hybrid") => Format::Hybrid,
        _ => Format::V1,
    };
    let file = make_file(dir.path())?;
    floor(dir.path(), format)?;
    let options = Options { format, piece_length: Some(piece_length), ..Options::default() };
    let created = measure("create, all cores", || create(Source::scan(&file)?, options, Control::default()))?;
    let metainfo = Arc::new(created.metainfo);
    pipeline(&metainfo, &file, &dir.path().join("copy"))?;
    let copy = Storage::open(metainfo, &dir.path().join("copy"), StorageOptions::default())?;
    let report = measure("verify, all cores", || verify(&copy, Control::default()));
    let blocks = (0..TOTAL / BLOCK).map(|block| (block * BLOCK) as u64);
    let mut buf = vec![0; BLOCK];
    let cached =
        measure("read_cached, 16 KiB", || blocks.filter(|&at| copy.read_cached(at, &mut buf)).count());
    println!("copy right: {}, blocks from memory: {cached} of {}", report.is_ok(), TOTAL / BLOCK);
    Ok(())
}

fn make_file(dir: &Path) -> Result<PathBuf, Error> {
    let path = dir.join("data");
    let file = std::fs::File::create(&path)?;
    let mut state = 1u64;
    let mut part = vec![0; 1 << 20];
    for index in 0..TOTAL / part.len() {
        for word in part.chunks_exact_mut(8) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            word.copy_from_slice(&state.to_le_bytes());
        }
        file.write_all_at(&part, (index * part.len()) as u64)?;
    }
    Ok(path)
}

/// The least it could cost: hashing alone, writing alone, one thread, memory in the cache.
fn floor(dir: &Path, format: Format) -> Result<(), Error> {
    let part = vec![7; 256 * 1024];
    measure("floor: hash", || {
        for _ in 0..TOTAL / part.len() {
            let v2_len = if format.has_v2() { part.len() as u32 } else { 0 };
            let mut hasher = PieceHasher::with(format.has_v1(), v2_len);
            hasher.update(&part);
            std::hint::black_box(hasher.finish());
        }
    });
    let file = std::fs::File::create(dir.join("floor"))?;
    measure("floor: write", || {
        (0..TOTAL / part.len()).try_for_each(|index| file.write_all_at(&part, (index * part.len()) as u64))
    })?;
    std::fs::remove_file(dir.join("floor"))?;
    Ok(())
}

fn pipeline(metainfo: &Arc<Metainfo>, file: &Path, copy: &Path) -> Result<(), Error> {
    let source = std::fs::File::open(file)?;
    let storage = Arc::new(Storage::open(metainfo.clone(), copy, StorageOptions::default())?);
    let bell = Arc::new((Mutex::new(false), Condvar::new()));
    let ring = bell.clone();
    let mut assembly = Assembly::new(AssemblyOptions::default(), move || {
        *ring.0.lock().unwrap_or_else(|error| error.into_inner()) = true;
        ring.1.notify_one();
    })?;
    let content = ContentId(1);
    assembly.add(content, storage.clone());
    let length = metainfo.info.layout().piece_length() as usize;
    let mut block = vec![0; BLOCK];
    measure("read + place + hash + write", || -> Result<(), Error> {
        for at in (0..TOTAL).step_by(BLOCK) {
            source.read_exact_at(&mut block, at as u64)?;
            assembly.place(Extent { content, offset: at as u64, len: BLOCK as u32 }, &block)?;
            if (at + BLOCK).is_multiple_of(length) {
                assembly.complete(content, (at / length) as u32)?;
            }
            while assembly.is_full() {
                let mut rung = bell.0.lock().unwrap_or_else(|error| error.into_inner());
                while !*rung {
                    rung = bell.1.wait(rung).unwrap_or_else(|error| error.into_inner());
                }
                *rung = false;
                drop(rung);
                drain(&mut assembly)?;
            }
            drain(&mut assembly)?;
        }
        assembly.wait();
        drain(&mut assembly)
    })?;
    println!(
        "{} of {} pieces stored; {:?}",
        storage.stored().count(),
        storage.piece_count(),
        assembly.pool().status()
    );
    Ok(())
}

fn drain(assembly: &mut Assembly) -> Result<(), Error> {
    while let Some(completion) = assembly.poll() {
        match completion.outcome {
            Outcome::Verified(_) => {}
            Outcome::Rejected(_) => return Err("a piece was rejected".into()),
            Outcome::Failed(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn measure<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let (begin, before) = (Instant::now(), cpu());
    let result = work();
    let (user, system) = (cpu().0 - before.0, cpu().1 - before.1);
    let seconds = begin.elapsed().as_secs_f64();
    println!("{name:30} {seconds:6.2} s, CPU {user:5.2} user + {system:5.2} system s/GiB");
    result
}

/// Seconds of processor time of this process so far: user, system.
fn cpu() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> =
        stat.rsplit(')').next().unwrap_or_default().split(' ').flat_map(str::parse).collect();
    // Fields 14 and 15 in hundredths of a second; the first number after the name is field 4.
    let at = |index: usize| fields.get(index - 4).copied().unwrap_or_default() / 100.0;
    (at(14), at(15))
}
