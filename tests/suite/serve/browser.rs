//! A real browser that a test drives: it opens pages of a server, presses keys, and hears every complaint.
//!
//! Chromium speaks the DevTools protocol over two pipes: JSON documents, each with a NUL behind it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::{PATIENCE, Server};

/// The widths at which pages are looked at.
pub(crate) const WIDTHS: [u32; 2] = [1280, 390];

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    commands: File,
    answers: Receiver<Value>,
    session: String,
    number: u64,
    /// What the page has complained of: its console, exceptions, and what its policy refused.
    pub(crate) complaints: Vec<String>,
    /// How often a page has asked whether to leave it.
    pub(crate) asked_to_stay: u32,
    _home: tempfile::TempDir,
}

impl Browser {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let browser = kael_tests::browser().expect("the test has asked for one");
        let home = tempfile::tempdir().expect("a folder");
        let place = |name: &str| home.path().join(name);
        for name in ["commands", "answers"] {
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            rustix::fs::mknodat(
                rustix::fs::CWD,
                place(name),
                rustix::fs::FileType::Fifo,
                mode,
                0,
            )
            .expect("a pipe");
        }
        // The shell gives the pipes the numbers that the browser looks for.
        let child = Command::new("sh")
            .args(["-c", "exec 3<\"$1\" 4>\"$2\"; shift 2; exec \"$@\"", "sh"])
            .args([place("commands"), place("answers")])
            .arg(browser)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
            ])
            .args(["--remote-debugging-pipe", "--hide-scrollbars"])
            .arg(format!("--user-data-dir={}", place("profile").display()))
            .env("HOME", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the browser starts");
        let commands = File::options().write(true).open(place("commands"));
        let answers = File::open(place("answers")).expect("a pipe");
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for document in BufReader::new(answers).split(0) {
                let Ok(document) = document else { return };
                let document = serde_json::from_slice(&document).expect("JSON");
                if sender.send(document).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            commands: commands.expect("a pipe"),
            answers: receiver,
            session: String::new(),
            number: 0,
            complaints: Vec::new(),
            asked_to_stay: 0,
            _home: home,
        };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", target);
        browser.session = attached["sessionId"]
            .as_str()
            .expect("a session")
            .to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Starts one that has signed in as the holder of a token.
    pub(crate) fn signed_in(server: &Server, token: &str) -> Self {
        let mut browser = Self::start();
        let code = server.code(token);
        browser.open(&format!("http://{}/login?code={code}", server.address));
        browser.eval("document.querySelector('main button').focus()");
        browser.press("Enter", "");
        browser.until("location.pathname === '/runs' && document.readyState === 'complete'");
        browser
    }

    /// Sends a command, and waits for its answer, which may be an error.
    fn asked(&mut self, method: &str, params: Value) -> Value {
        self.number += 1;
        let own = json!(self.number);
        let mut command = json!({ "id": own, "method": method, "params": params });
        if !self.session.is_empty() {
            command["sessionId"] = json!(self.session);
        }
        let mut text = command.to_string().into_bytes();
        text.push(0);
        self.commands
            .write_all(&text)
            .expect("the browser is there");
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let document = self.answers.recv_timeout(left);
            let document = document.unwrap_or_else(|error| panic!("{method}: {error}"));
            match document["id"] == own {
                true => return document,
                false => self.hear(&document),
            }
        }
    }

    /// Sends a command, and waits for no answer.
    fn tell(&mut self, method: &str, params: &Value) {
        self.number += 1;
        let command = json!({ "id": self.number, "method": method, "params": params, "sessionId": self.session });
        let mut text = command.to_string().into_bytes();
        text.push(0);
        self.commands
            .write_all(&text)
            .expect("the browser is there");
    }

    /// The same for what must succeed.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        let answer = self.asked(method, params);
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Notes what a page complains of.
    fn hear(&mut self, event: &Value) {
        let params = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Runtime.consoleAPICalled" if params["type"] != "log" => {
                self.complaints.push(format!("console: {}", params["args"]));
            }
            // A page with a text that is not stored asks before it is left.
            "Page.javascriptDialogOpening" => {
                self.asked_to_stay += 1;
                self.tell("Page.handleJavaScriptDialog", &json!({ "accept": true }));
            }
            "Runtime.exceptionThrown" => {
                self.complaints.push(params["exceptionDetails"].to_string());
            }
            "Log.entryAdded" if params["entry"]["level"] != "info" => {
                let entry = &params["entry"];
                self.complaints.push(format!(
                    "{} {} {}",
                    entry["source"], entry["text"], entry["url"]
                ));
            }
            _ => {}
        }
    }

    /// Opens an address, and waits until the page is there.
    pub(crate) fn open(&mut self, address: &str) {
        // The old page is not taken for the new one.
        self.eval("window.isOld = true");
        self.call("Page.navigate", json!({ "url": address }));
        self.until("!window.isOld && document.readyState === 'complete'");
    }

    /// The value of an expression of JavaScript in the page; promises are awaited.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let params =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", params);
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {answer}"
        );
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub(crate) fn until(&mut self, expression: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let params =
                json!({ "expression": format!("Boolean({expression})"), "returnByValue": true });
            // A page that is being left answers with an error.
            let answer = self.asked("Runtime.evaluate", params);
            if answer["result"]["result"]["value"] == true {
                return;
            }
            if Instant::now() > until {
                let page =
                    self.eval("location.href + ' ' + document.body.innerText.slice(0, 3000)");
                panic!("not so: {expression}: {page} {:?}", self.complaints);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses a key by its name, with `Control`, `Shift` or both held.
    pub(crate) fn press(&mut self, key: &str, with: &str) {
        let modifiers = match with {
            "" => 0,
            "Control" => 2,
            "Shift" => 8,
            "Control+Shift" => 10,
            other => panic!("no such key: {other}"),
        };
        let code = match key {
            "Enter" => 13,
            "Tab" => 9,
            "Escape" => 27,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            "Home" => 36,
            "End" => 35,
            " " => 32,
            letter => u32::from(letter.to_uppercase().as_bytes()[0]),
        };
        let mut event = json!({ "key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": modifiers });
        if modifiers == 0 && (key == "Enter" || key == " ") {
            event["text"] = json!(if key == "Enter" { "\r" } else { " " });
        }
        for kind in ["keyDown", "keyUp"] {
            event["type"] = json!(kind);
            self.call("Input.dispatchKeyEvent", event.clone());
        }
    }

    /// Types a text where the focus is.
    pub(crate) fn types(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// The size of the window, and whether its colours are dark.
    pub(crate) fn look(&mut self, width: u32, is_dark: bool) {
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
        let scheme = if is_dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", features);
    }

    /// Writes a picture of the whole page, where `KAEL_SCREENSHOTS` names a folder.
    pub(crate) fn picture(&mut self, name: &str) {
        let Some(folder) = std::env::var_os("KAEL_SCREENSHOTS") else {
            return;
        };
        let shot = self.call(
            "Page.captureScreenshot",
            json!({ "captureBeyondViewport": true }),
        );
        let bytes = BASE64.decode(shot["data"].as_str().expect("a picture"));
        let bytes = bytes.expect("base64");
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), bytes).expect("a file");
    }

    /// How far the page is wider than its window.
    pub(crate) fn overflow(&mut self) -> i64 {
        let wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        self.eval(wide).as_i64().expect("a number")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
