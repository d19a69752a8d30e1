//! Headless Chromium, asked over its DevTools protocol.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

/// A first start on a busy machine takes long.
const SOON: Duration = Duration::from_secs(60);

/// A browser with one tab.
pub(crate) struct Browser {
    child: Child,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    requests: u64,
    session: Option<String>,
    /// What the console, the log and the content security policy had to say.
    pub(crate) complaints: Vec<String>,
    profile: tempfile::TempDir,
}

impl Browser {
    pub(crate) async fn start() -> Self {
        let program = std::env::var("X402_ESCROW_CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
        let profile = tempfile::tempdir().unwrap();
        let child = Command::new(&program)
            // Containers and root have no sandbox; the page is ours.
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .args(["--remote-debugging-port=0", "about:blank"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{program}: {error}; install Debian's chromium, or name one in X402_ESCROW_CHROMIUM")
            });
        let url = devtools_url(profile.path()).await;
        let (socket, _) = connect_async(url).await.unwrap();
        let mut browser = Self { child, socket, requests: 0, session: None, complaints: Vec::new(), profile };
        let target = browser.ask("Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.ask("Target.attachToTarget", attach).await;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network", "Audits"] {
            browser.ask(&format!("{domain}.enable"), json!({})).await;
        }
        browser
    }

    /// Asks the browser, or the tab once there is one, and notes what it says meanwhile.
    async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.requests += 1;
        let id = self.requests;
        let mut request = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = &self.session {
            request["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(request.to_string())).await.unwrap();
        loop {
            let message =
                timeout(SOON, self.socket.next()).await.expect("the browser answers").unwrap().unwrap();
            let Message::Text(text) = message else { continue };
            let mut answer: Value = serde_json::from_str(&text).unwrap();
            if answer["id"] == id {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].take();
            }
            self.note(&answer);
        }
    }

    fn note(&mut self, event: &Value) {
        let complains = match event["method"].as_str().unwrap_or_default() {
            "Runtime.consoleAPICalled"
            | "Runtime.exceptionThrown"
            | "Log.entryAdded"
            | "Audits.issueAdded" => true,
            // Nothing but the pages themselves and the empty icon.
            "Network.requestWillBeSent" => {
                let url = event["params"]["request"]["url"].as_str().unwrap_or_default();
                event["params"]["type"] != "Document" && !url.starts_with("data:")
            }
            _ => false,
        };
        if complains {
            self.complaints.push(event.to_string());
        }
    }

    /// Opens a page and waits until it is there.
    pub(crate) async fn open(&mut self, url: &str) {
        let navigated = self.ask("Page.navigate", json!({ "url": url })).await;
        assert!(navigated.get("errorText").is_none(), "{url}: {navigated}");
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'").await;
    }

    /// Waits until an expression is true.
    pub(crate) async fn until(&mut self, expression: &str) {
        let waiting = async {
            while self.evaluate(expression).await != json!(true) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(SOON, waiting).await.unwrap_or_else(|_| panic!("it never came to {expression}"));
    }

    /// The value of a JavaScript expression in the page.
    pub(crate) async fn evaluate(&mut self, expression: &str) -> Value {
        let evaluate = json!({ "expression": expression, "returnByValue": true, "userGesture": true });
        let mut answer = self.ask("Runtime.evaluate", evaluate).await;
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].take()
    }

    /// Looks at the page through a window of this width, in a light or a dark room.
    pub(crate) async fn look(&mut self, width: u32, scheme: &str) {
        let window = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.ask("Emulation.setDeviceMetricsOverride", window).await;
        let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.ask("Emulation.setEmulatedMedia", feature).await;
    }

    /// Writes a picture of the whole page into the folder that `X402_ESCROW_SCREENSHOTS` names, if it does.
    pub(crate) async fn picture(&mut self, name: &str) {
        let Ok(folder) = std::env::var("X402_ESCROW_SCREENSHOTS") else { return };
        let picture = self.ask("Page.captureScreenshot", json!({ "captureBeyondViewport": true })).await;
        let bytes = BASE64_STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        fs::write(Path::new(&folder).join(format!("{name}.png")), bytes).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Before its profile goes; that it may be dead already is no matter.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(self.profile.path());
    }
}

/// Where the browser listens: it writes its port and path into its profile.
async fn devtools_url(profile: &Path) -> String {
    let file = profile.join("DevToolsActivePort");
    let reading = async {
        loop {
            let text = fs::read_to_string(&file).unwrap_or_default();
            if let Some((port, path)) = text.split_once('\n').filter(|(_, path)| !path.is_empty()) {
                return format!("ws://127.0.0.1:{port}{}", path.trim());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, reading).await.expect("the browser starts")
}
