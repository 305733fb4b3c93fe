// The edge's routes as methods. No WebAssembly here: this entry runs wherever `fetch` does.

import { type Routes, routes } from "./generated/routes.js";
import { forgetIntent, sendIntent } from "./intents.js";
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
import { type KeyValueStorage, memoryStorage } from "./storage.js";
import { type Call, type CallOptions, type MpsClientOptions, Transport } from "./transport.js";

export * from "./errors.js";
export { type ErrorCode, errorCatalogue } from "./generated/errors.js";
export type { Routes } from "./generated/routes.js";
export type * from "./routes.js";
export * from "./storage.js";
export type { CallOptions, MpsClientOptions } from "./transport.js";
export type { CardType, DiscountSource } from "./types.js";

/** What a caller may say about a call that moves money. */
export interface KeyedCallOptions extends CallOptions {
  /** Names this request for ever; a fresh random one when left out. Give the failed call's to try it again. */
  readonly idempotencyKey?: string | undefined;
  /**
   * Names what is wanted, "order-17": its key is kept in the client's `storage` before anything is sent, so that the same
   * intent after a reload goes with the same key. It stays until it is refused or forgotten; with another request it is refused.
   */
  readonly intent?: string | undefined;
}

/** Calls the edge as the signed-in user. Every method throws an `MpsError`, or the signal's reason. */
export class MpsClient {
  readonly #transport: Transport;
  readonly #storage: KeyValueStorage;

  constructor(options: MpsClientOptions) {
    this.#transport = new Transport(options);
    this.#storage = options.storage ?? memoryStorage();
  }

  /** Ends an intent, answered or not: when it is wanted once more, it is a new one. */
  forgetIntent(intent: string): Promise<void> {
    return forgetIntent(this.#storage, intent);
  }

  /** Who the caller is: member, admin, somebody's cashier. */
  me(options: CallOptions = {}): Promise<Profile> {
    return this.#get("/api/member/me", options);
  }

  /** Makes the caller a member; again: the same member. */
  register(request: RegisterRequest, options: CallOptions = {}): Promise<Registration> {
    return this.#transport.send({ method: "POST", path: "/api/member/register", body: request, isRead: false }, options);
  }

  /** The caller's cards, the shared ones too. */
  cards(options: CallOptions = {}): Promise<readonly MemberCard[]> {
    return this.#get("/api/member/cards", options);
  }

  /** A fresh code for a card; it ends the caller's earlier one of that card. */
  rotateCode(request: RotateCodeRequest, options: CallOptions = {}): Promise<IssuedCode> {
    return this.#transport.send({ method: "POST", path: "/api/qr/rotate", body: request, isRead: false }, options);
  }

  /** Ends the caller's live code of a card; false when there was none. */
  revokeCode(cardId: string, options: CallOptions = {}): Promise<{ readonly revoked: boolean }> {
    const body = { card_id: cardId };
    return this.#transport.send({ method: "POST", path: "/api/qr/revoke", body, isRead: false }, options);
  }

  /** The card of a live code; spends nothing. */
  validateCode(request: ValidateCodeRequest, options: CallOptions = {}): Promise<{ readonly card_id: string }> {
    return this.#transport.send({ method: "POST", path: "/api/qr/validate", body: request, isRead: true }, options);
  }

  /** What a charge would cost and earn; spends nothing. */
  quotePayment(request: QuotePaymentRequest, options: CallOptions = {}): Promise<PaymentQuote> {
    return this.#transport.send({ method: "POST", path: "/api/payment/quote", body: request, isRead: true }, options);
  }

  /** Charges the card of a code. Sent again with the same key it charges once and gives the same answer. */
  charge(request: ChargeRequest, options: KeyedCallOptions = {}): Promise<Charge> {
    return this.#keyed({ method: "POST", path: "/api/payment/charge", body: request, isRead: false }, options);
  }

  /** A transaction by its number. */
  payment(txNo: string, options: CallOptions = {}): Promise<Payment> {
    return this.#get(`/api/payment/${encodeURIComponent(txNo)}`, options);
  }

  /**
   * Any route by its name in the edge's openapi.json: `call("freezeCard", { card_id })`. The input holds the names in the
   * path and the fields of query or body. A route that moves money gets an idempotency key.
   */
  call<N extends keyof Routes>(name: N, input: Routes[N]["input"], options: KeyedCallOptions = {}): Promise<Routes[N]["output"]> {
    const [method, template, retry] = routes[name];
    const fields = new Map<string, unknown>(Object.entries(input).filter(([, value]) => value !== undefined));
    let path = template.replace(/\{(\w+)\}/g, (_, field: string) => {
      const value = fields.get(field);
      fields.delete(field);
      return encodeURIComponent(String(value));
    });
    const isQuery = method === "GET" || method === "DELETE";
    if (isQuery && fields.size > 0) {
      const pairs = [...fields].filter(([, value]) => value !== null).map(([field, value]) => [field, String(value)]);
      path += `?${new URLSearchParams(pairs).toString()}`;
    }
    const body = isQuery ? {} : { body: Object.fromEntries(fields) };
    const call = { method, path, ...body, isRead: retry === "always" };
    return retry === "keyed" ? this.#keyed(call, options) : this.#transport.send(call, options);
  }

  #keyed<T>(call: Call, options: KeyedCallOptions): Promise<T> {
    const { idempotencyKey, intent, ...rest } = options;
    const send = (key: string): Promise<T> => this.#transport.send({ ...call, idempotencyKey: key }, rest);
    if (idempotencyKey !== undefined || intent === undefined) return send(idempotencyKey ?? crypto.randomUUID());
    return sendIntent(this.#storage, intent, JSON.stringify([call.path, call.body]), send);
  }

  #get<T>(path: string, options: CallOptions): Promise<T> {
    return this.#transport.send({ method: "GET", path, isRead: true }, options);
  }
}
