// The edge's routes as methods. No WebAssembly here: this entry runs wherever `fetch` does.

import { callOf } from "./call.js";
import type { Routes, routes } from "./generated/routes.js";
import { type KeptIntent, forgetIntent, keptIntent, requestText, sendIntent } from "./intents.js";
import { keyOrFresh } from "./keys.js";
import type {
  Charge,
  ChargeRequest,
  IssuedCode,
  MemberCard,
  Payment,
  PaymentQuote,
  Profile,
  QuotePaymentRequest,
  RegisterRequest,
  Registration,
  RotateCodeRequest,
  ValidateCodeRequest,
} from "./routes.js";
import { type KeyValueStorage, checkedStorage, memoryStorage } from "./storage.js";
import { type CallOptions, type MpsClientOptions, type Sending, Transport } from "./transport.js";
import { malformed, plainCopy } from "./thrown.js";

export { type ClockReading, keepClock } from "./clock.js";
export * from "./errors.js";
export { type ErrorCode, errorCatalogue } from "./generated/errors.js";
export type { Routes } from "./generated/routes.js";
/** What every route answers, by the names of openapi.json: `answers.CardDetail`. */
export type * as answers from "./generated/routes.js";
export type { KeptIntent } from "./intents.js";
export type * from "./routes.js";
export { type KeyValueStorage, indexedDbStorage, memoryStorage, webStorage } from "./storage.js";
export type { WaitOptions } from "./patience.js";
export type { CallOptions, MpsClientOptions } from "./transport.js";
export type { CardType, DiscountSource } from "./types.js";

/** What a caller may say about a call that moves money. */
export interface KeyedCallOptions extends CallOptions {
  /**
   * Names this request for ever; a fresh random one when left out. Give the failed call's to try it again: it then counts as sent before, so
   * that a refusal comes with the key cancelled (`keyCancelled`).
   */
  readonly idempotencyKey?: string | undefined;
  /**
   * Names what is wanted, "order-17": its key is kept in the client's `storage` before anything is sent, so that the same
   * intent after a reload goes with the same key, until it is forgotten. Another request under its name is refused with
   * IDEMPOTENCY_KEY_REUSED, unsent, as long as the one before was done or may have been.
   */
  readonly intent?: string | undefined;
}

/** What may be said about a route's call: a key only where it moves money. */
export type OptionsOf<N extends keyof Routes> = (typeof routes)[N][2] extends "keyed" ? KeyedCallOptions : CallOptions;

/** Calls the edge as the signed-in user. Every method throws an `MpsError`, or the signal's reason. */
export class MpsClient {
  readonly #transport: Transport;
  readonly #storage: KeyValueStorage;

  /** Throws MALFORMED_ARGUMENT with the `field` that is not as documented. */
  constructor(options: MpsClientOptions) {
    this.#transport = new Transport(options);
    this.#storage = checkedStorage(plainCopy(options, "options").storage ?? memoryStorage());
  }

  /** What was asked under an intent and was done, or may have been: send it again under the same name to learn what became of it. */
  async keptIntent(intent: string, options: CallOptions = {}): Promise<KeptIntent | undefined> {
    return keptIntent(this.#storage, intent, this.#transport.waitOf(options));
  }

  /** Ends an intent, answered or not: when it is wanted once more, it is a new one. */
  async forgetIntent(intent: string, options: CallOptions = {}): Promise<void> {
    return forgetIntent(this.#storage, intent, this.#transport.waitOf(options));
  }

  /** Who the caller is: member, admin, somebody's cashier. */
  me(options: CallOptions = {}): Promise<Profile> {
    return this.#send("getMe", {}, options);
  }

  /** Makes the caller a member; again: the same member. */
  register(request: RegisterRequest, options: CallOptions = {}): Promise<Registration> {
    return this.#send("register", request, options);
  }

  /** The caller's cards, the shared ones too. */
  cards(options: CallOptions = {}): Promise<readonly MemberCard[]> {
    return this.#send("listCards", {}, options);
  }

  /** A fresh code for a card; it ends the caller's earlier one of that card. */
  rotateCode(request: RotateCodeRequest, options: CallOptions = {}): Promise<IssuedCode> {
    return this.#send("rotateCode", request, options);
  }

  /** Ends the caller's live code of a card; false when there was none. */
  revokeCode(cardId: string, options: CallOptions = {}): Promise<{ readonly revoked: boolean }> {
    return this.#send("revokeCode", { card_id: cardId }, options);
  }

  /** The card of a live code; spends nothing. */
  validateCode(request: ValidateCodeRequest, options: CallOptions = {}): Promise<{ readonly card_id: string }> {
    return this.#send("validateCode", request, options);
  }

  /** What a charge would cost and earn; spends nothing. */
  quotePayment(request: QuotePaymentRequest, options: CallOptions = {}): Promise<PaymentQuote> {
    return this.#send("quotePayment", request, options);
  }

  /** Charges the card of a code. Sent again with the same key it charges once and gives the same answer. */
  charge(request: ChargeRequest, options: KeyedCallOptions = {}): Promise<Charge> {
    return this.#send("charge", request, options);
  }

  /**
   * Makes sure that a keyed call never happens, or tells what it did: after `cancelled` whatever is still on its way with the key is refused.
   * Without a merchant it is the caller's own key, as admin or member.
   */
  cancelRequest(request: Routes["cancelRequest"]["input"], options: CallOptions = {}): Promise<Routes["cancelRequest"]["output"]> {
    return this.#send("cancelRequest", request, options);
  }

  /** What a keyed call made, or the payment of a merchant's order. It does not wait: what is not found may still come, until it is cancelled. */
  findPayment(request: Routes["findPayment"]["input"], options: CallOptions = {}): Promise<Payment> {
    return this.#send("findPayment", request, options);
  }

  /** A transaction by its number. */
  payment(txNo: string, options: CallOptions = {}): Promise<Payment> {
    return this.#send("getPayment", { tx_no: txNo }, options);
  }

  /**
   * Any route by its name in the edge's openapi.json: `call("freezeCard", { card_id })`. The input holds the names in the
   * path and the fields of query or body. A route that moves money gets an idempotency key.
   */
  call<N extends keyof Routes>(name: N, input: Routes[N]["input"], options?: OptionsOf<N>): Promise<Routes[N]["output"]> {
    return this.#send(name, input, options ?? {});
  }

  async #send<T>(name: keyof Routes, input: object, options: KeyedCallOptions): Promise<T> {
    const { call, isKeyed } = callOf(name, input);
    const { idempotencyKey, intent } = plainCopy(options, "options");
    if (!isKeyed) {
      // Whoever gives one believes that it protects him.
      if (idempotencyKey !== undefined) throw malformed("idempotencyKey");
      if (intent !== undefined) throw malformed("intent");
      return this.#transport.send(call, options);
    }
    const send = (key: string, sending: Sending): Promise<T> => this.#transport.send({ ...call, idempotencyKey: key }, options, sending);
    if (idempotencyKey !== undefined || intent === undefined) {
      return send(keyOrFresh(idempotencyKey), { mayBeDone: idempotencyKey !== undefined });
    }
    return sendIntent(this.#storage, intent, requestText(call.path, call.body), this.#transport.waitOf(options), send);
  }
}
