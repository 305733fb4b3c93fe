// What build_script.mjs writes: the module as a script.

/** An instance, as one of WebAssembly would have it. */
export interface Core {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  __wbindgen_start(): void;
}

/** What is thrown where WebAssembly would trap. */
export declare class Trap extends Error {}

export declare function instantiate(glue: object): Core;
