//! throng seeds to, and fetches from, each program.

use throng_bench::program::{Aria2, Libtorrent, Program, Qbittorrent, Rtorrent, Transmission};
use throng_bench::torrent::Format::{self, Hybrid, V1, V2};

use crate::case::Content::{self, File, Folder};
use crate::case::Source::{self, Magnet, Torrent};
use crate::case::Start::{self, Resumed, Zero};
use crate::case::Through::{self, OpentrackerHttp, OpentrackerUdp, OurHttp, OurUdp};
use crate::case::{Plan, run, throng};

/// Which side throng is on.
#[derive(Clone, Copy)]
enum Side {
    Seeds,
    Fetches,
}

type Variant = (Format, Content, Source, Start, Through);

fn check(side: Side, other: &dyn Program, variant: Variant) {
    let (format, content, source, start, through) = variant;
    let plan = Plan { format, content, source, start, through };
    assert!(other.understands(format), "{} does not know {format:?}", other.name());
    match side {
        Side::Seeds => run(&throng(), other, plan),
        Side::Fetches => run(other, &throng(), plan),
    }
}

macro_rules! variants {
    ($side:expr, $other:expr, { $($name:ident: $variant:expr;)* }) => {
        $(#[test] fn $name() { check($side, &$other, $variant); })*
    };
}

macro_rules! both_ways {
    ($other:ident, $variants:tt) => {
        mod throng_seeds {
            use super::super::*;
            variants!(Side::Seeds, $other, $variants);
        }
        mod throng_fetches {
            use super::super::*;
            variants!(Side::Fetches, $other, $variants);
        }
    };
}

mod with_libtorrent {
    both_ways!(Libtorrent, {
        a_v1_file_by_torrent: (V1, File, Torrent, Zero, OurHttp);
        a_v1_folder_by_magnet: (V1, Folder, Magnet, Zero, OpentrackerHttp);
        a_v1_folder_resumed: (V1, Folder, Torrent, Resumed, OurUdp);
        a_hybrid_folder_by_torrent: (Hybrid, Folder, Torrent, Zero, OpentrackerUdp);
        a_hybrid_file_by_magnet: (Hybrid, File, Magnet, Zero, OurUdp);
        a_hybrid_folder_resumed: (Hybrid, Folder, Torrent, Resumed, OurHttp);
        a_v2_folder_by_torrent: (V2, Folder, Torrent, Zero, OurHttp);
        a_v2_file_by_torrent: (V2, File, Torrent, Zero, OpentrackerUdp);
        a_v2_folder_by_magnet: (V2, Folder, Magnet, Zero, OpentrackerHttp);
        a_v2_file_resumed: (V2, File, Torrent, Resumed, OurUdp);
    });
}

mod with_qbittorrent {
    both_ways!(Qbittorrent, {
        a_v1_file_by_torrent: (V1, File, Torrent, Zero, OpentrackerHttp);
        a_v1_folder_by_magnet: (V1, Folder, Magnet, Zero, OurHttp);
        a_v1_file_resumed: (V1, File, Torrent, Resumed, OurUdp);
        a_hybrid_folder_by_torrent: (Hybrid, Folder, Torrent, Zero, OurUdp);
        a_v2_folder_by_torrent: (V2, Folder, Torrent, Zero, OurHttp);
        a_v2_folder_by_magnet: (V2, Folder, Magnet, Zero, OurUdp);
    });
}

mod with_transmission {
    both_ways!(Transmission, {
        a_v1_file_by_torrent: (V1, File, Torrent, Zero, OurHttp);
        a_v1_folder_by_torrent: (V1, Folder, Torrent, Zero, OpentrackerUdp);
        a_v1_folder_by_magnet: (V1, Folder, Magnet, Zero, OpentrackerHttp);
        a_v1_file_by_magnet: (V1, File, Magnet, Zero, OurUdp);
        a_v1_folder_resumed: (V1, Folder, Torrent, Resumed, OurUdp);
    });
}

/// aria2 announces over UDP only if its distributed hash table runs, so it is given HTTP.
mod with_aria2 {
    both_ways!(Aria2, {
        a_v1_file_by_torrent: (V1, File, Torrent, Zero, OurHttp);
        a_v1_folder_by_torrent: (V1, Folder, Torrent, Zero, OpentrackerHttp);
        a_v1_folder_by_magnet: (V1, Folder, Magnet, Zero, OpentrackerHttp);
        a_v1_file_by_magnet: (V1, File, Magnet, Zero, OurHttp);
        a_v1_folder_resumed: (V1, Folder, Torrent, Resumed, OurHttp);
    });
}

mod with_rtorrent {
    both_ways!(Rtorrent, {
        a_v1_file_by_torrent: (V1, File, Torrent, Zero, OurHttp);
        a_v1_folder_by_torrent: (V1, Folder, Torrent, Zero, OpentrackerUdp);
        a_v1_folder_by_magnet: (V1, Folder, Magnet, Zero, OpentrackerHttp);
        a_v1_file_by_magnet: (V1, File, Magnet, Zero, OurUdp);
        a_v1_folder_resumed: (V1, Folder, Torrent, Resumed, OurUdp);
    });
}
