// The merchant's page: which shop and terminal, then the till.
import type { MyMerchant, Profile } from "@mps/sdk/client";
import { useState } from "preact/hooks";
import { useTexts } from "../i18n.ts";
import { Loading } from "../shell/loading.tsx";
import { ProblemNotice } from "../shell/problem_notice.tsx";
import { useProfile } from "../shell/profile.ts";
import { entryForm } from "./entry.tsx";
import { Till } from "./till.tsx";

export function MerchantPage() {
  const texts = useTexts().pos;
  const { state, ask } = useProfile();
  if (state.kind === "asking") return <Loading />;
  if (state.kind === "failed") return <ProblemNotice problem={state.problem} onRetry={ask} />;
  const { profile } = state;
  if (profile.merchants.length === 0) return <p class="notice bad">{texts.notMerchantUser}</p>;
  return <Place profile={profile} />;
}

const keptAt = "mps.till";

/** The shop and the terminal last used on this device, where they are still ours. */
function keptPlace(merchants: readonly MyMerchant[]): { merchant: string; terminal: string } {
  const [keptMerchant, keptTerminal] = (localStorage.getItem(keptAt) ?? "").split(" ");
  const merchant = merchants.find((each) => each.code === keptMerchant) ?? merchants[0];
  const terminal = merchant?.terminals.find((each) => each.code === keptTerminal) ?? merchant?.terminals[0];
  return { merchant: merchant?.code ?? "", terminal: terminal?.code ?? "" };
}

function Place({ profile }: { profile: Profile }) {
  const texts = useTexts();
  const [place, setPlace] = useState(() => keptPlace(profile.merchants));
  const [isBusy, setBusy] = useState(false);
  const merchant = profile.merchants.find((each) => each.code === place.merchant);
  if (merchant === undefined) return null;
  const move = (merchantCode: string, terminalCode: string) => {
    localStorage.setItem(keptAt, `${merchantCode} ${terminalCode}`);
    setPlace(keptPlace(profile.merchants));
  };
  const merchants = profile.merchants.map(({ code, name }) => ({ code, label: name }));
  const terminals = merchant.terminals.map(({ code, label }) => ({ code, label: label === null ? code : `${label} · ${code}` }));
  return (
    <>
      <div class="who">
        <Choice
          name="merchant"
          label={texts.pos.merchant}
          options={merchants}
          chosen={merchant.code}
          isFixed={isBusy}
          onChoose={(code) => move(code, "")}
        />
        <Choice
          name="terminal"
          label={texts.pos.terminal}
          options={terminals}
          chosen={place.terminal}
          isFixed={isBusy}
          onChoose={(code) => move(merchant.code, code)}
        />
        {profile.member_id !== null && <a href="./member.html">{texts.choose.member}</a>}
      </div>
      <Till
        key={`${place.merchant} ${place.terminal}`}
        merchantCode={merchant.code}
        terminalCode={place.terminal || undefined}
        onBusy={setBusy}
      />
    </>
  );
}

interface ChoiceProps {
  name: string;
  label: string;
  options: readonly { code: string; label: string }[];
  chosen: string;
  isFixed: boolean;
  onChoose: (code: string) => void;
}

/** A list to choose from where there is a choice, else the only one. */
function Choice({ name, label, options, chosen, isFixed, onChoose }: ChoiceProps) {
  const texts = useTexts().pos;
  if (options.length < 2) {
    return (
      <span class="place">
        <span class="unseen">{label}</span>
        {options[0]?.label ?? texts.noTerminal}
      </span>
    );
  }
  return (
    <label class="place">
      <span class="unseen">{label}</span>
      <select name={name} form={entryForm} value={chosen} disabled={isFixed} onChange={(event) => onChoose(event.currentTarget.value)}>
        {options.map((option) => (
          <option key={option.code} value={option.code}>
            {option.label}
          </option>
        ))}
      </select>
    </label>
  );
}
