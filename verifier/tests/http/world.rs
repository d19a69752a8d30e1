//! A payer with a funded escrow and a session, a merchant, and a verifier in front of the cluster.

use std::{net::SocketAddr, num::NonZeroU32, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, StatusCode, header},
};
use ed25519_dalek::{Signer as _, SigningKey};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use solana_sdk::{
    account::Account,
    hash::Hash,
    instruction::Instruction,
    program_option::COption,
    program_pack::Pack,
    signer::{Signer as _, keypair::Keypair},
    transaction::Transaction,
};
use solana_slot_hashes::SlotHashes;
use spl_token_interface::state::{Account as TokenAccount, AccountState, Mint};
use tokio::{sync::watch, task::JoinHandle};
use tower::ServiceExt;
use x402_escrow_interface::{
    Address, ID,
    account::{Escrow, Session},
    address::{self, TOKEN_PROGRAM_ID},
    instruction::{self, SessionLimits},
    resource::resource_hash,
};
use x402_escrow_verifier::{
    app::{App, Settings, unix_now},
    chain::Chain,
    exact::instructions::FeeBounds,
    limits::LimitSettings,
    policy::{Finality, Policy, Tier},
    router::router,
    run_background,
    store::Store,
    webhook::Webhook,
};
use x402_escrow_wire::{
    auth_capture::{CaptureAuthorizer, Commitment, Extra, IntentPayload, LifecyclePayload},
    payment::PaymentRequirements,
    text::{Base58, Decimal, Hex32},
};

use crate::cluster::Cluster;

pub(crate) const METHOD: &str = "GET";
pub(crate) const URL: &str = "https://merchant.example/report";

/// What the escrow is funded with, in base units.
pub(crate) const FUNDS: u64 = 10_000_000;

/// The devnet's id, which the cluster claims to be.
pub(crate) const NETWORK: &str = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1";

/// A public test key.
pub(crate) fn keypair(seed: u8) -> Keypair {
    Keypair::new_from_array([seed; 32])
}

pub(crate) fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) const PAYER: u8 = 1;
const FEE_PAYER: u8 = 2;
pub(crate) const SESSION: u8 = 3;
pub(crate) const MERCHANT: u8 = 4;
/// Of the webhook's signatures.
pub(crate) const WEBHOOK_SECRET: [u8; 24] = [7; 24];

pub(crate) struct World {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) app: Arc<App>,
    router: Router,
    stop: watch::Sender<bool>,
    tracker: Option<JoinHandle<()>>,
    directory: tempfile::TempDir,
    pub(crate) mint: Address,
    pub(crate) escrow: Address,
    pub(crate) session: Address,
}

/// What the tests change of the verifier's configuration.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    pub(crate) commitment: Commitment,
    pub(crate) settle_timeout: Duration,
    /// The port at which a node announces its blocks.
    pub(crate) announced_at: Option<u16>,
    /// Where payments' news go.
    pub(crate) webhook: Option<SocketAddr>,
    pub(crate) minimum_hold_amount: u64,
    pub(crate) maximum_open_holds_per_escrow: u64,
    pub(crate) maximum_concurrent_requests: usize,
    pub(crate) requests_per_minute_per_client: Option<NonZeroU32>,
    pub(crate) payments_per_minute_per_session: Option<NonZeroU32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            commitment: Commitment::Processed,
            settle_timeout: Duration::from_secs(5),
            announced_at: None,
            webhook: None,
            minimum_hold_amount: 0,
            maximum_open_holds_per_escrow: u64::MAX,
            maximum_concurrent_requests: 1024,
            requests_per_minute_per_client: None,
            payments_per_minute_per_session: None,
        }
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        Self::through(options, async |cluster| Arc::clone(cluster) as Arc<dyn Chain>).await
    }

    /// A verifier that sees the cluster through what `connect` makes of it.
    pub(crate) async fn through(
        options: Options,
        connect: impl AsyncFnOnce(&Arc<Cluster>) -> Arc<dyn Chain>,
    ) -> Self {
        let cluster = Arc::new(Cluster::new(unix_now()));
        let directory = tempfile::tempdir().unwrap();
        let mint = keypair(9).pubkey();
        let escrow = address::escrow(&keypair(PAYER).pubkey(), &mint);
        let session = address::session(&escrow, &keypair(SESSION).pubkey());
        let app = app(connect(&cluster).await, directory.path(), options).await;
        let (stop, stopped) = watch::channel(false);
        let world = Self {
            router: router(Arc::clone(&app)),
            tracker: Some(tokio::spawn(run_background(Arc::clone(&app), stopped))),
            app,
            cluster,
            stop,
            directory,
            mint,
            escrow,
            session,
        };
        world.set_up_chain();
        world
    }

    /// Stops the verifier without any farewell, as a crash would, and starts another over the same file.
    pub(crate) async fn restart(&mut self, options: Options) {
        self.crash().await;
        let chain = Arc::clone(&self.cluster) as Arc<dyn Chain>;
        self.app = app(chain, self.directory.path(), options).await;
        self.router = router(Arc::clone(&self.app));
        let (stop, stopped) = watch::channel(false);
        self.stop = stop;
        self.tracker = Some(tokio::spawn(run_background(Arc::clone(&self.app), stopped)));
    }

    /// The parts of another verifier over the same file.
    pub(crate) async fn another_app(&self, options: Options) -> App {
        let chain = Arc::clone(&self.cluster) as Arc<dyn Chain>;
        Arc::into_inner(app(chain, self.directory.path(), options).await).unwrap()
    }

    /// A file beside the store's.
    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a copy of the store, as `docs/operations.md` says, while the verifier runs.
    pub(crate) async fn back_up(&self, to: &std::path::Path) {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.path("verifier.sqlite"));
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::query("VACUUM INTO ?").bind(to.to_str().unwrap()).execute(&pool).await.unwrap();
        pool.close().await;
    }

    pub(crate) async fn crash(&mut self) {
        if let Some(tracker) = self.tracker.take() {
            tracker.abort();
            tracker.await.unwrap_err();
        }
    }

    fn set_up_chain(&self) {
        let payer = keypair(PAYER);
        {
            let svm = &mut self.cluster.state().svm;
            svm.airdrop(&payer.pubkey(), 10_000_000_000).unwrap();
            svm.airdrop(&keypair(FEE_PAYER).pubkey(), 10_000_000_000).unwrap();
        }
        self.set_slot_hash([5; 32]);
        let mint = Mint {
            mint_authority: COption::None,
            supply: 1_000_000_000_000,
            decimals: 6,
            is_initialized: true,
            freeze_authority: COption::None,
        };
        self.set_packed(self.mint, &mint);
        let source = self.set_token_account(payer.pubkey(), AccountState::Initialized, 1_000_000_000_000);
        self.set_token_account(self.merchant(), AccountState::Initialized, 0);

        self.execute(
            &instruction::open_escrow(&payer.pubkey(), &payer.pubkey(), &self.mint, &TOKEN_PROGRAM_ID, 0),
            &payer,
        );
        let escrow = self.escrow_account();
        self.execute(&[instruction::deposit(&payer.pubkey(), &source, &self.escrow, &escrow, FUNDS)], &payer);
        self.open_session(SessionLimits {
            expires_at: self.cluster.now() + 86_400,
            maximum_payment: 5_000_000,
            maximum_total: 1_000_000_000,
            maximum_per_period: 0,
            period_seconds: 0,
            receiver: Address::default(),
        });
    }

    pub(crate) fn set_slot_hash(&self, hash: [u8; 32]) {
        let hashes = SlotHashes::new(&[(99, Hash::new_from_array(hash))]);
        self.cluster.state().svm.set_sysvar(&hashes);
    }

    pub(crate) fn open_session(&self, limits: SessionLimits) {
        let payer = keypair(PAYER);
        let key = keypair(SESSION).pubkey();
        let open = instruction::open_session(&payer.pubkey(), &payer.pubkey(), &self.escrow, &key, &limits);
        self.execute(&[open], &payer);
    }

    pub(crate) fn revoke_session(&self) {
        let payer = keypair(PAYER);
        self.execute(&[instruction::revoke_session(&payer.pubkey(), &self.escrow, &self.session)], &payer);
    }

    /// Lets the payer withdraw `amount`; the escrow has no delay.
    pub(crate) fn withdraw(&self, amount: u64) {
        let payer = keypair(PAYER);
        let escrow = self.escrow_account();
        let destination = address::associated_token(&payer.pubkey(), &self.mint, &TOKEN_PROGRAM_ID);
        let instructions = [
            instruction::request_withdrawal(&self.escrow, &escrow, amount),
            instruction::withdraw(&self.escrow, &escrow, &destination),
        ];
        self.execute(&instructions, &payer);
    }

    fn execute(&self, instructions: &[Instruction], signer: &Keypair) {
        let svm = &mut self.cluster.state().svm;
        let transaction = Transaction::new_signed_with_payer(
            instructions,
            Some(&signer.pubkey()),
            &[signer],
            svm.latest_blockhash(),
        );
        svm.send_transaction(transaction).unwrap();
        svm.expire_blockhash();
    }

    fn set_packed<T: Pack>(&self, address: Address, value: &T) {
        let mut data = vec![0; T::LEN];
        value.pack_into_slice(&mut data);
        let account =
            Account { lamports: 10_000_000, data, owner: TOKEN_PROGRAM_ID, executable: false, rent_epoch: 0 };
        self.cluster.state().svm.set_account(address, account).unwrap();
    }

    /// Puts `owner`'s token account on chain as it is given.
    pub(crate) fn set_token_account(&self, owner: Address, state: AccountState, amount: u64) -> Address {
        let address = address::associated_token(&owner, &self.mint, &TOKEN_PROGRAM_ID);
        let account = TokenAccount {
            mint: self.mint,
            owner,
            amount,
            delegate: COption::None,
            state,
            is_native: COption::None,
            delegated_amount: 0,
            close_authority: COption::None,
        };
        self.set_packed(address, &account);
        address
    }

    /// Takes a hold off the chain, as if somebody else had ended it.
    pub(crate) fn remove_hold(&self, nonce: u64) {
        let hold = address::hold(&self.session, nonce);
        self.cluster.state().svm.set_account(hold, Account::default()).unwrap();
    }

    pub(crate) fn merchant(&self) -> Address {
        keypair(MERCHANT).pubkey()
    }

    pub(crate) fn session_key(&self) -> Address {
        keypair(SESSION).pubkey()
    }

    /// Seed and public key of everybody whose secret the verifier could have.
    pub(crate) fn secret_keys(&self) -> [[u8; 64]; 3] {
        [FEE_PAYER, SESSION, MERCHANT].map(|seed| keypair(seed).to_bytes())
    }

    pub(crate) fn fee_payer(&self) -> Address {
        keypair(FEE_PAYER).pubkey()
    }

    pub(crate) fn escrow_account(&self) -> Escrow {
        Escrow::decode(&self.data(&self.escrow)).unwrap()
    }

    pub(crate) fn session_account(&self) -> Session {
        Session::decode(&self.data(&self.session)).unwrap()
    }

    fn data(&self, address: &Address) -> Vec<u8> {
        self.cluster.state().svm.get_account(address).unwrap().data
    }

    /// What the merchant has, in base units.
    pub(crate) fn received(&self) -> u64 {
        self.tokens(self.merchant())
    }

    /// What `owner` has in its associated token account, in base units.
    pub(crate) fn tokens(&self, owner: Address) -> u64 {
        let address = address::associated_token(&owner, &self.mint, &TOKEN_PROGRAM_ID);
        TokenAccount::unpack(&self.data(&address)).unwrap().amount
    }

    /// What the fee payer has.
    pub(crate) fn fee_payer_lamports(&self) -> u64 {
        self.cluster.state().svm.get_balance(&self.fee_payer()).unwrap()
    }

    /// How many transactions were sent, repetitions included.
    pub(crate) fn sent(&self) -> usize {
        self.cluster.state().sent.len()
    }

    /// Everything that a request could have changed: balances, which transactions were sent, and the number of rows in the store.
    pub(crate) async fn everything(&self) -> (u64, u64, u64, usize, [i64; 4]) {
        let escrow = self.escrow_account();
        let sent = self.cluster.distinct_sent();
        (escrow.balance, escrow.held, self.received(), sent, self.rows().await)
    }

    /// Number of payments, operations, transactions and nonces in the store.
    pub(crate) async fn rows(&self) -> [i64; 4] {
        let path = self.directory.path().join("verifier.sqlite");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        let mut rows = [0; 4];
        let queries = [
            "SELECT count(*) FROM payments",
            "SELECT count(*) FROM operations",
            "SELECT count(*) FROM transactions",
            "SELECT count(*) FROM nonces",
        ];
        for (count, query) in rows.iter_mut().zip(queries) {
            *count = sqlx::query_scalar(query).fetch_one(&pool).await.unwrap();
        }
        pool.close().await;
        rows
    }

    /// Number of payments of the scheme `exact` in the store.
    pub(crate) async fn exact_rows(&self) -> i64 {
        let path = self.directory.path().join("verifier.sqlite");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        let count = sqlx::query_scalar("SELECT count(*) FROM exact_payments").fetch_one(&pool).await.unwrap();
        pool.close().await;
        count
    }

    /// Waits until the store has that many of each.
    pub(crate) async fn until_rows(&self, wanted: [i64; 4]) {
        while self.rows().await != wanted {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Writes a state into the store that the verifier doesn't know.
    pub(crate) async fn spoil_state(&self, id: Hex32, state: &str) {
        let path = self.directory.path().join("verifier.sqlite");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::query("UPDATE operations SET state = ? WHERE payment_id = ?")
            .bind(state)
            .bind(id.to_string())
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
    }

    /// Makes every operation look as if it had been accepted earlier.
    pub(crate) async fn backdate_operations(&self, seconds: i64) {
        let path = self.directory.path().join("verifier.sqlite");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::query("UPDATE operations SET accepted_at = accepted_at - ?")
            .bind(seconds)
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
    }

    // --- what merchant and agent would send ---

    pub(crate) fn requirements(&self, amount: u64) -> PaymentRequirements {
        let extra = Extra {
            payment_flow: "escrow".to_owned(),
            program: ID.into(),
            fee_payer: self.fee_payer().into(),
            capture_authorizer: CaptureAuthorizer::Key(self.merchant().into()),
            request_price: None,
            receiver_authorizer: self.merchant().into(),
            capture_deadline: self.cluster.now() + 600,
            refund_deadline: 0,
            fee_recipient: None,
            max_fee_bps: 0,
            resource_hash: Hex32(resource_hash(METHOD, URL, b"")),
            commitment: None,
        };
        PaymentRequirements {
            scheme: "auth-capture".to_owned(),
            network: NETWORK.to_owned(),
            amount: Decimal(amount),
            asset: self.mint.into(),
            pay_to: self.merchant().into(),
            max_timeout_seconds: 60,
            extra: extra.to_map(),
        }
    }

    /// The signed payload for `requirements`.
    pub(crate) fn payload(&self, requirements: &PaymentRequirements, nonce: u64) -> IntentPayload {
        let mut payload = IntentPayload {
            escrow: self.escrow.into(),
            session_key: self.session_key().into(),
            incarnation: Base58(self.session_account().incarnation),
            nonce: Decimal(nonce),
            authorize_by: self.cluster.now() + 60,
            signature: None,
            voucher: None,
        };
        sign(&mut payload, requirements);
        payload
    }

    /// The body of `/verify` and `/settle` for a payment with `nonce`.
    pub(crate) fn body(&self, requirements: &PaymentRequirements, nonce: u64) -> Value {
        envelope(requirements, json!(self.payload(requirements, nonce)))
    }

    pub(crate) fn payment_id(&self, body: &Value) -> Hex32 {
        let requirements: PaymentRequirements =
            serde_json::from_value(body["paymentRequirements"].clone()).unwrap();
        let payload: IntentPayload =
            serde_json::from_value(body["paymentPayload"]["payload"].clone()).unwrap();
        Hex32(payload.intent(&requirements, &Extra::read(&requirements).unwrap()).digest())
    }

    /// The body of a capture.
    pub(crate) fn capture(&self, payment_id: Hex32, amount: u64, last: bool) -> Value {
        self.lifecycle(LifecyclePayload::Capture {
            payment_id,
            amount: Decimal(amount),
            fee: Decimal(0),
            last,
            signature: Base58([0; 64]),
        })
    }

    /// The body of a void.
    pub(crate) fn void(&self, payment_id: Hex32, amount: u64) -> Value {
        self.lifecycle(LifecyclePayload::Void {
            payment_id,
            amount: Decimal(amount),
            signature: Base58([0; 64]),
        })
    }

    /// The body of `payload`, signed by the merchant.
    pub(crate) fn lifecycle(&self, mut payload: LifecyclePayload) -> Value {
        let by = Base58(signing_key(MERCHANT).sign(&payload.signed_bytes()).to_bytes());
        match &mut payload {
            LifecyclePayload::Capture { signature, .. }
            | LifecyclePayload::Close { signature, .. }
            | LifecyclePayload::Void { signature, .. } => {
                *signature = by;
            }
        }
        envelope(&self.requirements(1), json!(payload))
    }

    /// Holds `amount` and returns the payment's id.
    pub(crate) async fn authorize(&self, amount: u64, nonce: u64) -> Hex32 {
        let body = self.body(&self.requirements(amount), nonce);
        self.settled(&body).await;
        self.payment_id(&body)
    }

    // --- HTTP ---

    pub(crate) async fn settle(&self, body: &Value) -> Value {
        let (status, answer) = self.post("/settle", body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }

    /// Asks again while the answer is "not yet", as a merchant would, and then asserts a yes.
    pub(crate) async fn settled(&self, body: &Value) -> Value {
        let mut answer = self.settle(body).await;
        for _ in 0..50 {
            if answer["errorReason"] != "settlement_pending" {
                break;
            }
            answer = self.settle(body).await;
        }
        assert_eq!(answer["success"], true, "{answer}");
        answer
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.post_raw(path, "application/json", body.to_string()).await
    }

    pub(crate) async fn post_raw(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<Body>,
    ) -> (StatusCode, Value) {
        let request =
            Request::post(path).header(header::CONTENT_TYPE, content_type).body(body.into()).unwrap();
        self.request(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.request(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn request(&self, request: Request<Body>) -> (StatusCode, Value) {
        let (status, _, body) = self.request_from(None, request).await;
        (status, body)
    }

    /// The answer to a client at this address, with its `Retry-After`.
    pub(crate) async fn request_from(
        &self,
        client: Option<SocketAddr>,
        mut request: Request<Body>,
    ) -> (StatusCode, Option<u64>, Value) {
        if let Some(client) = client {
            request.extensions_mut().insert(ConnectInfo(client));
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.map(|seconds| seconds.to_str().unwrap().parse().unwrap());
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&bytes)));
        (status, retry_after, body)
    }

    /// The media type and the text at `path`.
    pub(crate) async fn text(&self, path: &str) -> (String, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (kind, String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// What `/payments/{id}` says.
    pub(crate) async fn payment(&self, id: Hex32) -> Value {
        let (status, body) = self.get(&format!("/payments/{id}")).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    /// Waits until `/payments/{id}` is as `wanted`.
    pub(crate) async fn until(&self, id: Hex32, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..3000 {
            let payment = self.payment(id).await;
            if wanted(&payment) {
                return payment;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it did not come to that: {:#}", self.payment(id).await);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// Signs `payload` with the session's key.
pub(crate) fn sign(payload: &mut IntentPayload, requirements: &PaymentRequirements) {
    let intent = payload.intent(requirements, &Extra::read(requirements).unwrap());
    payload.signature = Some(Base58(signing_key(SESSION).sign(&intent.signed_bytes()).to_bytes()));
}

/// The body of `/verify` and `/settle`.
pub(crate) fn envelope(requirements: &PaymentRequirements, payload: Value) -> Value {
    json!({
        "x402Version": 2,
        "paymentPayload": { "x402Version": 2, "accepted": requirements, "payload": payload },
        "paymentRequirements": requirements,
    })
}

async fn app(chain: Arc<dyn Chain>, directory: &std::path::Path, options: Options) -> Arc<App> {
    let store = Store::open(&directory.join("verifier.sqlite")).await.unwrap();
    let policy = Policy {
        finality: Finality::new(vec![Tier { up_to: None, commitment: options.commitment }]).unwrap(),
        capture_commitment: Commitment::Confirmed,
        minimum_authorize_seconds: 5,
        maximum_authorize_seconds: 120,
        minimum_capture_seconds: 30,
        maximum_capture_seconds: 86_400,
        voucher_margin_seconds: 60,
        maximum_refund_seconds: 86_400,
        exact_fee_bounds: FeeBounds {
            maximum_compute_units: 400_000,
            maximum_compute_unit_price_micro_lamports: 5_000_000,
        },
        minimum_hold_amount: options.minimum_hold_amount,
        maximum_open_holds_per_escrow: options.maximum_open_holds_per_escrow,
    };
    let webhook = |address| Webhook { url: format!("http://{address}/"), secret: WEBHOOK_SECRET.to_vec() };
    store.keep_news(options.webhook.is_some()).await.unwrap();
    let settings = Settings {
        webhook: options.webhook.map(webhook),
        websocket_urls: options
            .announced_at
            .map(|port| format!("ws://127.0.0.1:{port}"))
            .into_iter()
            .collect(),
        settle_timeout: options.settle_timeout,
        request_timeout: Duration::from_secs(30),
        status_poll_interval: Duration::from_millis(20),
        review_interval: Duration::from_millis(50),
        compute_unit_prices_micro_lamports: 10..=1000,
        maximum_body_bytes: 64 * 1024,
        limits: LimitSettings {
            maximum_concurrent_requests: options.maximum_concurrent_requests,
            requests_per_minute_per_client: options.requests_per_minute_per_client,
            payments_per_minute_per_session: options.payments_per_minute_per_session,
            trusted_proxies: Vec::new(),
        },
        minimum_fee_payer_lamports: 50_000_000,
        maximum_slot_age_seconds: 60,
    };
    Arc::new(App::new(chain, store, keypair(FEE_PAYER), policy, settings).await.unwrap())
}
