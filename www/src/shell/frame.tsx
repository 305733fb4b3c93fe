// What surrounds every page: the name, the language switch, the way out.
import type { ComponentChildren } from "preact";
import { type Language, languages, useTexts } from "../i18n.ts";
import { useOnline } from "./online.ts";
import type { Site } from "./site.ts";

interface FrameProps {
  language: Language;
  onLanguage: (language: Language) => void;
  /** With a site there is somebody to sign out. */
  site: Site | undefined;
  children: ComponentChildren;
}

export function Frame({ language, onLanguage, site, children }: FrameProps) {
  const texts = useTexts();
  const isOnline = useOnline();
  return (
    <>
      <header class="bar">
        <a class="brand" href="./index.html">
          <img src="./icon.svg" alt="" width="28" height="28" />
          {texts.appName}
        </a>
        <div class="switch" role="group" aria-label={texts.language}>
          {(Object.keys(languages) as Language[]).map((each) => (
            <button key={each} type="button" lang={each} aria-pressed={each === language} onClick={() => onLanguage(each)}>
              {languages[each].name}
            </button>
          ))}
        </div>
        {site && (
          <button class="link" type="button" onClick={() => void site.leave()}>
            {texts.signOut}
          </button>
        )}
      </header>
      {!isOnline && (
        <p class="strip" role="status">
          {texts.offline}
        </p>
      )}
      <main>{children}</main>
    </>
  );
}
