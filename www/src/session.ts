// Who is signed in: Supabase Auth, kept in this browser's local storage and renewed by itself.
import { Unavailable } from "@mps/sdk/client";
import { AuthClient, isAuthApiError, isAuthRetryableFetchError } from "@supabase/auth-js";
import type { Config } from "./config.ts";
import type { Texts } from "./i18n.ts";

export type Session = ReturnType<typeof openSession>;

const keptAt = "mps.session";
/** auth-js renews a session that has less left. */
const marginMs = 90_000;

/** What is read of the session past auth-js, which would renew it first. */
interface Kept {
  expires_at?: number;
  user?: { id?: string };
}

function kept(): Kept | null {
  try {
    return JSON.parse(localStorage.getItem(keptAt) ?? "null") as Kept | null;
  } catch {
    return null;
  }
}

/** The id of the user whose session is kept, ended or not. */
export const keptUserId = (): string | undefined => kept()?.user?.id;

/** Whether what is kept must be renewed before it is used. */
const mustRenew = (): boolean => (kept()?.expires_at ?? 0) * 1000 < Date.now() + marginMs;

export function openSession(config: Config) {
  const auth = new AuthClient({
    url: `${config.supabaseUrl}/auth/v1`,
    headers: { apikey: config.supabasePublishableKey },
    storageKey: keptAt,
    persistSession: true,
    // Begun without a network it would try for half a minute, and then not again for a whole one. Who asks for a token renews it too.
    autoRefreshToken: navigator.onLine,
    detectSessionInUrl: true,
  });
  return {
    /** Without a network what is kept counts. */
    isSignedIn: async () => {
      if (!navigator.onLine) return localStorage.getItem(keptAt) !== null;
      const { data, error } = await auth.getSession();
      return data.session !== null || isAuthRetryableFetchError(error);
    },
    /** The access token of this moment, renewed when it is about to end. Throws Unavailable when that cannot be done now. */
    accessToken: async () => {
      // Renewing would be tried for half a minute. A server on this very machine is reached all the same.
      if (!navigator.onLine && mustRenew()) throw new Unavailable("UNAVAILABLE");
      const { data, error } = await auth.getSession();
      if (isAuthRetryableFetchError(error)) throw new Unavailable("UNAVAILABLE", { cause: error });
      return data.session?.access_token ?? null;
    },
    signIn: async (email: string, password: string): Promise<SignInOutcome> => {
      const { error } = await auth.signInWithPassword({ email, password });
      return error === null ? "done" : whyNot(error);
    },
    createAccount: async (email: string, password: string): Promise<SignInOutcome> => {
      const { data, error } = await auth.signUp({ email, password });
      if (error !== null) return whyNot(error);
      return data.session === null ? "confirmSent" : "done";
    },
    signOut: async () => {
      await auth.signOut({ scope: "local" });
      // It stays where the server cannot be told.
      localStorage.removeItem(keptAt);
    },
  };
}

/** "done", or the name of the text that says why not. */
export type SignInOutcome = "done" | (keyof Texts["signIn"] &
  ("wrong" | "notConfirmed" | "confirmSent" | "alreadyUser" | "weakPassword" | "tooMany" | "failed"));

const refusals: Record<string, SignInOutcome> = {
  invalid_credentials: "wrong",
  email_not_confirmed: "notConfirmed",
  user_already_exists: "alreadyUser",
  email_exists: "alreadyUser",
  weak_password: "weakPassword",
  over_request_rate_limit: "tooMany",
  over_email_send_rate_limit: "tooMany",
};

function whyNot(error: unknown): SignInOutcome {
  if (!isAuthApiError(error)) return "failed";
  const byCode = refusals[error.code ?? ""];
  if (byCode !== undefined) return byCode;
  if (error.status === 429) return "tooMany";
  return error.status === 400 || error.status === 401 ? "wrong" : "failed";
}
