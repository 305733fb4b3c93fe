// The member's page: registration first when the account has no member yet, then the wallet.
import { useEffect } from "preact/hooks";
import { enrolledCards } from "../enrolments.ts";
import { useTexts } from "../i18n.ts";
import { Loading } from "../shell/loading.tsx";
import { useOnline } from "../shell/online.ts";
import { ProblemNotice } from "../shell/problem_notice.tsx";
import { useProfile } from "../shell/profile.ts";
import { Register } from "./register.tsx";
import { Wallet } from "./wallet.tsx";
import { WithoutNetwork } from "./without_network.tsx";

export function MemberPage() {
  const texts = useTexts();
  const { state, ask } = useProfile();
  const isOnline = useOnline();
  const isLost = state.kind === "failed" && state.problem.mayRetry;
  useEffect(() => {
    if (isOnline && isLost) ask();
    // The network's return is asked about once; whatever fails after it has a button.
  }, [isOnline]);
  const cards = state.kind !== "known" && (!isOnline || isLost) ? enrolledCards() : [];
  const notice = state.kind === "failed" && isOnline && <ProblemNotice problem={state.problem} onRetry={ask} />;
  if (cards.length > 0) return <>{notice}<WithoutNetwork cards={cards} /></>;
  if (state.kind === "asking") return <Loading />;
  if (state.kind === "failed") return <ProblemNotice problem={state.problem} onRetry={ask} />;
  const { profile } = state;
  if (profile.member_id === null) return <Register onDone={ask} />;
  return (
    <>
      <p class="who">
        <span>
          {profile.name} <small class="faint">{profile.member_no}</small>
        </span>
        {profile.merchants.length > 0 && <a href="./merchant.html">{texts.choose.merchant}</a>}
      </p>
      <Wallet />
    </>
  );
}
