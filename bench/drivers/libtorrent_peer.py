"""One libtorrent peer on one torrent, with nothing that reaches beyond the peers and tracker it is given.

Prints "@ready" once it can trade and "@complete" when all data is on disk and verified, then seeds until killed.
With --hold it loads everything, prints "@loaded", and adds the torrent when a line arrives on standard input, so that
the start of the Python interpreter is not counted as libtorrent's time.
"""

import argparse
import os
import sys

import libtorrent as lt


def make_session(args):
    host = args.listen.rsplit(":", 1)[0]
    settings = {
        "listen_interfaces": args.listen,
        "outgoing_interfaces": host,
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_outgoing_utp": False,
        "enable_incoming_utp": False,
        "out_enc_policy": int(lt.enc_policy.pe_disabled),
        "upload_rate_limit": args.upload_limit,
        "download_rate_limit": args.download_limit,
        "alert_mask": int(
            lt.alert.category_t.status_notification
            | lt.alert.category_t.error_notification
            | lt.alert.category_t.storage_notification
        ),
    }
    if not args.upload_limit:
        # Loopback has no delay to hide but a lot of bandwidth: deep queues on both sides.
        settings.update({
            "max_out_request_queue": 1500,
            "max_allowed_in_request_queue": 4000,
            "send_buffer_watermark": 3 * 1024 * 1024,
            "send_buffer_watermark_factor": 150,
            "send_buffer_low_watermark": 1024 * 1024,
        })
    session = lt.session(settings)
    # libtorrent exempts peers of the local network from rate limits; here every peer is one.
    everyone = lt.ip_filter()
    everyone.add_rule("0.0.0.0", "255.255.255.255", 1 << lt.session.global_peer_class_id)
    session.set_peer_class_filter(everyone)
    return session


def make_params(args):
    if args.source.startswith("magnet:"):
        params = lt.parse_magnet_uri(args.source)
    else:
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(args.source)
    params.save_path = args.dir
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    if args.seed:
        params.flags |= lt.torrent_flags.seed_mode
    return params


def say(word):
    print(word, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", help="a .torrent file or a magnet link")
    parser.add_argument("dir", help="where the data is or goes")
    parser.add_argument("--listen", required=True, help="IP:PORT")
    parser.add_argument("--peer", action="append", default=[], help="IP:PORT")
    parser.add_argument("--seed", action="store_true", help="the data is complete; do not check it")
    parser.add_argument("--upload-limit", type=int, default=0, help="bytes a second, 0 is none")
    parser.add_argument("--download-limit", type=int, default=0, help="bytes a second, 0 is none")
    parser.add_argument("--hold", action="store_true", help="wait for a line before adding the torrent")
    args = parser.parse_args()

    session = make_session(args)
    params = make_params(args)
    if args.hold:
        say("@loaded")
        sys.stdin.readline()
    handle = session.add_torrent(params)
    for peer in args.peer:
        host, port = peer.rsplit(":", 1)
        handle.connect_peer((host, int(port)))

    waiting = True
    while True:
        session.wait_for_alert(200)
        for alert in session.pop_alerts():
            print(alert.message(), file=sys.stderr, flush=True)
            if isinstance(alert, lt.torrent_finished_alert) and handle.status().has_metadata:
                # A piece counts once it is hashed; some may still wait to be written.
                handle.flush_cache()
            if isinstance(alert, lt.cache_flushed_alert) and handle.status().is_finished:
                say("@complete")
        if waiting and (not args.seed or handle.status().is_seeding):
            waiting = False
            say("@ready")


try:
    main()
except KeyboardInterrupt:
    os._exit(0)
