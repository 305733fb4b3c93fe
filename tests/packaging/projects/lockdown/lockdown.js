// What such a mode does to a page.
delete globalThis.WebAssembly;
