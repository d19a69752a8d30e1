//! What is printed once everything is up.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use solana_sdk::signature::Signer;
use x402_escrow_sandbox::{DECIMALS, Sandbox, binary, checkout, program_id};

/// Prices of the merchant's routes, in tokens, and a request for each.
const ROUTES: [(&str, &str, &str); 3] = [
    ("fixed", "/report?topic=wheat", "0.25"),
    ("metered", "/metered?units=3", "0.1"),
    ("streamed", "/ticks?symbol=SOL", "0.001"),
];

/// Everything that somebody needs to know to use the sandbox.
pub(super) struct Ready {
    object: Value,
    commands: Vec<(&'static str, &'static str, String)>,
}

impl Ready {
    /// Writes down the owner's environment, and collects all URLs, files and commands.
    pub(super) fn read(sandbox: &Sandbox) -> Result<Self> {
        let local = &sandbox.local;
        let environment = local.folder().join("owner.env");
        let lines = sandbox.owner.environment().iter();
        let lines: String = lines.map(|(name, value)| format!("export {name}={}\n", quoted(value))).collect();
        fs::write(&environment, lines).with_context(|| format!("writing {}", environment.display()))?;
        let commands = commands(sandbox, &environment)?;
        let pasted: serde_json::Map<_, _> =
            commands.iter().map(|(name, _, command)| ((*name).to_owned(), json!(command))).collect();
        let routes = ROUTES.map(|(kind, path, price)| {
            json!({ "kind": kind, "url": format!("{}{path}", sandbox.merchant.url), "price": price })
        });
        let object = json!({
            "rpcUrl": local.rpc_url(),
            "webSocketUrl": local.validator().web_socket_url(),
            "program": program_id().to_string(),
            "mint": local.mint.to_string(),
            "decimals": DECIMALS,
            "verifier": {
                "url": sandbox.verifier.url,
                "statusPage": format!("{}/status", sandbox.operator_url),
                "metrics": format!("{}/metrics", sandbox.operator_url),
                "feePayer": sandbox.verifier.fee_payer.to_string(),
                "log": sandbox.verifier.log(),
            },
            "merchant": {
                "url": sandbox.merchant.url,
                "refundsUrl": format!("{}/refunds", sandbox.merchant.admin_url()),
                "address": sandbox.merchant.address().to_string(),
                "keypair": merchant_file(sandbox),
                "routes": routes,
                "log": sandbox.merchant.log(),
            },
            "owner": {
                "address": sandbox.owner_key.pubkey().to_string(),
                "escrow": sandbox.escrow().to_string(),
                "keypair": sandbox.owner_file,
                "environment": environment,
            },
            "session": sandbox.session_file,
            "folder": local.folder(),
            "commands": pasted,
        });
        Ok(Self { object, commands })
    }

    /// For machines.
    pub(super) fn json(&self) -> &Value {
        &self.object
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let text = |pointer: &str| -> &str {
            self.object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
        };
        let places = [
            ("Solana node", text("/rpcUrl").to_owned()),
            ("program", text("/program").to_owned()),
            ("mint", format!("{}, {DECIMALS} decimals", text("/mint"))),
            ("verifier", text("/verifier/url").to_owned()),
            ("status page", text("/verifier/statusPage").to_owned()),
            ("merchant", text("/merchant/url").to_owned()),
            ("merchant's keypair", shown(text("/merchant/keypair"))),
            ("owner's keypair", shown(text("/owner/keypair"))),
            ("session file", shown(text("/session"))),
            ("logs and all else", shown(text("/folder"))),
        ];
        let width = places.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        let mut out = String::from("\n");
        for (label, value) in places {
            out += &format!("{label:<width$}  {value}\n");
        }
        for (_, title, command) in &self.commands {
            out += &format!("\n# {title}\n{command}\n");
        }
        out + "\nPayments are shown as they happen. Ctrl-C ends everything.\n"
    }
}

fn merchant_file(sandbox: &Sandbox) -> PathBuf {
    sandbox.local.folder().join("merchant.json")
}

/// Commands to paste: a name, what it does, and the command.
fn commands(sandbox: &Sandbox, environment: &Path) -> Result<Vec<(&'static str, &'static str, String)>> {
    let agent = quoted(&shown(binary("agent")?));
    let merchant = format!(
        "{} --verifier {} --key {}",
        quoted(&shown(binary("merchant")?)),
        sandbox.verifier.url,
        quoted(&shown(merchant_file(sandbox)))
    );
    let session = quoted(&shown(&sandbox.session_file));
    let [fixed, metered, streamed] =
        ROUTES.map(|(_, path, price)| (format!("'{}{path}'", sandbox.merchant.url), price));
    let fetch = |(url, price): (&String, &str)| {
        format!("{agent} fetch {url} --session {session} --max-amount {price}")
    };
    let mut commands = vec![
        ("price", "See the price", format!("curl -i {}", fixed.0)),
        ("fixed", "Buy at a fixed price", fetch((&fixed.0, fixed.1))),
        ("metered", "Buy by the unit: 0.1 is held, 0.03 is paid", fetch((&metered.0, metered.1))),
        (
            "streamed",
            "Buy a hundred times out of one hold",
            format!("{} --stream 0.25 --count 100", fetch((&streamed.0, streamed.1))),
        ),
        ("owner", "Be the owner", format!(". {} && {agent} escrow status", quoted(&shown(environment)))),
        ("merchantPayments", "Be the merchant: list what was sold", format!("{merchant} payments --csv")),
        ("merchantPage", "Print a link to the merchant's page", format!("{merchant} link")),
        ("health", "Ask the verifier how it is", format!("curl {}/health", sandbox.verifier.url)),
    ];
    let package = checkout().join("packages/auth-capture-svm");
    if package.is_dir() {
        let package = quoted(&shown(package));
        commands.push((
            "typescriptBuild",
            "Build the TypeScript package, once",
            format!("npm ci --prefix {package} && npm run build --prefix {package}"),
        ));
        commands.push((
            "typescript",
            "Buy in TypeScript",
            format!("X402_SESSION={session} node {package}/build/examples/agent.js {}", fixed.0),
        ));
    }
    Ok(commands)
}

/// A path as it is shortest from where we are.
fn shown(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    let here = env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let shown = path.strip_prefix(here).unwrap_or(path).display().to_string();
    // A shell looks for a bare name elsewhere.
    if shown.contains('/') { shown } else { format!("./{shown}") }
}

/// A word of a shell's command.
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@".contains(&byte);
    if text.bytes().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_commands_are_quoted_where_a_shell_would_split_them() {
        assert_eq!(quoted("/tmp/x402/session.json"), "/tmp/x402/session.json");
        assert_eq!(quoted("/tmp/my files/o'neil"), r"'/tmp/my files/o'\''neil'");
    }
}
