// Values that nobody means well with.

/** Throws at every question. */
function touchy(target: object): object {
  const refuse = (): never => {
    throw new RangeError("do not touch");
  };
  const traps = ["get", "set", "has", "ownKeys", "getPrototypeOf", "getOwnPropertyDescriptor", "defineProperty", "deleteProperty", "apply", "construct", "isExtensible"];
  return new Proxy(target, Object.fromEntries(traps.map((trap) => [trap, refuse])));
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable([], {});
  revoke();
  return proxy;
}

function detached(): ArrayBuffer {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

function cyclic(): object {
  const object: Record<string, unknown> = { list: [] };
  object["self"] = object;
  (object["list"] as unknown[]).push(object);
  return object;
}

/** Getters with these names, of which each throws. */
function trapped(names: readonly string[]): object {
  const object = {};
  for (const name of names) {
    Object.defineProperty(object, name, {
      enumerable: true,
      get: () => {
        throw new Error(`the getter ${name}`);
      },
    });
  }
  return object;
}

function rejected(): Promise<never> {
  const promise = Promise.reject(new Error("rejected"));
  promise.catch(() => undefined);
  return promise;
}

const everyName = [
  "accessToken", "amount", "baseUrl", "body", "cardId", "cardType", "card_id", "code", "corporateDiscounts", "dark", "device_key",
  "finalAmount", "handle", "idempotencyKey", "intent", "levels", "light", "params", "points", "qr_plain", "rawAmount", "raw_amount",
  "retry", "signal", "status", "storage", "then", "timeoutMs", "title", "toJSON", "toString", "length", "0",
];

/** Some are spent by their first use: that is hostile too. */
export const hostileValues: readonly unknown[] = makeValues();

function makeValues(): readonly unknown[] {
  const throwing = (): never => {
    throw new Error("called");
  };
  return [
    undefined, null, true, false, NaN, Infinity, -Infinity, 0, -0, -1, 0.1, 1.5, 2 ** 31, 2 ** 32, 2 ** 53, 1e21, 1e308, 5e-324,
    0n, 2n ** 64n, -1n,
    "", " ", "\0", "\ud800", "\udc00a", "a\ud83d", "\u{1f4a9}", "\ufeff", "NaN", "1e3", "-1", "+1", "0x10", "٣", "1\n", "\t", "a\r\nb: c",
    "__proto__", "constructor", "toString", "..", ".", "/", "%00", "null", "[object Object]", '"', "\\", "<svg onload=x>",
    "7".repeat(24), "701234567890123456789017".repeat(100), "9".repeat(400), "x".repeat(5_000_000), "\ud800".repeat(100_000),
    Symbol("s"), Symbol.iterator, Object(Symbol.iterator),
    throwing, async () => rejected(), function* () { yield 1; }, class {}, touchy(() => undefined),
    [], [undefined], [[[[[[]]]]]], [1, "2", {}], new Array(5), new Array(2 ** 32 - 1), [touchy({})], touchy([]),
    new Proxy([], { get: (target, name) => (name === "length" ? 2 ** 32 : (Reflect.get(target, name) as unknown)) }),
    {}, Object.create(null), Object.freeze({}), touchy({}), revoked(), cyclic(), trapped(everyName),
    { toString: throwing, valueOf: throwing, toJSON: throwing, [Symbol.toPrimitive]: throwing }, { toString: () => "standard" },
    { then: throwing }, { then: (_: unknown, reject: (why: unknown) => void) => reject(touchy({})) }, { length: 2 ** 32 }, { __proto__: null, code: "INVALID_QR" },
    new Date(0), new Date(NaN), /x/u, new Map([["a", 1]]), new Set([1]), new WeakMap(), new Error("e"), touchy(new Error("e")),
    new ArrayBuffer(8), detached(), new Uint8Array(detached().byteLength), new SharedArrayBuffer(8), new DataView(new ArrayBuffer(1)),
    new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]), new WebAssembly.Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])),
    new Float64Array([NaN]), rejected(), new AbortController(), new URL("http://127.0.0.1:1/"), new Response("no module"), new Response("", { status: 404 }),
    globalThis, Math, Reflect, Object.assign(() => "t", { get: throwing, set: throwing, remove: throwing }),
  ];
}

/** A right argument with one of its fields, or of its lists' items' fields, replaced by each value. */
export function* spoilt(right: unknown): Generator {
  if (typeof right !== "object" || right === null) return;
  const fields = right as Record<string, unknown>;
  for (const name of Object.keys(fields)) {
    for (const value of hostileValues) yield { ...fields, [name]: value };
    const inner = fields[name];
    if (Array.isArray(inner)) for (const item of spoilt(inner[0])) yield { ...fields, [name]: [item] };
    yield trappedField(fields, name);
  }
}

function trappedField(fields: Record<string, unknown>, name: string): object {
  return Object.defineProperties({ ...fields }, Object.getOwnPropertyDescriptors(trapped([name])));
}
