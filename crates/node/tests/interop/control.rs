//! The harness checked against itself: the same cases with libtorrent in throng's place and opentracker only. If one
//! of these fails, a driver or the machine is at fault, not throng. Run with `--ignored`.

use throng_bench::program::{Aria2, Libtorrent, Program, Qbittorrent, Rtorrent, Transmission};
use throng_bench::torrent::Format::{self, Hybrid, V1, V2};

use crate::case::Content::{self, File, Folder};
use crate::case::Source::{self, Magnet, Torrent};
use crate::case::Start::{self, Resumed, Zero};
use crate::case::Through::{OpentrackerHttp, OpentrackerUdp};
use crate::case::{Plan, run};

fn both_ways(other: &dyn Program, variants: &[(Format, Content, Source, Start)]) {
    for &(format, content, source, start) in variants.iter().filter(|variant| other.understands(variant.0)) {
        // aria2 announces over UDP only if its distributed hash table runs.
        let udp = content == Folder && other.name() != "aria2";
        let through = if udp { OpentrackerUdp } else { OpentrackerHttp };
        let plan = Plan { format, content, source, start, through };
        eprintln!("{} and libtorrent, {plan:?}", other.name());
        let clock = std::time::Instant::now();
        run(&Libtorrent, other, plan);
        eprintln!("  fetched after {:.1} s", clock.elapsed().as_secs_f64());
        run(other, &Libtorrent, plan);
        eprintln!("  and served after {:.1} s", clock.elapsed().as_secs_f64());
    }
}

const READS_V1: [(Format, Content, Source, Start); 5] = [
    (V1, File, Torrent, Zero),
    (V1, Folder, Magnet, Zero),
    (V1, Folder, Torrent, Resumed),
    (Hybrid, Folder, Torrent, Zero),
    (Hybrid, File, Magnet, Zero),
];

const READS_V2: [(Format, Content, Source, Start); 3] =
    [(V2, Folder, Torrent, Zero), (V2, Folder, Magnet, Zero), (V2, File, Torrent, Resumed)];

macro_rules! controls {
    ($($name:ident: $other:expr, $variants:expr;)*) => {
        $(#[test] #[ignore = "checks the harness, not throng"] fn $name() { both_ways(&$other, $variants); })*
    };
}

controls! {
    libtorrent_trades_v1_with_libtorrent: Libtorrent, &READS_V1;
    libtorrent_trades_v2_with_libtorrent: Libtorrent, &READS_V2;
    libtorrent_trades_v1_with_qbittorrent: Qbittorrent, &READS_V1;
    libtorrent_trades_v2_with_qbittorrent: Qbittorrent, &READS_V2;
    libtorrent_trades_v1_with_transmission: Transmission, &READS_V1;
    libtorrent_trades_v1_with_aria2: Aria2, &READS_V1;
    libtorrent_trades_v1_with_rtorrent: Rtorrent, &READS_V1;
}
