//! Publishing, searching and fetching in the page; files while they come; sites.

use crate::browser::{Browser, installed};
use crate::overlays::open;
use crate::peers::{Peer, join, start};
use crate::program::{Place, noise};
use serde_json::json;

/// Slow enough to be paused in the middle, fast enough for a test.
const SLOW: &str = "300KiB";

/// Two nodes of one ring: the first sends slowly.
fn pair(place: &Place) -> (Peer<'_>, Peer<'_>) {
    let mut first = start(place, "a", &["--chord", "new", "--listen", "127.0.0.1:0", "--upload-limit", SLOW]);
    first.running.event("joined");
    let address = first.address.clone();
    (first, join(place, "b", &address))
}

fn view(browser: &mut Browser, node: &Peer<'_>, name: &str) {
    browser.go(&format!("http://{}/#/{name}", node.api));
    browser.until("document.querySelector('main h1')");
}

/// Publishes what lies at a path of the test's folder, in the page.
fn publish(browser: &mut Browser, place: &Place, node: &Peer<'_>, path: &str) {
    open(browser, node);
    view(browser, node, "library");
    browser.fill("File or folder on the node's machine", place.path(path).to_str().unwrap());
    browser.click("Publish");
    browser.sees("Published.");
    browser.sees("1 publication");
}

#[test]
fn what_one_publishes_another_finds_fetches_pauses_resumes_and_removes() {
    if !installed() {
        return;
    }
    let place = Place::new();
    let (first, second) = pair(&place);
    let data = noise(4_000_000, 3);
    place.write("moon voyage.bin", &data);
    let mut browser = Browser::start();
    publish(&mut browser, &place, &first, "moon voyage.bin");
    browser.picture("library");
    open(&mut browser, &second);
    view(&mut browser, &second, "search");
    browser.fill("Words", "moon voyage");
    browser.press("Enter", 13);
    browser.click("Fetch moon voyage.bin");
    browser.sees("Fetching");
    browser.picture("search");
    browser.click("Keep asking");
    browser.sees("Standing searches");
    browser.click("End moon voyage");
    browser.until("document.querySelector('[aria-label=\"Standing searches\"]').hidden");
    view(&mut browser, &second, "transfers");
    browser.sees("downloading");
    browser.click("Pause moon voyage.bin");
    browser.sees("paused");
    browser.prefer("dark");
    browser.picture("transfers-dark");
    browser.prefer("light");
    browser.picture("transfers-light");
    browser.click("Resume moon voyage.bin");
    browser.click("moon voyage.bin");
    browser.until("document.querySelector('svg.pieces')");
    browser.until("document.querySelector('table caption')?.textContent.includes('peer')");
    browser.picture("transfer");
    // A part in the middle comes before all that lies between.
    let link = "document.querySelector('a[href^=\"/files/\"]').href";
    let got = browser.value(&format!(
        "fetch({link}, {{ headers: {{ Range: 'bytes=3000000-3000099' }} }}).then(async (it) => \
         [it.status, it.headers.get('Content-Range'), [...new Uint8Array(await it.arrayBuffer())]])"
    ));
    assert_eq!((&got[0], &got[1]), (&json!(206), &json!("bytes 3000000-3000099/4000000")));
    assert_eq!(got[2], json!(data[3_000_000..3_000_100].to_vec()));
    browser.sees("complete");
    let whole =
        browser.value(&format!("fetch({link}).then(async (it) => (await it.arrayBuffer()).byteLength)"));
    assert_eq!(whole, 4_000_000);
    browser.click("Remove…");
    browser.click("Remove");
    browser.until("location.hash === '#/transfers'");
    browser.sees("Nothing is being fetched");
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[test]
fn a_site_is_seen_through_another_nodes_gateway_and_a_new_version_replaces_the_old() {
    if !installed() {
        return;
    }
    let place = Place::new();
    let (first, second) = pair(&place);
    let picture = noise(1_500_000, 9);
    place.write("home/index.html", b"<title>t</title><link rel=stylesheet href=a.css><h1>first version</h1>");
    place.write("home/a.css", b"h1 { color: rgb(1, 2, 3) }");
    place.write("home/big.bin", &picture);
    let site = |place: &Place| {
        let done = first.run(&["--json", "publish", "--site", place.path("home").to_str().unwrap()]);
        assert_eq!(done.code, 0, "{done:?}");
        done.objects().remove(0)["host"].as_str().unwrap().to_owned()
    };
    let host = site(&place);
    let url = format!("http://{host}:{}/", second.api.rsplit_once(':').unwrap().1);
    let mut browser = Browser::start();
    browser.go(&url);
    browser.sees("first version");
    // The text may be there before what it looks like.
    browser.until("getComputedStyle(document.querySelector('h1')).color === 'rgb(1, 2, 3)'");
    let big = "fetch('big.bin').then(async (it) => (await it.arrayBuffer()).byteLength)";
    assert_eq!(browser.value(big), 1_500_000);
    // A page of a site is an origin of its own: of the node it gets nothing.
    let api = format!("fetch('http://{}/api/v1/status').then(() => 'answered', () => 'refused')", second.api);
    assert_eq!(browser.value(&api), "refused");
    place.write("home/index.html", b"<title>t</title><h1>second version</h1>");
    assert_eq!(site(&place), host);
    let newer = "fetch('/', { cache: 'no-store' }).then((it) => it.text()).then((it) => { window.page = it; }, () => {}), \
                 window.page?.includes('second version')";
    browser.until(&format!("({newer})"));
    assert_eq!(browser.value(big), 1_500_000);
    let transfers = second.run(&["--json", "status"]);
    assert_eq!(transfers.code, 0);
    let swarm = transfers.objects().remove(0);
    let systems = swarm["systems"].as_array().unwrap();
    let swarm = systems.iter().find(|system| system["system"] == "bittorrent").unwrap();
    // The large file came once; the second version's torrent counts alone now.
    assert!(swarm["downloaded"].as_u64().unwrap() < 500_000, "{swarm}");
}
