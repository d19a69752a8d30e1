//! The escrow program's address: a setting, with a default where one is known.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::Command,
    thread,
};

use crate::setting::Setting;

/// The URL of a node that says of every request that the genesis hash is this.
fn node(genesis_hash: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            read_request(&stream);
            let body = format!(r#"{{"jsonrpc":"2.0","id":0,"result":"{genesis_hash}"}}"#);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
            write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    url
}

/// Reads a whole request: who closes a connection with something unread resets it, and the answer can get lost.
fn read_request(stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line).unwrap() > 2 {
        if let Some((_, value)) = line.to_lowercase().split_once("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
}

/// What the verifier says when it starts on a cluster with this genesis hash.
fn started(genesis_hash: &'static str, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let setting = Setting::new();
    let output = Command::new(env!("CARGO_BIN_EXE_verifier"))
        .env_clear()
        .env("X402_RPC_URL", node(genesis_hash))
        .env("X402_FEE_PAYER", setting.path("key.json"))
        .env("X402_DATABASE", setting.path("verifier.sqlite"))
        .env("X402_LISTEN", "192.0.2.1:1")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

const DEVNET: &str = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG";
const LOCAL: &str = "4sGjMW1sUnHzSxGspuhpqLDx6wiyjNtZAMdL4VZHirAn";

#[test]
fn a_public_cluster_needs_the_programs_address_and_the_error_says_where_to_put_it() {
    let (status, text) = started(DEVNET, &[]);
    assert_eq!(status, Some(1), "{text}");
    for part in
        ["program_id (or X402_PROGRAM_ID)", "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1", "set the address"]
    {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn a_local_cluster_needs_tokens_and_the_error_says_where_to_name_them() {
    let (status, text) = started(LOCAL, &[]);
    assert_eq!(status, Some(1), "{text}");
    for part in ["tokens (or X402_TOKENS)", "no USDC is known on solana:4sGj", "name the mints"] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn a_second_verifier_over_a_file_never_says_that_it_listens() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("verifier.sqlite");
    // As a running verifier has it.
    let first = File::create(folder.path().join("verifier.sqlite.lock")).unwrap();
    first.lock().unwrap();
    let tokens = ("X402_TOKENS", "[{ mint = '11111111111111111111111111111112', minimum = '1' }]");
    let (listen, operator) = (("X402_LISTEN", "127.0.0.1:0"), ("X402_OPERATOR_LISTEN", "none"));
    let variables = [tokens, listen, operator, ("X402_DATABASE", database.to_str().unwrap())];
    let (status, text) = started(LOCAL, &variables);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("another verifier has the database"), "{text}");
    assert!(!text.contains("listening"), "{text}");
}

/// They get as far as listening, at an address that no machine has.
#[test]
fn a_local_cluster_has_a_default_and_any_cluster_takes_an_address() {
    let address = "11111111111111111111111111111112";
    let tokens = ("X402_TOKENS", "[{ mint = '11111111111111111111111111111112', minimum = '1' }]");
    for (genesis_hash, variables) in [(LOCAL, &[tokens][..]), (DEVNET, &[("X402_PROGRAM_ID", address)])] {
        let (status, text) = started(genesis_hash, variables);
        assert_eq!(status, Some(1), "{text}");
        assert!(text.contains("listen: can't listen on 192.0.2.1:1"), "{text}");
    }
}
