// The npm package `tradovate` plays against an emulator: node tradovate.cjs READY, where READY is what `pitboss emulate
// tradovate --json` says. Its table of addresses is led to loopback; nothing else of it is touched. The last line that
// is printed tells what happened.
"use strict";

const ready = JSON.parse(process.argv[2]);
const { URLs } = require("tradovate/dist/types");
Object.assign(URLs, { DEMO_URL: ready.http, WS_DEMO_URL: ready.ws, MD_URL: ready.ws });
const { MarketDataSocket, RequestSocket, TradovateService } = require("tradovate");

async function until(ask, holds) {
  let found = await ask();
  for (let turn = 0; turn < 100 && !holds(found); turn++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    found = await ask();
  }
  return found;
}

async function play() {
  const service = new TradovateService();
  const login = await service.connect(ready.credentials);
  const [account] = await service.get("account/list", {});
  const [contract] = await service.get("contract/suggest", { t: "ES", l: 1 });

  const market = new MarketDataSocket();
  await market.connect();
  const bid = await new Promise((resolve, reject) => {
    const heard = (quote) => quote.entries.Bid && resolve(quote.entries.Bid.price);
    market.subscribeQuote(contract.name, heard).catch(reject);
  });

  const user = new RequestSocket(URLs.WS_DEMO_URL);
  await user.connect(login.accessToken);
  const states = [];
  user.addListener((event) => {
    if (event.e === "props" && event.d.entityType === "order") states.push(event.d.entity.ordStatus);
  });
  const synced = await user.request({ url: "user/syncrequest", body: { users: [login.userId] } });

  const price = Math.round(bid * 0.9);
  const terms = { orderQty: 1, orderType: "Limit", price, timeInForce: "Day", isAutomated: true };
  const placed = await service.post("order/placeorder", {
    accountSpec: account.name, accountId: account.id, action: "Buy", symbol: contract.name, ...terms,
  });
  const changed = await service.post("order/modifyorder", { orderId: placed.orderId, ...terms, orderQty: 2, price: price - 1 });
  // A command is refused for as long as the one before it is on its way to the exchange.
  const cancel = () => service.post("order/cancelorder", { orderId: placed.orderId });
  const canceled = await until(cancel, (reply) => reply.failureReason !== "AnotherCommandPending");
  const order = await until(
    () => service.get("order/item", { id: placed.orderId }),
    (row) => row.ordStatus === "Canceled",
  );
  const versions = await service.get("orderVersion/deps", { masterid: placed.orderId });
  return {
    account: account.name, synced: synced.s, bid, placed, changed, canceled, states,
    order: order.ordStatus, quantities: versions.map((one) => one.orderQty),
  };
}

play().then(
  (found) => { console.log(JSON.stringify(found)); process.exit(0); },
  (error) => { console.error(String(error && error.stack || error)); process.exit(1); },
);
