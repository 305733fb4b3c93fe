// TextDecoder and TextEncoder for wasm-bindgen's glue, which makes one of each at its import. build.mjs puts these in their place: they look
// for the runtime's own at the first text, and do without where there is none, as in jsdom. A runtime that lacks them may import us.

/** UTF-8 only, and none that is broken: it comes from our own module. */
export class TextDecoder {
  #own: globalThis.TextDecoder | undefined;

  /** The glue's warm-up gives nothing. */
  decode(bytes?: Uint8Array): string {
    if (bytes === undefined) return "";
    const { TextDecoder: Own } = globalThis as { TextDecoder?: typeof globalThis.TextDecoder };
    if (Own === undefined) return decodeURIComponent(Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""));
    this.#own ??= new Own("utf-8", { ignoreBOM: true, fatal: true });
    return this.#own.decode(bytes);
  }
}

/** Into UTF-8. */
export class TextEncoder {
  #own: globalThis.TextEncoder | undefined;

  encode(text: string): Uint8Array {
    const own = this.#found();
    if (own !== undefined) return own.encode(text);
    const parts = encodeURIComponent(text.replace(/\p{Surrogate}/gu, "\ufffd")).match(/%..|./g) ?? [];
    return Uint8Array.from(parts, (part) => (part.length === 3 ? parseInt(part.slice(1), 16) : part.charCodeAt(0)));
  }

  encodeInto(text: string, room: Uint8Array): { read: number; written: number } {
    const own = this.#found();
    if (own !== undefined) return own.encodeInto(text, room);
    const bytes = this.encode(text);
    room.set(bytes);
    return { read: text.length, written: bytes.length };
  }

  #found(): globalThis.TextEncoder | undefined {
    const { TextEncoder: Own } = globalThis as { TextEncoder?: typeof globalThis.TextEncoder };
    return (this.#own ??= Own && new Own());
  }
}
