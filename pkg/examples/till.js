// A till: whatever happens to the page or the network, an order is paid once.
import { MpsClient, Refused, Unavailable } from "@mps/sdk/client";

/** In a page, `storage` is `indexedDbStorage()`: the key of an order outlives a reload there. */
export function openTill(baseUrl, accessToken, storage) {
  const mps = new MpsClient({ baseUrl, accessToken, storage });
  async function charge(orderNo, scanned, amount) {
    const order = { merchant_code: "SHOP001", qr_plain: scanned, raw_amount: amount, external_order_id: orderNo };
    try {
      const earlier = await mps.keptIntent(orderNo); // an attempt that may have paid: first learn what became of it
      const { tx_no, final_amount } = await mps.charge(earlier?.body ?? order, { intent: orderNo });
      return { paid: final_amount, receipt: tx_no };
    } catch (error) {
      if (error instanceof Unavailable) return { again: true }; // nobody knows: the same call again pays once
      if (error instanceof Refused) return { refused: error.code }; // "INSUFFICIENT_BALANCE", "QR_EXPIRED_OR_INVALID", …
      throw error;
    }
  }
  // Once the receipt is in your books, what was kept of the order can go.
  return { charge, close: (orderNo) => mps.forgetIntent(orderNo) };
}
