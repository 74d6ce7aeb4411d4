//! Opening the page, and what it shows of the overlays.

use crate::browser::{Browser, installed};
use crate::peers::{Peer, join};
use crate::program::Place;

/// Opens the page by the link that the program prints.
pub(crate) fn open(browser: &mut Browser, node: &Peer<'_>) {
    let link = node.run(&["page"]);
    assert_eq!(link.code, 0, "{link:?}");
    browser.go(link.stdout.trim());
    browser.until("!document.getElementById('bar').hidden");
}

#[test]
fn the_link_opens_the_page_and_the_token_leaves_the_address() {
    if !installed() {
        return;
    }
    let place = Place::new();
    let node = join(&place, "a", "new");
    let mut browser = Browser::start();
    open(&mut browser, &node);
    assert_eq!(browser.value("location.href"), format!("http://{}/", node.api));
    assert_eq!(browser.value("document.cookie"), "");
    // The session outlives a reload; without one the page asks for the token.
    browser.go(&format!("http://{}/", node.api));
    browser.until("!document.getElementById('bar').hidden");
    browser.click("Node");
    browser.click("Log this browser out");
    browser.sees("asks for its token");
    browser.picture("login");
    browser.fill("Token", "wrong");
    browser.press("Enter", 13);
    browser.sees("the token is not that of node.json");
    let address: serde_json::Value =
        serde_json::from_slice(&std::fs::read(place.path("a/node.json")).unwrap()).unwrap();
    browser.fill("Token", address["token"].as_str().unwrap());
    browser.press("Enter", 13);
    browser.until("!document.getElementById('bar').hidden");
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[test]
fn the_ring_is_drawn_with_its_fingers_and_values_go_in_and_out() {
    if !installed() {
        return;
    }
    let place = Place::new();
    let node = join(&place, "a", "new");
    let _others: Vec<_> = ["b", "c", "d"].map(|home| join(&place, home, &node.address)).into_iter().collect();
    let mut browser = Browser::start();
    open(&mut browser, &node);
    browser.go(&format!("http://{}/#/network", node.api));
    browser.sees("The ring (Chord)");
    browser.until("document.querySelectorAll('.ring-other').length >= 3");
    browser.until("document.querySelectorAll('.ring-finger').length >= 1");
    browser.until("document.querySelector('svg.drawing').getAttribute('aria-label').includes('finger')");
    for theme in ["light", "dark"] {
        browser.prefer(theme);
        browser.picture(&format!("network-{theme}"));
    }
    let ground = |browser: &mut Browser| browser.value("getComputedStyle(document.body).backgroundColor");
    let dark = ground(&mut browser);
    browser.click("Use the light theme");
    assert_ne!(ground(&mut browser), dark);
    browser.click("Node");
    browser.fill("Key", "greeting");
    browser.fill("Value", "hello, ring");
    browser.click("Put");
    browser.sees("Stored, version");
    browser.click("Get");
    browser.sees("hello, ring");
    browser.picture("node");
    browser.click("Rates");
    browser.sees("received, now");
    browser.until("document.querySelector('.rate-down')?.getAttribute('points').split(' ').length > 3");
    browser.picture("rates");
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[test]
fn who_uses_the_keyboard_reaches_everything_and_who_listens_hears_names() {
    if !installed() {
        return;
    }
    let place = Place::new();
    let node = join(&place, "a", "new");
    let mut browser = Browser::start();
    open(&mut browser, &node);
    for view in ["network", "rates", "node"] {
        browser.go(&format!("http://{}/#/{view}", node.api));
        browser.until("document.querySelector('main h1')");
        let unnamed = "[...document.querySelectorAll('button, a, input, select, [role=img], nav, section')].filter((it) => \
                       it.checkVisibility() && !(it.innerText?.trim() || it.getAttribute('aria-label') || it.labels?.length)).length";
        assert_eq!(browser.value(unnamed), 0, "{view}");
        let current = "document.querySelectorAll('nav [aria-current=page]').length";
        assert_eq!(browser.value(current), 1, "{view}");
    }
    let mut reached = Vec::new();
    browser.value("(document.activeElement.blur(), null)");
    for _ in 0..14 {
        browser.press("Tab", 9);
        let name = browser.value("document.activeElement.innerText?.trim() || document.activeElement.id");
        reached.push(name.as_str().unwrap_or_default().to_owned());
    }
    for name in ["Skip to the content", "Network", "Node", "Leave…", "key", "Put"] {
        assert!(reached.iter().any(|at| at == name), "{name} is not among {reached:?}");
    }
}

#[test]
fn the_page_says_when_its_node_is_gone() {
    if !installed() {
        return;
    }
    let place = Place::new();
    let mut node = join(&place, "a", "new");
    let mut browser = Browser::start();
    open(&mut browser, &node);
    browser.click("Node");
    browser.click("Leave…");
    browser.sees("Stop this node?");
    browser.click("Leave and stop");
    browser.sees("The node has left and stopped.");
    assert_eq!(node.running.wait(), 0);
    browser.sees("The node does not answer");
}
