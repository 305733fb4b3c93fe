// A till: whatever happens to the page or the network, an order is paid once.
import { MpsClient, Refused, Unavailable } from "@mps/sdk/client";

/** In a page, `storage` is `indexedDbStorage()`: the key of an order outlives a reload there. */
export function openTill(baseUrl, accessToken, storage) {
  const mps = new MpsClient({ baseUrl, accessToken, storage });
  return async function charge(orderNo, scanned, amount) {
    const order = { merchant_code: "SHOP001", qr_plain: scanned, raw_amount: amount, external_order_id: orderNo };
    try {
      const { tx_no, final_amount } = await mps.charge(order, { intent: orderNo });
      return { paid: final_amount, receipt: tx_no };
    } catch (error) {
      if (error instanceof Unavailable) return { again: true }; // the outcome is unknown: the same call again has the same key
      if (error instanceof Refused) return { refused: error.code }; // "INSUFFICIENT_BALANCE", "QR_EXPIRED_OR_INVALID", …
      throw error;
    }
  };
}
