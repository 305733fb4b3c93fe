// A card as a picture: type, number, balance, level and what it takes off.
import type { MemberCard } from "@mps/sdk/client";
import { useFormat, useTexts } from "../i18n.ts";

interface CardPictureProps {
  card: MemberCard;
  isChosen: boolean;
  onChoose: () => void;
}

export function CardPicture({ card, isChosen, onChoose }: CardPictureProps) {
  const texts = useTexts().wallet;
  const format = useFormat();
  const discount = format.discount(card.discount);
  return (
    <label class={`card ${card.card_type}`}>
      <input type="radio" name="card" checked={isChosen} onChange={onChoose} />
      <span class="row">
        <strong>{card.name ?? texts.types[card.card_type]}</strong>
        <span class="tag">{card.status === "active" ? texts.roles[card.role] : texts.statuses[card.status]}</span>
      </span>
      <span class="number">
        {card.name === null ? "" : `${texts.types[card.card_type]} · `}
        {card.card_no}
      </span>
      <span class="balance">
        <small>{texts.balance}</small>
        <b>{format.money(card.balance)}</b>
      </span>
      <span class="row">
        <span>
          {discount === undefined ? texts.noDiscount : discount}
          {discount !== undefined && card.discount_source !== "none" && (
            <small> {texts.sources[card.discount_source]}</small>
          )}
        </span>
        {card.expires_at !== null && <small>{texts.expires(format.date(card.expires_at))}</small>}
      </span>
      <LevelLine card={card} />
    </label>
  );
}

/** The level and the way to the next; cards that earn nothing have none. */
function LevelLine({ card }: { card: MemberCard }) {
  const texts = useTexts().wallet;
  const format = useFormat();
  const next = card.next_level_points;
  if (card.level_name === null || (next === null && card.points === 0)) return null;
  return (
    <span class="level">
      <span class="row">
        <small>
          {card.level_name} · {texts.points(format.whole(card.points))}
        </small>
        <small>{next === null ? texts.topLevel : texts.toNextLevel(format.whole(next - card.points))}</small>
      </span>
      <progress aria-label={texts.levelProgress} max={next ?? 1} value={next === null ? 1 : card.points} />
    </span>
  );
}
