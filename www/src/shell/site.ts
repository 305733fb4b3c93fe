// What every page has once it has started: the configuration, the session, the client of the edge.
import { keepClock, MpsClient, Unauthenticated, webStorage } from "@mps/sdk/client";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Config } from "../config.ts";
import { deviceStorage } from "../device_storage.ts";
import { endAllHere } from "../enrolments.ts";
import { type Problem, readProblem } from "../problem.ts";
import type { Session } from "../session.ts";

export interface Site {
  config: Config;
  session: Session;
  client: MpsClient;
  /** Back to the sign-in page, signed out. */
  leave: (why?: "expired") => Promise<void>;
  /** The problem of a failed call; a session that has ended leaves the page. */
  problemOf: (error: unknown) => Problem;
}

export function openSite(config: Config, session: Session): Site {
  const client = new MpsClient({
    baseUrl: config.edgeUrl,
    accessToken: session.accessToken,
    // A charge's intent is its tab's: two tills beside each other are two.
    storage: webStorage(sessionStorage),
    onServerTime: (reading) => keepClock(deviceStorage, reading),
  });
  const leave = async (why?: "expired") => {
    if (why === undefined) await endAllHere(client);
    await session.signOut();
    location.replace(why === undefined ? "./index.html" : `./index.html#${why}`);
  };
  return {
    config,
    session,
    client,
    leave,
    problemOf: (error) => {
      if (error instanceof Unauthenticated) void leave("expired");
      return readProblem(error);
    },
  };
}

export const SiteContext = createContext<Site | undefined>(undefined);

export function useSite(): Site {
  const site = useContext(SiteContext);
  if (site === undefined) throw new Error("useSite outside of a started page");
  return site;
}
