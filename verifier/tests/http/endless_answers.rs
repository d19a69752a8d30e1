//! Nodes that never finish an answer.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};
use x402_escrow_interface::Address;
use x402_escrow_verifier::chain::{Chain, RpcChain};
use x402_escrow_wire::auth_capture::Commitment;

/// How long the node may take: less than the five seconds after which a client asks a busy node no more.
const TIMEOUT: Duration = Duration::from_secs(4);

/// How a node never finishes an answer.
#[derive(Clone, Copy, Debug)]
enum Endless {
    /// It takes the connection and says nothing.
    Silent,
    /// It asks for patience, again and again.
    TooManyRequests,
    /// It sends a byte every tenth of its time.
    Trickling,
}

impl Endless {
    async fn answer(self, mut connection: TcpStream) -> std::io::Result<()> {
        let mut read = [0; 4096];
        match self {
            Self::Silent => while connection.read(&mut read).await? > 0 {},
            Self::TooManyRequests => {
                while connection.read(&mut read).await? > 0 {
                    let head =
                        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
                    connection.write_all(head.as_bytes()).await?;
                }
            }
            Self::Trickling => {
                _ = connection.read(&mut read).await?;
                let head =
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n";
                connection.write_all(head.as_bytes()).await?;
                loop {
                    connection.write_all(b" ").await?;
                    sleep(TIMEOUT / 10).await;
                }
            }
        }
        Ok(())
    }

    async fn listen(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(self.answer(connection));
            }
        });
        url
    }
}

/// What became of every request to `chain`: who failed, and after how long.
async fn ask_all(chain: &RpcChain) -> Vec<(&'static str, Option<String>, Duration)> {
    let address = [Address::new_from_array([1; 32])];
    let started = Instant::now();
    macro_rules! ask {
        ($($name:ident($($argument:expr),*)),+) => {
            vec![$(futures_util::FutureExt::boxed(async {
                let error = chain.$name($($argument),*).await.err().map(|error| error.to_string());
                (stringify!($name), error, started.elapsed())
            })),+]
        };
    }
    join_all(ask![
        genesis_hash(),
        accounts(&address, Commitment::Processed),
        blockhash(),
        recent_prices(&address),
        tip(),
        send(&[0], true),
        simulate(&[0]),
        executed(&[0; 64], Commitment::Confirmed),
        statuses(&[[0; 64]], false, 0),
        statuses(&[[0; 64]], true, 0),
        block_hash(1)
    ])
    .await
}

#[tokio::test]
async fn a_node_that_never_finishes_an_answer_is_given_up_in_time() {
    for node in [Endless::Silent, Endless::TooManyRequests, Endless::Trickling] {
        let chain = RpcChain::new(node.listen().await, TIMEOUT);
        for (request, error, time) in ask_all(&chain).await {
            let error = error.unwrap_or_else(|| panic!("{node:?} answered {request}"));
            assert!(error.contains("it did not answer in time"), "{node:?}, {request}: {error}");
            assert!(time < 2 * TIMEOUT, "{node:?}, {request}: {time:?}");
        }
    }
}
