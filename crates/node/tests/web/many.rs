//! A node with as many transfers as it takes.

use crate::browser::{Browser, installed};
use crate::overlays::open;
use crate::peers::join;
use crate::program::Place;
use serde_json::Value;

/// As many as a node has under way at most.
const COUNT: usize = 10_000;
/// As many as are added in one answer of the browser.
const STEP: usize = 1_000;

/// Adds them by the interface of other programs, stopped, some at a time.
const ADD: &str = "(async () => {
  const path = '/transmission/rpc';
  const session = (await fetch(path, { method: 'POST', body: '{}' })).headers.get('X-Transmission-Session-Id');
  let next = FROM, added = 0;
  const one = async () => {
    while (next < UNTIL) {
      const number = String(next++).padStart(5, '0');
      const filename = `magnet:?xt=urn:btih:${number.repeat(8)}&dn=album ${number}`;
      const body = JSON.stringify({ method: 'torrent-add', arguments: { filename, paused: true } });
      const answer = await fetch(path, { method: 'POST', body, headers: { 'X-Transmission-Session-Id': session } });
      const { result } = await answer.json();
      if (result !== 'success') return result;
      added += 1;
    }
  };
  const refused = (await Promise.all(Array.from({ length: 16 }, one))).find((it) => it !== undefined);
  return refused ?? added;
})()";

/// The milliseconds until an expression holds after another was evaluated, painted.
const AFTER: &str = "(async () => {
  const begun = performance.now();
  DO;
  while (!(HOLDS)) await new Promise(requestAnimationFrame);
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return Math.round(performance.now() - begun);
})()";

/// The milliseconds since the page was asked for until an expression holds.
const SINCE_OPENED: &str = "(async () => {
  while (!(HOLDS)) await new Promise((done) => setTimeout(done, 5));
  return Math.round(performance.now());
})()";

fn after(browser: &mut Browser, what: &str, holds: &str) -> Value {
    browser.value(&AFTER.replace("DO", what).replace("HOLDS", holds))
}

#[test]
fn of_ten_thousand_transfers_the_page_makes_the_rows_that_are_seen() {
    if !installed() {
        return;
    }
    let place = Place::new();
    let node = join(&place, "a", "new");
    let mut browser = Browser::start();
    open(&mut browser, &node);
    for from in (0..COUNT).step_by(STEP) {
        let add = ADD.replace("FROM", &from.to_string()).replace("UNTIL", &(from + STEP).to_string());
        assert_eq!(browser.value(&add), STEP);
    }
    browser.go(&format!("http://{}/", node.api));
    let opened = browser
        .value(&SINCE_OPENED.replace("HOLDS", "document.body?.innerText.includes('10,000 transfers')"));
    let rows = "document.querySelectorAll('.window tbody tr').length";
    let table = "document.querySelector('.window')";
    let few = |browser: &mut Browser| {
        let rows = browser.value(rows).as_u64().unwrap();
        assert!((10..100).contains(&rows), "{rows} rows");
    };
    few(&mut browser);
    assert_eq!(
        browser.value(&format!("{table}.querySelector('table').getAttribute('aria-rowcount')")),
        (COUNT + 1).to_string()
    );
    let text = "document.querySelector('.window').innerText";
    let sorted = after(
        &mut browser,
        "[...document.querySelectorAll('button.sort')].find((it) => it.innerText === 'Name').click()",
        &format!("{text}.includes('album 00000')"),
    );
    let scrolled = after(
        &mut browser,
        &format!("{table}.scrollTop = {table}.scrollHeight"),
        &format!("{text}.includes('album 09999')"),
    );
    few(&mut browser);
    let typed = "const field = document.getElementById('find'); field.value = '04321'; field.dispatchEvent(new Event('input'))";
    let found = after(&mut browser, typed, &format!("{text}.includes('album 04321')"));
    browser.sees("1 transfer of 10,000");
    // What it takes is told, and not judged: machines are shared.
    eprintln!(
        "milliseconds: opened {opened}, sorted {sorted}, scrolled to the end {scrolled}, found {found}"
    );
    browser.click("Remove album 04321");
    browser.value("document.querySelector('dialog[open] button.danger').click()");
    browser.sees("0 transfers of 9,999");
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}
