//! Where keys come from: a file, and the environment, which wins.

use std::{collections::BTreeMap, ffi::OsString, fmt, fs, path::Path};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::secret;

/// Environment variables that set a key are named by it: `X402_RPC_URL` sets `rpc_url`.
const PREFIX: &str = "X402_";

/// Variables of that prefix that are for others: the command line's, an agent's and a merchant's, the project's own.
const OTHERS: [&str; 7] =
    ["CONFIG", "KEYPAIR", "MAX_AMOUNT", "MINT", "SESSION", "SPENDING_LIMIT", "VERIFIER_URL"];
const OTHERS_PREFIX: &str = "ESCROW_";

/// From this similarity on (Jaro and Winkler's, 0 to 1) a name is taken for a mistyped key.
const SIMILARITY: f64 = 0.9;

/// Why the service can't be configured: all that is wrong.
#[derive(Debug, Default, thiserror::Error)]
pub struct ConfigError {
    /// What is wrong, each with its key or file.
    pub problems: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}

impl ConfigError {
    /// Notes what is wrong with a key.
    pub(super) fn note(&mut self, key: &str, message: impl fmt::Display) {
        self.note_at(key, "", message);
    }

    /// The value, or `None` and a note of what is wrong with the key.
    pub(super) fn sound<T>(&mut self, key: &str, checked: Result<T, impl fmt::Display>) -> Option<T> {
        checked.map_err(|message| self.note(key, message)).ok()
    }

    fn note_at(&mut self, key: &str, path: &str, message: impl fmt::Display) {
        self.problems.push(format!("{key}{path} (or {}): {message}", variable(key)));
    }
}

fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase())
}

/// What was written, by key, and what is wrong with it.
pub(super) struct Source {
    /// Those that there are.
    keys: &'static [&'static str],
    file: Table,
    variables: BTreeMap<String, String>,
    pub(super) error: ConfigError,
    /// Variables that may have been meant for a key.
    pub(super) warnings: Vec<String>,
}

impl Source {
    /// # Errors
    /// If the file can't be read.
    pub(super) fn new(
        keys: &'static [&'static str],
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let file =
            file.map(read_file).transpose().map_err(|problem| ConfigError { problems: vec![problem] })?;
        let mut source = Self {
            keys,
            file: file.unwrap_or_default(),
            variables: BTreeMap::new(),
            error: ConfigError::default(),
            warnings: Vec::new(),
        };
        source.check_names();
        let unknown: Vec<_> =
            variables.into_iter().filter_map(|(name, value)| source.add_variable(&name, value)).collect();
        for name in unknown {
            source.explain(&name);
        }
        Ok(source)
    }

    /// A key of the file that nobody reads would be silently left out.
    fn check_names(&mut self) {
        for name in self.file.keys().filter(|name| !self.keys.contains(&name.as_str())) {
            let message = match similar(self.keys, name) {
                Some(key) => format!("is no key; did you mean {key}?"),
                None => format!("is no key; the keys are {}", self.keys.join(", ")),
            };
            self.error.problems.push(format!("{name}: {message}"));
        }
    }

    /// Takes a variable that sets a key. Returns the name behind the prefix of one that doesn't.
    fn add_variable(&mut self, name: &OsString, value: OsString) -> Option<String> {
        let rest = name.to_str()?.strip_prefix(PREFIX)?;
        let key = rest.to_lowercase();
        if !self.keys.contains(&key.as_str()) || key.to_uppercase() != rest {
            return Some(rest.to_owned());
        }
        match value.into_string() {
            Ok(text) => _ = self.variables.insert(key, text),
            Err(_) => self.error.note(&key, "the variable is not UTF-8"),
        }
        None
    }

    /// A variable that sets no key is somebody else's, or a mistyped one, which would be silently left out.
    fn explain(&mut self, rest: &str) {
        let name = format!("{PREFIX}{rest}");
        let secret = format!("{}{name}", secret::VARIABLE);
        let in_file = self.file.values().filter_map(Value::as_str);
        let mut values = self.variables.values().map(String::as_str).chain(in_file);
        if OTHERS.contains(&rest) || rest.starts_with(OTHERS_PREFIX) || values.any(|value| value == secret) {
            return;
        }
        match similar(self.keys, &rest.to_lowercase()) {
            Some(key) => {
                let meant = variable(key);
                self.error.problems.push(format!("{name}: sets no key; did you mean {meant}?"));
            }
            None => self.warnings.push(format!("{name}: sets no key, and is left alone")),
        }
    }

    /// The key's value, else `default`. `None` if it is wrong, or missing without a default; either is noted.
    pub(super) fn take<T: DeserializeOwned>(&mut self, key: &str, default: Option<T>) -> Option<T> {
        let in_file = self.file.remove(key);
        let read = match (self.variables.remove(key), in_file) {
            (Some(text), _) => from_text(key, text),
            (None, Some(value)) => from_value(value),
            (None, None) => {
                if default.is_none() {
                    self.error.note(key, "is missing, and has no default");
                }
                return default;
            }
        };
        read.map_err(|wrong| self.error.note_at(key, &wrong.path, wrong.message)).ok()
    }
}

/// The key that a name is taken for.
fn similar(keys: &[&'static str], name: &str) -> Option<&'static str> {
    let similarity = |key: &&str| strsim::jaro_winkler(name, key);
    let nearest = keys.iter().copied().max_by(|one, other| similarity(one).total_cmp(&similarity(other)))?;
    (similarity(&nearest) >= SIMILARITY).then_some(nearest)
}

struct Wrong {
    /// Where in the value: `[0].up_to`.
    path: String,
    message: String,
}

fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Wrong> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let message = error.inner().message().trim().to_owned();
        Wrong { path: if path == "." { String::new() } else { path }, message }
    })
}
/// A variable's text: as it is where the key takes text, else as TOML writes numbers and lists.
fn from_text<T: DeserializeOwned>(key: &str, text: String) -> Result<T, Wrong> {
    let written = format!("{key} = {text}").parse::<Table>().ok().and_then(|mut table| table.remove(key));
    from_value(Value::String(text)).or_else(|wrong| written.map_or(Err(wrong), from_value))
}

fn read_file(path: &Path) -> Result<Table, String> {
    let failed = |message: String| format!("{}: {message}", path.display());
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    // The error itself quotes the line, which may have a password.
    text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        failed(format!("line {} is no TOML: {}", before.split('\n').count(), error.message()))
    })
}
