// A payment straight to the database over a supabase-js client that somebody is signed in to, without the edge.
import { Unavailable, mpsRpc } from "@mps/sdk/supabase";

export async function pay(supabase, order) {
  const mps = mpsRpc(supabase);
  const idempotencyKey = crypto.randomUUID(); // of this payment, however often it is sent
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { tx_no, final_amount, replayed } = await mps.call("charge", order, { idempotencyKey });
      return { tx_no, final_amount, replayed };
    } catch (error) {
      if (!(error instanceof Unavailable) || attempt === 3) throw error;
    }
  }
}
