/** `merchant/src/page.html`, which a test compares: bundlers take no files along. */
export const TEMPLATE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{price}} for {{what}}</title>
<style>
:root { --paper: #fafaf8; --card: #fff; --ink: #1c1e21; --soft: #5d636b; --line: #dfe1e4; --code: #f1f2f4; --mark: #0b57a4; --bad: #a3232b; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #15171a; --card: #1d2024; --ink: #e9ebee; --soft: #a3aab3; --line: #343940; --code: #272b31; --mark: #82b7f5; --bad: #ff9a9a; }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 2rem 1rem; background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; }
main { max-width: 44rem; margin: 0 auto; padding: 1.5rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem; }
p, dl, pre { margin: .6rem 0; }
h1 { margin: .2rem 0 .6rem; font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 1.8rem 0 .4rem; font-size: 1.05rem; }
.status, .unit { color: var(--soft); }
.price { font-size: 1.25rem; }
.refusal { padding: .6rem .8rem; border-left: .25rem solid var(--bad); background: var(--code); overflow-wrap: anywhere; }
a { color: var(--mark); }
code { font: .9rem/1.5 ui-monospace, monospace; }
pre { padding: .7rem .8rem; background: var(--code); border-radius: .4rem; white-space: pre-wrap; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1.2rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 30rem) {
  body { padding: .5rem; }
  main { padding: 1rem; }
  dl { display: block; }
  dd { margin-bottom: .5rem; }
}
</style>
</head>
<body>
<main>
<p class="status">402 Payment Required</p>
<h1>{{what}}</h1>
<p class="price"><strong>{{price}}</strong> <span class="unit">per request</span></p>
{{?hold}}<p>One hold of {{hold}} pays for many requests. What they don't use goes back.</p>
{{?refusal}}<p class="refusal" role="alert"><strong>Your payment was not taken.</strong> {{refusal}}</p>
<p>Software pays here, on Solana. Nothing is paid unless the answer succeeds.</p>
<h2>Pay from the command line</h2>
<pre><code>{{command}}</code></pre>
<p><code>session.json</code> is a key with limits. The owner of the money makes it with <code>agent session open</code>.</p>
<h2>Pay from a program</h2>
<p>Use an <a href="https://www.x402.org">x402</a> client that knows the scheme <code>auth-capture</code>. The terms are in the header <code>PAYMENT-REQUIRED</code>, and in the body of answers that are not for browsers:</p>
<pre><code>{{curl}}</code></pre>
<h2>Terms</h2>
<dl>
<dt>Request</dt><dd>{{method}} {{url}}</dd>
<dt>Token</dt><dd>{{token}}</dd>
<dt>Paid to</dt><dd>{{receiver}}</dd>
<dt>Network</dt><dd>{{network}}</dd>
{{?refunds}}<dt>Refunds</dt><dd>promised for {{refunds}} after the capture deadline</dd>
</dl>
</main>
</body>
</html>
`;
