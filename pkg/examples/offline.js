// A phone that pays without a network: enrolled once, then it makes its codes by itself.

import { MpsClient, indexedDbStorage, keepClock } from "@mps/sdk/client";
import { OfflineWallet, init } from "@mps/sdk/inline"; // the module is inside the script, so that it is there offline too

/** With a network, once: the key stays on this phone. */
export async function enrol(baseUrl, accessToken, cardId, storage = indexedDbStorage()) {
  await init();
  await OfflineWallet.open(storage, cardId); // a storage that cannot keep a key is refused before a device is enrolled
  const onServerTime = (reading) => keepClock(storage, reading);
  const mps = new MpsClient({ baseUrl, accessToken, onServerTime });
  const device = await mps.call("enrollDevice", { card_id: cardId, label: "My phone" });
  return OfflineWallet.keep(storage, { card_id: cardId, ...device });
}

/** Without one, whenever the member pays: at any terminal, or at one. */
export async function showCode(cardId, terminal, storage = indexedDbStorage()) {
  await init();
  const wallet = await OfflineWallet.open(storage, cardId);
  if (wallet === undefined) return "This phone is not enrolled.";
  const next = await wallet.next(Date.now(), terminal);
  return next.kind === "wait" ? `The next code comes in ${next.secondsToWait} s.` : next.code;
}
