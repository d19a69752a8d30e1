// Anchor's deploy hook, run by `anchor migrate`. The program has no admin and no global account, so there is nothing to
// initialise: the hook checks that what was deployed is the program that clients and signatures name.

const fs = require("fs");
const path = require("path");

module.exports = async function (provider) {
  const idl = JSON.parse(fs.readFileSync(path.join(__dirname, "../idl/x402_escrow.json"), "utf8"));
  const { PublicKey } = require("@anchor-lang/core").web3;
  const account = await provider.connection.getAccountInfo(new PublicKey(idl.address));
  if (account === null) {
    throw new Error(`nothing is deployed at ${idl.address}: anchor deploy, or anchor keys sync for an address of your own`);
  }
  if (!account.executable) {
    throw new Error(`${idl.address} is an account, but not a program`);
  }
  console.log(`${idl.address} is deployed; there is nothing to initialise`);
};
