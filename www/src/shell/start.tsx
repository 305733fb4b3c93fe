// Starting a page: configuration, policy, core, session, in this order; a failure of each says what to do.
import { init } from "@mps/sdk";
import { type ComponentChild, type ComponentType, render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ConfigProblem, loadConfig, narrowPolicy } from "../config.ts";
import { forgetOthers } from "../enrolments.ts";
import { keepLanguage, keptLanguage, type Language, LanguageContext, languages, type Texts, useTexts } from "../i18n.ts";
import { openSession } from "../session.ts";
import { Frame } from "./frame.tsx";
import { Loading } from "./loading.tsx";
import { openSite, type Site, SiteContext } from "./site.ts";

export interface Page {
  title: (texts: Texts) => string;
  view: ComponentType;
  /** Without a session the visitor is sent to the sign-in page. */
  needsSession: boolean;
}

type Start = { site: Site } | { failure: unknown } | undefined;

export function startPage(page: Page): void {
  const root = document.getElementById("app");
  if (root === null) throw new Error("the page has no #app");
  root.removeAttribute("aria-busy");
  render(<Root page={page} />, root);
}

async function open(page: Page): Promise<Start> {
  const config = await loadConfig();
  narrowPolicy(config);
  await init();
  const session = openSession(config);
  if (page.needsSession && !(await session.isSignedIn())) {
    location.replace("./index.html");
    return undefined;
  }
  // What cannot be deleted now is at the next start, and is not shown till then.
  await forgetOthers().catch(() => undefined);
  return { site: openSite(config, session) };
}

function Root({ page }: { page: Page }) {
  const [language, setLanguage] = useState<Language>(keptLanguage);
  const [start, setStart] = useState<Start>();
  const texts = languages[language];

  useEffect(() => {
    open(page).then(setStart, (failure: unknown) => setStart({ failure }));
  }, [page]);
  useEffect(() => {
    document.documentElement.lang = language;
    document.title = `${page.title(texts)} · ${texts.appName}`;
  }, [language, page, texts]);

  const choose = (chosen: Language) => {
    keepLanguage(chosen);
    setLanguage(chosen);
  };
  const site = start !== undefined && "site" in start ? start.site : undefined;
  let body: ComponentChild = <Loading />;
  if (site !== undefined) body = <page.view />;
  else if (start !== undefined && "failure" in start) body = <StartFailure failure={start.failure} />;
  return (
    <LanguageContext.Provider value={language}>
      <SiteContext.Provider value={site}>
        <Frame language={language} onLanguage={choose} site={page.needsSession ? site : undefined}>
          {body}
        </Frame>
      </SiteContext.Provider>
    </LanguageContext.Provider>
  );
}

function StartFailure({ failure }: { failure: unknown }) {
  const texts = useTexts();
  const isConfig = failure instanceof ConfigProblem;
  if (!isConfig) console.error(failure);
  const what = !isConfig ? "" : failure.field === undefined ? texts.config.missing : texts.config.malformed(failure.field);
  return (
    <section class="panel" role="alert">
      <h1>{isConfig ? texts.config.title : texts.startFailed.title}</h1>
      <p>{what}</p>
      <p>{isConfig ? texts.config.next : texts.startFailed.next}</p>
      <button class="button" type="button" onClick={() => location.reload()}>
        {texts.retry}
      </button>
    </section>
  );
}
