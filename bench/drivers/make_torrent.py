"""Makes a torrent with libtorrent and prints its info-hashes, magnet link and piece count as JSON."""

import argparse
import json
import os
import warnings

import libtorrent as lt


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("content")
    parser.add_argument("out")
    parser.add_argument("--format", choices=["v1", "hybrid", "v2"], default="v1")
    parser.add_argument("--piece-length", type=int, default=0)
    parser.add_argument("--tracker", action="append", default=[])
    args = parser.parse_args()
    # The names that replace these functions do not exist in libtorrent 2.0.
    warnings.simplefilter("ignore", DeprecationWarning)

    flags = {"v1": lt.create_torrent.v1_only, "hybrid": 0, "v2": lt.create_torrent.v2_only}[args.format]
    storage = lt.file_storage()
    lt.add_files(storage, args.content)
    torrent = lt.create_torrent(storage, args.piece_length, flags)
    for url in args.tracker:
        torrent.add_tracker(url)
    lt.set_piece_hashes(torrent, os.path.dirname(os.path.abspath(args.content)))
    encoded = lt.bencode(torrent.generate())
    with open(args.out, "wb") as out:
        out.write(encoded)

    info = lt.torrent_info(args.out)
    hashes = info.info_hashes()
    known = []
    if hashes.has_v1():
        known.append(str(hashes.v1))
    if hashes.has_v2():
        known.append(str(hashes.v2)[:40])
    print(json.dumps({"info_hashes": known, "magnet": lt.make_magnet_uri(info), "pieces": info.num_pieces()}))


main()
