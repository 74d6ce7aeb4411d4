//! Chromium without a window, spoken to by its own protocol (Chrome DevTools Protocol) over two pipes: messages are JSON,
//! each ended by a zero byte. It may look up no name and reach no address but loopback.

use data_encoding::BASE64;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything may take; generous, since machines are shared.
const DEADLINE: Duration = Duration::from_secs(90);
/// Inherits nothing that would make it look for a display or a network of its own.
const FLAGS: [&str; 13] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost",
    "--window-size=1200,900",
    "--remote-debugging-pipe",
];

/// A browser with one page; killed when dropped.
pub(crate) struct Browser {
    child: Child,
    say: File,
    heard: Receiver<Value>,
    session: String,
    next: u64,
    /// What the page said on its console, and what it was refused.
    pub(crate) complaints: Vec<String>,
    _profile: TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Browser {
    pub(crate) fn start() -> Browser {
        let profile = tempfile::tempdir().unwrap();
        let (to, from) = (profile.path().join("to"), profile.path().join("from"));
        assert!(Command::new("mkfifo").args([&to, &from]).status().unwrap().success());
        // The browser reads descriptor 3 and writes descriptor 4; only a shell can say so without unsafe code.
        let script = r#"to=$1 from=$2; shift 2; exec chromium "$@" 3<"$to" 4>"$from""#;
        let child = Command::new("sh")
            .args(["-c", script, "sh"])
            .args([&to, &from])
            .arg(format!("--user-data-dir={}", profile.path().join("profile").display()))
            .args(FLAGS)
            .arg("about:blank")
            .env("HOME", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let say = File::options().write(true).open(&to).unwrap();
        let from = File::open(&from).unwrap();
        let (tell, heard) = channel();
        // Ends with the browser, or when nobody listens any more.
        std::thread::spawn(move || {
            let messages = BufReader::new(from).split(0).map_while(Result::ok);
            messages.map(|bytes| serde_json::from_slice(&bytes).unwrap()).all(|it| tell.send(it).is_ok())
        });
        let (complaints, session) = (Vec::new(), String::new());
        let mut browser = Browser { child, say, heard, session, next: 0, complaints, _profile: profile };
        browser.open_page();
        browser
    }

    fn open_page(&mut self) {
        let target = self.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.call("Target.attachToTarget", attach)["sessionId"].as_str().unwrap().to_owned();
        self.session = session;
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            self.call(domain, json!({}));
        }
    }

    /// Asks the browser and waits for its answer.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.ask(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn ask(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.next += 1;
        let mut message = json!({ "id": self.next, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = self.session.clone().into();
        }
        let mut bytes = serde_json::to_vec(&message).unwrap();
        bytes.push(0);
        self.say.write_all(&bytes).unwrap();
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut heard = self.heard.recv_timeout(left).unwrap_or_else(|error| panic!("{method}: {error}"));
            if heard["id"] == self.next {
                let error = heard["error"].take();
                return if error.is_null() { Ok(heard["result"].take()) } else { Err(error) };
            }
            self.note(&heard);
        }
    }

    fn note(&mut self, heard: &Value) {
        let text = match heard["method"].as_str() {
            Some("Runtime.exceptionThrown") => heard["params"]["exceptionDetails"].to_string(),
            Some("Log.entryAdded") => {
                let entry = &heard["params"]["entry"];
                // Refusals by the node are the tests' own, and not of the page's making.
                match (entry["level"].as_str(), entry["source"].as_str()) {
                    (_, Some("network")) | (Some("verbose" | "info"), _) => return,
                    _ => entry.to_string(),
                }
            }
            _ => return,
        };
        self.complaints.push(text);
    }

    pub(crate) fn go(&mut self, url: &str) {
        let gone = self.call("Page.navigate", json!({ "url": url }));
        assert!(gone["errorText"].is_null(), "{url}: {gone}");
    }

    /// The value of an expression, awaited if it is a promise.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut answer = loop {
            match self.ask("Runtime.evaluate", params.clone()) {
                Ok(answer) => break answer,
                // The page was replaced while it was asked: the next is asked.
                Err(error) => assert!(error.to_string().contains("navigated"), "{expression}: {error}"),
            }
        };
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].take()
    }

    /// Waits until an expression is true of the page.
    pub(crate) fn until(&mut self, expression: &str) {
        let seconds = DEADLINE.as_secs() - 10;
        let promise = format!(
            "new Promise((resolve) => {{ const end = Date.now() + {seconds}000; const look = () => {{ \
             let held = false; try {{ held = Boolean({expression}); }} catch {{}} \
             if (held) resolve(true); else if (Date.now() > end) resolve(false); else setTimeout(look, 50); }}; look(); }})"
        );
        if self.value(&promise) != true {
            let shown = self.value("document.body.innerText.slice(0, 3000)");
            panic!("never: {expression}\nthe page shows {shown}\ncomplaints {:?}", self.complaints);
        }
    }

    /// Waits until the page shows a text.
    pub(crate) fn sees(&mut self, text: &str) {
        self.until(&format!("document.body.innerText.includes({})", json!(text)));
    }

    /// Clicks the first button or link with this text, once it is there.
    pub(crate) fn click(&mut self, text: &str) {
        let find = format!(
            "[...document.querySelectorAll('dialog[open] button, button, a, summary, [role=option]')].find((it) => \
             it.checkVisibility() && !it.disabled && (it.innerText.trim() === {0} || it.getAttribute('aria-label') === {0}))",
            json!(text)
        );
        self.until(&find);
        self.value(&format!("{find}.click()"));
    }

    /// Types into the field with this label.
    pub(crate) fn fill(&mut self, label: &str, text: &str) {
        let field = format!(
            "[...document.querySelectorAll('label')].find((it) => it.checkVisibility() && it.innerText.trim() === {})?.control",
            json!(label)
        );
        self.until(&field);
        self.value(&format!("({field}.focus(), {field}.select?.())"));
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Presses a key, as `Enter` or `Tab`.
    pub(crate) fn press(&mut self, key: &str, code: u32) {
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let params = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text
            });
            self.call("Input.dispatchKeyEvent", params);
        }
    }

    /// Makes the system's choice of theme.
    pub(crate) fn prefer(&mut self, theme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": theme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Keeps a picture of the page in the folder that `THRONG_PICTURES` names, if it does.
    pub(crate) fn picture(&mut self, name: &str) {
        let params = json!({ "format": "png", "captureBeyondViewport": true });
        let picture = self.call("Page.captureScreenshot", params);
        let bytes = BASE64.decode(picture["data"].as_str().unwrap().as_bytes()).unwrap();
        assert!(bytes.starts_with(b"\x89PNG"));
        if let Some(folder) = std::env::var_os("THRONG_PICTURES") {
            std::fs::write(Path::new(&folder).join(format!("{name}.png")), bytes).unwrap();
        }
    }
}

/// Whether Chromium is there; if not, says so, or fails where nothing may be missing.
pub(crate) fn installed() -> bool {
    let word = std::env::var("THRONG_INTEROP").unwrap_or_default();
    if word == "off" {
        eprintln!("skipped: THRONG_INTEROP=off");
        return false;
    }
    if Command::new("chromium").arg("--version").output().is_ok_and(|done| done.status.success()) {
        return true;
    }
    let required = std::env::var("CI").is_ok_and(|word| word == "true") || word == "required";
    assert!(!required, "missing: chromium");
    eprintln!("skipped, missing: chromium");
    false
}
