// Keeping the site on this device, so that its pages open without a network: worker/worker.ts does it.

const script = "./worker.js";

/** Of Trusted Types, where the browser has them. */
interface Policies {
  createPolicy: (name: string, rules: object) => { createScriptURL: (text: string) => string };
}

/** A page works without it as well, while there is a network: where it cannot be, nothing is said. */
export function keepSite(): void {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  // The site's policy wants to know that a script's address is not made of anybody's text.
  const types = (window as { trustedTypes?: Policies }).trustedTypes;
  const address = types?.createPolicy("keep-site", { createScriptURL: () => script }).createScriptURL(script) ?? script;
  navigator.serviceWorker.register(address).catch(() => undefined);
}
