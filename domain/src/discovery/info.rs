//! Whether what a server declares is what its own schema says.

use jsonschema::PatternOptions;
use serde_json::Value;

/// HTTP methods, and whether they have a body.
const METHODS: [(&str, bool); 6] =
    [("GET", false), ("HEAD", false), ("DELETE", false), ("POST", true), ("PUT", true), ("PATCH", true)];

/// Members of a schema that name another, by which a facilitator could be made to fetch something.
const REFERENCES: [&str; 4] = ["$ref", "$dynamicRef", "$id", "$anchor"];

/// The longest name of a tool, in bytes.
const LONGEST_NAME: usize = 128;

/// The kind of thing that is sold, and the name that sets it apart from others at the same URL.
pub(super) struct Input {
    pub(super) kind: &'static str,
    pub(super) name: String,
}

/// Checks the declaration against the specification, then `info` against `schema`.
pub(super) fn check(declared: &Value) -> Result<Input, String> {
    let info = declared.get("info").ok_or("extensions.bazaar.info: is missing")?;
    let input = info.get("input").ok_or("extensions.bazaar.info.input: is missing")?;
    let text = |member: &str| input.get(member).and_then(Value::as_str);
    let read = match text("type") {
        Some("http") => {
            let method = text("method").unwrap_or_default();
            let Some((_, has_body)) = METHODS.iter().find(|(known, _)| *known == method) else {
                return Err(
                    "extensions.bazaar.info.input.method: is none of GET, HEAD, DELETE, POST, PUT, PATCH"
                        .to_owned(),
                );
            };
            if *has_body && (text("bodyType").is_none() || input.get("body").is_none()) {
                return Err(format!("extensions.bazaar.info.input: {method} needs bodyType and body"));
            }
            Input { kind: "http", name: method.to_owned() }
        }
        Some("mcp") => {
            let name = text("toolName").filter(|name| (1..=LONGEST_NAME).contains(&name.len()));
            let (Some(name), Some(Value::Object(_))) = (name, input.get("inputSchema")) else {
                return Err("extensions.bazaar.info.input: a tool needs toolName and inputSchema".to_owned());
            };
            Input { kind: "mcp", name: name.to_owned() }
        }
        _ => return Err("extensions.bazaar.info.input.type: must be http or mcp".to_owned()),
    };
    check_schema(info, declared.get("schema").ok_or("extensions.bazaar.schema: is missing")?)?;
    Ok(read)
}

fn check_schema(info: &Value, schema: &Value) -> Result<(), String> {
    if let Some(reference) = foreign_reference(schema) {
        return Err(format!(
            "extensions.bazaar.schema: {reference} may only name a part of the schema itself"
        ));
    }
    // Expressions of strangers: none may take longer than its text does.
    let options = jsonschema::draft202012::options().with_pattern_options(PatternOptions::regex());
    let validator = options.build(schema).map_err(|error| format!("extensions.bazaar.schema: {error}"))?;
    match validator.validate(info) {
        Ok(()) => Ok(()),
        Err(error) => {
            Err(format!("extensions.bazaar.info{}: does not fit its schema", error.instance_path()))
        }
    }
}

/// The first member that names something outside of the schema.
fn foreign_reference(schema: &Value) -> Option<&'static str> {
    match schema {
        Value::Object(members) => members.iter().find_map(|(name, value)| {
            let reference = REFERENCES.iter().find(|reference| *reference == name);
            let is_foreign = |value: &Value| value.as_str().is_some_and(|text| !text.starts_with('#'));
            match reference {
                Some(reference) if is_foreign(value) => Some(*reference),
                _ => foreign_reference(value),
            }
        }),
        Value::Array(values) => values.iter().find_map(foreign_reference),
        _ => None,
    }
}
