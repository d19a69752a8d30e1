//! The addresses of the Solana nodes.

/// Where the nodes announce their blocks: what `ws_url` lists, or by Solana's convention the port above that of JSON-RPC.
pub(super) fn announcements(ws_url: &str, rpc_urls: &[String]) -> Result<Vec<String>, &'static str> {
    match ws_url {
        "none" => Ok(Vec::new()),
        "auto" => rpc_urls
            .iter()
            .map(|url| conventional(url).ok_or("can't be told from rpc_url: give it"))
            .collect(),
        listed => {
            let urls: Vec<String> = listed.split(',').map(|url| url.trim().to_owned()).collect();
            let are_right = urls.iter().all(|url| url.starts_with("ws://") || url.starts_with("wss://"));
            let message =
                "must start with ws:// or wss:// (several are separated by commas), or be auto or none";
            if are_right { Ok(urls) } else { Err(message) }
        }
    }
}

fn conventional(rpc_url: &str) -> Option<String> {
    let mut url = reqwest::Url::parse(rpc_url).ok()?;
    let port = url.port().map(|port| port.checked_add(1)).map_or(Some(None), |port| port.map(Some))?;
    url.set_port(port).ok()?;
    let rest = url.as_str().strip_prefix("http")?;
    Some(format!("ws{rest}"))
}

/// The nodes' addresses.
pub(super) fn nodes(rpc_url: &str) -> Result<Vec<String>, &'static str> {
    let urls: Vec<String> = rpc_url.split(',').map(|url| url.trim().to_owned()).collect();
    if !urls.iter().all(|url| url.starts_with("http://") || url.starts_with("https://")) {
        return Err("must start with http:// or https://; several are separated by commas");
    }
    if (1..urls.len()).any(|index| urls[..index].contains(&urls[index])) {
        return Err("names a node twice");
    }
    if urls.len() == 2 {
        return Err("has two nodes, and where they disagree neither is believed: give one, or three or more");
    }
    Ok(urls)
}
